--- Answers that the router gives itself, in the shape of OpenAI's (and vLLM's) API, or of Anthropic's where a path is of that one.
local cjson = require "cjson.safe"

local M = {}

local TYPES = {
  [400] = "BadRequestError",
  [401] = "AuthenticationError",
  [402] = "PaymentRequiredError",
  [403] = "PermissionDeniedError",
  [404] = "NotFoundError",
  [405] = "MethodNotAllowedError",
  [413] = "RequestTooLargeError",
  [415] = "UnsupportedMediaTypeError",
  [429] = "RateLimitError",
  [503] = "ServiceUnavailableError",
  [504] = "GatewayTimeoutError",
}

-- https://docs.anthropic.com/en/api/errors
local ANTHROPIC_TYPES = {
  [401] = "authentication_error",
  [402] = "billing_error",
  [403] = "permission_error",
  [404] = "not_found_error",
  [413] = "request_too_large",
  [429] = "rate_limit_error",
  [503] = "overloaded_error",
  [504] = "timeout_error",
}

local MESSAGES = {
  [400] = "The request is malformed.",
  [408] = "The request did not arrive in time.",
  [414] = "The request's address is too long.",
  [431] = "The request's header is too large: a line may have 16 KiB, all lines 32 KiB.",
  [500] = "The router failed to handle the request.",
  [502] = "The engine ended the connection before it answered.",
  [503] = "No engine could be reached. Try again shortly.",
  [504] = "The engine did not answer in time.",
}

--- Is the path of this request one of Anthropic's API? Asks nginx, which knows it before any phase of Lua has run.
local function is_anthropic()
  return (ngx.var.uri or ""):find("^/v1/messages") ~= nil
end

--- The JSON text of an error. Bytes outside ASCII in a name that a client sent are masked: they may not be valid UTF-8.
function M.error_body(status, message, param)
  local text = cjson.encode((message:gsub("[\128-\255%c]", "?")))
  if is_anthropic() then
    local kind = ANTHROPIC_TYPES[status] or (status < 500 and "invalid_request_error" or "api_error")
    return ('{"type":"error","error":{"type":"%s","message":%s}}'):format(kind, text)
  end
  return ('{"error":{"message":%s,"type":"%s","param":%s,"code":%d}}'):format(
    text,
    TYPES[status] or (status < 500 and "BadRequestError" or "InternalServerError"),
    param and cjson.encode(param) or "null",
    status
  )
end

--- An event with the JSON text of an error, for a stream that has begun. `sse` is how the path's streams report errors.
function M.event_of(sse, body)
  if sse ~= "events" then return "data: " .. body .. "\n\n" end
  if not body:find('^{"type":"error"') then body = '{"type":"error",' .. body:sub(2) end
  return "event: error\ndata: " .. body .. "\n\n"
end

--- The JSON text for an error of nginx's own.
function M.default_body(status)
  if status == 413 then
    return M.error_body(status, ("The request is larger than the %s bytes that this router accepts."):format(ngx.var.max_body_size))
  end
  return M.error_body(status, MESSAGES[status] or "The request could not be answered.")
end

--- Sends an error of nginx's own and ends the request.
function M.own_error(status)
  if status >= 502 then ngx.header["Retry-After"] = 1 end
  return M.json(status, M.default_body(status))
end

--- Sends JSON text and ends the request.
function M.json(status, text)
  local ctx, header = ngx.ctx, ngx.header
  ctx.replied = true
  ngx.status = status
  header["Content-Type"] = "application/json"
  header["Content-Length"] = #text
  ngx.print(text)
  return ngx.exit(ngx.HTTP_OK)
end

--- Sends an error and ends the request. `retry_after` in seconds, where trying again makes sense.
function M.error(status, message, param, retry_after)
  if retry_after then ngx.header["Retry-After"] = retry_after end
  return M.json(status, M.error_body(status, message, param))
end

return M

--- Answers that the router gives itself, in the shape of OpenAI's (and vLLM's) API.
local cjson = require "cjson.safe"

local M = {}

local TYPES = {
  [400] = "BadRequestError",
  [401] = "AuthenticationError",
  [403] = "PermissionDeniedError",
  [404] = "NotFoundError",
  [405] = "MethodNotAllowedError",
  [413] = "RequestTooLargeError",
  [429] = "RateLimitError",
  [503] = "ServiceUnavailableError",
  [504] = "GatewayTimeoutError",
}

local MESSAGES = {
  [400] = "The request is malformed.",
  [408] = "The request did not arrive in time.",
  [413] = "The request is larger than this router accepts.",
  [414] = "The request's address is too long.",
  [431] = "The request's header is too large.",
  [500] = "The router failed to handle the request.",
  [502] = "The engine ended the connection before it answered.",
  [503] = "No engine could be reached. Try again shortly.",
  [504] = "The engine did not answer in time.",
}

--- The JSON text of an error. Bytes outside ASCII in a name that a client sent are masked: they may not be valid UTF-8.
function M.error_body(status, message, param)
  return ('{"error":{"message":%s,"type":"%s","param":%s,"code":%d}}'):format(
    cjson.encode((message:gsub("[\128-\255%c]", "?"))),
    TYPES[status] or (status < 500 and "BadRequestError" or "InternalServerError"),
    param and cjson.encode(param) or "null",
    status
  )
end

--- The JSON text for an error of nginx's own.
function M.default_body(status)
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

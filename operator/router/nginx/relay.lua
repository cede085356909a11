--- Carries a stream whose client has been sent comments while it waited. Its answer has begun, so nginx cannot proxy it any
-- more: the router sends the request to itself, over a socket that only it can reach, and copies the answer.
local cjson = require "cjson.safe"
local counters = require "counters"
local limits = require "limits"
local own_answer = require "own_answer"
local request_body = require "body"
local routes = require "routes"
local target = require "target"
local trace = require "trace"

local M = {}

local LONGEST = 86400 -- seconds of one wait; nginx counts milliseconds in 32 bits

local MAX_ERROR = 65536 -- bytes of an engine's error
local NO_JSON = "The engine answered with an error that is no JSON object."
local SOCKET = "unix:relay.sock"
local TOKENS, TOKENS_SECONDS = "tokens of ", 60 -- key, and how long they stay where the client went away meanwhile

--- Begins the answer.
function M.open(ctx)
  local header = ngx.header
  ctx.relay, ctx.replied = true, true
  header["Content-Type"] = "text/event-stream; charset=utf-8"
  header["Cache-Control"] = "no-cache"
  header["X-Accel-Buffering"] = "no"
  -- How long is not known yet.
  if ctx.waits_since and ctx.waits_as == "hold_time" then header["Server-Timing"] = "hold" end
  ngx.send_headers()
  M.comment()
end

--- Sends a comment, which event streams ignore. False when the client is gone.
function M.comment()
  return ngx.print(": waiting\n\n") and ngx.flush(true)
end

--- Ends a request whose client is gone.
local function gone(ctx)
  ctx.status = 499
  return ngx.exit(ngx.ERROR)
end

--- Waits until `attempt(seconds)`, which waits for no longer than that, returns something true; returns that, or false after the
-- deadline. A streaming client is sent comments meanwhile; from the first one on its answer has to come through the relay.
function M.wait(ctx, deadline, attempt)
  local left = deadline - ngx.now()
  local streams, waits = ctx.stream and ctx.path.sse, routes.current().limits
  -- Errors up to the first comment have their own status code; comments come more often than idle limits of common proxies.
  local patience, interval = waits.commentAfterMs / 1000, waits.commentEveryMs / 1000
  if not ctx.relay then
    local done = attempt(math.max(0, math.min(streams and patience or LONGEST, left)))
    if done or not streams or left <= patience then return done end
    -- Both ends of the relay have the body. Where there is no room for that, the client waits without comments.
    local body = ctx.body_bytes or 0
    if not request_body.has_room(ctx, body) then return attempt(math.max(0, deadline - ngx.now())) end
    request_body.hold(ctx, body)
    M.open(ctx)
  end
  repeat
    left = deadline - ngx.now()
    local done = left > 0 and attempt(math.max(0.001, math.min(interval, left)))
    if done then return done end
    if left > 0 and not M.comment() then return gone(ctx) end
  until left <= 0
  return false
end

--- Ends a request with an error: as an event if the answer has begun.
function M.fail(ctx, status, message, retry_after)
  if not ctx.relay then return own_answer.error(status, message, nil, retry_after) end
  ctx.status = status
  ngx.print(own_answer.event_of(ctx.path.sse, own_answer.error_body(status, message)))
  ngx.flush(true)
  return ngx.exit(ngx.HTTP_OK)
end

-- Written below, of one connection only, or made by the router.
local NOT_PASSED = {
  host = true, ["content-length"] = true, ["transfer-encoding"] = true, connection = true, ["keep-alive"] = true, te = true,
  trailer = true, upgrade = true, expect = true, ["proxy-authorization"] = true, ["proxy-connection"] = true, cookie = true,
  ["x-request-id"] = true, traceparent = true, ["x-forwarded-for"] = true,
}

--- Lines with the other headers of the client, such as the key of an engine: as nginx passes them on when it proxies.
local function other_headers()
  local lines, n = {}, 0
  for name, value in pairs(ngx.req.get_headers(0)) do
    if not NOT_PASSED[name] and not name:find("^x%-relay%-") then
      for _, one in ipairs(type(value) == "table" and value or { value }) do
        lines[n + 1], lines[n + 2], lines[n + 3], lines[n + 4] = name, ": ", one, "\r\n"
        n = n + 4
      end
    end
  end
  return table.concat(lines)
end

--- Sends the request to the router itself.
local function send(ctx, socket)
  local var = ngx.var
  local body, forwarded = request_body.text(), var.http_x_forwarded_for
  socket:send {
    "POST ", var.uri, target.query(var), " HTTP/1.0\r\nHost: ", var.host, "\r\n",
    other_headers(), "X-Forwarded-For: ", forwarded and forwarded .. ", " or "", var.remote_addr, "\r\n",
    "Content-Length: ", tostring(#body), "\r\n",
    "X-Request-Id: ", var.trace_request_id, "\r\ntraceparent: ", var.trace_parent, "\r\n",
    "X-Relay-Id: ", ctx.relay_id, "\r\nX-Relay-Model: ", ctx.model.uid, "\r\nX-Relay-Tenant: ", ctx.tenant, "\r\n",
    "X-Relay-Key: ", ctx.api_key and ctx.api_key.sha256 or "", "\r\n",
    "X-Relay-Reserved: ", limits.hand_over(ctx), "\r\n",
    "X-Relay-Strip: ", ctx.strip_usage and "usage" or "", "\r\n\r\n", body,
  }
end

--- Body phase of a request that the relay sent, at the end of its answer: hands over the tokens to the request that it came from, which may
-- be in another worker, and only copies the answer.
function M.hand_over_tokens(ctx)
  if not ctx.prompt_tokens and not ctx.completion_tokens then return end
  ngx.shared.limits:safe_set(TOKENS .. ctx.relay_id, (ctx.prompt_tokens or "") .. "/" .. (ctx.completion_tokens or ""), TOKENS_SECONDS)
end

local function take_tokens(ctx)
  local shared, key = ngx.shared.limits, TOKENS .. ctx.relay_id
  local prompt, completion = (shared:get(key) or ""):match("^(%d*)/(%d*)$")
  ctx.prompt_tokens, ctx.completion_tokens = tonumber(prompt) or false, tonumber(completion) or false
  shared:delete(key)
end

--- Sends the request on and copies the answer's events. HTTP/1.0, so that the answer comes without chunks and ends with the connection.
function M.run(ctx)
  ctx.at_engine, ctx.relay_id = true, trace.id() -- counted there from here on
  counters.add(ctx.model.slot, counters.PENDING, -1)
  if ctx.span then ctx.span.sent = ngx.now() end
  local socket = ngx.socket.tcp()
  socket:settimeouts(1000, 60000, 24 * 3600 * 1000)
  local connected, err = socket:connect(SOCKET)
  if not connected then
    ngx.log(ngx.ERR, "relay: ", err)
    return M.fail(ctx, 500, "The router failed to handle the request.")
  end
  send(ctx, socket)
  local status_line = socket:receive("*l")
  local status = tonumber((status_line or ""):match("^HTTP/%d%.%d (%d+)")) or 502
  repeat local line = socket:receive("*l") until not line or line == ""
  if status ~= 200 then
    local text, _, part = socket:receive(MAX_ERROR)
    text = (text or part or ""):gsub("%s+", " "):gsub("^ ", "")
    local object = text:find("{", 1, true) == 1 and cjson.decode(text)
    if not object or not next(object) then text = own_answer.error_body(status, NO_JSON) end
    ctx.status = status
    ngx.print(own_answer.event_of(ctx.path.sse, text))
    ngx.flush(true)
    return ngx.exit(ngx.HTTP_OK)
  end
  while true do
    local data = socket:receiveany(65536)
    if not data then break end
    if not ctx.first_byte then ctx.first_byte = ngx.now() end
    if not ngx.print(data) or not ngx.flush(true) then return gone(ctx) end
  end
  take_tokens(ctx)
  return ngx.exit(ngx.HTTP_OK)
end

return M

--- What happens to an answer on its way to the client: nginx's own error pages become OpenAI errors, the time to the first
-- token is taken, and a stream whose engine died ends with an error event.
local balance = require "balance"
local cache = require "cache"
local cors = require "cors"
local reply = require "reply"
local usage = require "usage"

local M = {}

--- True when nginx made this answer itself because no engine gave one: the last try has no time of a header.
local function is_own_error(ctx)
  local times = not ctx.replied and ngx.var.upstream_header_time
  return times == nil or (times and times:find("%-[%s:]*$") ~= nil)
end

function M.header()
  local ctx = ngx.ctx
  if ctx.replied or not ctx.model and ngx.status < 400 then return end
  local header = ngx.header
  if ngx.status >= 400 and is_own_error(ctx) then
    local status = ctx.verdict or ngx.status
    if status == 502 and not balance.connected() then status = 503 end
    ngx.status = status
    ctx.body = reply.default_body(status)
    header["Content-Type"] = "application/json"
    header["Content-Length"] = #ctx.body
    if status >= 502 then header["Retry-After"] = 1 end
    return
  end
  if ctx.tier then header["X-Degraded"] = "max_tokens=" .. ctx.tier.maxTokens end
  if ctx.x_cache then header["X-Cache"] = ctx.x_cache end
  if ctx.stream or ctx.chunks then
    local content_type = header["Content-Type"]
    ctx.content_type = type(content_type) == "string" and content_type or ""
    ctx.sse = ctx.content_type:find("text/event-stream", 1, true) == 1
    if ctx.sse then header["X-Accel-Buffering"] = "no" end
    if ctx.strip_usage then header["Content-Length"] = nil end
    if ctx.chunks then cache.begin(ctx, ngx.status) end
  end
end

--- Header phase of answers to clients, not to the router's own relay.
function M.client_header()
  M.header()
  cors.header()
end

local CUT = "The engine stopped before the answer was complete."

--- The event that tells a client that its stream is cut. The blank line before it ends an event that came in part.
local function error_event(ctx)
  local last = ctx.last
  local gap = (not last or last:sub(-2) == "\n\n") and "" or "\n\n"
  return gap .. reply.event_of(ctx.path.sse, reply.error_body(502, CUT))
end

--- A part of a stream. nginx flushes an empty buffer before it gives up on an engine that broke off; while a response goes
-- on, its time is "-".
local function stream_part(ctx, chunk, eof)
  if chunk == "" and not eof then
    if ctx.cut or ngx.var.upstream_response_time == "-" then return end
    ctx.cut = true
    ngx.arg[1] = (ctx.rest or "") .. error_event(ctx)
    ngx.arg[2] = true
    return
  end
  if chunk ~= "" then
    if not ctx.first_byte then
      ngx.update_time()
      ctx.first_byte = ngx.now()
    end
    ctx.last = chunk
  end
  if chunk ~= "" or ctx.rest then
    local out = usage.stream(ctx, chunk, eof)
    if out ~= chunk then ngx.arg[1] = out end
    if ctx.chunks then cache.collect(ctx, out) end
  end
  ctx.ended = eof
end

function M.body()
  local ctx = ngx.ctx
  if ctx.sse then return stream_part(ctx, ngx.arg[1], ngx.arg[2]) end
  if ctx.body then
    ngx.arg[1], ngx.arg[2] = ctx.body, true
    ctx.body = ""
  elseif ctx.model and not ctx.replied then
    local chunk, eof = ngx.arg[1], ngx.arg[2]
    usage.plain(ctx, chunk, eof)
    if ctx.chunks then cache.collect(ctx, chunk) end
    ctx.ended = eof
  end
end

return M

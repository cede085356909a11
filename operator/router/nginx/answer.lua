--- What happens to an answer on its way to the client: nginx's own error pages become OpenAI errors, the time to the first
-- token is taken, and a stream whose engine died ends with an error event.
local balance = require "balance"
local reply = require "reply"

local M = {}

--- True when nginx made this answer itself because no engine gave one: the last try has no time of a header.
local function is_own_error(ctx)
  local times = not ctx.replied and ngx.var.upstream_header_time
  return times == nil or (times and times:find("%-[%s:]*$") ~= nil)
end

function M.header()
  local ctx = ngx.ctx
  if ctx.replied then return end
  local header = ngx.header
  if ngx.status >= 400 and is_own_error(ctx) then
    local status = ctx.verdict or ngx.status
    if status == 502 and not balance.connected() then status = 503 end
    ngx.status = status
    ctx.body = reply.default_body(status)
    header["Content-Type"] = "application/json"
    header["Content-Length"] = #ctx.body
    if status >= 502 then header["Retry-After"] = 1 end
  elseif ctx.stream then
    local content_type = header["Content-Type"]
    ctx.sse = type(content_type) == "string" and content_type:find("text/event-stream", 1, true) == 1
    if ctx.sse then header["X-Accel-Buffering"] = "no" end
  end
end

local CUT = "The engine stopped before the answer was complete."

--- The event that tells a client that its stream is cut. The blank line before it ends an event that came in part.
local function error_event(ctx)
  local body = reply.error_body(502, CUT)
  local last = ctx.last
  local gap = (not last or last:sub(-2) == "\n\n") and "" or "\n\n"
  if ctx.path.sse == "openai" then return gap .. "data: " .. body .. "\n\n" end
  return gap .. 'event: error\ndata: {"type":"error",' .. body:sub(2) .. "\n\n"
end

function M.body()
  local ctx = ngx.ctx
  if ctx.sse then
    local chunk = ngx.arg[1]
    if chunk ~= "" then
      if not ctx.first_byte then
        ngx.update_time()
        ctx.first_byte = ngx.now()
      end
      ctx.last = chunk
    elseif not ngx.arg[2] and not ctx.cut and ngx.var.upstream_response_time ~= "-" then
      -- nginx flushes an empty buffer before it gives up on an upstream that broke off; the time of a response that goes on is "-".
      ctx.cut = true
      ngx.arg[1] = error_event(ctx)
      ngx.arg[2] = true
    end
  elseif ctx.body then
    ngx.arg[1], ngx.arg[2] = ctx.body, true
    ctx.body = ""
  end
end

return M

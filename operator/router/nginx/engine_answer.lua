--- What happens to an answer on its way to the client: nginx's own error pages become OpenAI errors, the time to the first
-- token is taken, and a stream whose engine died ends with an error event.
local balance = require "balance"
local cache = require "cache"
local cors = require "cors"
local media_type = require "media_type"
local own_answer = require "own_answer"
local relay = require "relay"
local usage = require "usage"

local M = {}

local CUT = "The engine stopped before the answer was complete."
local NO_ANSWER = "The engine's answer is not one of HTTP/1.1."
local REDIRECT = "The engine answered with a redirect, which routers neither follow nor pass on."

--- True when nginx made this answer itself because no engine gave one: the last try has no time of a header.
local function is_own_error(ctx)
  local times = not ctx.replied and ngx.var.upstream_header_time
  return times == nil or (times and times:find("%-[%s:]*$") ~= nil)
end

--- Has the client get an error instead of what the engine answered, if it did.
local function replace(ctx, status, body)
  local header = ngx.header
  ngx.status = status
  ctx.body = body
  header["Content-Type"] = "application/json"
  header["Content-Length"] = #body
  if status >= 502 then header["Retry-After"] = 1 end
end

function M.header()
  local ctx, status = ngx.ctx, ngx.status
  if ctx.tier then ngx.header["X-Degraded"] = ctx.tier.header end
  if ctx.replied or not ctx.model and status < 400 then return end
  local header = ngx.header
  if status >= 400 and is_own_error(ctx) then
    status = ctx.gave_up or status
    if status == 502 and not balance.connected() then status = 503 end
    return replace(ctx, status, own_answer.default_body(status))
  end
  -- What is no HTTP/1 has 9, and nginx would pass it on as it is. A proxy in front takes what follows a 101 that nobody asked for
  -- for answers, of other clients even.
  if status < 200 and not (status == 101 and ngx.var.http_upgrade) then
    return replace(ctx, 502, own_answer.error_body(502, NO_ANSWER))
  end
  if status >= 300 and status < 400 then -- clients would send the prompt, and maybe their key, wherever the engine says
    header["Location"], header["Content-Encoding"] = nil, nil
    return replace(ctx, 502, own_answer.error_body(502, REDIRECT))
  end
  local said = header["Content-Type"]
  local content_type = status >= 200 and media_type.of(said) or said
  if content_type ~= said then header["Content-Type"] = content_type end
  if ctx.cache_result then header["X-Cache"] = ctx.cache_result end
  if ctx.hold_time then header["Server-Timing"] = ("hold;dur=%d"):format(ctx.hold_time * 1000) end
  if ctx.path.sse or ctx.chunks then
    ctx.sse = type(content_type) == "string" and content_type:find("text/event-stream", 1, true) == 1
    if ctx.sse then
      header["X-Accel-Buffering"] = "no"
      if ctx.strip_usage then header["Content-Length"] = nil end
    end
    if ctx.chunks then cache.begin(ctx, ngx.status) end
  end
  if not ctx.path.sse then
    local metadata = header["metadata"]
    if type(metadata) == "string" then usage.header(ctx, metadata) end
  end
end

--- Header phase of answers to clients, not to the router's own relay.
function M.client_header()
  M.header()
  cors.header()
end

--- The event that tells a client that its stream is cut. The blank line before it ends an event that came in part.
local function error_event(ctx)
  local last = ctx.last_chunk
  local gap = (not last or last:sub(-2) == "\n\n") and "" or "\n\n"
  return gap .. own_answer.event_of(ctx.path.sse, own_answer.error_body(502, CUT))
end

--- Has the engine broken off? nginx flushes an empty buffer before it gives up on it; while a response goes on, its time is "-".
local function has_broken_off(chunk, eof)
  return chunk == "" and not eof and ngx.var.upstream_response_time ~= "-"
end

--- A part of a stream.
local function stream_part(ctx, chunk, eof)
  if chunk == "" and not eof then
    if ctx.cut or not has_broken_off(chunk, eof) then return end
    ctx.cut = true
    ngx.arg[1] = usage.held(ctx) .. error_event(ctx)
    ngx.arg[2] = true
    return
  end
  if chunk ~= "" then
    if not ctx.first_byte then
      ngx.update_time()
      ctx.first_byte = ngx.now()
    end
    ctx.last_chunk = chunk
  end
  if chunk ~= "" then usage.stream(ctx, chunk) end
  if ctx.strip_usage then
    local out = usage.strip(ctx, chunk, eof)
    if out ~= chunk then ngx.arg[1] = out end
    chunk = out
  end
  if ctx.chunks then cache.collect(ctx, chunk) end
  ctx.ended = eof
end

function M.body()
  local ctx = ngx.ctx
  if ctx.sse then
    stream_part(ctx, ngx.arg[1], ngx.arg[2])
    if ctx.relayed and ngx.arg[2] then relay.hand_over_tokens(ctx) end
    return
  end
  if ctx.body then
    ngx.arg[1], ngx.arg[2] = ctx.body, true
    ctx.body = ""
  elseif ctx.model and not ctx.replied then
    local chunk, eof = ngx.arg[1], ngx.arg[2]
    if has_broken_off(chunk, eof) then ctx.broken = true end
    usage.plain(ctx, chunk, eof)
    if ctx.chunks then cache.collect(ctx, chunk) end
    ctx.ended = eof
  end
end

return M

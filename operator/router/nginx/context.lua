--- What is known of one request, in `ngx.ctx` from its access phase to its log phase, and how it ends.

---@class Context
--- Set by request.lua, before the request is let in:
---@field start number When its first byte came, in seconds since 1970. Read by all that has a deadline or measures time.
---@field trace_id string|false Id of its trace: its client's, or its own. Read by spans, audit.
---@field path table|false What paths.lua says of its path.
---@field model table|false The model that it asks for, by the table that is in use (compiled_routes.lua). Read by all.
---@field tenant string|false Whose it is: by its key, else the namespace of the model. Read by waiting, cache, accounts.
---@field api_key table|nil Entry of its key. Read by limits, keys, body, waiting.
---@field stream boolean Whether it asks for a stream. Read by relay, and where bodies are edited.
---@field affinity_key number|false Hash of the conversation. Written and read by pick_affinity.lua.
---@field strip_usage boolean|nil The usage event was asked for by the router: its client does not get it. Read by engine_answer.
---@field relayed boolean|nil It comes from the router itself (relay.lua), which counts it where it came from.
---@field span table|nil What is traced of it, if it is. Written and read by spans.lua; others add parts.
---@field arrived number|nil When all of it had come, where latency is measured. Read by accounts.
---@field body_bytes number|nil Bytes that the router holds for it. Written and read by body.lua.
---@field reserved table|nil Tokens that are reserved for it. Written and read by limits.lua.
--- Set by admission.lua:
---@field admitted boolean It has a place among those in flight of its model. Read by redispatch, accounts.
---@field waiter table|nil Its place in the waiting room. Read by accounts, which leaves the room.
---@field waits_since number|nil Since when it waits for an engine, while it does. Written by `begin_wait` below.
---@field waits_as string|nil What it waits as: the field of the two below that counts it. Likewise.
---@field hold_time number|nil Seconds that it has waited for an engine to start. Written by `end_wait` below. Read by accounts, engine_answer.
---@field queue_time number|nil Seconds that it has waited for an engine to have room. Likewise.
---@field tier table|nil The tier of degradation that was active. Written by degradation.lua. Read by engine_answer, accounts, audit.
---@field capped boolean|nil Its answer was made shorter than it asked for. Read by cache, accounts.
--- Set by balance.lua and redispatch.lua:
---@field endpoint table|false|nil The engine that it is counted at. Read by accounts, which has its result noted.
---@field at_engine boolean It is counted at an engine, or by the relay, and no longer as pending. Also written by relay.lua. Read by
--- accounts and limits: whether it got to an engine.
---@field tried table|nil Addresses of the engines that were tried.
---@field gave_up number|nil Status with which the balancer gave up: nginx itself says 500. Read by engine_answer, redispatch.
---@field sent number|nil When it was last sent to an engine, if the limit of its model adapts to how long that takes. Read by accounts.
---@field stalled number|nil Seconds for which its client did not take what was there for it. Written by slow_clients. Read by accounts.
---@field lost boolean|nil It got lost with a connection once: it is sent once more at most.
---@field worked boolean|nil The engine answered, and the client gets an error of the router in its place: tokens count all the same.
---@field redispatches number|nil How often it waited because no engine took it.
---@field parked boolean|nil It waits for that now, and is counted as queued.
--- Set by relay.lua:
---@field relay_id string|nil Names the request of the relay, and what that hands over.
---@field relay boolean|nil Its answer has begun with comments: what follows goes through the relay.
--- Set by cache.lua:
---@field cache_result string|false|nil What the cache did, for `X-Cache`. Read by engine_answer.
---@field cached_tokens number|nil Tokens of the stored answer that it gets. Written by request.lua, read by accounts.
---@field flight table|nil The requests that wait for its answer, which is to be stored.
---@field chunks table|nil Parts of the answer so far; absent when it is not to be stored.
---@field size number|nil Bytes of those.
--- Set by own_answer.lua, cors.lua and whoever answers without an engine:
---@field replied boolean|nil The answer is the router's own. Read by engine_answer, which leaves that alone.
--- Set by engine_answer.lua and usage.lua:
---@field sse boolean The answer is a stream of events. Read by cache.
---@field body string|nil The router's own body in the place of an engine's.
---@field first_byte number|nil When the first byte of a stream came. Also written by relay.lua. Read by accounts.
---@field first_chunk string|false First part of an answer that is no stream, until it is known whether it is all.
---@field last_chunk string|nil Last part of a stream: how an error event is put behind it.
---@field ended boolean All of the engine's answer has passed. Read by cache, limits, `status` below.
---@field cut boolean|nil The engine broke a stream off. Read by cache, limits, accounts, `status` below.
---@field broken boolean|nil The engine broke another answer off. Read by `status` below.
---@field prompt_tokens number|false Tokens by the usage object. Also written by relay.lua. Read by limits, accounts, audit.
---@field completion_tokens number|false Likewise.
---@field usage table|nil State of the reader of usage. Read by limits: how many events there were.
---@field held table|nil Parts of an event whose end is not there yet. Written and read by usage.lua.
---@field finish string|nil An event with a finish reason, until the next one is there. Likewise.
---@field newline boolean|nil Whether the last part of the stream ended with one. Likewise.
---@field passing boolean|nil An event is too long to be held back. Likewise.
--- Set by `status` below, or by relay.lua:
---@field status number|nil The status to count and log, where nginx has another one.

local spans = require "spans"

local M = {}

local CLIENT_CLOSED_REQUEST = 499 -- as nginx has it

--- What is known of a new request. Fields that most requests set have their place from the start, so that the table does not grow, which
-- costs more than all of it: tables grow in powers of two, and more than 16 are set as soon as there is a key, a stream or a large body.
---@return Context
function M.new()
  return {
    start = ngx.req.start_time(), trace_id = false, path = false, model = false, tenant = false, stream = false, admitted = false,
    endpoint = false, at_engine = false, affinity_key = false, cache_result = false, sse = false, first_chunk = false,
    ended = false, prompt_tokens = false, completion_tokens = false,
    api_key = nil, body_bytes = nil, usage = nil, first_byte = nil, last_chunk = nil, strip_usage = nil, span = nil, reserved = nil,
  }
end

--- The request begins to wait: for an engine of its model to start, or for one to have room or to be reachable.
---@param ctx Context
---@param starts boolean
function M.begin_wait(ctx, starts)
  ctx.waits_since, ctx.waits_as = ngx.now(), starts and "hold_time" or "queue_time"
end

--- The request waits no more.
---@param ctx Context
function M.end_wait(ctx)
  if not ctx.waits_since then return end
  local as = ctx.waits_as
  ctx[as] = (ctx[as] or 0) + ngx.now() - ctx.waits_since
  if ctx.span then spans.part(ctx.span, as == "hold_time" and "hold" or "queue", ctx.waits_since) end
  ctx.waits_since = nil
end

--- Log phase: the status with which the request has ended. Where a client went away in the middle of an answer, nginx has the
-- status with which that began.
---@param ctx Context
---@return number
function M.status(ctx)
  if ctx.status then return ctx.status end
  local status = ngx.status
  local whole = ctx.ended or ctx.cut or ctx.broken or ctx.replied or not ctx.at_engine
  if whole or status < 200 or status >= 300 then return status end
  ctx.status = CLIENT_CLOSED_REQUEST
  return CLIENT_CLOSED_REQUEST
end

return M

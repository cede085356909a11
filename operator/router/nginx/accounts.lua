--- The end of every request: undoes what it holds, however it ended, and counts it.
local adaptive_limit = require "adaptive_limit"
local admission = require "admission"
local audit = require "audit"
local balance = require "balance"
local counters = require "counters"
local cache = require "cache"
local latency = require "latency"
local context = require "context"
local early_end = require "early_end"
local limits = require "limits"
local metrics = require "metrics"
local open_requests = require "open_requests"
local request_body = require "body"
local redispatch = require "redispatch"
local spans = require "spans"
local usage_counts = require "usage_counts"
local waiting = require "waiting"
local websockets = require "websockets"

local M = {}

local function histogram_of(model, name)
  local histogram = model.histograms[name]
  if not histogram then
    histogram = metrics.histogram(name, "model", model.name, "namespace", model.namespace)
    model.histograms[name] = histogram
  end
  return histogram
end

--- Adds up the tokens of an answer.
local function count_tokens(ctx, model)
  local prompt, completion = ctx.prompt_tokens, ctx.completion_tokens or 0
  metrics.add(metrics.of_tenant(model.tokens, "tokens_total", model, ctx.tenant, "kind", "prompt"), prompt)
  metrics.add(metrics.of_tenant(model.tokens, "tokens_total", model, ctx.tenant, "kind", "completion"), completion)
  usage_counts.add(model, ctx.tenant, usage_counts.PROMPT_TOKENS, prompt)
  usage_counts.add(model, ctx.tenant, usage_counts.COMPLETION_TOKENS, completion)
  usage_counts.note_length(model, ctx.tenant, prompt + completion)
  if ctx.first_byte and completion > 1 then
    metrics.observe(histogram_of(model, "token_seconds"), (ngx.now() - ctx.first_byte) / (completion - 1))
  end
end

--- Notes how long the engine took for an answer that it ended, for a limit that adapts to it.
local function note_pace(ctx, model, status)
  if status == 200 and ctx.ended and not ctx.cut and not ctx.relay and not ctx.path.free and ctx.completion_tokens and model.adaptive then
    adaptive_limit.note(model, ctx.sent, ctx.completion_tokens, ctx.stalled or 0)
  end
end

local function engine_result(status)
  if status == 502 or status == 503 or status == 504 then
    return balance.connected() and "failed" or "refused"
  end
  return status == 499 and "unknown" or "ok"
end

--- Undoes that a request was let in, or waits to be.
local function let_go(ctx, model)
  local waiter = ctx.waiter
  if waiter then waiting.leave(waiter) end
  if ctx.admitted or (waiter and waiter.granted) then
    counters.add(model.slot, counters.IN_FLIGHT, -1)
    if not ctx.at_engine then counters.add(model.slot, counters.PENDING, -1) end
    counters.set(model.slot, counters.LAST, ngx.now() * 1000)
    waiting.pump(model.uid)
  end
end

--- Whether how long a request took shows how busy its model is: the engine worked for it until its end or until somebody had waited
-- long enough, or it waited in vain. Errors that come at once do not, nor websockets, which last as long as their client likes.
local function shows_load(ctx, status)
  if status == 101 or ctx.path.free then return false end
  return ctx.queue_time ~= nil or ctx.at_engine and (status < 400 or status == 499 or status == 504)
end

--- How long a request took, without what its client took to send it and to read its answer, and without a start of its model.
local function own_time(ctx)
  return math.max(0, ngx.now() - (ctx.arrived or ctx.start) - (ctx.hold_time or 0) - (ctx.stalled or 0))
end

--- Counts a request. What it waited for an engine to start is no part of its latency; what it waited for room is.
local function observe(ctx, model, status)
  context.end_wait(ctx)
  local since = ctx.start + (ctx.hold_time or 0)
  metrics.add(metrics.of_tenant(model.series, "requests_total", model, ctx.tenant, "code", status), 1)
  -- A connection that became a websocket lasts as long as its client likes.
  if status ~= 101 then metrics.observe(histogram_of(model, "request_seconds"), math.max(0, ngx.now() - since)) end
  if model.measures_latency and shows_load(ctx, status) then latency.note(model, own_time(ctx), status == 499) end
  if ctx.first_byte then
    metrics.observe(histogram_of(model, "first_token_seconds"), math.max(0, ctx.first_byte - since))
  end
  if ctx.hold_time then metrics.observe(histogram_of(model, "hold_seconds"), ctx.hold_time) end
  if ctx.queue_time then metrics.observe(histogram_of(model, "queue_seconds"), ctx.queue_time) end
end

--- Counts an answer for the operator.
local function count_answer(ctx, model)
  usage_counts.add(model, ctx.tenant, usage_counts.REQUESTS, 1)
  if not ctx.cached_tokens then return end
  usage_counts.add(model, ctx.tenant, usage_counts.CACHED_REQUESTS, 1)
  usage_counts.add(model, ctx.tenant, usage_counts.CACHED_TOKENS, ctx.cached_tokens)
end

--- Whether there is an answer, and it was made shorter than its client asked for.
local function is_shortened(ctx, status)
  return ctx.capped and ctx.at_engine and status < 400
end

--- Log phase.
function M.log()
  local ctx = ngx.ctx
  open_requests.leave()
  if ctx.start and not ctx.relayed then
    admission.leave(ctx)
    redispatch.leave(ctx)
  end
  request_body.release(ctx)
  if ctx.path and ctx.path.upgrade then websockets.leave(ctx) end
  local model = ctx.model
  local status = context.status(ctx)
  if ctx.reserved then limits.settle(ctx, status) end
  if not ctx.relayed then audit.note(ctx, status, is_shortened(ctx, status)) end
  if ctx.span then
    context.end_wait(ctx)
    spans.finish(ctx, status)
  end
  if not model then
    if not ctx.start then return end -- not a client's
    return metrics.add(metrics.series("requests_total", "model", "", "namespace", "", "tenant", "", "code", status), 1)
  end
  if ctx.endpoint then balance.settle(ctx, ctx.cut and "failed" or engine_result(status)) end
  if ctx.sent then note_pace(ctx, model, status) end
  if ctx.flight then cache.finish(ctx, status) end
  early_end.estimate(ctx, status)
  if ctx.prompt_tokens and not ctx.relay then count_tokens(ctx, model) end
  if ctx.cut then metrics.add(metrics.series("cut_streams_total", "model", model.name, "namespace", model.namespace), 1) end
  if ctx.relayed then return end
  let_go(ctx, model)
  observe(ctx, model, status)
  if status < 400 or status == 499 and ctx.first_byte then count_answer(ctx, model) end
  if is_shortened(ctx, status) then
    metrics.add(metrics.series("degraded_total", "model", model.name, "namespace", model.namespace, "tier", ctx.tier.number), 1)
  end
end

return M

--- The rules by which a request is let in: how many a router and a namespace may have, which wait and for how long, and what is
-- limited while many do.
local batching = require "batching"
local context = require "context"
local counters = require "counters"
local drain = require "drain"
local degradation = require "degradation"
local keys = require "keys"
local metrics = require "metrics"
local own_answer = require "own_answer"
local relay = require "relay"
local routes = require "routes"
local share = require "share"
local waiting = require "waiting"

local M = {}

local RETRY_SOON, RETRY_LATER = 1, 30 -- seconds, for Retry-After
local BUDGET = "BudgetExhausted" -- the reason why a budget of money stops a model

local parts = share.new() -- requests of this worker by namespace: that of the key, without keys that of the model

--- Counts a request that comes, and ends it when the router has as many as it can keep.
function M.enter()
  counters.add(0, counters.IN_FLIGHT, 1)
  if counters.sum(0, counters.IN_FLIGHT) > routes.current().limits.maxInFlight then
    return own_answer.error(503, "The router has as many requests as it can keep. Try again shortly.", nil, RETRY_SOON)
  end
end

--- Counts a request for a namespace, and ends it when that has more than its part.
function M.take_part(namespace)
  share.add(parts, namespace, 1)
  if not share.allows(parts, namespace, 0, routes.current().limits.maxInFlight - counters.sum(0, counters.IN_FLIGHT) + 1) then
    return own_answer.error(503, "The router has as many requests of one namespace as it can keep. Try again shortly.", nil, RETRY_SOON)
  end
end

--- Log phase: the request is gone.
function M.leave(ctx)
  counters.add(0, counters.IN_FLIGHT, -1)
  local owner = ctx.api_key or ctx.model
  if owner then share.add(parts, owner.namespace, -1) end
end

--- Number of the active tier of degradation of a model that has some, from 1 for the mildest; 0 when none is.
function M.tier_of(model)
  local tier = degradation.active(model, waiting.count(model))
  return tier and tier.number or 0
end

--- Has the active tier of degradation apply to a request, if its model has tiers, and ends one whose prompt is too long for it.
function M.degrade(ctx, model, n, from, to, p)
  if model.admission.degradation[1] and not ctx.path.free then
    return degradation.apply(ctx, model, waiting.count(model), n, from, to, p)
  end
end

--- Ends a request for a model that nothing is coming for. A client library repeats 503 and 429, which is no use before the budget is raised.
local function unavailable(ctx, model, name)
  local why = model.unavailable or {}
  metrics.rejected(model, "unavailable")
  -- The message names objects and what a cluster says of them: its owner may read it here, others only that there is a reason.
  local detail = keys.is_of_owner(ctx.api_key, model) and why.message or why.reason or "it cannot be started now"
  local message = ("The model `%s` is not available: %s. Its status says more."):format(name, (detail:gsub("%.$", "")))
  if why.reason == BUDGET then return relay.fail(ctx, 402, message) end
  return relay.fail(ctx, 503, message, RETRY_LATER)
end

--- Puts the request in line and returns when it may go on; ends it with an error when that takes too long.
local function wait_for_turn(ctx, model, name)
  local sleeping = #model.live == 0
  local admission = model.admission
  if drain.is_late(ctx.start) then return own_answer.error(503, "This router is about to end. Ask again, over another connection.", nil, RETRY_SOON) end
  if not waiting.may_enter(model, ctx.api_key) then
    metrics.rejected(model, "queue_full")
    if sleeping then
      return own_answer.error(503, ("The model `%s` is starting and too many requests wait for it."):format(name), nil, RETRY_LATER)
    end
    return own_answer.error(429, ("The model `%s` is busy and its queue is full."):format(name), nil, RETRY_SOON)
  end
  local waiter = waiting.enter(model, ctx.tenant, ctx.api_key)
  ctx.waiter = waiter
  context.begin_wait(ctx, sleeping)
  local deadline = ctx.start + (sleeping and admission.wakeTimeoutMs or admission.queueTimeoutMs) / 1000
  local passed = relay.wait(ctx, deadline, function(seconds) return waiting.wait(waiter, seconds) end)
  context.end_wait(ctx)
  if passed then return waiter.granted end
  metrics.rejected(model, sleeping and "wake_timeout" or "queue_timeout")
  if #model.live == 0 then
    local text = "The model `%s` did not start within %g s (admission.wakeTimeout). Its status says what it waits for; ask again later."
    return relay.fail(ctx, 504, text:format(name, admission.wakeTimeoutMs / 1000), RETRY_LATER)
  end
  return relay.fail(ctx, 429, ("The model `%s` is busy: no engine had room in time."):format(name), RETRY_SOON)
end

local function no_longer(ctx, name)
  return relay.fail(ctx, 404, ("The model `%s` does not exist."):format(name))
end

--- Lets the request in, at once or when it is its turn.
function M.admit(ctx, model, name)
  if model.batch_window and batching.applies(ctx, model) then
    batching.wait(ctx, model)
    model = routes.current().by_uid[model.uid]
    if not model then return no_longer(ctx, name) end
    ctx.model = model
  end
  if model.unavailable and #model.live == 0 then return unavailable(ctx, model, name) end
  if waiting.may_pass(model) then
    ctx.admitted = true
    waiting.admit(model)
    if ctx.relay then return relay.run(ctx) end
    return
  end
  ctx.admitted = wait_for_turn(ctx, model, name)
  -- The table changed while the request waited.
  model = routes.current().by_uid[model.uid]
  if not model then return no_longer(ctx, name) end
  ctx.model = model
  if not ctx.admitted then return unavailable(ctx, model, name) end
  if ctx.relay then return relay.run(ctx) end
end

return M

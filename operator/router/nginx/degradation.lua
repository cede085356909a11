--- What is limited while a model has too many requests: its tiers, severest first. A tier is active from the moment that one of its
-- thresholds is exceeded, and until its values were below 80 % of them for a while, so that tiers do not come and go.
local counters = require "counters"
local latency = require "latency"
local metrics = require "metrics"
local own_answer = require "own_answer"
local reservation = require "reservation"

local M = {}

local KEEPS = 0.8 -- part of its thresholds above which an active tier stays
local RETRY = 10 -- seconds, for Retry-After: as long as a tier stays at least
local NONE = math.huge

--- The active tier of a model that has some; nil when none is. `queued`: how many of its requests wait. The cells that
-- all workers share have, by slot and number, the time at which a tier was last exceeded.
function M.active(model, queued)
  local slot, now = model.slot, ngx.now() * 1000
  local p95 = model.measures_latency and latency.p95(model)
  local p95_ms = p95 and p95 * 1000 or 0
  for _, tier in ipairs(model.admission.degradation) do
    local age = now - counters.shared(slot, tier.number - 1)
    local is_active = age >= 0 and age < model.tier_hold
    local part = is_active and KEEPS or 1
    if queued > (tier.queueAbove or NONE) * part or p95_ms > (tier.p95AboveMs or NONE) * part then
      for number = 1, tier.number do counters.set_shared(slot, number - 1, now) end -- milder ones end no earlier
      return tier
    end
    if is_active then return tier end
  end
end

--- Has the active tier apply to a request, and ends one whose prompt is too long for it. `n`, `from`, `to`, `p`: the length of its body,
-- and where its members are.
function M.apply(ctx, model, queued, n, from, to, p)
  local tier = M.active(model, queued)
  if not tier then return end
  ctx.tier = tier
  local most = tier.maxPromptTokens
  if not most or not n then return end
  local tokens = reservation.prompt(n, from, to, p)
  if tokens <= most then return end
  metrics.rejected(model, "prompt_too_long")
  local text = "The model is overloaded and takes prompts of at most %d tokens for now; this one has about %s. Shorten it, or try again later."
  return own_answer.error(413, text:format(most, tokens < 1e9 and ("%d"):format(tokens) or "a billion"), nil, RETRY)
end

--- How many requests of a model may be in flight. `queued`: how many wait.
function M.in_flight_limit(model, queued)
  local tier = M.active(model, queued)
  local percent = tier and tier.inFlightPercent
  return percent and math.min(model.capacity, math.max(1, math.floor(model.capacity * percent / 100))) or model.capacity
end

return M

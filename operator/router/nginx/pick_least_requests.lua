--- Picks the engine that has least to do. Strategies of picking have the same two functions; balance.lua chooses one.
local counters = require "counters"

local random = math.random

local M = {}

--- Requests in flight for each that the engine can run.
local function load_of(endpoint)
  return counters.sum(endpoint.slot, counters.IN_FLIGHT) / endpoint.capacity
end

--- Access phase: takes what the strategy needs of a request, whose members are at `from` and `to` of the text `p`.
function M.prepare(_ctx, _model, _from, _to, _p) end

--- The less loaded of two engines at random, or the least loaded of all when those two cannot be used; nil when none can.
-- `usable(endpoint, tried, now)`: whether an engine may be picked.
function M.pick(ctx, model, usable, now)
  local live, tried = model.live, ctx.tried
  local n = #live
  if n > 1 then
    local i, j = random(n), random(n - 1)
    if j >= i then j = j + 1 end
    local a, b = live[i], live[j]
    if usable(a, tried, now) and usable(b, tried, now) then return load_of(b) < load_of(a) and b or a end
  end
  local best, least
  for i = 1, n do
    local endpoint = live[i]
    if usable(endpoint, tried, now) then
      local load = load_of(endpoint)
      if not best or load < least then best, least = endpoint, load end
    end
  end
  return best
end

return M

--- The length of the batching window of each model: that of the table, and shorter while the 95th percentile of latency is above its
-- target. All workers share it.
local counters = require "counters"
local latency = require "latency"
local shared_memory = require "shared_memory"

local M = {}

local SHORTEST = 0.005 -- seconds; below, there is no window, because nothing would arrive together
local GROWTH = 0.125 -- part of the full length that comes back when latency allows
local CALM = 0.8 -- part of the target below which it does

-- Fields of a slot: seconds by which the window is shortened, when that was last decided, and the end of the last window that was counted.
local CUT, LOOKED, COUNTED = 0, 1, 2
local FIELDS = 3
local STEPPED_BACK = 1 -- seconds; a window that ends so much before the counted one is new, because the clock was set back

local cells -- double[SLOTS][FIELDS]

--- Maps the memory. Called in the master before it forks.
function M.init()
  cells = shared_memory.map("windows", "double", counters.SLOTS * FIELDS)
end

--- Forgets the window of a slot, before it gets a new owner.
function M.clear(slot)
  shared_memory.clear(cells, slot * FIELDS, FIELDS)
end

--- The next cut of a window, in seconds. It halves what is left when `p95` is above `target`, and gives back an eighth of the full length
-- when it is well below, or unknown because there are few requests. Pure.
function M.next_cut(cut, length, p95, target)
  local left = math.max(0, length - cut)
  if p95 and p95 > target then
    left = left > length * GROWTH and left / 2 or 0
  elseif not p95 or p95 < target * CALM then
    left = math.min(length, left + length * GROWTH)
  end
  return length - left
end

--- The window of a model that has one, in seconds; 0 while latency does not allow any.
function M.length(model)
  local window, at, now = model.batch_window, model.slot * FIELDS, ngx.now()
  local since = now - cells[at + LOOKED]
  if since >= window.interval or since < 0 then
    cells[at + LOOKED] = now
    cells[at + CUT] = M.next_cut(cells[at + CUT], window.length, latency.p95(model), window.target)
  end
  local left = window.length - cells[at + CUT]
  return left >= SHORTEST and left or 0
end

--- True for the first of the requests, of all workers, that were released at `edge`. Workers share a cell without locks: two that ask at
-- the same moment may both be first.
function M.is_first(slot, edge)
  local at = slot * FIELDS + COUNTED
  local counted = cells[at]
  if edge <= counted and edge > counted - STEPPED_BACK then return false end
  cells[at] = edge
  return true
end

return M

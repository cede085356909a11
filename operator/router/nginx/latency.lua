--- Recent latencies of models, of all workers: a histogram for each model and period. The buckets of a period grow by a quarter, from
-- 1 ms to 17 minutes. Workers count in the same cells without locks: a count that gets lost changes no percentile that matters.
local ffi = require "ffi"
local counters = require "counters"
local shared_memory = require "shared_memory"

local M = {}

local PERIOD, PERIODS = 5, 7 -- seconds; those of the last half minute, and the present one
local BUCKETS, SHORTEST, GROWTH = 63, 0.001, 1.25
local CELLS = BUCKETS + 1 -- of a period: its number, and its buckets
local FEWEST = 20 -- requests: of fewer one is more than 5 %
local TAIL = 0.05
local AGAIN = 0.1 -- seconds for which a worker keeps a result

local USED = "latencies are used"

local is_used = false -- as this worker knows
local cells -- uint32_t[SLOTS][PERIODS][CELLS]

--- Maps the memory. Called in the master before it forks.
function M.init()
  cells = shared_memory.map("latencies", "uint32_t", counters.SLOTS * PERIODS * CELLS)
end

local function cell_of(slot, period)
  return (slot * PERIODS + period % PERIODS) * CELLS
end

--- Forgets the latencies of a slot, before it gets a new owner. Reading the memory would also make the kernel provide it, so nothing is
-- read while no model measures latency.
function M.clear(slot)
  if not ngx.shared.state:get(USED) then return end
  local first = cell_of(slot, 0)
  for period = 0, PERIODS - 1 do
    cells[first + period * CELLS] = 0
  end
end

--- Notes how long a request of a model took, in seconds. Of one whose client went away, `cut_short`, it is only known that it would
-- have taken longer: it counts if it had taken as long as most do, or clients that hang up at once would hide a high latency.
function M.note(model, seconds, cut_short)
  if cut_short and seconds < (M.p95(model) or 0) then return end
  if not is_used then
    ngx.shared.state:set(USED, true)
    is_used = true
  end
  local period = math.floor(ngx.now() / PERIOD)
  local at = cell_of(model.slot, period)
  if cells[at] ~= period then
    ffi.fill(cells + at, CELLS * 4)
    cells[at] = period
  end
  local bucket = math.ceil(math.log(math.max(seconds, SHORTEST) / SHORTEST) / math.log(GROWTH))
  bucket = at + math.min(math.max(bucket, 1), BUCKETS)
  cells[bucket] = cells[bucket] + 1
end

local function compute(slot)
  local now, periods = math.floor(ngx.now() / PERIOD), {}
  for period = now - PERIODS + 1, now do
    local at = cell_of(slot, period)
    if cells[at] == period then periods[#periods + 1] = at end
  end
  local counts, total = {}, 0
  for bucket = 1, BUCKETS do
    local count = 0
    for _, at in ipairs(periods) do count = count + cells[at + bucket] end
    counts[bucket], total = count, total + count
  end
  if total < FEWEST then return nil end
  local above, tail = 0, total * TAIL
  for bucket = BUCKETS, 1, -1 do
    local count = counts[bucket]
    if above + count > tail then
      local upper = SHORTEST * GROWTH ^ bucket
      return upper - (upper - upper / GROWTH) * (tail - above) / count
    end
    above = above + count
  end
end

--- The 95th percentile of the latencies of a model in the last 30 seconds, in seconds; nil when there were too few requests.
function M.p95(model)
  local now = ngx.now()
  if now - (model.p95_at or 0) >= AGAIN then model.p95, model.p95_at = compute(model.slot), now end
  return model.p95
end

return M

--- How many requests of a model may run on each of its engines, by the time that engines take for an output token: additive increase
-- and multiplicative decrease (Chiu and Jain, 1989), as TCP has it. All workers share the limit.
local counters = require "counters"
local shared_memory = require "shared_memory"

local M = {}

-- A limit is too high when tokens take twice as long as with few requests: there Kleinrock's power, throughput divided by delay, is
-- greatest for a queue (1979), and also for an engine whose step time grows linearly with its batch.
local TOLERANCE = 2
local DECREASE = 0.9
local IN_USE = 0.9 -- part of the limit that has to be reached before it rises
local OLDER = 1.005 -- how much the best time rises in a period, if engines do not reach it any more
local QUIET = 0.25 -- part of the floor up to which requests are few
local LOCK = 1 -- seconds, if its owner crashes
local SHORTEST = 0.001 -- seconds, the resolution of the clock
local FEWEST_SAMPLES, FEWEST_TOKENS = 10, 16 -- of a period; of an answer, because the prompt counts as much as a few tokens

-- Fields of a slot: the limit of an engine, the best time for a token and that of the last period, and of the present period when it
-- began, what its answers took and had, and the most requests of an engine.
local LIMIT, BEST, LAST, SINCE, SECONDS, TOKENS, SAMPLES, PEAK = 0, 1, 2, 3, 4, 5, 6, 7
local FIELDS = 8

local cells -- double[SLOTS][FIELDS]

--- Maps the memory. Called in the master before it forks.
function M.init()
  cells = shared_memory.map("adaptive limits", "double", counters.SLOTS * FIELDS)
end

--- Forgets the limit of a slot, before it gets a new owner.
function M.clear(slot)
  shared_memory.clear(cells, slot * FIELDS, FIELDS)
end

--- The next limit of an engine and the next best time, after a period in which a token took `mean` seconds, `last` in the period before,
-- and `peak` requests ran at most. Times are 0 while unknown. Two periods have to be better than the best time, so that one alone does
-- not count. It rises only with few requests, or where the floor has too many: load that stays must not pass for the usual. Pure.
function M.next(limit, best, last, mean, peak, floor, ceiling)
  local reached = math.max(mean, last)
  local is_slow = best > 0 and mean > best * TOLERANCE
  if best == 0 or reached < best then
    best = reached
  elseif peak <= floor * QUIET or is_slow and limit <= floor then
    best = math.min(reached, best * OLDER)
  end
  if is_slow then
    limit = limit * DECREASE
  elseif peak >= limit * IN_USE then
    limit = limit + 1
  end
  return math.max(floor, math.min(ceiling, limit)), best
end

local function limit_of(adaptive, at)
  return math.max(adaptive.min, math.min(adaptive.max, cells[at + LIMIT])) -- 0 in the beginning, and others before a change of the spec
end

--- The limit for all engines of a model that has one. Never more than they can run.
function M.get(model)
  return math.min(model.capacity, math.floor(limit_of(model.adaptive, model.slot * FIELDS) * #model.live))
end

--- Notes how many requests run: a limit that is never reached does not rise.
function M.note_running(model, running)
  local peak = model.slot * FIELDS + PEAK
  local each = running / math.max(1, #model.live)
  if each > cells[peak] then cells[peak] = each end
end

local function add_sample(model, sent, tokens, stalled)
  local adaptive, at, now = model.adaptive, model.slot * FIELDS, ngx.now()
  local since = cells[at + SINCE] <= now and cells[at + SINCE] or 0 -- the clock was set back
  if sent < since then return end
  cells[at + SECONDS] = cells[at + SECONDS] + math.max(SHORTEST, now - sent - stalled)
  cells[at + TOKENS] = cells[at + TOKENS] + tokens
  cells[at + SAMPLES] = cells[at + SAMPLES] + 1
  if cells[at + SAMPLES] < FEWEST_SAMPLES or now - since < adaptive.interval then return end
  local mean = cells[at + SECONDS] / cells[at + TOKENS]
  local limit, best = limit_of(adaptive, at), cells[at + BEST]
  limit, best = M.next(limit, best, cells[at + LAST], mean, cells[at + PEAK], adaptive.min, adaptive.max)
  cells[at + LIMIT], cells[at + BEST], cells[at + LAST], cells[at + SINCE] = limit, best, mean, now
  for field = SECONDS, PEAK do cells[at + field] = 0 end
end

--- Notes an answer that an engine ended: when the request was sent to it, its tokens, and for how many seconds its client did not take
-- it. An answer to a request that was sent before the last change of the limit is ignored, as in TCP: a limit changes at most once a
-- round trip. One worker at a time does this, because two would change a limit for the same answers; the other one drops its answer.
function M.note(model, sent, tokens, stalled)
  if tokens < FEWEST_TOKENS then return end
  local state, lock = ngx.shared.state, "adapts " .. model.slot
  if not state:add(lock, true, LOCK) then return end
  add_sample(model, sent, tokens, stalled)
  state:delete(lock)
end

return M

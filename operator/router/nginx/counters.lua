--- Counters shared by all workers without locks: plain memory with one row per worker, so that every cell has one writer.
-- A slot is the place of one model or one engine in every row. Readers add up the rows. Row 0 is the router's own.
-- A worker that crashed leaves a row whose process is gone; the next worker clears what that one had in flight.
local ffi = require "ffi"
local shared_memory = require "shared_memory"
local C = ffi.C

pcall(ffi.cdef, "int kill(int pid, int sig);")

local ESRCH = 3
local ROWS, SLOTS, FIELDS = 128, 16384, 8
local ROW = SLOTS * FIELDS

local M = {
  SLOTS = SLOTS,
  -- Fields of a slot in the row of a worker.
  IN_FLIGHT = 0,
  HELD = 1,
  QUEUED = 2,
  LAST = 3, -- time of the last request, ms since 1970
  PENDING = 4, -- let in, but not at an engine yet
  BODY_BYTES = 5, -- of slot 0: bytes of request bodies that are held
  BEAT = 6, -- of slot 0: when the worker last worked, ms since 1970
  -- Fields of an engine's slot in row 0. Several workers may write them: a lost increment only delays an ejection.
  FAILURES = 0,
  EJECTED_UNTIL = 1, -- ms since 1970
  -- A model's slot in row 0 has when each tier of degradation was last exceeded (degradation.lua).
}

-- Slot 0 belongs to no model. In the rows of workers its IN_FLIGHT counts all requests of clients, and its HELD those that wait.
-- In row 0: version of the route table, rows in use, since when the router is about to end.
local VERSION, ROWS_USED, DRAINING = 0, 1, 2

-- Fields of what is under way: all that are no totals, and not remembered.
local UNDER_WAY = { M.IN_FLIGHT, M.HELD, M.QUEUED, M.PENDING, M.BODY_BYTES }

local cells -- double[ROWS][SLOTS][FIELDS]
local mine -- offset of this worker's row

--- Maps the memory. Called in the master before it forks.
function M.init()
  cells = shared_memory.map("counters", "double", ROWS * ROW)
end

local function gone(pid)
  return C.kill(pid, 0) ~= 0 and ffi.errno() == ESRCH
end

--- Takes a row for this worker. What a crashed owner counted as running or waiting is cleared; its totals stay.
function M.claim()
  local state, pid = ngx.shared.state, ngx.worker.pid()
  while not state:add("claiming", pid, 1) do end
  for row = 1, ROWS - 1 do
    local owner = state:get("row" .. row)
    if not owner or gone(owner) then
      state:set("row" .. row, pid)
      mine = row * ROW
      if row > cells[ROWS_USED] then cells[ROWS_USED] = row end
      if owner then
        for slot = mine, mine + ROW - 1, FIELDS do
          for _, field in ipairs(UNDER_WAY) do
            if cells[slot + field] ~= 0 then cells[slot + field] = 0 end -- else untouched memory would become used
          end
        end
      end
      break
    end
  end
  state:delete("claiming")
  assert(mine, "more workers alive than there are rows of counters")
end

--- Adds to a cell of this worker.
function M.add(slot, field, n)
  local cell = mine + slot * FIELDS + field
  cells[cell] = cells[cell] + n
end

--- Sets a cell of this worker.
function M.set(slot, field, value)
  cells[mine + slot * FIELDS + field] = value
end

--- The sum of a cell over all workers. Rows that nobody uses are 0; the first four are added up without a loop, which
-- LuaJIT would leave to the interpreter.
function M.sum(slot, field)
  local cell = ROW + slot * FIELDS + field
  local total = cells[cell] + cells[cell + ROW] + cells[cell + 2 * ROW] + cells[cell + 3 * ROW]
  for row = 5, cells[ROWS_USED] do total = total + cells[(row - 1) * ROW + cell] end
  return total
end

--- Calls `visit(beat)` for each worker that is alive, with when it last worked.
function M.each_worker(visit)
  for row = 1, cells[ROWS_USED] do
    local owner = ngx.shared.state:get("row" .. row)
    if owner and not gone(owner) then visit(cells[row * ROW + M.BEAT]) end
  end
end

--- The greatest value of a cell among all workers.
function M.max(slot, field)
  local greatest, cell = 0, slot * FIELDS + field
  for row = 1, cells[ROWS_USED] do
    local value = cells[row * ROW + cell]
    if value > greatest then greatest = value end
  end
  return greatest
end

--- Forgets what a slot counted, before it gets a new owner.
function M.clear(slot)
  for row = 0, cells[ROWS_USED] do
    ffi.fill(cells + row * ROW + slot * FIELDS, FIELDS * ffi.sizeof("double"))
  end
end

--- Reads a cell that is the router's own.
function M.shared(slot, field)
  return cells[slot * FIELDS + field]
end

--- Writes a cell that is the router's own.
function M.set_shared(slot, field, value)
  cells[slot * FIELDS + field] = value
end

--- Number of the route table that workers should run. It counts applied tables, so that a reload of the same version is seen too.
function M.revision()
  return cells[VERSION]
end

--- Since when the router is to end as soon as nothing is under way, in seconds since 1970; nil when it is not.
function M.draining()
  local since = cells[DRAINING]
  return since > 0 and since or nil
end

--- Tells all workers so.
function M.set_draining()
  cells[DRAINING] = ngx.now()
end

--- Tells all workers that there is another route table.
function M.set_revision(revision)
  cells[VERSION] = revision
end

return M

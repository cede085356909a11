--- Memory that all workers share without locks.
local ffi = require "ffi"
local C = ffi.C

pcall(ffi.cdef, "void *mmap(void *addr, size_t length, int prot, int flags, int fd, long offset);")

local PROT_READ_WRITE, MAP_SHARED, MAP_ANONYMOUS, MAP_NORESERVE = 3, 0x01, 0x20, 0x4000

local M = {}

--- Maps `count` cells of a C type, all 0. Called in the master before it forks; a reload finds the memory of before, which old
-- workers still use. Only cells that are written use memory.
function M.map(name, of_type, count)
  local state = ngx.shared.state
  local address = state:get(name)
  if not address then
    local flags = MAP_SHARED + MAP_ANONYMOUS + MAP_NORESERVE
    local memory = C.mmap(nil, count * ffi.sizeof(of_type), PROT_READ_WRITE, flags, -1, 0)
    address = tonumber(ffi.cast("uintptr_t", memory))
    assert(address < 2 ^ 52, "cannot map memory for the " .. name)
    state:set(name, address)
  end
  return ffi.cast(of_type .. " *", ffi.cast("uintptr_t", address))
end

--- Makes `count` cells 0 again, from `first` on. Those that are 0 stay untouched, or their memory would become used.
function M.clear(cells, first, count)
  for at = first, first + count - 1 do
    if cells[at] ~= 0 then cells[at] = 0 end
  end
end

return M

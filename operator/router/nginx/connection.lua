--- The client's connection of a request, for timers: nginx's API for Lua has no way from one request to another.
local bit = require "bit"
local ffi = require "ffi"

-- The first members of nginx's structures, which have been the same since its version 0.7. `flags` are bit fields.
pcall(ffi.cdef, [[
  typedef struct { void *data; uint32_t flags; } vllm_event_t;
  typedef struct { void *data; vllm_event_t *read, *write; int fd; } vllm_connection_t;
  typedef struct { uint32_t signature; vllm_connection_t *connection; } vllm_request_t;
]])

local M = {}

local REQUEST = ffi.typeof("vllm_request_t *")
local SIGNATURE = 0x50545448 -- "HTTP": what all requests of nginx begin with
local WRITE, READY = 1, 32 -- bits of an event: it is one for writing, and there is room

--- The connection of a request, by its address; nil where the structures of this nginx are others.
function M.of(address)
  local request = ffi.cast(REQUEST, ffi.cast("uintptr_t", address))
  return request.signature == SIGNATURE and request.connection or nil
end

--- Does the router wait for the client to take what it has for it? Of HTTP/2 this is known of each request.
function M.is_blocked(connection)
  local flags = connection.write.flags
  return bit.band(flags, WRITE) ~= 0 and bit.band(flags, READY) == 0
end

return M

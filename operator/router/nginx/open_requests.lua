--- The requests of clients that this worker has, by their address, which stays the same in all phases: nginx drops ngx.ctx when it redirects
-- one, and timers have none. nginx uses addresses again, so that the table does not grow.
local base = require "resty.core.base"
local ffi = require "ffi"

local M = {}

local contexts = {}

local function address()
  return tonumber(ffi.cast("uintptr_t", base.get_request()))
end

--- Keeps the context of this request until it leaves.
function M.enter(ctx)
  contexts[address()] = ctx
end

--- The context of this request.
function M.find()
  return contexts[address()]
end

--- Log phase: the request is gone.
function M.leave()
  contexts[address()] = nil
end

--- Iterates over addresses and contexts.
function M.each()
  return pairs(contexts)
end

return M

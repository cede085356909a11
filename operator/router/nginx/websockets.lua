--- Websockets, which last as long as their client likes: they end when the route table no longer lets their client in. nginx runs no
-- phase of a request while it is a tunnel, so that nobody but a timer can look, and only at its socket.
local base = require "resty.core.base"
local ffi = require "ffi"
local keys = require "keys"
local routes = require "routes"

local C = ffi.C
-- The first members of nginx's structures, which have been the same since its version 0.7.
pcall(ffi.cdef, [[
  typedef struct { void *data; void *read; void *write; int fd; } vllm_connection_t;
  typedef struct { uint32_t signature; vllm_connection_t *connection; } vllm_request_t;
  int shutdown(int fd, int how);
]])

local M = {
  INTERVAL = 1, -- seconds between two looks
}

local REQUEST = ffi.typeof("vllm_request_t *")
local SIGNATURE = 0x50545448 -- "HTTP": what all requests of nginx begin with
local BOTH_WAYS = 2

local open = {} -- by context: socket of the client, and the name that it asked for

--- Takes note of a request that is about to become a websocket. It must be left with `leave`.
function M.enter(ctx, name)
  local request = ffi.cast(REQUEST, base.get_request())
  if request.signature ~= SIGNATURE then return ngx.log(ngx.ERR, "websockets: the requests of this nginx have another structure") end
  open[ctx] = { fd = request.connection.fd, name = name }
end

--- Log phase: the request is gone, and its socket may become that of another.
function M.leave(ctx)
  open[ctx] = nil
end

--- Ends those of clients whose key is gone, or is not for this model any more.
function M.look()
  if not next(open) then return end
  local view = routes.current()
  for ctx, websocket in pairs(open) do
    local key = ctx.api_key and view.by_hash[ctx.api_key.sha256]
    local admitted = view.auth ~= "APIKey" or key and keys.allows(key, ctx.model, websocket.name)
    if not admitted then C.shutdown(websocket.fd, BOTH_WAYS) end -- nginx sees that the client is gone
  end
end

return M

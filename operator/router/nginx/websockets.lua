--- Websockets, which last as long as their client likes: they end when the route table no longer lets their client in. nginx runs no
-- phase of a request while it is a tunnel, so that nobody but a timer can look, and only at its socket.
local base = require "resty.core.base"
local connection = require "connection"
local ffi = require "ffi"
local keys = require "keys"
local routes = require "routes"

local C = ffi.C
pcall(ffi.cdef, "int shutdown(int fd, int how);")

local M = {
  INTERVAL = 1, -- seconds between two looks
}

local BOTH_WAYS = 2

local open = {} -- by context: socket of the client, and the name that it asked for

--- Takes note of a request that is about to become a websocket. It must be left with `leave`.
function M.enter(ctx, name)
  local client = connection.of(base.get_request())
  if not client then return ngx.log(ngx.ERR, "websockets: the requests of this nginx have another structure") end
  open[ctx] = { fd = client.fd, name = name }
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

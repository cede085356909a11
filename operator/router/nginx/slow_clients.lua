--- For how long clients leave their answers with the router. That time shows nothing of how busy engines are, or a slow client would have
-- the answers of others shortened, and their requests wait. nginx does not add it up, so a timer looks at all requests.
local connection = require "connection"
local open_requests = require "open_requests"

local M = {
  INTERVAL = 0.1, -- seconds between two looks
}

local looked = 0

--- Adds up the time of those whose client has not taken what is there for it, where it matters.
function M.look()
  local now = ngx.now()
  local passed = math.min(now - looked, 2 * M.INTERVAL)
  looked = now
  for address, ctx in open_requests.each() do
    local model = ctx.at_engine and ctx.model
    if model and (model.measures_latency or model.adaptive) then
      local client = connection.of(address)
      if client and connection.is_blocked(client) then ctx.stalled = (ctx.stalled or 0) + passed end
    end
  end
end

return M

-- Fifty clients ask for metrics all the time, for ten seconds of a clock that only this script moves. Prints the seconds that a worker
-- spent on them, and how many answers were made before they were asked for.
local now, busy, made, stale = 0, 0, 0, 0
ngx.now = function() return now end
ngx.update_time = function() end
ngx.sleep = coroutine.yield
local scrapes = require "scrapes"

local function make()
  now, busy, made = now + 0.03, busy + 0.03, made + 1
  return tostring(made)
end

local clients = {}
for i = 1, 50 do
  clients[i] = {
    at = i / 1000,
    run = coroutine.wrap(function()
      while true do
        local before = made
        if tonumber(scrapes.get(make)) <= before then stale = stale + 1 end
      end
    end),
  }
end
while now < 10 do
  table.sort(clients, function(a, b) return a.at < b.at end)
  local first = clients[1]
  now = math.max(now, first.at)
  first.at = now + first.run()
end
io.write(busy, "\t", stale)

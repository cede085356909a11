--- The end of a router. nginx stops listening at once when it is told to end, and then nobody could tell it where to send what
-- it holds. So start.sh leaves a file instead, and nginx is told when nothing is under way any more.
local counters = require "counters"
local ffi = require "ffi"
local routes = require "routes"
local C = ffi.C

pcall(ffi.cdef, [[
  int getppid(void);
  int kill(int pid, int sig);
]])

local M = {
  INTERVAL = 0.1, -- seconds between two looks
}

local FILE = ngx.config.prefix() .. "draining"
local QUIT = 3

-- Seconds for load balancers and proxies to learn that the router goes. Clients may still ask over connections that they have:
-- each answer ends its connection, because to end one that is idle can hit a request that is just being sent.
local leave
local since, idle_before

--- The number in the file; nil while there is none.
local function read_leave()
  local file = io.open(FILE, "rb")
  if not file then return nil end
  local seconds = tonumber(file:read("*l") or "")
  file:close()
  return seconds
end

--- Did a request of this time come when the router had been about to end for so long that it is not to wait? Else clients could keep
-- the router for as long as the kubelet lets it live.
function M.is_late(start)
  local began = counters.draining()
  return began ~= nil and start - began > routes.current().limits.drainPatienceMs / 1000
end

--- Looks whether the router is to end, and whether it can. In one worker.
function M.look()
  if ngx.worker.id() ~= 0 or ngx.worker.exiting() then return end
  if not since then
    leave = read_leave()
    if not leave then return end
    since = ngx.now()
    counters.set_draining()
  end
  local passed = ngx.now() - since
  -- Streams may be long, and clients of HTTP/2 ask on and on: after a while waiting requests alone keep the router.
  local patience = routes.current().limits.drainPatienceMs / 1000
  local idle = passed > leave and counters.sum(0, passed > patience and counters.HELD or counters.IN_FLIGHT) == 0
  -- Twice, because a request that was just accepted is not counted yet.
  if idle and idle_before then C.kill(C.getppid(), QUIT) end
  idle_before = idle
end

return M

--- What the processes of nginx do when they start.
local board = require "board"
local cache = require "cache"
local metrics = require "metrics"
local routes = require "routes"
local waiting = require "waiting"

local M = {}

--- In the master, before it forks.
function M.init()
  board.init()
  routes.init()
end

local function run(premature, work)
  if premature then return end
  local ok, err = xpcall(work, debug.traceback)
  if ok then return end
  ngx.log(ngx.ERR, "background work failed: ", err)
  ngx.timer.at(0.1, run, work)
end

--- In each worker.
function M.start()
  board.claim()
  math.randomseed(ngx.worker.pid() + ngx.now() * 1000)
  ngx.timer.at(0, run, waiting.watch)
  ngx.timer.every(1, metrics.flush)
  ngx.timer.every(cache.LOCK_REFRESH, cache.refresh_locks)
end

return M

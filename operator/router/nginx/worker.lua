--- What the processes of nginx do when they start.
local board = require "board"
local cache = require "cache"
local drain = require "drain"
local metrics = require "metrics"
local routes = require "routes"
local trace = require "trace"
local waiting = require "waiting"

local M = {}

local GC_PAUSE = 400 -- percent; the tables that live long are small, so that rarer collections cost little memory

--- In the master, before it forks. The entry points of requests become a global: `require` in each phase would cost more
-- than some of them do.
function M.init()
  board.init()
  routes.init()
  require "admin" -- which counts from now how long the router runs
  local request, answer = require "request", require "answer"
  rawset(_G, "router", {
    access = request.access,
    balance = require("balance").balance,
    header = answer.header,
    client_header = answer.client_header,
    body = answer.body,
    log = require("accounts").log,
  })
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
  collectgarbage("setpause", GC_PAUSE)
  trace.start()
  ngx.timer.at(0, run, waiting.watch)
  ngx.timer.every(1, metrics.flush)
  ngx.timer.every(drain.INTERVAL, drain.look)
  ngx.timer.every(cache.LOCK_REFRESH, cache.refresh_locks)
end

return M

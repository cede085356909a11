--- What the processes of nginx do when they start.
local adaptive_limit = require "adaptive_limit"
local batch_window = require "batch_window"
local certificate = require "certificate"
local counters = require "counters"
local cache = require "cache"
local collector = require "collector"
local drain = require "drain"
local latency = require "latency"
local metrics = require "metrics"
local routes = require "routes"
local slow_clients = require "slow_clients"
local trace = require "trace"
local turns = require "turns"
local usage_counts = require "usage_counts"
local waiting = require "waiting"
local websockets = require "websockets"

local M = {}

local LOOK_AT_LOCKS, LOOK_AT_SPANS = 0.2, 0.2 -- seconds
local GC_PAUSE = 400 -- percent; the tables that live long are small, so that rarer collections cost little memory
-- LuaJIT's own limits are below what the access phase and the log phase take, which would stay interpreted.
local JIT_LIMITS = { "maxrecord=16000", "maxirconst=2000", "maxsnap=1000" }

--- In the master, before it forks. The entry points of requests become a global: `require` in each phase would cost more
-- than some of them do.
function M.init()
  counters.init()
  latency.init()
  batch_window.init()
  adaptive_limit.init()
  routes.init()
  certificate.init()
  require "admin" -- which counts from now how long the router runs
  local request, engine_answer = require "request", require "engine_answer"
  rawset(_G, "router", {
    access = request.access,
    balance = require("balance").balance,
    header = engine_answer.header,
    client_header = engine_answer.client_header,
    body = engine_answer.body,
    log = require("accounts").log,
  })
end

--- Hands over what was counted, and shows that the worker works.
local function beat()
  metrics.flush()
  usage_counts.flush()
  counters.set(0, counters.BEAT, ngx.now() * 1000)
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
  counters.claim()
  beat()
  collectgarbage("setpause", GC_PAUSE)
  jit.opt.start(unpack(JIT_LIMITS))
  trace.start()
  ngx.timer.at(0, run, waiting.watch)
  ngx.timer.every(1, beat)
  ngx.timer.every(drain.INTERVAL, drain.look)
  ngx.timer.every(LOOK_AT_LOCKS, cache.refresh_locks)
  ngx.timer.every(LOOK_AT_SPANS, collector.look)
  ngx.timer.every(slow_clients.INTERVAL, slow_clients.look)
  ngx.timer.every(turns.INTERVAL, turns.look)
  ngx.timer.every(websockets.INTERVAL, websockets.look)
end

return M

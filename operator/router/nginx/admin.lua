--- The admin port: only the operator reaches it (TLS with its client certificate). It sends the routes and asks for demand.
local adaptive_limit = require "adaptive_limit"
local admission = require "admission"
local batch_window = require "batch_window"
local certificate = require "certificate"
local counters = require "counters"
local cjson = require "cjson.safe"
local headers = require "headers"
local latency = require "latency"
local metrics = require "metrics"
local own_answer = require "own_answer"
local request_body = require "body"
local routes = require "routes"
local scrapes = require "scrapes"
local usage_counts = require "usage_counts"

local M = {}

local STARTED = ngx.now() * 1000
local STUCK_MS = 10000 -- without a sign of life, which workers give every second
local MAX_WAIT = 60 -- seconds
-- How long a new router waits for the operator, which tries at least every two seconds, before it makes do with the snapshot.
local PATIENCE_MS = 5000

--- PUT /routes, a whole table, and PATCH /routes, what has changed since another: 200 with the version in use; 409 with the
-- newer one that is; 412 when the router runs another one than was changed, so that it needs a whole table; 400 when it is
-- neither.
function M.routes()
  ngx.shared.state:set("seen", ngx.now())
  local method = ngx.req.get_method()
  local apply = method == "PUT" and routes.put or method == "PATCH" and routes.patch
  if not apply then return own_answer.error(405, "Method Not Allowed") end
  ngx.req.read_body()
  local version, err, running = apply(request_body.text())
  if version then return own_answer.json(200, cjson.encode { version = version }) end
  local message = "The route table was not applied: " .. err .. "."
  if not running then return own_answer.error(400, message) end
  local code = err == routes.OTHER_BASE and 412 or 409
  return own_answer.json(code, cjson.encode { version = running, error = { message = message, type = "ConflictError", code = code } })
end

--- Grows with every hold. Never 0, so that an operator that asks since 0 gets an answer at once.
local function sequence()
  return 1 + (ngx.shared.state:get("holds") or 0)
end

--- What operators know as demand: per model what runs and waits, and when it was last asked for.
local function demand()
  local models, now = {}, ngx.now() * 1000
  for _, model in ipairs(routes.current().models) do
    local last = counters.max(model.slot, counters.LAST)
    if last > 0 then
      local tier = model.admission.degradation[1] and admission.tier_of(model) or 0
      models[model.uid] = {
        inFlight = counters.sum(model.slot, counters.IN_FLIGHT),
        held = counters.sum(model.slot, counters.HELD),
        queued = counters.sum(model.slot, counters.QUEUED),
        ageMs = math.max(0, now - last),
        tier = tier > 0 and tier or nil,
      }
    end
  end
  return models
end

--- GET /demand?since=<seq>&wait=<ms>ms: answers at once when a request was held since then, else after the wait.
function M.demand()
  ngx.shared.state:set("seen", ngx.now())
  local args = ngx.req.get_uri_args()
  local since = tonumber(args.since) or 0
  local amount, unit = tostring(args.wait or "0"):match("^(%d+)(m?s?)$")
  local wait = math.min((tonumber(amount) or 0) / (unit == "s" and 1 or 1000), MAX_WAIT)
  local deadline = ngx.now() + wait
  while sequence() == since and ngx.now() < deadline and not ngx.worker.exiting() do ngx.sleep(0.005) end
  local seq = sequence()
  return own_answer.json(200, cjson.encode {
    seq = seq,
    version = routes.version(),
    models = demand(),
  })
end

--- GET /usage?after=<id>: what was counted since the batch of that number; the one before it is forgotten.
function M.usage()
  local after = tonumber(ngx.req.get_uri_args().after) or 0
  return own_answer.json(200, usage_counts.batch(after))
end

--- The processes of nginx, by how they are.
local function workers()
  local now, found = ngx.now() * 1000, { working = 0, stuck = 0 }
  counters.each_worker(function(beat)
    local state = now - beat > STUCK_MS and "stuck" or "working"
    found[state] = found[state] + 1
  end)
  local series = {}
  for state, count in pairs(found) do series[metrics.series("workers", "state", state)] = count end
  return series
end

--- What the router as a whole is in.
local function router_gauges()
  local state = ngx.shared.state
  return {
    route_table_version = { vllm_router_route_table_version = routes.version() },
    route_table_timestamp_seconds = { vllm_router_route_table_timestamp_seconds = state:get("changed") or 0 },
    operator_seen_timestamp_seconds = { vllm_router_operator_seen_timestamp_seconds = state:get("seen") or 0 },
    certificate_expiry_timestamp_seconds = { vllm_router_certificate_expiry_timestamp_seconds = certificate.expiry() },
    workers = workers(),
    draining = { vllm_router_draining = counters.draining() and 1 or 0 },
  }
end

--- The text of all metrics.
local function metrics_text()
  local gauges = router_gauges()
  for _, name in ipairs { "in_flight", "held", "queued", "endpoints", "degradation_tier", "recent_p95_seconds", "batch_window_seconds", "adaptive_limit" } do
    gauges[name] = {}
  end
  for _, model in ipairs(routes.current().models) do
    local labels = { "model", model.name, "namespace", model.namespace }
    gauges.in_flight[metrics.series("in_flight", unpack(labels))] = counters.sum(model.slot, counters.IN_FLIGHT)
    gauges.held[metrics.series("held", unpack(labels))] = counters.sum(model.slot, counters.HELD)
    gauges.queued[metrics.series("queued", unpack(labels))] = counters.sum(model.slot, counters.QUEUED)
    gauges.endpoints[metrics.series("endpoints", unpack(labels))] = #model.live
    if #model.admission.degradation > 0 then
      gauges.degradation_tier[metrics.series("degradation_tier", unpack(labels))] = admission.tier_of(model)
    end
    if model.batch_window then
      gauges.batch_window_seconds[metrics.series("batch_window_seconds", unpack(labels))] = batch_window.length(model)
    end
    if model.adaptive then
      gauges.adaptive_limit[metrics.series("adaptive_limit", unpack(labels))] = adaptive_limit.get(model)
    end
    if model.measures_latency then
      gauges.recent_p95_seconds[metrics.series("recent_p95_seconds", unpack(labels))] = latency.p95(model)
    end
  end
  return metrics.text(gauges)
end

--- GET /metrics on the plain port.
function M.metrics()
  local text = scrapes.get(metrics_text)
  ngx.header["Content-Type"] = "text/plain; version=0.0.4; charset=utf-8"
  ngx.print(text)
end

--- GET /readyz: ready once there is a table to route by. A snapshot may lack the newest models, so it counts only where no
-- operator sends anything better.
function M.ready()
  local state = ngx.shared.state
  local ready = state:get("version") ~= nil and (state:get("origin") ~= "snapshot" or ngx.now() * 1000 - STARTED > PATIENCE_MS)
  headers.drop_conditions()
  ngx.ctx.replied = true
  ngx.status = ready and 200 or 503
  ngx.header["Content-Type"] = "text/plain"
  ngx.say(ready and "ok" or "no route table yet")
end

return M

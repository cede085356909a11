--- Counters and histograms of all workers. A worker adds up in its own tables and hands over once a second, so that a
-- request costs a few table writes. Series names are made once and kept (see `series`).
local routes = require "routes"

local M = {}

local PREFIX = "vllm_router_"
local BUCKETS = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600 }
local OTHER = "(other)" -- no name in Kubernetes

local HELP = {
  requests_total = { "counter", "Requests, by model, tenant and status code." },
  request_seconds = { "histogram", "Time from a request's first byte to the answer's last, without hold_seconds." },
  first_token_seconds = { "histogram", "Time from a request's first byte to the first byte of a streamed answer, without hold_seconds." },
  token_seconds = { "histogram", "Mean time per output token of a streamed answer, after the first." },
  hold_seconds = { "histogram", "Time that requests waited for an engine to start." },
  queue_seconds = { "histogram", "Time that requests waited for an engine to have room." },
  batch_seconds = { "histogram", "Time that requests waited for the end of the batching window that they arrived in." },
  batches_total = { "counter", "Batching windows in which requests arrived." },
  tokens_total = { "counter", "Tokens, by model, tenant and kind (prompt, completion)." },
  retries_total = { "counter", "Requests sent to another engine before the first byte." },
  ejections_total = { "counter", "Times an engine was left out for failing." },
  cut_streams_total = { "counter", "Streams that ended early because their engine did." },
  cache_total = { "counter", "Requests by what the response cache did (HIT, MISS, SHARED, BYPASS)." },
  cache_breaker_total = { "counter", "Times that the router stopped to ask Redis because it failed." },
  rejected_total = { "counter", "Requests refused, by model and reason." },
  degraded_total = { "counter", "Answers that were made shorter than asked for, by tier." },
  spans_total = { "counter", "Spans for the collector of traces, by result (sent, failed, dropped)." },
  in_flight = { "gauge", "Requests that engines work on." },
  held = { "gauge", "Requests that wait for a model to start." },
  queued = { "gauge", "Requests that wait for an engine to have room." },
  endpoints = { "gauge", "Engines that take requests." },
  degradation_tier = { "gauge", "Tier of degradation that is active, by model: 0 for none, and 1 for the mildest." },
  recent_p95_seconds = {
    "gauge",
    "95th percentile of request_seconds in the last 30 s, without what clients took, of models with a tier or a batching window, and 20 requests.",
  },
  batch_window_seconds = { "gauge", "Batching window in use: that of the spec, or a shorter one while latency is above the target." },
  adaptive_limit = { "gauge", "Requests that may run at once, of models whose limit adapts to the time for a token." },
  workers = { "gauge", "Worker processes: those that work, and stuck ones, which have shown no sign of life for 10 s." },
  operator_seen_timestamp_seconds = { "gauge", "When the operator last asked or sent anything." },
  route_table_timestamp_seconds = { "gauge", "When the route table last changed." },
  certificate_expiry_timestamp_seconds = { "gauge", "When the certificate that clients see expires." },
  draining = { "gauge", "Whether the router ends: it goes when nothing is under way." },
  route_table_version = { "gauge", "Version of the route table in use." },
}

local pending = {}

local function escape(value)
  return (value:gsub('[\\"\n]', { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" }))
end

--- The name of a series: `name{label="value",…}` with labels in the order given (label, value, label, value …).
function M.series(name, ...)
  local parts = {}
  for i = 1, select("#", ...), 2 do
    local label, value = select(i, ...)
    parts[#parts + 1] = label .. '="' .. escape(tostring(value)) .. '"'
  end
  return PREFIX .. name .. "{" .. table.concat(parts, ",") .. "}"
end

--- The series of a tenant of a model with one more label. Made once: `made` has them by tenant and value, and goes with the table.
function M.of_tenant(made, name, model, tenant, label, value)
  local of_tenant = made[tenant]
  if not of_tenant then
    of_tenant = {}
    made[tenant] = of_tenant
  end
  local series = of_tenant[value]
  if not series then
    series = M.series(name, "model", model.name, "namespace", model.namespace, "tenant", tenant, label, value)
    of_tenant[value] = series
  end
  return series
end

--- Adds to a counter, named by `series`.
function M.add(series, n)
  pending[series] = (pending[series] or 0) + n
end

--- Counts a refused request. `model` is absent where the request was refused before it was known.
function M.rejected(model, reason)
  M.add(M.series("rejected_total", "model", model and model.name or "", "namespace", model and model.namespace or "", "reason", reason), 1)
end

--- A histogram: the names of its buckets, count and sum.
function M.histogram(name, ...)
  local buckets = {}
  for i, bound in ipairs(BUCKETS) do
    buckets[i] = M.series(name .. "_bucket", ...):sub(1, -2) .. ',le="' .. bound .. '"}'
  end
  buckets[#buckets + 1] = M.series(name .. "_bucket", ...):sub(1, -2) .. ',le="+Inf"}'
  return { buckets = buckets, sum = M.series(name .. "_sum", ...), count = M.series(name .. "_count", ...) }
end

--- Records a value. Buckets are kept apart here and made cumulative when they are shown.
function M.observe(histogram, value)
  local i = 1
  while i <= #BUCKETS and value > BUCKETS[i] do i = i + 1 end
  M.add(histogram.buckets[i], 1)
  M.add(histogram.sum, value)
end

--- The namespace that makes a series: the one of the tenant that it counts, else of the model.
local function owner_of(series)
  return series:match('tenant="([^"/]+)') or series:match('namespace="([^"]*)"') or ""
end

--- The series that counts for all of an owner, or of all owners, that have no series of their own.
local function other_of(series, owner)
  local labels = series:gsub('([{,])(%a+)="[^"]*"', function(comma, label)
    if label == "model" or label == "code" then return ('%s%s="%s"'):format(comma, label, OTHER) end
    if label == "namespace" or label == "tenant" then return ('%s%s="%s"'):format(comma, label, owner) end
  end)
  return labels
end

--- Takes up a new series, if its owner has fewer than are free: one alone gets half of all, and there are always some left for
-- another. What has no series of its own is counted in one of its owner's, and where there is no room at all in one of all owners'.
local function add_new(shared, series, n)
  local owner = owner_of(series)
  local free = routes.current().limits.maxSeries - (shared:get("series") or 0)
  local own = "series of " .. owner
  if (shared:get(own) or 0) < free then
    shared:incr(own, 1, 0)
    shared:incr("series", 1, 0)
  else
    series = other_of(series, free > 0 and owner or OTHER)
  end
  shared:incr(series, n, 0)
end

--- Hands over to the memory that all workers share.
function M.flush()
  local shared = ngx.shared.metrics
  for series, n in pairs(pending) do
    local _, err = shared:incr(series, n)
    if err == "not found" then add_new(shared, series, n) end
  end
  pending = {}
end

local function number(value)
  return value == math.floor(value) and ("%.0f"):format(value) or ("%.6f"):format(value)
end

local function bound_of(series)
  local bound = series:match('le="([^"]+)"}$')
  return bound == "+Inf" and math.huge or tonumber(bound)
end

local function histogram_lines(lines, names, values)
  local groups, order = {}, {}
  for _, series in ipairs(names) do
    local labels = series:match("_bucket{(.*),le=")
    if labels then
      if not groups[labels] then
        groups[labels] = {}
        order[#order + 1] = labels
      end
      groups[labels][bound_of(series)] = values[series]
    end
  end
  local base = names[1]:match("^(.-)_bucket{") or names[1]:match("^(.-)_sum{")
  for _, labels in ipairs(order) do
    local total = 0
    for _, bound in ipairs(BUCKETS) do
      total = total + (groups[labels][bound] or 0)
      lines[#lines + 1] = ('%s_bucket{%s,le="%s"} %s'):format(base, labels, bound, number(total))
    end
    total = total + (groups[labels][math.huge] or 0)
    lines[#lines + 1] = ('%s_bucket{%s,le="+Inf"} %s'):format(base, labels, number(total))
    lines[#lines + 1] = ("%s_sum{%s} %s"):format(base, labels, number(values[base .. "_sum{" .. labels .. "}"] or 0))
    lines[#lines + 1] = ("%s_count{%s} %s"):format(base, labels, number(total))
  end
end

--- All metrics in Prometheus' text format. `gauges` maps a name to `{ series → value }`.
function M.text(gauges)
  M.flush()
  local shared, families = ngx.shared.metrics, {}
  local values = {}
  for _, series in ipairs(shared:get_keys(0)) do
    local name = series:match("^" .. PREFIX .. "(.-){")
    if name then
      local family = HELP[name] and name or name:gsub("_bucket$", ""):gsub("_sum$", ""):gsub("_count$", "")
      families[family] = families[family] or {}
      table.insert(families[family], series)
      values[series] = shared:get(series)
    end
  end
  for name, set in pairs(gauges) do
    families[name] = {}
    for series, value in pairs(set) do
      table.insert(families[name], series)
      values[series] = value
    end
  end
  local lines, order = {}, {}
  for name in pairs(families) do order[#order + 1] = name end
  table.sort(order)
  for _, name in ipairs(order) do
    local kind, help = HELP[name][1], HELP[name][2]
    lines[#lines + 1] = ("# HELP %s%s %s"):format(PREFIX, name, help)
    lines[#lines + 1] = ("# TYPE %s%s %s"):format(PREFIX, name, kind)
    table.sort(families[name])
    if kind == "histogram" then
      histogram_lines(lines, families[name], values)
    else
      for _, series in ipairs(families[name]) do lines[#lines + 1] = series .. " " .. number(values[series] or 0) end
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

return M

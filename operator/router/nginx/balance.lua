--- Chooses the engine for a request, and another one when it fails before the first byte.
local balancer = require "ngx.balancer"
local counters = require "counters"
local metrics = require "metrics"
local routes = require "routes"

local STRATEGIES = { PrefixAffinity = require "pick_affinity", LeastRequests = require "pick_least_requests" }

local M = {
  MAX_HEADER = 32768, -- bytes of the header of an answer: proxy_buffer_size
}

local MAX_TRIES = 4
local FAILURES_TO_EJECT = 3 -- answers that say "not now"; a refused connection ejects at once
local EJECTION_MS, MAX_EJECTION_MS = 1000, 30000

local function ejected(endpoint, now)
  return endpoint.slot and counters.shared(endpoint.slot, counters.EJECTED_UNTIL) > now
end

local function usable(endpoint, tried, now)
  return not (tried and tried[endpoint.address]) and not ejected(endpoint, now)
end

--- The strategy of a table.
function M.strategy(view)
  return STRATEGIES[view.loadBalancing]
end

--- The engine to try next: one that works, else the model's Service, else one that failed lately; nil when all were tried.
local function pick(ctx)
  local model, tried = ctx.model, ctx.tried
  local now = ngx.now() * 1000
  local endpoint = M.strategy(routes.current()).pick(ctx, model, usable, now)
  if endpoint then return endpoint end
  local fallback = model.fallback
  -- A request that got lost would most likely meet the same engine there.
  if fallback and not ctx.lost and not (tried and tried[fallback.address]) then return fallback end
  for _, candidate in ipairs(model.live) do
    if not (tried and tried[candidate.address]) then return candidate end
  end
end

--- Takes note of how an engine did: nothing is in flight there any more, and it is left out for a while if it keeps failing.
-- `result` is "ok", "failed" (it answered that it cannot, or the connection broke), "refused" (no connection) or "unknown".
function M.settle(ctx, result)
  local endpoint = ctx.endpoint
  ctx.endpoint = nil
  local slot = endpoint and endpoint.slot
  if not slot then return end
  counters.add(slot, counters.IN_FLIGHT, -1)
  -- Others that were refused at the same time tell nothing new.
  if result == "refused" and ejected(endpoint, ngx.now() * 1000) then return end
  if result == "ok" then
    if counters.shared(slot, counters.FAILURES) > 0 then counters.set_shared(slot, counters.FAILURES, 0) end
  elseif result ~= "unknown" then
    local failures = counters.shared(slot, counters.FAILURES) + 1
    counters.set_shared(slot, counters.FAILURES, failures)
    local beyond = result == "refused" and failures or failures - FAILURES_TO_EJECT + 1
    if beyond > 0 then
      local pause = math.min(EJECTION_MS * 2 ^ (beyond - 1), MAX_EJECTION_MS)
      counters.set_shared(slot, counters.EJECTED_UNTIL, ngx.now() * 1000 + pause)
      metrics.add(metrics.series("ejections_total", "model", ctx.model.name, "namespace", ctx.model.namespace), 1)
    end
  end
end

--- True when the last try got a connection. nginx lists the tries' times to connect, with `-` for none, and ends the list
-- with the try that is about to be made.
function M.connected()
  local times = ngx.var.upstream_connect_time or "-"
  local last = times:gsub("[%s:,]+%-?$", ""):match("([^,:%s]+)$")
  return last ~= nil and last ~= "-"
end

--- True when the last engine answered with a header that nginx did not take: it works, and would do the same again.
function M.sent_large_header()
  local bytes = (ngx.var.upstream_bytes_received or ""):match("(%d+)%D*$")
  return bytes ~= nil and tonumber(bytes) >= M.MAX_HEADER
end

--- May the request that failed be sent again? Yes when no engine can have begun it (no connection, or it answered 502 or
-- 503). One that was sent and got lost with its connection is sent once more only: it may be what broke the engine.
-- One that timed out is not repeated.
local function may_retry(ctx, status)
  if not M.connected() then return true, "refused" end
  if status == 503 then return true, "failed" end
  if status == 504 or ctx.lost then return false, "failed" end
  ctx.lost = true
  return true, "failed"
end

--- Gives up. nginx would say 500 for it; the status is put right where the answer's header is made.
local function give_up(ctx, status)
  ctx.gave_up = status
  return ngx.exit(ngx.ERROR)
end

--- Whether an engine of the model is worth a try: one that did not just fail.
function M.has_usable(model)
  local now = ngx.now() * 1000
  for _, endpoint in ipairs(model.live) do
    if not ejected(endpoint, now) then return true end
  end
  return false
end

--- The balancer phase: once for the first try and once for each further one.
function M.balance()
  local ctx = ngx.ctx
  local state, status = balancer.get_last_failure()
  if state then
    local allowed, result = may_retry(ctx, status)
    ctx.tried = ctx.tried or {}
    ctx.tried[ctx.endpoint.address] = true
    M.settle(ctx, result)
    if not allowed then return give_up(ctx, status or 502) end
    metrics.add(metrics.series("retries_total", "model", ctx.model.name, "namespace", ctx.model.namespace), 1)
  else
    local model = ctx.model
    if ctx.span then ctx.span.sent = ngx.now() end
    local others = #model.live - (model.fallback and 0 or 1)
    if others > 0 then balancer.set_more_tries(math.min(others, MAX_TRIES - 1)) end
  end
  local endpoint = pick(ctx)
  if not endpoint then return give_up(ctx, 503) end
  if not ctx.at_engine and not ctx.relayed then counters.add(ctx.model.slot, counters.PENDING, -1) end
  ctx.endpoint, ctx.at_engine = endpoint, true
  if ctx.model.adaptive then ctx.sent = ngx.now() end
  if endpoint.slot then counters.add(endpoint.slot, counters.IN_FLIGHT, 1) end
  local ok, err = balancer.set_current_peer(endpoint.host, endpoint.port)
  if not ok then
    ngx.log(ngx.ERR, "engine address ", endpoint.address, " not usable: ", err)
    return give_up(ctx, 503)
  end
end

return M

--- The way of a request: find its model, let it in or let it wait, and account for it at its end.
local balance = require "balance"
local board = require "board"
local metrics = require "metrics"
local path_of = require "paths"
local relay = require "relay"
local reply = require "reply"
local routes = require "routes"
local scan = require "scan"
local waiting = require "waiting"

local random, tohex = math.random, require("bit").tohex

local M = {}

local RETRY_SOON, RETRY_LATER = 1, 30 -- seconds, for Retry-After

--- The request's body as a string. nginx spills a large one to a file.
local function read_body()
  ngx.req.read_body()
  local body = ngx.req.get_body_data()
  if body then return body end
  local name = ngx.req.get_body_file()
  if not name then return "" end
  local file = assert(io.open(name, "rb"))
  body = file:read("*a")
  file:close()
  return body
end

--- Name of the model that the request asks for; ends the request with an error when it has none.
local function model_name(ctx)
  local path = ctx.path
  if path.query then
    local name = ngx.var.arg_model
    if not name or name == "" then return reply.error(400, "Name the model in the query: ?model=…", "model") end
    return ngx.unescape_uri(name)
  end
  local body = read_body()
  if path.form then
    local content_type = ngx.var.content_type or ""
    local name = scan.form_field(body, content_type, "model")
    if not name then return reply.error(400, "The form has no field `model`.", "model") end
    ctx.stream = scan.form_field(body, content_type, "stream") == "true"
    return name
  end
  local from, to = scan.members(body)
  if not from then return reply.error(400, "The body cannot be read: " .. to .. ".") end
  if not from.model then return reply.error(400, "You must provide a model.", "model") end
  local name = scan.string(body, from.model, to.model)
  if not name then return reply.error(400, "The model's name must be a string.", "model") end
  ctx.stream = scan.is_true(body, from.stream, to.stream)
  return name
end

local function unavailable(ctx, model)
  local why = model.unavailable or {}
  metrics.add(metrics.series("rejected_total", "reason", "unavailable"), 1)
  local message = ("The model `%s` is not available: %s"):format(model.name, why.message or why.reason or "it cannot be started now")
  return relay.fail(ctx, 503, message, RETRY_LATER)
end

local function unknown(name)
  return reply.error(404, ("The model `%s` does not exist."):format(name), "model")
end

--- Puts the request in line and returns when it may go on; ends it with an error when that takes too long.
local function wait_for_turn(ctx, model, name)
  local sleeping = #model.live == 0
  local admission = model.admission
  if waiting.count(model) >= admission.maxQueue then
    metrics.add(metrics.series("rejected_total", "reason", "queue_full"), 1)
    if sleeping then
      return reply.error(503, ("The model `%s` is starting and too many requests wait for it."):format(name), nil, RETRY_LATER)
    end
    return reply.error(429, ("The model `%s` is busy and its queue is full."):format(name), nil, RETRY_SOON)
  end
  local waiter = waiting.enter(model, ctx.tenant)
  ctx.waiter = waiter
  local deadline = ctx.start + (sleeping and admission.wakeTimeoutMs or admission.queueTimeoutMs) / 1000
  local passed
  if ctx.stream and ctx.path.sse then
    passed = waiting.wait(waiter, math.min(relay.PATIENCE, deadline - ctx.start))
    if not passed and deadline - ctx.start > relay.PATIENCE then
      -- From here the client gets comments, so the answer has to come through the relay.
      relay.open(ctx)
      repeat passed = waiting.wait(waiter, math.max(0, math.min(relay.INTERVAL, deadline - ngx.now())))
      until passed or ngx.now() >= deadline or not relay.comment()
    end
  else
    passed = waiting.wait(waiter, deadline - ctx.start)
  end
  ctx.waited = ngx.now() - ctx.start
  if passed then return waiter.granted end
  metrics.add(metrics.series("rejected_total", "reason", sleeping and "wake_timeout" or "queue_timeout"), 1)
  if #model.live == 0 then
    return relay.fail(ctx, 504, ("The model `%s` did not start in time."):format(name), RETRY_LATER)
  end
  return relay.fail(ctx, 429, ("The model `%s` is busy: no engine had room in time."):format(name), RETRY_SOON)
end

--- What is known of a request. All fields have their place from the start, so that the table never grows.
local function new_context()
  return {
    start = ngx.req.start_time(), path = false, model = false, tenant = false, stream = false, counted = false,
    waiter = false, waited = false, endpoint = false, peer = false, tried = false, first_byte = false, last = false,
    replied = false, sse = false, cut = false, relay = false, inner = false, body = false, verdict = false, lost = false,
  }
end

--- 128 random bits in hexadecimal. They name a request, they protect nothing.
local function new_trace_id()
  return tohex(random(-0x80000000, 0x7fffffff)) .. tohex(random(-0x80000000, 0x7fffffff))
    .. tohex(random(-0x80000000, 0x7fffffff)) .. tohex(random(-0x80000000, 0x7fffffff))
end

--- Access phase.
function M.access()
  local ctx = new_context()
  ngx.ctx = ctx
  local var = ngx.var
  var.trace_id = new_trace_id()
  local uri = var.uri
  local path = path_of(uri)
  if not path then
    return reply.error(404, ("There is no %s here."):format(uri))
  end
  ctx.path = path
  if not path.methods[ngx.req.get_method()] then
    ngx.header["Allow"] = path.allow
    return reply.error(405, "Method Not Allowed")
  end
  local name = model_name(ctx)
  local model = routes.current().names[name]
  if not model then return unknown(name) end
  ctx.tenant = model.namespace
  ctx.model = model
  board.add(model.slot, board.REQUESTS, 1)
  board.set(model.slot, board.LAST, ngx.now() * 1000)
  if model.unavailable and #model.live == 0 then return unavailable(ctx, model) end
  if waiting.may_pass(model) then
    ctx.counted = true
    board.add(model.slot, board.IN_FLIGHT, 1)
    return
  end
  ctx.counted = wait_for_turn(ctx, model, name)
  -- The table changed while the request waited.
  model = routes.current().by_uid[model.uid]
  if not model then return relay.fail(ctx, 404, ("The model `%s` does not exist."):format(name)) end
  ctx.model = model
  if not ctx.counted then return unavailable(ctx, model) end
  if ctx.relay then return relay.run(ctx) end
end

--- Access phase of a request that the relay sends: it was admitted and is counted where it came in.
function M.relayed()
  local ctx, var = new_context(), ngx.var
  ngx.ctx = ctx
  ctx.model = routes.current().by_uid[var.http_x_relay]
  ctx.path, ctx.stream, ctx.inner = path_of(var.uri), true, true
  if not ctx.model then return reply.error(404, "The model does not exist any more.") end
end

--- Series of a model's requests, made once per table, tenant and code.
local function series_of(model, tenant, status)
  local of_tenant = model.series[tenant]
  if not of_tenant then
    of_tenant = {}
    model.series[tenant] = of_tenant
  end
  local series = of_tenant[status]
  if not series then
    series = metrics.series("requests_total", "model", model.name, "namespace", model.namespace, "tenant", tenant, "code", status)
    of_tenant[status] = series
  end
  return series
end

local function histogram_of(model, name)
  local histogram = model.histograms[name]
  if not histogram then
    histogram = metrics.histogram(name, "model", model.name, "namespace", model.namespace)
    model.histograms[name] = histogram
  end
  return histogram
end

local function engine_result(status)
  if status == 502 or status == 503 or status == 504 then
    return balance.connected() and "failed" or "refused"
  end
  return status == 499 and "unknown" or "ok"
end

--- Log phase: undoes what the request holds, however it ended, and counts it.
function M.log()
  local ctx = ngx.ctx
  local model = ctx.model
  if not model then return end
  local status = ngx.status
  if ctx.endpoint then balance.settle(ctx, ctx.cut and "failed" or engine_result(status)) end
  if ctx.inner then return end
  local waiter = ctx.waiter
  if waiter then waiting.leave(waiter) end
  if ctx.counted or (waiter and waiter.granted) then
    board.add(model.slot, board.IN_FLIGHT, -1)
    board.set(model.slot, board.LAST, ngx.now() * 1000)
    waiting.pump(model.uid)
  end
  metrics.add(series_of(model, ctx.tenant, status), 1)
  metrics.observe(histogram_of(model, "request_seconds"), ngx.now() - ctx.start)
  if ctx.first_byte then metrics.observe(histogram_of(model, "first_token_seconds"), ctx.first_byte - ctx.start) end
  if ctx.waited then metrics.observe(histogram_of(model, "hold_seconds"), ctx.waited) end
  if ctx.cut then metrics.add(metrics.series("cut_streams_total", "model", model.name, "namespace", model.namespace), 1) end
  ngx.var.model = model.label
  if ctx.tenant ~= model.namespace then ngx.var.tenant = ctx.tenant end
end

return M

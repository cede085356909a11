--- The way of a request: find its model, let it in or let it wait, and account for it at its end.
local affinity = require "affinity"
local board = require "board"
local cache = require "cache"
local cors = require "cors"
local edit = require "edit"
local entries = require "entries"
local form = require "form"
local keys = require "keys"
local limits = require "limits"
local metrics = require "metrics"
local request_body = require "body"
local path_of = require "paths"
local relay = require "relay"
local reply = require "reply"
local routes = require "routes"
local scan = require "scan"
local share = require "share"
local stored = require "stored"
local stranded = require "stranded"
local target = require "target"
local trace = require "trace"
local waiting = require "waiting"

local M = {}

local RETRY_SOON, RETRY_LATER = 1, 30 -- seconds, for Retry-After
-- Requests of all workers that come in, wait or are answered. Each has up to two of the connections of its worker.
local MAX_IN_FLIGHT = 12000

local parts = share.new() -- requests of this worker by namespace: that of the key, without keys that of the model

local FORM_FIELDS = { model = true, stream = true }
local MAX_ARGUMENTS = 100 -- of a query that names the model; those behind would not be seen
local MAX_MODEL_NAME = 1024 -- bytes as written; served names are far shorter

--- Name of the model that the query names. Of several an engine could take another one than the router does.
local function query_model()
  local args, fault = ngx.req.get_uri_args(MAX_ARGUMENTS)
  if fault then return reply.error(400, ("The query has more than %d arguments."):format(MAX_ARGUMENTS)) end
  local name = args.model
  if type(name) == "table" then return reply.error(400, "The query names more than one model.", "model") end
  if type(name) ~= "string" or name == "" then
    return reply.error(400, "Name the model in the query: ?model=<name>", "model")
  end
  return name
end

--- Name of the model that the request asks for; for JSON also its body (a pointer, the number of bytes, and what keeps them
-- alive) and where its members are. Ends the request with an error when it names none.
local function read_request(ctx)
  local path = ctx.path
  if path.query then return query_model() end
  local p, n, anchor = request_body.read(ctx)
  if path.form then
    local fields, fault = form.fields(anchor or request_body.text(), ngx.var.content_type or "", FORM_FIELDS)
    if not fields then return reply.error(400, "The form cannot be read: " .. fault .. ".") end
    if not fields.model then return reply.error(400, "The form has no field `model`.", "model") end
    ctx.stream = scan.is_truth(fields.stream)
    return fields.model, nil, nil, nil, n
  end
  local from, to = scan.members(p, n)
  if not from then return reply.error(400, "The body cannot be read: " .. to .. ".") end
  if not from.model then return reply.error(400, "You must provide a model.", "model") end
  if path.responses then
    local refusal, member = stored.refusal(from, p)
    if refusal then return reply.error(400, refusal, member) end
  end
  local name = to.model - from.model < MAX_MODEL_NAME and scan.string(p, from.model, to.model)
  if not name then
    return reply.error(400, ("The model's name must be a string of at most %d bytes."):format(MAX_MODEL_NAME), "model")
  end
  ctx.stream = scan.is_true(p, from.stream, to.stream)
  return name, from, to, p, n, anchor
end

local function unavailable(ctx, model, name)
  local why = model.unavailable or {}
  metrics.rejected(model, "unavailable")
  -- The message names objects and what a cluster says of them: its owner may read it here, others only that there is a reason.
  local detail = keys.is_of_owner(ctx.api_key, model) and why.message or why.reason or "it cannot be started now"
  local message = ("The model `%s` is not available: %s. Its status says more."):format(name, (detail:gsub("%.$", "")))
  return relay.fail(ctx, 503, message, RETRY_LATER)
end

local function unknown(name)
  return reply.error(404, ("The model `%s` does not exist."):format(name), "model")
end

--- Puts the request in line and returns when it may go on; ends it with an error when that takes too long.
local function wait_for_turn(ctx, model, name)
  local sleeping = #model.live == 0
  local admission = model.admission
  if not waiting.may_enter(model, ctx.api_key) then
    metrics.rejected(model, "queue_full")
    if sleeping then
      return reply.error(503, ("The model `%s` is starting and too many requests wait for it."):format(name), nil, RETRY_LATER)
    end
    return reply.error(429, ("The model `%s` is busy and its queue is full."):format(name), nil, RETRY_SOON)
  end
  local waiter = waiting.enter(model, ctx.tenant, ctx.api_key)
  ctx.waiter, ctx.waits_since = waiter, ngx.now()
  local deadline = ctx.start + (sleeping and admission.wakeTimeoutMs or admission.queueTimeoutMs) / 1000
  local passed = relay.wait(ctx, deadline, function(seconds) return waiting.wait(waiter, seconds) end)
  ctx.waited, ctx.waits_since = (ctx.waited or 0) + ngx.now() - ctx.waits_since, nil
  if passed then return waiter.granted end
  metrics.rejected(model, sleeping and "wake_timeout" or "queue_timeout")
  if #model.live == 0 then
    local text = "The model `%s` did not start within %g s (admission.wakeTimeout). Its status says what it waits for; ask again later."
    return relay.fail(ctx, 504, text:format(name, admission.wakeTimeoutMs / 1000), RETRY_LATER)
  end
  return relay.fail(ctx, 429, ("The model `%s` is busy: no engine had room in time."):format(name), RETRY_SOON)
end

--- What is known of a request. Fields that most requests set have their place from the start, so that the table does not grow;
-- there are 16, because tables grow in powers of two. Rare ones are added when they come.
local function new_context()
  return {
    start = ngx.req.start_time(), path = false, model = false, tenant = false, stream = false, counted = false,
    endpoint = false, peer = false, key = false, x_cache = false, sse = false, last = false, ended = false,
    prompt_tokens = false, completion_tokens = false, strip_usage = false,
  }
end

--- Answers from the cache, if that has the answer.
local function try_cache(ctx, view, from, to, p, n)
  local entry, result = cache.lookup(ctx, view, from, to, p, n)
  -- The whole of it stays in memory until the client has read it.
  if entry and not request_body.has_room(ctx, #entry.body) then entry, result = nil, "BYPASS" end
  ctx.x_cache = result
  if not result then return end
  metrics.add(metrics.series("cache_total", "model", ctx.model.name, "namespace", ctx.model.namespace, "result", result), 1)
  if not entry then return end
  request_body.hold(ctx, #entry.body)
  if ctx.relay then
    ngx.print(entry.body)
    return ngx.exit(ngx.HTTP_OK)
  end
  local header = ngx.header
  ctx.replied = true
  entries.set_header(entry.header)
  header["X-Cache"], header["Age"], header["Content-Length"] = result, entry.age, #entry.body
  ngx.print(entry.body)
  return ngx.exit(ngx.HTTP_OK)
end

--- The tier of degradation that is active: the one with the longest queue that is exceeded; nil when none is.
local function tier_of(model)
  local count = waiting.count(model)
  for _, tier in ipairs(model.tiers) do
    if count > tier.queueAbove then return tier end
  end
end

--- Changes the body for the engine: a cap on the answer's length while many wait, and usage for the accounts.
local function edit_body(ctx, model, from, to, p)
  local usage = ctx.stream and ctx.path.usage
  local tier = model.tiers[1] and ctx.path.sse and tier_of(model)
  if not usage and not tier then return end
  local text = request_body.text()
  local edits = edit.new(text)
  if tier then
    ctx.tier = tier
    ctx.capped = edit.cap_tokens(edits, from, to, tier.maxTokens, ngx.var.uri)
  end
  if usage then ctx.strip_usage = edit.ask_usage(edits, from, to, p) end
  if edits[1] then ngx.req.set_body_data(edit.apply(edits)) end
end

--- Counts a request for a namespace, and ends it when that has more than its part.
local function take_part(namespace)
  share.add(parts, namespace, 1)
  if not share.allows(parts, namespace, 0, MAX_IN_FLIGHT - board.sum(0, board.IN_FLIGHT) + 1) then
    return reply.error(503, "The router has as many requests of one namespace as it can keep. Try again shortly.", nil, RETRY_SOON)
  end
end

--- Log phase: the request is none of its namespace any more.
function M.leave(ctx)
  local owner = ctx.api_key or ctx.model
  if owner then share.add(parts, owner.namespace, -1) end
end

--- Access phase of every request; of one that comes while the router drains, in the location for those.
function M.access()
  if board.draining() and ngx.req.http_version() < 2 then return ngx.exec("@last") end
  return M.enter()
end

--- Finds out what the request asks for, and returns when it may go on.
function M.enter()
  local ctx = new_context()
  ngx.ctx = ctx
  board.add(0, board.IN_FLIGHT, 1)
  local var = ngx.var
  stranded.park(trace.name(var), ctx)
  if cors.preflight() then return end
  if board.sum(0, board.IN_FLIGHT) > MAX_IN_FLIGHT then
    return reply.error(503, "The router has as many requests as it can keep. Try again shortly.", nil, RETRY_SOON)
  end
  local uri = target.path(var)
  if not uri then return reply.error(400, "Name the path as the API does: without `.`, `..` and encoded characters.") end
  local path = path_of(uri)
  if not path then return reply.error(404, ("There is no %s here."):format(uri)) end
  ctx.path = path
  if not path.methods[ngx.req.get_method()] then
    ngx.header["Allow"] = path.allow
    return reply.error(405, "Method Not Allowed")
  end
  if not path.upgrade and var.http_upgrade then ngx.req.clear_header("Upgrade") end -- else nginx makes it a tunnel when the engine says so
  local view = routes.current()
  local key = keys.authenticate(view, path.messages)
  if key then
    ctx.api_key = key
    take_part(key.namespace)
  end
  if path.stored then return reply.error(404, stored.MESSAGE, "response_id") end
  local name, from, to, p, n, anchor = read_request(ctx) -- luacheck: ignore 231 (anchor: what p points into)
  local model = view.names[name]
  if not model or not keys.allows(key, model, name) then return unknown(name) end
  ctx.tenant = key and key.tenant or model.namespace
  ctx.model = model
  if key then
    limits.take(ctx, view, n, from, to, p)
  else
    take_part(model.namespace)
  end
  if from and model.cache and model.cache.enabled then try_cache(ctx, view, from, to, p, n) end
  -- The table may have changed while the body or the cache was read: an engine that was there may be about to go.
  model = routes.current().by_uid[model.uid]
  if not model then return unknown(name) end
  ctx.model = model
  board.add(model.slot, board.REQUESTS, 1)
  board.set(model.slot, board.LAST, ngx.now() * 1000)
  if from then
    if view.loadBalancing == "PrefixAffinity" and #model.live ~= 1 then ctx.key = affinity.key(from, to, p) end
    edit_body(ctx, model, from, to, p)
  end
  from, to, p, anchor = nil, nil, nil, nil -- luacheck: ignore 311 (may be large, and the wait may be long)
  return M.admit(ctx, model, name)
end

--- Lets the request in, at once or when it is its turn.
function M.admit(ctx, model, name)
  if model.unavailable and #model.live == 0 then return unavailable(ctx, model, name) end
  if waiting.may_pass(model) then
    ctx.counted = true
    waiting.admit(model)
    if ctx.relay then return relay.run(ctx) end
    return
  end
  ctx.counted = wait_for_turn(ctx, model, name)
  -- The table changed while the request waited.
  model = routes.current().by_uid[model.uid]
  if not model then return relay.fail(ctx, 404, ("The model `%s` does not exist."):format(name)) end
  ctx.model = model
  if not ctx.counted then return unavailable(ctx, model, name) end
  if ctx.relay then return relay.run(ctx) end
end

--- Access phase of a request that the relay sends: it was admitted and is counted where it came in.
function M.relayed()
  local ctx, var = new_context(), ngx.var
  ngx.ctx = ctx
  local view = routes.current()
  ctx.model, ctx.tenant = view.by_uid[var.http_x_relay_model], var.http_x_relay_tenant
  ctx.api_key, ctx.strip_usage = view.by_hash[var.http_x_relay_key or ""], var.http_x_relay_strip == "usage"
  ctx.path, ctx.stream, ctx.inner = path_of(var.uri), true, true
  var.given_id, var.given_parent = var.http_x_request_id, var.http_traceparent
  limits.take_over(ctx, view, var.http_x_relay_reserved)
  for _, name in ipairs { "model", "tenant", "key", "strip", "reserved" } do ngx.req.clear_header("X-Relay-" .. name) end
  if not ctx.model then return reply.error(404, "The model does not exist any more.") end
end

return M

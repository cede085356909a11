--- The way of a request: find its model, let it in or let it wait, and account for it at its end.
local admission = require "admission"
local balance = require "balance"
local cache = require "cache"
local context = require "context"
local cors = require "cors"
local counters = require "counters"
local edit = require "edit"
local entries = require "entries"
local form = require "form"
local headers = require "headers"
local keys = require "keys"
local limits = require "limits"
local metrics = require "metrics"
local request_body = require "body"
local open_requests = require "open_requests"
local paths = require "paths"
local own_answer = require "own_answer"
local routes = require "routes"
local scan = require "scan"
local spans = require "spans"
local stored = require "stored"
local target = require "target"
local trace = require "trace"
local websockets = require "websockets"

local M = {}

local FORM_FIELDS = { model = true, stream = true }
local MAX_ARGUMENTS = 100 -- of a query that names the model; those behind would not be seen
local OPEN_BRACE = ("{"):byte()
local MAX_MODEL_NAME = 1024 -- bytes as written; served names are far shorter

--- Name of the model that the query names. Of several an engine could take another one than the router does.
local function query_model()
  local args, fault = ngx.req.get_uri_args(MAX_ARGUMENTS)
  if fault then return own_answer.error(400, ("The query has more than %d arguments."):format(MAX_ARGUMENTS)) end
  local name = args.model
  if type(name) == "table" then return own_answer.error(400, "The query names more than one model.", "model") end
  if type(name) ~= "string" or name == "" then
    return own_answer.error(400, "Name the model in the query: ?model=<name>", "model")
  end
  return name
end

--- What is wrong with the options that `/inference/v1/generate` has in an object of their own: what routers cannot read they can neither
-- count nor cap.
local function options_fault(from, to, p)
  local at = from.sampling_params
  if not at or p[at] ~= OPEN_BRACE then return nil end
  local options, fault = scan.members(p + at, to.sampling_params - at + 1)
  return not options and fault
end

--- Name of the model that the request asks for; for JSON also where the members of its body are, and the body: its memory and the
-- number of its bytes. Ends the request with an error when it names none. `bytes` and `compressed` are what headers.lua says of the body.
local function read_request(ctx, bytes, compressed)
  local path = ctx.path
  if path.query then
    request_body.refuse(ctx, bytes, compressed)
    return query_model()
  end
  local p, n = request_body.read(ctx, bytes, compressed)
  if path.form then
    local fields, fault = form.fields(request_body.text(), ngx.var.content_type or "", FORM_FIELDS)
    if not fields then return own_answer.error(400, "The form cannot be read: " .. fault .. ".") end
    if not fields.model then return own_answer.error(400, "The form has no field `model`.", "model") end
    ctx.stream = scan.is_truth(fields.stream)
    return fields.model, nil, nil, nil, n
  end
  local from, to = scan.members(p, n)
  if not from then return own_answer.error(400, "The body cannot be read: " .. to .. ".") end
  if not from.model then return own_answer.error(400, "You must provide a model.", "model") end
  if path.responses then
    local refusal, member = stored.refusal(from, p)
    if refusal then return own_answer.error(400, refusal, member) end
  end
  local fault = options_fault(from, to, p)
  if fault then return own_answer.error(400, "sampling_params cannot be read: " .. fault .. ".", "sampling_params") end
  local name = to.model - from.model < MAX_MODEL_NAME and scan.string(p, from.model, to.model)
  if not name then
    return own_answer.error(400, ("The model's name must be a string of at most %d bytes."):format(MAX_MODEL_NAME), "model")
  end
  ctx.stream = scan.is_true(p, from.stream, to.stream)
  return name, from, to, p, n
end

--- Is the name one of an adapter?
local function is_adapter(model, name)
  for _, adapter in ipairs(model.adapters) do
    if adapter == name then return true end
  end
  return false
end

local function unknown(name)
  return own_answer.error(404, ("The model `%s` does not exist."):format(name), "model")
end

--- Answers from the cache, if that has the answer.
local function try_cache(ctx, view, uri, from, to, p, n)
  local since = ctx.span and ngx.now()
  local entry, result = cache.lookup(ctx, view, uri, from, to, p, n)
  -- The whole of it stays in memory until the client has read it.
  if entry and not request_body.has_room(ctx, #entry.body) then entry, result = nil, "BYPASS" end
  ctx.cache_result = result
  if not result then return end
  if since then spans.part(ctx.span, "cache lookup", since) end
  metrics.add(metrics.of_tenant(ctx.model.cache_series, "cache_total", ctx.model, ctx.tenant, "result", result), 1)
  if not entry then return end
  ctx.cached_tokens = entry.tokens
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

--- Changes the body for the engine: a cap on the answer's length while many wait, and usage for the accounts.
local function edit_body(ctx, from, to, p)
  local usage = ctx.stream and ctx.path.usage
  local most = ctx.tier and ctx.path.sse and ctx.tier.maxTokens
  if not usage and not most then return end
  local text = request_body.text()
  local edits = edit.new(text)
  if most then ctx.capped = edit.cap_tokens(edits, from, to, most, ngx.var.uri) end
  if usage then ctx.strip_usage = edit.ask_usage(edits, from, to, p) end
  if edits[1] then ngx.req.set_body_data(edit.apply(edits)) end
end

--- Access phase of every request; of one that comes while the router drains, in the location for those.
function M.access()
  if counters.draining() and ngx.req.http_version() < 2 then return ngx.exec("@last") end
  return M.enter()
end

--- The path that the client asks for. Ends a request for a path that the API does not have, or with a method that the path does not have.
local function find_path(ctx, var)
  local uri = target.path(var)
  if not uri then return own_answer.error(400, "Name the path as the API does: without `.`, `..`, `#` and encoded characters.") end
  local path = paths.of(uri)
  if not path then return own_answer.error(404, ("There is no %s here."):format(uri)) end
  ctx.path = path
  if not path.methods[ngx.req.get_method()] then
    ngx.header["Allow"] = path.allow
    return own_answer.error(405, "Method Not Allowed")
  end
  -- nginx would copy what the engine says into the connection, where other streams are, and maybe those of other clients.
  if path.upgrade and ngx.req.http_version() >= 2 then return own_answer.error(400, "Websockets need HTTP/1.1.") end
  return uri
end

--- Finds out what the request asks for, and returns when it may go on.
function M.enter()
  local ctx = context.new()
  ngx.ctx = ctx
  local var = ngx.var
  local given_id, given_parent, bytes, compressed, upgrade = headers.find()
  ctx.trace_id, given_parent = trace.name(var, given_id, given_parent)
  local tracing = routes.current().tracing
  var.trace_parent = tracing and spans.begin(ctx, tracing, given_parent) or given_parent or trace.parent(ctx.trace_id, "01")
  open_requests.enter(ctx)
  admission.enter()
  if cors.preflight() then return end
  local uri = find_path(ctx, var)
  local path = ctx.path
  local view = routes.current()
  local key = keys.authenticate(view, path.messages)
  if key then
    ctx.api_key = key
    admission.take_part(key.namespace)
  end
  if path.stored then return own_answer.error(404, stored.MESSAGE, "response_id") end
  local name, from, to, p, n = read_request(ctx, bytes, compressed)
  local model = view.names[name]
  if not model or not keys.allows(key, model, name) then return unknown(name) end
  -- vLLM takes any name in this query, and answers with the base model, which the key may not be for.
  if path.upgrade and is_adapter(model, name) then
    return own_answer.error(400, "vLLM answers with the base model here, also for an adapter: name the base model.", "model")
  end
  ctx.tenant = key and key.tenant or model.namespace
  ctx.model = model
  if model.measures_latency then ctx.arrived = ngx.now() end
  if ctx.span then ctx.span.model = name end
  if key then
    limits.take(ctx, view, n, from, to, p)
  else
    admission.take_part(model.namespace)
  end
  if from and model.cache.enabled then try_cache(ctx, view, uri, from, to, p, n) end
  if upgrade then
    if path.upgrade then
      websockets.enter(ctx, name)
    else
      ngx.req.clear_header("Upgrade") -- else nginx makes it a tunnel when the engine says so
    end
  end
  -- The table may have changed while the body or the cache was read: an engine that was there may be about to go.
  model = routes.current().by_uid[model.uid]
  if not model then return unknown(name) end
  ctx.model = model
  counters.set(model.slot, counters.LAST, ngx.now() * 1000)
  admission.degrade(ctx, model, n, from, to, p)
  if from then
    balance.strategy(view).prepare(ctx, model, from, to, p)
    edit_body(ctx, from, to, p)
  end
  return admission.admit(ctx, model, name)
end

--- Access phase of a request that the relay sends: it was admitted and is counted where it came in.
function M.relayed()
  local ctx, var = context.new(), ngx.var
  ngx.ctx = ctx
  open_requests.enter(ctx)
  local view = routes.current()
  ctx.model, ctx.tenant, ctx.relay_id = view.by_uid[var.http_x_relay_model], var.http_x_relay_tenant, var.http_x_relay_id
  ctx.api_key, ctx.strip_usage = view.by_hash[var.http_x_relay_key or ""], var.http_x_relay_strip == "usage"
  ctx.path, ctx.stream, ctx.relayed = paths.of(var.uri), true, true
  var.trace_request_id, var.trace_parent = var.http_x_request_id, var.http_traceparent
  limits.take_over(ctx, view, var.http_x_relay_reserved)
  for _, name in ipairs { "id", "model", "tenant", "key", "strip", "reserved" } do ngx.req.clear_header("X-Relay-" .. name) end
  if not ctx.model then return own_answer.error(404, "The model does not exist any more.") end
end

return M

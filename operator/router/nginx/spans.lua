--- What is traced of a request: a span of the router with parts for what it waited for, and one for each time that it was sent to engines.
-- Names of attributes are those of OpenTelemetry: https://opentelemetry.io/docs/specs/semconv/http/http-spans/ and …/gen-ai/gen-ai-spans/
local cjson = require "cjson.safe"
local collector = require "collector"
local memo = require "memo"
local paths = require "paths"
local trace = require "trace"
local new_list = require "table.new"

local random = math.random

local M = {}

local SERVER, CLIENT, INTERNAL = 2, 3, 1 -- kinds of spans
local FAILED = '],"status":{"code":2}}' -- the end of a span that ended in an error
local SAMPLED = 1
local MAX_PARTS = 32 -- of a request; one that meets engines that come and go may wait any number of times
local MAX_TEXT, MAX_METHOD = 256, 16 -- bytes of a value, and of one that is a method
local USUAL_PIECES = 80 -- of the JSON of a request's spans
local MAX_TEXTS = 512 -- of an attribute that are remembered
local PROVIDER = '{"key":"gen_ai.provider.name","value":{"stringValue":"vllm"}}'
local STREAM = ',{"key":"gen_ai.request.stream","value":{"boolValue":true}}'
local REQUEST_ID = ',{"key":"vllm_operator.request.id","value":{"stringValue":"'
local FIRST_CHUNK = ',{"key":"gen_ai.response.time_to_first_chunk","value":{"doubleValue":'
local STATUS, PORT = ',{"key":"http.response.status_code","value":{"intValue":"', ',{"key":"server.port","value":{"intValue":"'
local INPUT, OUTPUT = ',{"key":"gen_ai.usage.input_tokens","value":{"intValue":"', ',{"key":"gen_ai.usage.output_tokens","value":{"intValue":"'
local TIER = ',{"key":"vllm_operator.degradation.tier","value":{"intValue":"'

local OPERATIONS = {
  ["/v1/chat/completions"] = "chat",
  ["/v1/chat/completions/batch"] = "chat",
  ["/v1/responses"] = "chat",
  ["/v1/messages"] = "chat",
  ["/cohere/v2/chat"] = "chat",
  ["/v1/completions"] = "text_completion",
  ["/invocations"] = "chat",
  ["/v1/embeddings"] = "embeddings",
  ["/v2/embed"] = "embeddings",
}

--- JSON of a text. What is no printable ASCII is masked: a client may have sent it.
local function encoded(text)
  return cjson.encode((text:sub(1, MAX_TEXT):gsub("[%c\127-\255]", "?")))
end

--- The attribute of a name, by its text: most texts come again and again.
local function texts(name)
  return memo(function(value) return ',{"key":"' .. name .. '","value":{"stringValue":' .. encoded(value) .. "}}" end, MAX_TEXTS)
end

local OPERATION, MODEL, ADDRESS = texts "gen_ai.operation.name", texts "gen_ai.request.model", texts "server.address"
local SCHEME, PATH, ROUTE = texts "url.scheme", texts "url.path", texts "http.route"
local TENANT, OBJECT, CACHE = texts "vllm_operator.tenant", texts "vllm_operator.model", texts "vllm_operator.cache.result"
local FAILURE = texts "error.type"

--- What stands between the ids of a span and its times, by its name: one of each kind of span.
local function heads(kind)
  return memo(function(name)
    return ('","flags":%d,"name":%s,"kind":%d,"startTimeUnixNano":"'):format(SAMPLED, encoded(name), kind)
  end, MAX_TEXTS)
end

local SERVER_HEAD, CLIENT_HEAD, INTERNAL_HEAD = heads(SERVER), heads(CLIENT), heads(INTERNAL)

--- The first attribute of a server's span.
local METHOD = memo(function(value) return '{"key":"http.request.method","value":{"stringValue":' .. encoded(value) .. "}}" end, MAX_TEXTS)

-- The JSON of spans is a list of its pieces, most of which are there already. LuaJIT finds a string by 16 of its bytes: of whole spans
-- those are all the same, and to make one would compare it with all of the others.

--- Begins a span. Times are in nanoseconds since 1970, as JSON has 64-bit numbers: https://protobuf.dev/programming-guides/json/
local function begin_span(list, trace_id, id, parent, head, from, to)
  local n = #list
  list[n + 1], list[n + 2], list[n + 3], list[n + 4] = n > 0 and ',{"traceId":"' or '{"traceId":"', trace_id, '","spanId":"', id
  n = n + 4
  if parent then
    list[n + 1], list[n + 2] = '","parentSpanId":"', parent
    n = n + 2
  end
  list[n + 1], list[n + 2], list[n + 3] = head, ("%d"):format(from * 1000 + 0.5), '000000","endTimeUnixNano":"'
  list[n + 4], list[n + 5] = ("%d"):format(math.max(from, to) * 1000 + 0.5), '000000","attributes":['
end

local function end_span(list, failed)
  list[#list + 1] = failed and FAILED or "]}"
end

--- Add an attribute, if it has a value.
local function add_text(list, attribute, value)
  if value then list[#list + 1] = attribute(value) end
end

local function add_integer(list, name, value)
  if not value then return end
  local n = #list
  list[n + 1], list[n + 2], list[n + 3] = name, ("%d"):format(value), '"}}'
end

--- Makes the span of the next engine the parent of what that traces. Returns its `traceparent`.
local function name_upstream(span)
  span.upstream = trace.span_id()
  return "00-" .. span.trace .. "-" .. span.upstream .. "-01"
end

--- Decides whether a request is traced: as the client did, else by chance. Returns the `traceparent` for engines, which says so.
---@param tracing table of the route table
---@param parent string|nil `traceparent` of the client
---@return string
function M.begin(ctx, tracing, parent)
  if parent then
    if tonumber(parent:sub(55, 55), 16) % 2 == 0 then return parent end
  elseif random() >= tracing.samplingRatio then
    return trace.parent(ctx.trace_id, "00")
  end
  local span = { trace = ctx.trace_id, id = trace.span_id(), parent = parent and parent:sub(37, 52), list = new_list(USUAL_PIECES, 0), count = 0 }
  ctx.span = span
  return name_upstream(span)
end

--- Is there room for a part?
local function has_room(span)
  if span.count >= MAX_PARTS then return false end
  span.count = span.count + 1
  return true
end

--- Adds a part that ends now.
function M.part(span, name, from)
  if not has_room(span) then return end
  begin_span(span.list, span.trace, trace.span_id(), span.id, INTERNAL_HEAD(name), from, ngx.now())
  end_span(span.list)
end

--- Adds the span of the engines that were tried since `sent`.
local function add_upstream(ctx, span, status, failed)
  if not span.sent or not has_room(span) then return end
  local list, endpoint, operation, model = span.list, ctx.endpoint, span.operation, span.model
  begin_span(list, span.trace, span.upstream, span.id, CLIENT_HEAD(operation .. " " .. model), span.sent, ngx.now())
  list[#list + 1] = PROVIDER
  add_text(list, OPERATION, operation)
  add_text(list, MODEL, model)
  if ctx.stream then list[#list + 1] = STREAM end
  if ctx.first_byte and ctx.first_byte > span.sent then
    list[#list + 1] = FIRST_CHUNK
    list[#list + 1] = ("%.3f"):format(ctx.first_byte - span.sent)
    list[#list + 1] = "}}"
  end
  add_integer(list, INPUT, ctx.prompt_tokens)
  add_integer(list, OUTPUT, ctx.completion_tokens)
  if endpoint then
    add_text(list, ADDRESS, endpoint.host)
    add_integer(list, PORT, endpoint.port)
  end
  add_integer(list, STATUS, status)
  if failed then add_text(list, FAILURE, status and ("%d"):format(status) or "_OTHER") end
  end_span(list, failed)
end

local function name_operation(span, uri)
  span.operation = span.operation or OPERATIONS[uri] or uri:match("[^/]*$")
end

--- No engine took the request, and it is going to be sent again.
function M.again(ctx)
  local span, var = ctx.span, ngx.var
  name_operation(span, var.uri)
  add_upstream(ctx, span, nil, true)
  span.sent = nil
  var.trace_parent = name_upstream(span)
end

--- Log phase: hands over what was traced.
function M.finish(ctx, status)
  local span, var, model = ctx.span, ngx.var, ctx.model
  ngx.update_time()
  local uri, method = var.uri, ngx.req.get_method():sub(1, MAX_METHOD)
  local known = paths.exact[uri]
  name_operation(span, uri)
  add_upstream(ctx, span, status, status >= 400 or ctx.cut)
  local failed, list = status >= 500 or ctx.cut, span.list
  begin_span(list, span.trace, span.id, span.parent, SERVER_HEAD(known and method .. " " .. uri or method), ctx.start, ngx.now())
  list[#list + 1] = METHOD(method)
  add_text(list, SCHEME, var.scheme)
  add_text(list, PATH, uri)
  if known then add_text(list, ROUTE, uri) end
  add_integer(list, STATUS, status)
  if failed then add_text(list, FAILURE, ("%d"):format(status)) end
  local n = #list
  list[n + 1], list[n + 2], list[n + 3] = REQUEST_ID, var.trace_request_id, '"}}' -- trace.lua has checked it, and it comes once
  add_text(list, TENANT, ctx.tenant)
  add_text(list, OBJECT, model and model.label)
  add_text(list, CACHE, ctx.cache_result)
  add_integer(list, TIER, ctx.tier and ctx.tier.number)
  end_span(list, failed)
  local owner = ctx.api_key or model
  collector.add(list, span.count + 1, owner and owner.namespace or "")
end

return M

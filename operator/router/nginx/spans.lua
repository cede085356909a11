--- What is traced of a request: a span of the router with parts for what it waited for, and one for each time that it was sent to engines.
-- Names of attributes are those of OpenTelemetry: https://opentelemetry.io/docs/specs/semconv/http/http-spans/ and …/gen-ai/gen-ai-spans/
local cjson = require "cjson.safe"
local collector = require "collector"
local memo = require "memo"
local paths = require "paths"
local trace = require "trace"

local random = math.random

local M = {}

local SERVER, CLIENT, INTERNAL = 2, 3, 1 -- kinds of spans
local ERROR = 2 -- code of a status
local SAMPLED = 1
local MAX_PARTS = 32 -- of a request; one that meets engines that come and go may wait any number of times
local MAX_TEXT, MAX_METHOD = 256, 16 -- bytes of a value, and of one that is a method
local MAX_TEXTS = 512 -- of an attribute that are remembered
local PROVIDER = '{"key":"gen_ai.provider.name","value":{"stringValue":"vllm"}}'
local STREAM = '{"key":"gen_ai.request.stream","value":{"boolValue":true}}'
local REQUEST_ID = '{"key":"vllm_operator.request.id","value":{"stringValue":"'
local FIRST_CHUNK = '{"key":"gen_ai.response.time_to_first_chunk","value":{"doubleValue":%.3f}}'

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
  return cjson.encode((text:gsub("[%c\127-\255]", "?")))
end

--- Most texts come again and again.
local json = memo(encoded, MAX_TEXTS)

--- The attribute of a name, by its text.
local function texts(name)
  return memo(function(value) return '{"key":"' .. name .. '","value":{"stringValue":' .. encoded(value) .. "}}" end, MAX_TEXTS)
end

local OPERATION, MODEL, ADDRESS = texts "gen_ai.operation.name", texts "gen_ai.request.model", texts "server.address"
local METHOD, SCHEME, PATH, ROUTE = texts "http.request.method", texts "url.scheme", texts "url.path", texts "http.route"
local TENANT, OBJECT, CACHE = texts "vllm_operator.tenant", texts "vllm_operator.model", texts "vllm_operator.cache.result"
local FAILURE = texts "error.type"

--- Nanoseconds since 1970, as JSON has 64-bit numbers: https://protobuf.dev/programming-guides/json/
local function nanoseconds(seconds)
  return ('"%d000000"'):format(seconds * 1000 + 0.5)
end

--- Add an attribute to a list, if it has a value.
local function add_text(list, attribute, value)
  if value then list[#list + 1] = attribute(value:sub(1, MAX_TEXT)) end
end

local function add_integer(list, name, value)
  if value then list[#list + 1] = ('{"key":"%s","value":{"intValue":"%d"}}'):format(name, value) end
end

--- JSON of a span.
local function encode(span, name, id, parent, kind, from, to, list, failed)
  return ('{"traceId":"%s","spanId":"%s"%s,"flags":%d,"name":%s,"kind":%d,"startTimeUnixNano":%s,"endTimeUnixNano":%s,"attributes":[%s]%s}'):format(
    span.trace, id, parent and ',"parentSpanId":"' .. parent .. '"' or "", SAMPLED, json(name), kind, nanoseconds(from),
    nanoseconds(math.max(from, to)), table.concat(list, ","), failed and ',"status":{"code":' .. ERROR .. "}" or ""
  )
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
  local span = { trace = ctx.trace_id, id = trace.span_id(), parent = parent and parent:sub(37, 52), parts = {} }
  ctx.span = span
  return name_upstream(span)
end

--- Adds a part that ends now.
function M.part(span, name, from)
  local parts = span.parts
  if #parts < MAX_PARTS then parts[#parts + 1] = encode(span, name, trace.span_id(), span.id, INTERNAL, from, ngx.now(), {}) end
end

--- Adds the span of the engines that were tried since `sent`.
local function add_upstream(ctx, span, status, failed)
  local parts = span.parts
  if not span.sent or #parts >= MAX_PARTS then return end
  local endpoint, operation, list = ctx.endpoint, span.operation, { PROVIDER }
  add_text(list, OPERATION, operation)
  add_text(list, MODEL, span.model)
  if ctx.stream then list[#list + 1] = STREAM end
  if ctx.first_byte and ctx.first_byte > span.sent then list[#list + 1] = FIRST_CHUNK:format(ctx.first_byte - span.sent) end
  add_integer(list, "gen_ai.usage.input_tokens", ctx.prompt_tokens)
  add_integer(list, "gen_ai.usage.output_tokens", ctx.completion_tokens)
  if endpoint then
    add_text(list, ADDRESS, endpoint.host)
    add_integer(list, "server.port", endpoint.port)
  end
  add_integer(list, "http.response.status_code", status)
  if failed then add_text(list, FAILURE, tostring(status or "_OTHER")) end
  parts[#parts + 1] = encode(span, operation .. " " .. span.model, span.upstream, span.id, CLIENT, span.sent, ngx.now(), list, failed)
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
  local failed, parts, list = status >= 500 or ctx.cut, span.parts, {}
  add_text(list, METHOD, method)
  add_text(list, SCHEME, var.scheme)
  add_text(list, PATH, uri)
  if known then add_text(list, ROUTE, uri) end
  add_integer(list, "http.response.status_code", status)
  if failed then add_text(list, FAILURE, tostring(status)) end
  list[#list + 1] = REQUEST_ID .. var.trace_request_id .. '"}}' -- trace.lua has checked it, and it comes once
  add_text(list, TENANT, ctx.tenant)
  add_text(list, OBJECT, model and model.label)
  add_text(list, CACHE, ctx.cache_result)
  add_integer(list, "vllm_operator.degradation.tier", ctx.tier and ctx.tier.number)
  parts[#parts + 1] = encode(span, known and method .. " " .. uri or method, span.id, span.parent, SERVER, ctx.start, ngx.now(), list, failed)
  local owner = ctx.api_key or model
  collector.add(table.concat(parts, ","), #parts, owner and owner.namespace or "")
end

return M

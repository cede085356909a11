--- What is traced of a request: a span of the router with parts for what it waited for, and one for each time that it was sent to engines.
-- Names of attributes are those of OpenTelemetry: https://opentelemetry.io/docs/specs/semconv/http/http-spans/ and …/gen-ai/gen-ai-spans/
local cjson = require "cjson.safe"
local collector = require "collector"
local paths = require "paths"
local trace = require "trace"

local random = math.random

local M = {}

local SERVER, CLIENT, INTERNAL = 2, 3, 1 -- kinds of spans
local ERROR = 2 -- code of a status
local SAMPLED = 1
local MAX_PARTS = 32 -- of a request; one that meets engines that come and go may wait any number of times
local MAX_TEXT = 256 -- bytes of a value

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
local function json(text)
  return cjson.encode((text:sub(1, MAX_TEXT):gsub("[%c\127-\255]", "?")))
end

--- Nanoseconds since 1970, as JSON has 64-bit numbers: https://protobuf.dev/programming-guides/json/
local function nanoseconds(seconds)
  return ('"%.0f000000"'):format(seconds * 1000)
end

--- JSON of attributes: those of the list, of each its name and its value, that have a value. Numbers are integers.
local function attributes(list)
  local out, n = {}, 0
  for i = 1, #list, 2 do
    local name, value = list[i], list[i + 1]
    if value then
      local text
      if type(value) == "number" then
        text = ('"intValue":"%.0f"'):format(value)
      elseif type(value) == "table" then
        text = ('"doubleValue":%.3f'):format(value.seconds)
      elseif value == true then
        text = '"boolValue":true'
      else
        text = '"stringValue":' .. json(value)
      end
      n = n + 1
      out[n] = '{"key":"' .. name .. '","value":{' .. text .. "}}"
    end
  end
  return table.concat(out, ",")
end

--- JSON of a span.
local function encode(span, name, id, parent, kind, from, to, list, failed)
  return ('{"traceId":"%s","spanId":"%s"%s,"flags":%d,"name":%s,"kind":%d,"startTimeUnixNano":%s,"endTimeUnixNano":%s,"attributes":[%s]%s}'):format(
    span.trace, id, parent and ',"parentSpanId":"' .. parent .. '"' or "", SAMPLED, json(name), kind, nanoseconds(from),
    nanoseconds(math.max(from, to)), attributes(list), failed and ',"status":{"code":' .. ERROR .. "}" or ""
  )
end

--- Decides whether a request is traced: as the client did, else by chance. Engines are told so.
---@param tracing table of the route table
---@param parent string|nil `traceparent` of the client
function M.begin(ctx, var, tracing, parent)
  if parent then
    if tonumber(parent:sub(55, 55), 16) % 2 == 0 then return end
  elseif random() >= tracing.samplingRatio then
    var.trace_flags = "00"
    return
  end
  local span = { trace = parent and parent:sub(4, 35) or ctx.trace_id, id = trace.span_id(), parent = parent and parent:sub(37, 52), parts = {} }
  ctx.span = span
  M.name_upstream(span, var)
end

--- Makes the span of the next engine the parent of what that traces.
function M.name_upstream(span, var)
  span.upstream = trace.span_id()
  var.given_parent = ("00-%s-%s-01"):format(span.trace, span.upstream)
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
  local endpoint, operation = ctx.endpoint, span.operation
  local first = ctx.first_byte and ctx.first_byte > span.sent and { seconds = ctx.first_byte - span.sent }
  parts[#parts + 1] = encode(span, operation .. " " .. span.model, span.upstream, span.id, CLIENT, span.sent, ngx.now(), {
    "gen_ai.operation.name", operation,
    "gen_ai.provider.name", "vllm",
    "gen_ai.request.model", span.model,
    "gen_ai.request.stream", ctx.stream,
    "gen_ai.response.time_to_first_chunk", first,
    "gen_ai.usage.input_tokens", ctx.prompt_tokens,
    "gen_ai.usage.output_tokens", ctx.completion_tokens,
    "server.address", endpoint and endpoint.host,
    "server.port", endpoint and endpoint.port,
    "http.response.status_code", status,
    "error.type", failed and tostring(status or "_OTHER"),
  }, failed)
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
  M.name_upstream(span, var)
end

--- Log phase: hands over what was traced.
function M.finish(ctx, status)
  local span, var, model = ctx.span, ngx.var, ctx.model
  ngx.update_time()
  local uri, method = var.uri, ngx.req.get_method()
  local known = paths.exact[uri]
  name_operation(span, uri)
  add_upstream(ctx, span, status, status >= 400 or ctx.cut)
  local failed = status >= 500 or ctx.cut
  local parts = span.parts
  parts[#parts + 1] = encode(span, known and method .. " " .. uri or method:sub(1, 16), span.id, span.parent, SERVER, ctx.start, ngx.now(), {
    "http.request.method", method:sub(1, 16),
    "url.scheme", var.scheme,
    "url.path", uri,
    "http.route", known and uri,
    "http.response.status_code", status,
    "error.type", failed and tostring(status),
    "vllm_operator.request.id", var.trace_request_id,
    "vllm_operator.tenant", ctx.tenant,
    "vllm_operator.model", model and model.label,
    "vllm_operator.cache.result", ctx.cache_result,
    "vllm_operator.degradation.max_tokens", ctx.tier and ctx.tier.maxTokens,
  }, failed)
  collector.add(table.concat(parts, ","), #parts)
end

return M

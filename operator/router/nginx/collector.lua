--- Sends spans to the collector of traces, off the way of requests: OTLP over HTTP as JSON
-- (https://opentelemetry.io/docs/specs/otlp/#otlphttp). A collector that is slow, gone or hostile costs spans, and nothing else.
local cjson = require "cjson.safe"
local metrics = require "metrics"
local routes = require "routes"
local share = require "share"

local M = {}

local LEAST = 512 -- bytes that a span counts as at least, so that their number is bounded too
local STATUS = 12 -- bytes of `HTTP/1.1 200`: no more of an answer is read
local QUIET = 60 -- seconds between two lines in the log
local MAX_DOMAINS = 8

local buffer, bytes, count, parts = {}, 0, 0, share.new() -- pieces of JSON; their bytes, and of how many spans they are
local sending, send_at, log_at = false, 0, 0
local working_name = {} -- by host of the route table: the name that was found last
local domains -- of resolv.conf, which nginx's resolver does not know

local SERIES = {}
for _, result in ipairs { "sent", "failed", "dropped" } do SERIES[result] = metrics.series("spans_total", "result", result) end

local function note(result, n)
  metrics.add(SERIES[result], n)
end

--- Takes `n` spans of a namespace, as a list of pieces of JSON, or drops them where there are too many, of it or in all.
function M.add(pieces, n, namespace)
  local size = 0
  for i = 1, #pieces do size = size + #pieces[i] end
  size = math.max(size, n * LEAST)
  local free = routes.current().limits.maxSpansBytes - bytes
  if size > free or not share.allows(parts, namespace, size, free) then return note("dropped", n) end
  share.add(parts, namespace, size)
  local last = #buffer
  if last > 0 then
    last = last + 1
    buffer[last] = ","
  end
  for i = 1, #pieces do buffer[last + i] = pieces[i] end
  bytes, count = bytes + size, count + n
end

--- Forgets the spans of the buffer.
local function clear()
  buffer, bytes, count, parts = {}, 0, 0, share.new()
end

local function read_file(path)
  local file = io.open(path, "r")
  if not file then return "" end
  local text = file:read("*a")
  file:close()
  return text or ""
end

local function search_domains()
  if domains then return domains end
  domains = {}
  for domain in (("\n" .. read_file("/etc/resolv.conf")):match("\nsearch%s([^\n]*)") or ""):gmatch("[%w._-]+") do
    if #domains < MAX_DOMAINS then domains[#domains + 1] = domain end
  end
  return domains
end

--- A name as in a pod: `service.namespace` means one of the cluster.
local function connect(socket, host, port)
  local name = working_name[host] or host
  local ok, err = socket:connect(name, port)
  if ok or not err:find("resolve", 1, true) then return ok, err end
  for _, domain in ipairs(search_domains()) do
    ok, err = socket:connect(host .. "." .. domain, port)
    if ok then
      working_name[host] = host .. "." .. domain
      return ok
    end
  end
  return nil, err
end

local function post(tracing, body)
  local socket, timeout = ngx.socket.tcp(), routes.current().limits.spansTimeoutMs
  socket:settimeouts(timeout, timeout, timeout)
  local ok, err = connect(socket, tracing.host, tracing.port)
  if not ok then return nil, err end
  ok, err = socket:send {
    "POST ", tracing.path, " HTTP/1.1\r\nHost: ", tracing.host, ":", tostring(tracing.port),
    "\r\nContent-Type: application/json\r\nContent-Length: ", tostring(#body), "\r\nConnection: close\r\n\r\n", body,
  }
  local line
  if ok then line, err = socket:receive(STATUS) end
  socket:close()
  if not line then return nil, err end
  local status = line:match("^HTTP/1%.[01] (%d%d%d)$")
  if not status then return nil, "the answer is not one of HTTP/1.1" end
  return status:find("^2") ~= nil, "the answer has status " .. status
end

local function text(name, value)
  return ('{"key":"%s","value":{"stringValue":%s}}'):format(name, cjson.encode(value))
end

--- The request for the spans of the buffer. OTLP/JSON: resource, scope, spans.
local function request_of(pool)
  local pod = read_file("/etc/hostname"):match("^[%w._-]*")
  return table.concat {
    '{"resourceSpans":[{"resource":{"attributes":[', text("service.name", pool.name .. "-router"), ",",
    text("service.namespace", pool.namespace), ",", text("service.instance.id", pod), ",", text("k8s.namespace.name", pool.namespace),
    ",", text("k8s.pod.name", pod), ']},"scopeSpans":[{"scope":{"name":"vllm-operator/router"},"spans":[', table.concat(buffer),
    "]}]}]}",
  }
end

--- Sends what there is. What a collector does not take is gone: there is no second try.
local function send(view)
  local n, body = count, request_of(view.pool)
  clear()
  local ok, err = post(view.tracing, body)
  note(ok and "sent" or "failed", n)
  if ok or ngx.now() < log_at then return end
  log_at = ngx.now() + QUIET
  ngx.log(ngx.WARN, "the collector of traces did not take spans: ", err)
end

--- Called often, and when the worker ends.
function M.look(premature)
  if count == 0 or sending or not premature and ngx.now() < send_at then return end
  local view = routes.current()
  if not view.tracing then
    note("dropped", count)
    return clear()
  end
  sending, send_at = true, ngx.now() + view.limits.spansEveryMs / 1000
  local ran, err = pcall(send, view)
  sending = false
  if not ran then ngx.log(ngx.ERR, "spans: ", err) end
end

return M

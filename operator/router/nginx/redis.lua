--- Connections to Redis with a breaker: when Redis fails a few times in a row, nobody waits for it for a while.
local bounded_reader = require "bounded_reader"
local metrics = require "metrics"
local routes = require "routes"

local ok, client = pcall(require, "resty.redis")
if not ok then client = require "nginx.redis" end
client.add_commands("select", "incrby", "pexpire")

local M = {}

local MAX_VALUE = 65536 -- bytes of a value: more is not read
local FAILURES_TO_OPEN = 3
local PAUSE, MAX_PAUSE = 1, 30 -- seconds
local IDLE_MS, POOL = 60000, 64
local EXTERNAL = ngx.config.prefix() .. "redis/url" -- a Secret: redis[s]://[user[:password]@]host[:port][/database]

local failures, open_until, pause = 0, 0, PAUSE
local external, external_read_at = nil, 0

local function parse(url)
  local scheme, rest = url:match("^(rediss?)://([^%s]+)")
  if not scheme then return nil end
  local credentials, address = rest:match("^(.*)@([^@]*)$")
  address = address or rest
  local user, password = (credentials or ""):match("^([^:]*):?(.*)$")
  local host, port, database = address:match("^(%[?[^%]/]-%]?):?(%d*)/?(%d*)$")
  return {
    host = host,
    port = tonumber(port) or 6379,
    username = user ~= "" and ngx.unescape_uri(user) or nil,
    password = password ~= "" and ngx.unescape_uri(password) or nil,
    database = tonumber(database),
    tls = scheme == "rediss",
  }
end

--- Where Redis is: what the route table says, else what is mounted; nil when there is none.
function M.settings(view)
  if view.redis then return view.redis end
  if ngx.now() - external_read_at > 30 then
    external_read_at = ngx.now()
    local file = io.open(EXTERNAL, "r")
    external = file and parse(file:read("*a"))
    if file then file:close() end
  end
  return external
end

--- Takes note of a failure. Requests that were under way when the breaker opened tell nothing new; the one that `probes` does.
local function failed(err, probes)
  if not probes and ngx.now() < open_until then return end
  failures = failures + 1
  if failures >= FAILURES_TO_OPEN then
    ngx.log(ngx.WARN, "Redis is left alone for ", pause, " s: ", err)
    open_until, pause = ngx.now() + pause, math.min(pause * 2, MAX_PAUSE)
    failures = FAILURES_TO_OPEN - 1 -- one more failure after the pause opens it again
    metrics.add(metrics.series("cache_breaker_total", "reason", "failed"), 1)
  end
end

--- Logs in to a connection that is new. Returns whether that went well, or nil and the reason.
local function log_in(connection, settings)
  local done, err = true, nil
  if settings.password and settings.username then
    done, err = connection:auth(settings.username, settings.password)
  elseif settings.password then
    done, err = connection:auth(settings.password)
  end
  if done and settings.database and settings.database > 0 then done, err = connection:select(settings.database) end
  return done, err
end

--- A connection, its socket, and the reader that is in the place of that; or nil and the reason.
local function open(settings, most)
  local connection, timeout_ms = client:new(), routes.current().limits.redisTimeoutMs
  local socket = connection._sock
  socket:settimeout(timeout_ms)
  settings.pool = settings.pool or table.concat({ settings.host, settings.port, settings.username or "", settings.database or 0 }, ":")
  local done, err = socket:connect(settings.host, settings.port, { pool = settings.pool })
  if not done then return nil, err end
  local is_new = socket:getreusedtimes() == 0
  if is_new and settings.tls then
    done, err = socket:sslhandshake(nil, settings.host, true) -- Debian's client does not do it itself
    if not done then return nil, err end
  end
  local reader = bounded_reader.new(socket, most, timeout_ms / 1000)
  connection._sock = reader
  if is_new then
    done, err = log_in(connection, settings)
    if not done then return nil, err end
  end
  return connection, socket, reader
end

--- Runs `work(connection)` and returns what it returns. Returns nil and the reason when Redis is out of order: that is never
-- the client's problem. `work` returns nil and a reason when a command failed. A value of more than `most` bytes is none.
function M.with(settings, work, most)
  local now = ngx.now()
  if now < open_until then return nil, "the breaker is open" end
  local probes = pause > PAUSE
  if probes then open_until = now + 2 * routes.current().limits.redisTimeoutMs / 1000 end -- it was open: one request finds out
  -- What is no number where the client expects one raises an error in it.
  local ran, connection, socket, reader = pcall(open, settings, most or MAX_VALUE)
  if not ran or not connection then
    local err = ran and socket or connection
    failed(err, probes)
    return nil, err
  end
  local result, problem
  ran, result, problem = pcall(work, connection)
  if reader.too_large then
    socket:close()
    return false, problem
  end
  if not ran then result, problem = nil, result end
  if result == nil then
    socket:close()
    failed(problem, probes)
    return nil, problem
  end
  failures, pause, open_until = 0, PAUSE, 0
  if reader:is_clean() then socket:setkeepalive(IDLE_MS, POOL) else socket:close() end
  return result, problem
end

return M

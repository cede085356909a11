--- The response cache. An entry belongs to one tenant, one model as it is now, one path and one body; streams are kept and
-- replayed as streams. Identical requests in flight share one: the first asks the engine, under a lock in Redis that other
-- workers and routers respect, and the others wait for what it stores.
local credentials = require "credentials"
local entries = require "entries"
local redis = require "redis"
local relay = require "relay"
local routes = require "routes"
local scan = require "scan"
local sha256 = require "sha256"
local semaphore = require "ngx.semaphore"
local share = require "share"

local M = {}

local LOCK_REFRESHES = 3 -- times in the life of a lock
local POLL, MAX_POLL = 0.01, 0.1 -- seconds between looks at another router's work
local PIECE = 16 -- bytes that a piece of an answer takes beside its text
local OVERHEAD = 32 * 1024 -- bytes of an entry beside its body, at most
local MAX_LEADERS = 3 -- requests that one waits for, each after the client of the last went away

local refresh_at = 0
local flights = {} -- by key: requests of this worker that wait for one of its own
local locks, kept, kept_parts = {}, 0, share.new() -- `kept` bytes, and their parts by namespace of the model

--- May the answer be kept? What the model computes without choosing is the same each time; what it writes is so with
-- `temperature: 0` or a seed, or when the policy says that any answer will do.
local function eligible(ctx, rules, from, to, p)
  if not ctx.path.cache then return false end
  if rules.policy == "All" or not ctx.path.sse then return true end
  return scan.number(p, from.temperature, to.temperature) == 0 or scan.number(p, from.seed, to.seed) ~= nil
end

--- The key of a request. Members count in the order of their names, without white space around them. The query counts too: an
-- engine behind the router may look for credentials there.
local function key_of(ctx, uri, p, n)
  local model = ctx.model
  local members = scan.parts(p, n)
  if not members then return nil end
  local text = table.concat({
    ctx.tenant, model.uid, model.engine, uri, ngx.var.args or "", entries.FORMAT, table.concat(members, "\0"),
  }, "\1")
  return "vllm:answer:" .. ngx.encode_base64(sha256.bytes(text))
end

--- Whether the client wants nothing stored, and whether it wants an answer that is made now.
local function control()
  local value = ngx.var.http_cache_control
  if not value then return false, false end
  value = value:lower()
  return value:find("no-store", 1, true) ~= nil, value:find("no-cache", 1, true) ~= nil
end

--- Reads an entry. Returns it, `false` when there is none, or nil when Redis is out of order.
local function read(ctx, view, settings, key)
  local value = redis.with(settings, function(connection)
    local value, err = connection:get(key)
    if value == nil then return nil, err end
    return value
  end, view.cacheMaxEntryBytes + OVERHEAD)
  if value == nil then return nil end
  return type(value) == "string" and entries.decode(value, ctx.model.cache.ttlSeconds) or false
end

local function lock(settings, key)
  return redis.with(settings, function(connection)
    local answer, err = connection:set(key .. ":lock", 1, "NX", "PX", routes.current().limits.lockMs)
    if answer == nil then return nil, err end
    return answer ~= ngx.null -- `false` is an error of Redis, such as being full: go on without a lock
  end)
end

local function unlock(settings, key)
  locks[key] = nil
  redis.with(settings, function(connection) return connection:del(key .. ":lock") end)
end

--- Waits until another request of this worker has its answer, but not for a client that reads it slowly. Returns the entry,
-- "again" when its client went away, or what else became of it.
local function follow(ctx, flight, deadline)
  local limits = flight.view.limits
  flight.waiting = flight.waiting + 1
  relay.wait(ctx, deadline, function(seconds)
    local stop = ngx.now() + seconds
    repeat
      if flight.done:wait(math.min(limits.lookMs / 1000, math.max(0.001, stop - ngx.now()))) then return true end
      if flight.began and ngx.now() > flight.began + limits.maxLeadMs / 1000 then return true end
    until ngx.now() >= stop
  end)
  flight.waiting = flight.waiting - 1
  return flight.entry or flight.outcome
end

--- Waits until another router has its answer, or gives up its lock. Returns the entry, "locked" when the lock is ours now, "late"
-- when that took too long, or nil when Redis is out of order.
local function watch(ctx, view, settings, key, deadline)
  local pause, outcome = POLL, "late"
  relay.wait(ctx, math.min(deadline, ngx.now() + view.limits.maxWatchMs / 1000), function(seconds)
    local stop = ngx.now() + seconds
    while ngx.now() < stop do
      ngx.sleep(pause)
      pause = math.min(pause * 1.5, MAX_POLL)
      local entry = read(ctx, view, settings, key)
      if entry ~= false then
        outcome = entry
        return true
      end
      local free = lock(settings, key)
      if free ~= false then
        outcome = free and "locked" or nil
        return true
      end
    end
  end)
  return outcome
end

--- Makes the request the one that others wait for, unless there is an answer by now or another router is at it: then it waits.
-- Returns as `lookup` does.
local function lead(ctx, view, settings, key, deadline)
  local flight = { done = semaphore.new(0), waiting = 0, key = key, settings = settings, view = view }
  flights[key] = flight
  ctx.flight = flight -- so that it is closed, whatever ends this request
  local entry = read(ctx, view, settings, key)
  if entry then
    M.close(ctx, entry)
    return entry, "HIT"
  end
  local free = entry == false and lock(settings, key)
  local outcome = free and "locked"
  if entry == false and free == false then outcome = watch(ctx, view, settings, key, deadline) end
  if type(outcome) == "table" then
    M.close(ctx, outcome)
    return outcome, "SHARED"
  end
  if not outcome then -- Redis is out of order
    M.close(ctx)
    return nil, "BYPASS"
  end
  if outcome == "locked" then
    locks[key] = flight
    flight.locked = true
  end
  ctx.chunks, ctx.size = {}, 0
  return nil, "MISS"
end

--- Looks a request up. Returns the entry that answers it, and what the client is told; without an entry the request goes on,
-- and if `ctx.flight` is set its answer is stored. `uri`: the path.
function M.lookup(ctx, view, uri, from, to, p, n)
  local rules = ctx.model.cache
  if not rules or not rules.enabled then return nil end
  local settings = redis.settings(view)
  if not settings or not eligible(ctx, rules, from, to, p) then return nil, "BYPASS" end
  local store_nothing, anew = control()
  if store_nothing or credentials.carried() then return nil, "BYPASS" end
  local key = key_of(ctx, uri, p, n)
  if not key then return nil, "BYPASS" end
  local deadline = ctx.start + ctx.model.admission.wakeTimeoutMs / 1000
  if anew then
    ctx.flight = { done = semaphore.new(0), waiting = 0, key = key, settings = settings, view = view }
    ctx.chunks, ctx.size = {}, 0
    return nil, "MISS"
  end
  for _ = 1, MAX_LEADERS do
    local flight = flights[key]
    if not flight then return lead(ctx, view, settings, key, deadline) end
    if flight.waiting >= view.limits.maxFollowers then break end
    local outcome = follow(ctx, flight, deadline)
    if type(outcome) == "table" then return outcome, "SHARED" end
    if outcome ~= "again" then break end
  end
  return nil, "MISS"
end

--- Ends a flight: those that wait get the entry, or have to see for themselves.
function M.close(ctx, entry, outcome)
  local flight = ctx.flight
  ctx.flight = nil
  if flights[flight.key] == flight then flights[flight.key] = nil end
  flight.entry, flight.outcome = entry, outcome
  if flight.waiting > 0 then flight.done:post(flight.waiting) end
end

local function release(flight)
  if not flight.locked then return end
  locks[flight.key] = nil
  ngx.timer.at(0, function() unlock(flight.settings, flight.key) end)
end

--- Counts bytes of an answer of a model.
local function keep(model, bytes)
  kept = kept + bytes
  share.add(kept_parts, model.namespace, bytes)
end

--- Forgets the pieces of an answer.
local function drop(ctx)
  if ctx.chunks then keep(ctx.model, -ctx.size - PIECE * #ctx.chunks) end
  ctx.chunks = nil
end

--- Keeps nothing of the answer. Those that wait go on their own at once.
local function abandon(ctx)
  local flight = ctx.flight
  drop(ctx)
  M.close(ctx, nil, "failed")
  release(flight)
end

--- Header phase: takes note of the header that is stored with the answer, if that may be stored.
function M.begin(ctx, status)
  local header, seconds
  if status == 200 and not ctx.capped then header, seconds = entries.header_of_answer(ctx.model.cache.ttlSeconds) end
  if not header then return abandon(ctx) end
  local flight = ctx.flight
  flight.header, flight.seconds, flight.began = header, seconds, ngx.now()
end

--- Takes a part of the answer as the client gets it.
function M.collect(ctx, chunk)
  local chunks = ctx.chunks
  if not chunks or chunk == "" then return end
  if ctx.size + #chunk > ctx.flight.view.cacheMaxEntryBytes then return abandon(ctx) end
  local free = ctx.flight.view.limits.maxKeptBytes - kept
  if #chunk > free or not share.allows(kept_parts, ctx.model.namespace, #chunk, free) then return abandon(ctx) end
  chunks[#chunks + 1], ctx.size = chunk, ctx.size + #chunk
  keep(ctx.model, #chunk + PIECE)
end

--- The complete and faultless answer that was collected; nil when it is not to be kept.
local function complete(ctx, status)
  if status ~= 200 or not ctx.chunks or ctx.cut or ctx.capped or not ctx.ended then return nil end
  local body = table.concat(ctx.chunks)
  if body:find('"finish_reason":%s*"abort"') or body:find('^%s*{"error"') then return nil end
  if not ctx.sse then return body end
  local tail = body:sub(-32)
  if tail:find("data: [DONE]", 1, true) and not body:find('\ndata: {"error"', 1, true) then return body end
end

local function store(premature, flight, value, model)
  keep(model, -#value)
  if premature then return end
  redis.with(flight.settings, function(connection)
    local stored, err = connection:set(flight.key, value, "EX", flight.seconds)
    if stored == nil then return nil, err end
    return true -- a Redis that is full says no; that is not a failure
  end)
  if flight.locked then unlock(flight.settings, flight.key) end
end

--- Log phase: stores the answer and lets those that wait have it.
function M.finish(ctx, status)
  local flight = ctx.flight
  local body = flight.header and complete(ctx, status)
  local tokens = (ctx.prompt_tokens or 0) + (ctx.completion_tokens or 0)
  M.close(ctx, body and { age = 0, header = flight.header, body = body, tokens = tokens }, status == 499 and "again" or "failed")
  drop(ctx)
  if body then
    local value, model = entries.encode(flight.header, body, tokens), ctx.model
    keep(model, #value)
    if ngx.timer.at(0, store, flight, value, model) then return end
    keep(model, -#value)
  end
  release(flight)
end

--- Called often: keeps the locks of this worker for as long as their requests run, but not for a client that reads its answer slowly.
function M.refresh_locks()
  local now, limits = ngx.now(), routes.current().limits
  if now < refresh_at then return end
  refresh_at = now + limits.lockMs / 1000 / LOCK_REFRESHES
  for key, flight in pairs(locks) do
    if not flight.began or now <= flight.began + limits.maxLeadMs / 1000 then
      redis.with(flight.settings, function(connection) return connection:pexpire(key .. ":lock", limits.lockMs) end)
    end
  end
end

return M

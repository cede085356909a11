--- API keys. The table has their SHA-256 only; a request's key is hashed and looked up, so that nothing depends on how much of
-- a guess is right. Limits per minute are counted in Redis for all routers, and in this router alone while Redis is gone.
local cache = require "cache"
local metrics = require "metrics"
local redis = require "redis"
local reply = require "reply"

local M = {}

local WINDOW = 60 -- seconds

--- The entry of a key in the table; nil without a valid one.
local function find_key(view, token)
  return token and view.by_hash[cache.sha256(token)]
end

--- Lets the request in, or ends it with 401. Returns the key's entry, or nil when the pool asks for none. `x_api_key`: clients of
-- this path may send their key as `x-api-key`, as those of the Messages API do. Engines get neither.
function M.authenticate(view, x_api_key)
  if view.auth ~= "APIKey" then return nil end
  local var = ngx.var
  local key = find_key(view, (var.http_authorization or ""):match("^[Bb]earer%s+(%S+)%s*$"))
  if key then ngx.req.clear_header("Authorization") end
  local other = x_api_key and var.http_x_api_key
  if other then
    key = key or find_key(view, other)
    ngx.req.clear_header("x-api-key")
  end
  if key then return key end
  metrics.add(metrics.series("rejected_total", "reason", "unauthorized"), 1)
  ngx.header["WWW-Authenticate"] = "Bearer"
  local how = x_api_key and "`Authorization: Bearer <key>` or `x-api-key: <key>`" or "`Authorization: Bearer <key>`"
  return reply.error(401, ("Provide a valid API key as %s."):format(how))
end

--- Is the key one of the team that has the model?
function M.is_of_owner(key, model)
  return key ~= nil and key.namespace == model.namespace
end

--- May the key use a model? A model that it may not use does not exist for it. A key names models as clients do, or those of its
-- own namespace by the name of their object: whose object of that name another team has is not its choice.
function M.allows(key, model, name)
  if not key or not key.allowed then return true end
  return key.allowed[name] or M.is_of_owner(key, model) and key.allowed[model.name] or false
end

local function counters(key)
  local window = math.floor(ngx.time() / WINDOW)
  return ("vllm:rate:%s:%d:r"):format(key.sha256, window), ("vllm:rate:%s:%d:t"):format(key.sha256, window)
end

--- Adds to a counter of this router, which is forgotten after the window.
local function count_here(name, n)
  return ngx.shared.limits:incr(name, n, 0, 2 * WINDOW) or 0
end

--- Adds to a counter of all routers and reads another one; nil when Redis is out of order.
local function count_everywhere(settings, name, n, other)
  return redis.with(settings, function(connection)
    connection:init_pipeline(3)
    connection:incrby(name, n)
    connection:expire(name, 2 * WINDOW)
    connection:get(other)
    local answers, err = connection:commit_pipeline()
    if not answers or type(answers[1]) ~= "number" then return nil, err or "no number" end
    return { answers[1], tonumber(answers[3]) or 0 }
  end)
end

--- Counts a request and ends it with 429 when the key's limits are reached.
function M.limit(key, view)
  if not key or not (key.requestsPerMinute or key.tokensPerMinute) then return end
  local requests, tokens = counters(key)
  local made, used = count_here(requests, 1), ngx.shared.limits:get(tokens) or 0
  local settings = redis.settings(view)
  local all = settings and count_everywhere(settings, requests, 1, tokens)
  if all then made, used = all[1], all[2] end
  local reached = key.requestsPerMinute and made > key.requestsPerMinute and "requests"
    or key.tokensPerMinute and used >= key.tokensPerMinute and "tokens"
  if not reached then return end
  metrics.add(metrics.series("rejected_total", "reason", "rate_limit"), 1)
  local again = WINDOW - ngx.time() % WINDOW
  return reply.error(429, ("This key has used up its %s per minute."):format(reached), nil, again)
end

--- Counts the tokens of an answer.
function M.spend(key, view, tokens)
  if not key.tokensPerMinute or tokens == 0 then return end
  local requests, name = counters(key)
  count_here(name, tokens)
  local settings = redis.settings(view)
  if settings then
    ngx.timer.at(0, function() count_everywhere(settings, name, tokens, requests) end)
  end
end

return M

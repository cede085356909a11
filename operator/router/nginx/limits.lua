--- What keys may use in a minute, counted in Redis for all routers, and in this router alone while Redis is gone. Tokens are reserved
-- before a request goes on and settled at its end, so that requests that run together, or whose client hangs up, count too.
local metrics = require "metrics"
local redis = require "redis"
local reservation = require "reservation"
local own_answer = require "own_answer"
local routes = require "routes"
local usage = require "usage"

local M = {}

local UNCOUNTABLE = "This key has a limit of tokens per minute, and the tokens of %s cannot be counted: use a key without that limit."

--- Length of a window in seconds: a minute, but in tests.
local function window_seconds()
  return routes.current().limits.rateWindowMs / 1000
end

local function counter(key, window, kind)
  return ("vllm:rate:%s:%d:%s"):format(key.sha256, window, kind)
end

--- Adds to a counter of this router, which is forgotten after the window.
local function count_here(name, n)
  return ngx.shared.limits:incr(name, n, 0, 2 * window_seconds()) or 0
end

--- Adds to what Redis has counted for this router for sure; with a 0 only returns that.
local function confirm(name, n)
  return count_here(name .. ":confirmed", n)
end

--- Adds to counters of Redis and returns what they are then; nil when it is out of order, false when it refuses, because it is full
-- or a counter is none. That is not a failure: other requests need the cache.
local function add_in_redis(settings, names, amounts)
  local expiry = math.ceil(2 * window_seconds())
  return redis.with(settings, function(connection)
    connection:init_pipeline(2 * #names)
    for i, name in ipairs(names) do
      connection:incrby(name, ("%d"):format(amounts[i]))
      connection:expire(name, expiry)
    end
    local answers, err = connection:commit_pipeline()
    local counts = {}
    for i in ipairs(names) do
      counts[i] = answers and answers[2 * i - 1]
      if type(counts[i]) == "table" and counts[i][1] == false then return false, counts[i][2] end
      if type(counts[i]) ~= "number" then return nil, err or "no number" end
    end
    return counts
  end)
end

--- Adds to counters of all routers. Returns as `add_in_redis` does; a counter is false when Redis lost it, or says what is not so: it
-- cannot be less than what it had counted for this router before.
local function count_everywhere(settings, names, amounts)
  local least = {}
  for i, name in ipairs(names) do least[i] = confirm(name, math.min(0, amounts[i])) + math.max(0, amounts[i]) end
  local counts, err = add_in_redis(settings, names, amounts)
  if not counts then return counts, err end
  for i, name in ipairs(names) do
    if amounts[i] > 0 then confirm(name, amounts[i]) end
    counts[i] = counts[i] >= least[i] and counts[i]
  end
  return counts
end

--- What has been counted: by Redis, which has put requests that come at the same moment in one order, or by this router alone.
local function sum(all, i, here)
  return all and all[i] or here
end

--- Counts a request and ends it with 429 when the limits of its key are reached, and with 403 when its tokens could not be counted.
-- `n`, `from`, `to`, `p`: the length of its body, and where its members are.
function M.take(ctx, view, n, from, to, p)
  local key = ctx.api_key
  local requests, tokens = key.requestsPerMinute, key.tokensPerMinute
  if not requests and not tokens then return end
  if tokens and ctx.path.uncounted then
    metrics.rejected(ctx.model, "uncountable")
    return own_answer.error(403, UNCOUNTABLE:format(ngx.var.uri))
  end
  local length = window_seconds()
  local window = math.floor(ngx.now() / length)
  local names, amounts = { counter(key, window, "r") }, { 1 }
  if tokens then
    local prompt, whole, charge = reservation.of(ctx.path, ctx.model, tokens, n, from, to, p)
    names[2], amounts[2] = counter(key, window, "t"), math.floor(math.min(tokens, whole))
    ctx.reserved = { amount = amounts[2], window = window, prompt = prompt, charge = charge }
  end
  local made, used = count_here(names[1], 1), tokens and count_here(names[2], amounts[2])
  local settings = redis.settings(view)
  local all = settings and count_everywhere(settings, names, amounts) or nil
  made, used = sum(all, 1, made), tokens and sum(all, 2, used)
  if tokens then ctx.reserved.shared, ctx.reserved.settings = all ~= nil, settings end
  local reached = requests and made > requests and "requests" or tokens and used - amounts[2] >= tokens and "tokens"
  if not reached then return end
  metrics.rejected(ctx.model, "rate_limit")
  local again = math.ceil(length - ngx.now() % length)
  local under_way = reached == "tokens" and ", with what its requests under way may use" or ""
  return own_answer.error(429, ("This key has used up its %s per minute%s."):format(reached, under_way), nil, again)
end

--- Whether no engine can have worked for an answer: none was asked, or it refused the request (4xx), or said that it does not do such
-- work, or none now. Of other errors nobody knows: an engine that broke may have worked before.
local function is_free(ctx, status)
  if not ctx.at_engine then return true end
  if ctx.worked or status == 499 then return false end
  return status >= 400 and status < 500 or status == 501 or status == 503
end

--- Tokens that a request costs at its end. An answer that does not say it costs what was reserved, or what came of it if that is more;
-- one that failed costs its prompt, and what came.
local function spent(ctx, status)
  if is_free(ctx, status) then return 0 end
  local came = usage.seen(ctx)
  if ctx.prompt_tokens then
    local completion = ctx.completion_tokens or 0
    return ctx.prompt_tokens + (ctx.ended and completion or math.max(completion, came))
  end
  local seen = ctx.reserved.prompt + came
  local failed = ctx.cut or status >= 500 and status ~= 504 and not ctx.worked
  return failed and seen or math.max(ctx.reserved.amount, seen)
end

--- Log phase: puts what a request used in the place of what was reserved for it.
function M.settle(ctx, status)
  local reserved, key = ctx.reserved, ctx.api_key
  local used = math.floor(math.min(spent(ctx, status), reserved.charge))
  local window = math.floor(ngx.now() / window_seconds())
  local rest = used - reserved.amount
  -- What was reserved in a minute that is over cannot be given back, and was no part of this one.
  if window ~= reserved.window then rest = math.max(0, rest) end
  local name = counter(key, window, "t")
  if rest ~= 0 then count_here(name, rest) end
  local settings, everywhere = reserved.settings, reserved.shared and rest or used
  if not settings or everywhere == 0 then return end
  local made, err = ngx.timer.at(0, function() count_everywhere(settings, { name }, { everywhere }) end)
  if not made then ngx.log(ngx.ERR, "the tokens of a request are not counted: ", err) end
end

--- What was reserved, as a text, for the request in which the relay sends this one on: that one settles it.
function M.hand_over(ctx)
  local reserved = ctx.reserved
  ctx.reserved = nil
  if not reserved then return "" end
  return ("%d %d %d %d %d"):format(reserved.amount, reserved.window, reserved.prompt, reserved.charge, reserved.shared and 1 or 0)
end

--- Takes over what was reserved.
function M.take_over(ctx, view, text)
  local amount, window, prompt, charge, shared = (text or ""):match("^(%d+) (%d+) (%d+) (%d+) (%d)$")
  if not amount or not ctx.api_key then return end
  ctx.reserved = {
    amount = tonumber(amount), window = tonumber(window), prompt = tonumber(prompt), charge = tonumber(charge), shared = shared == "1",
    settings = redis.settings(view),
  }
end

return M

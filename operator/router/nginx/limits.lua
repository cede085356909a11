--- What keys may use in a minute, counted in Redis for all routers, and in this router alone while Redis is gone. Tokens are reserved
-- before a request goes on and settled at its end, so that requests that run together, or whose client hangs up, count too.
local ffi = require "ffi"
local metrics = require "metrics"
local redis = require "redis"
local own_answer = require "own_answer"
local scan = require "scan"

local M = {}

local WINDOW = 60 -- seconds
local TEXT, AUDIO = 4, 32 -- bytes of a request that make a token, about
-- Tokens that are reserved for an answer of no stated length, and the part of the limit that they are at most.
local UNSTATED, UNSTATED_PART = 1024, 0.1
local OPEN_BRACE = 123
local UNCOUNTABLE = "This key has a limit of tokens per minute, and the tokens of %s cannot be counted: use a key without that limit."
local MAX_NUMBER = 32 -- bytes
local MAX_PROMPTS = 65536 -- of one request, counted; more make it as large as any

local function counter(key, window, kind)
  return ("vllm:rate:%s:%d:%s"):format(key.sha256, window, kind)
end

--- Adds to a counter of this router, which is forgotten after the window.
local function count_here(name, n)
  return ngx.shared.limits:incr(name, n, 0, 2 * WINDOW) or 0
end

--- Adds to counters of all routers and returns what they are then; nil when Redis is out of order, false when it refuses, because
-- it is full or a counter is none. That is not a failure: other requests need the cache.
local function count_everywhere(settings, names, amounts)
  return redis.with(settings, function(connection)
    connection:init_pipeline(2 * #names)
    for i, name in ipairs(names) do
      connection:incrby(name, ("%d"):format(amounts[i]))
      connection:expire(name, 2 * WINDOW)
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

--- The number at a member's place, in any spelling that vLLM accepts; endless when it cannot be read, nil when there is none.
local function number_at(p, from, to, name)
  local at = from[name]
  if not at then return nil end
  local size = to[name] - at + 1
  local text = ffi.string(p + at, math.min(MAX_NUMBER, size))
  if text == "null" then return nil end
  return size <= MAX_NUMBER and tonumber((text:gsub('["_]', ""))) or math.huge
end

local function most(a, b)
  return a and b and math.max(a, b) or a or b
end

--- The length of an answer and the number of answers, as far as one object says.
local function stated(from, to, p)
  local length
  for _, name in ipairs { "max_tokens", "max_completion_tokens", "max_output_tokens" } do
    length = most(length, number_at(p, from, to, name))
  end
  return length, most(number_at(p, from, to, "n"), number_at(p, from, to, "best_of"))
end

--- Prompts, or conversations, that are answered each on its own.
local function prompts(from, to, p)
  local number = 1
  for _, name in ipairs { "prompt", "messages", "prompt_embeds" } do
    if from[name] then number = math.max(number, scan.count(p, from[name], to[name], MAX_PROMPTS)) end
  end
  return number < MAX_PROMPTS and number or math.huge
end

--- Tokens that an answer may have at most, as far as the request says, and the number of answers; endless where it cannot be read.
local function stated_output(from, to, p)
  local length, answers = stated(from, to, p)
  local at = from.sampling_params
  if at and p[at] == OPEN_BRACE then
    local of, till = scan.members(p + at, to.sampling_params - at + 1)
    if not of then return math.huge, 1 end
    local inner_length, inner_answers = stated(of, till, p + at)
    length, answers = most(length, inner_length), most(answers, inner_answers)
  end
  return length, math.max(1, answers or 1) * prompts(from, to, p)
end

--- Tokens to reserve for a request of `n` bytes: as many as its prompt has by its length, and as its answer may have.
local function estimate(path, limit, n, from, to, p)
  if path.free or not n then return 0, 0 end
  local prompt = math.ceil(n / (path.form and AUDIO or TEXT))
  if not path.sse then return prompt, 0 end
  local length, answers = nil, 1
  if from then length, answers = stated_output(from, to, p) end
  length = length or math.min(UNSTATED, limit * UNSTATED_PART)
  local output = math.max(0, length) * answers
  return prompt, output == output and output or limit
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
  local window = math.floor(ngx.time() / WINDOW)
  local names, amounts = { counter(key, window, "r") }, { 1 }
  if tokens then
    local prompt, output = estimate(ctx.path, tokens, n, from, to, p)
    names[2], amounts[2] = counter(key, window, "t"), math.floor(math.min(tokens, prompt + output))
    ctx.reserved = { amount = amounts[2], window = window, prompt = prompt }
  end
  local made, used = count_here(names[1], 1), tokens and count_here(names[2], amounts[2])
  local settings = redis.settings(view)
  local all = settings and count_everywhere(settings, names, amounts) or nil
  -- What this router counted is part of what all did, unless Redis lost it or says what is not so.
  if all then made, used = math.max(made, all[1]), tokens and math.max(used, all[2]) end
  if tokens then ctx.reserved.shared, ctx.reserved.settings = all ~= nil, settings end
  local reached = requests and made > requests and "requests" or tokens and used - amounts[2] >= tokens and "tokens"
  if not reached then return end
  metrics.rejected(ctx.model, "rate_limit")
  local again = WINDOW - ngx.time() % WINDOW
  local under_way = reached == "tokens" and ", with what its requests under way may use" or ""
  return own_answer.error(429, ("This key has used up its %s per minute%s."):format(reached, under_way), nil, again)
end

--- Tokens that a request costs at its end. An answer that does not say it costs what was reserved, or what came of it if that is more.
local function spent(ctx, status)
  local failed = status >= 400 and status ~= 499 and status ~= 504 and not ctx.worked
  if not ctx.at_engine or failed then return 0 end
  local events = ctx.usage and ctx.usage.events or 0
  if ctx.prompt_tokens then
    local completion = ctx.completion_tokens or 0
    return ctx.prompt_tokens + (ctx.ended and completion or math.max(completion, events))
  end
  local seen = ctx.reserved.prompt + events
  return ctx.cut and seen or math.max(ctx.reserved.amount, seen)
end

--- Log phase: puts what a request used in the place of what was reserved for it.
function M.settle(ctx, status)
  local reserved, key = ctx.reserved, ctx.api_key
  local used = math.floor(spent(ctx, status))
  local window = math.floor(ngx.time() / WINDOW)
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
  return reserved and ("%d %d %d %d"):format(reserved.amount, reserved.window, reserved.prompt, reserved.shared and 1 or 0) or ""
end

--- Takes over what was reserved.
function M.take_over(ctx, view, text)
  local amount, window, prompt, shared = (text or ""):match("^(%d+) (%d+) (%d+) (%d)$")
  if not amount or not ctx.api_key then return end
  ctx.reserved = {
    amount = tonumber(amount), window = tonumber(window), prompt = tonumber(prompt), shared = shared == "1",
    settings = redis.settings(view),
  }
end

return M

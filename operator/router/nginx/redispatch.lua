--- Requests that no engine took: no connection was made, so that no engine can have begun them, or the only one broke it. Routers
-- may hear of an engine's end a moment after it. Such requests wait until there is an engine, as long as they would for a start.
local admission = require "admission"
local balance = require "balance"
local context = require "context"
local counters = require "counters"
local metrics = require "metrics"
local open_requests = require "open_requests"
local relay = require "relay"
local own_answer = require "own_answer"
local routes = require "routes"
local spans = require "spans"

local M = {}

local INTERVAL = 0.02 -- seconds between two looks
-- Seconds before a request that got lost is sent again: an engine that dies still accepts connections for a moment.
local BREAK = 0.05
-- Seconds after which a request tries an engine that failed lately; doubles each time.
local PAUSE = 0.5

local LARGE_HEADER = ("The engine's answer cannot be passed on: the header of its answer is larger than %d KiB. "
  .. "Ask for fewer embeddings at once, or for base64 in place of bytes."):format(balance.MAX_HEADER / 1024)

local function count(ctx, n)
  ctx.parked = n == 1
  counters.add(ctx.model.slot, counters.QUEUED, n)
  counters.add(0, counters.HELD, n)
end

--- Log phase: undoes what is counted of a request.
function M.leave(ctx)
  if ctx.parked then count(ctx, -1) end
end

--- Undoes that the request was let in.
local function take_back(ctx, result)
  if ctx.endpoint then balance.settle(ctx, result) end
  counters.add(ctx.model.slot, counters.IN_FLIGHT, -1)
  if not ctx.at_engine then counters.add(ctx.model.slot, counters.PENDING, -1) end
  ctx.admitted, ctx.at_engine, ctx.waiter, ctx.tried, ctx.gave_up = false, false, nil, nil, nil
end

--- Access phase of a request for which nginx would answer with an error of its own.
function M.wait()
  local ctx = open_requests.find()
  if not ctx then return own_answer.own_error(500) end
  ngx.ctx = ctx
  if balance.sent_large_header() then
    balance.settle(ctx, "ok")
    ctx.worked = true -- for nothing, but it costs tokens: who has an engine could say anything in a header
    return own_answer.error(502, LARGE_HEADER)
  end
  local status = ctx.gave_up or tonumber((ngx.var.upstream_status or ""):match("(%d+)%D*$")) or 500
  local sent = ctx.gave_up ~= 503 and balance.connected()
  if not ctx.admitted or status < 502 or sent and (status ~= 502 or ctx.lost) then return own_answer.own_error(status) end
  if ngx.var.http_upgrade then return own_answer.own_error(503) end
  ctx.lost = ctx.lost or sent
  if ctx.span then spans.again(ctx) end
  take_back(ctx, sent and "failed" or "refused")
  local uid, again = ctx.model.uid, ngx.now() + PAUSE * 2 ^ (ctx.redispatches or 0)
  ctx.redispatches = (ctx.redispatches or 0) + 1
  local model
  count(ctx, 1)
  context.begin_wait(ctx, false)
  if ctx.lost then ngx.sleep(BREAK) end
  local found = relay.wait(ctx, ctx.start + ctx.model.admission.wakeTimeoutMs / 1000, function(seconds)
    local till = ngx.now() + seconds
    repeat
      model = routes.current().by_uid[uid]
      if not model or #model.live == 0 or balance.has_usable(model) or ngx.now() >= again then return true end
      ngx.sleep(INTERVAL)
    until ngx.now() >= till
  end)
  count(ctx, -1)
  context.end_wait(ctx)
  if not found then
    metrics.rejected(ctx.model, "unreachable")
    return relay.fail(ctx, 503, "No engine could be reached. Try again shortly.", 1)
  end
  if not model then return relay.fail(ctx, 404, "The model does not exist any more.") end
  ctx.model = model
  return admission.admit(ctx, model, model.servedNames[1] or model.name)
end

return M

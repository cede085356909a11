--- Turns for namespaces that wait while requests of others take all that engines can run, and do not end: streams may be long, and clients
-- may leave their answers with the router. A namespace that has waited long gets what is its part, beyond the limit: engines have queues.
local cjson = require "cjson.safe"
local counters = require "counters"
local open_requests = require "open_requests"
local routes = require "routes"
local waiting = require "waiting"

local M = {
  INTERVAL = 0.5, -- seconds between two looks
}

local VALID = 5 -- seconds for which other workers go by what one has said

local LASTS = 60 -- seconds after a turn for which a namespace does not wait for long again: others still keep what they had

local function key_of(uid, worker)
  return "running " .. uid .. " " .. worker
end

local function turn_of(uid, namespace)
  return "turn " .. uid .. " " .. namespace
end

--- Requests that run in this worker, by model and namespace.
local function running_here()
  local models = {}
  for _, ctx in open_requests.each() do
    local waiter = ctx.waiter
    if ctx.admitted or waiter and waiter.granted then
      local uid, namespace = ctx.model.uid, (ctx.api_key or ctx.model).namespace
      local of = models[uid] or {}
      models[uid], of[namespace] = of, (of[namespace] or 0) + 1
    end
  end
  return models
end

--- Tells other workers what runs here of models that somebody waits for.
local function tell(view, models, worker)
  for _, model in ipairs(view.models) do
    if waiting.count(model) > 0 then
      ngx.shared.limits:safe_set(key_of(model.uid, worker), cjson.encode(models[model.uid] or {}), VALID)
    end
  end
end

--- What runs at a model in other workers, by namespace; nil while one of them has not said it.
local function running_elsewhere(uid, worker)
  local sums = {}
  for other = 0, ngx.worker.count() - 1 do
    if other ~= worker then
      local text = ngx.shared.limits:get(key_of(uid, other))
      if not text then return nil end
      for namespace, n in pairs(cjson.decode(text)) do sums[namespace] = (sums[namespace] or 0) + n end
    end
  end
  return sums
end

--- The part of a model's limit that each namespace has that runs or waits; 0 where there is but one.
local function part_of(model, ...)
  local found, count = {}, 0
  for _, names in ipairs { ... } do
    for name in pairs(names) do
      if not found[name] then found[name], count = true, count + 1 end
    end
  end
  return count > 1 and math.max(1, math.floor(waiting.limit(model) / count)) or 0
end

--- Names, those first that have waited longest: where there are more of them than places, each gets its turn.
local function in_order(names)
  local order = {}
  for name in pairs(names) do order[#order + 1] = name end
  table.sort(order, function(a, b) return names[a] < names[b] end)
  return order
end

--- Lets those of a model go on that have waited from before `since`. `names`: the namespaces that wait here, and since when; `here`: what
-- runs here.
local function let_pass(model, names, here, worker, since)
  local elsewhere = running_elsewhere(model.uid, worker)
  if not elsewhere then return end
  local part = part_of(model, names, here, elsewhere)
  for _, name in ipairs(in_order(names)) do
    local missing = math.min(part - (here[name] or 0) - (elsewhere[name] or 0), waiting.spare(model))
    -- Other workers may let requests of it go on at the same time.
    local most = missing > 0 and math.max(1, math.floor(missing / ngx.worker.count())) or 0
    local turn = turn_of(model.uid, name)
    local passed = waiting.let_pass(model, name, most, ngx.shared.limits:get(turn) and ngx.now() or since)
    if passed > 0 then ngx.shared.limits:safe_set(turn, true, LASTS) end
    here[name] = (here[name] or 0) + passed
  end
end

--- Called often, in each worker.
function M.look()
  if counters.sum(0, counters.HELD) == 0 then return end
  local models, worker, view = running_here(), ngx.worker.id() or 0, routes.current()
  local since = ngx.now() - view.limits.turnAfterMs / 1000
  for uid, names in pairs(waiting.namespaces()) do
    local model = view.by_uid[uid]
    models[uid] = models[uid] or {}
    if model and #model.live > 0 then let_pass(model, names, models[uid], worker, since) end
  end
  tell(view, models, worker)
end

return M

--- What a worker makes of the route table: models by name and UID with the engines that take requests, keys by hash, and
-- which slot of the counters belongs to whom. A slot keeps its owner, a model (`m:<uid>`) or an engine (`e:<address>`), until
-- nobody uses it, nothing is in flight on it, and another needs it.
local counters = require "counters"
local protocol = require "protocol"

local M = {}

M.EMPTY = { version = 0, models = {}, names = {}, by_uid = {}, by_hash = {}, slots = {}, owners = {}, users = {}, limits = protocol.limits }

local TIER_LIMITS = {
  { field = "maxTokens", name = "max_tokens" },
  { field = "maxPromptTokens", name = "max_prompt_tokens" },
  { field = "inFlightPercent", name = "in_flight_percent" },
}

local function address_of(endpoint)
  return endpoint.host .. ":" .. endpoint.port
end

local function each_owner(model, call)
  call("m:" .. model.uid)
  for _, endpoint in ipairs(model.endpoints) do call("e:" .. address_of(endpoint)) end
end

local function busy(slot)
  return counters.sum(slot, counters.IN_FLIGHT) + counters.sum(slot, counters.HELD) + counters.sum(slot, counters.QUEUED) > 0
end

--- Slots for those of the models and their engines that have none. `users` are those in use beside them. Returns the new
-- ones by owner, or nil and the reason.
local function assign(view, models, users)
  local wanted, new, slot = {}, {}, 0
  for _, model in ipairs(models) do
    each_owner(model, function(owner) wanted[owner] = true end)
  end
  for owner in pairs(wanted) do
    if not view.slots[owner] then
      local former
      repeat
        slot = slot + 1
        former = view.owners[slot]
      until not former or not (wanted[former] or users[former] or busy(slot))
      if slot >= counters.SLOTS then return nil, "it has more models and engines than the router can count" end
      new[owner] = slot
    end
  end
  return new
end

--- All slots that a whole table needs after this view, by owner, and those of them that are new; or nil and the reason.
function M.slots_for(view, models)
  local new, err = assign(view, models, {})
  if not new then return nil, err end
  local all, taken = {}, {}
  for _, model in ipairs(models) do
    each_owner(model, function(owner)
      local slot = view.slots[owner] or new[owner]
      all[owner], taken[slot] = slot, true
    end)
  end
  for owner, slot in pairs(view.slots) do
    if not taken[slot] and busy(slot) then all[owner] = slot end
  end
  return all, new
end

--- The slots that models need which are added to this view or changed, by owner; or nil and the reason.
function M.new_slots_for(view, models)
  return assign(view, models, view.users)
end

local function take_slots(view, slots)
  for owner, slot in pairs(slots) do
    local former = view.owners[slot]
    if former then view.slots[former] = nil end
    view.slots[owner], view.owners[slot] = slot, owner
  end
end

--- What headers say of a tier: a dictionary of structured fields (RFC 9651).
local function describe(tier)
  local parts = { "tier=" .. tier.number }
  for _, limit in ipairs(TIER_LIMITS) do
    if tier[limit.field] then parts[#parts + 1] = limit.name .. "=" .. tier[limit.field] end
  end
  return table.concat(parts, ", ")
end

local function prepare_tiers(view, model)
  local tiers = model.admission.degradation
  model.tier_hold = view.limits.tierHoldMs
  for i, tier in ipairs(tiers) do
    tier.number = #tiers - i + 1
    tier.header = describe(tier)
    model.measures_latency = model.measures_latency or tier.p95AboveMs ~= nil
    model.limits_in_flight = model.limits_in_flight or tier.inFlightPercent ~= nil
  end
end

local function prepare(view, model)
  model.slot = view.slots["m:" .. model.uid]
  model.live, model.capacity = {}, 0
  model.series, model.histograms, model.tokens, model.cache_series, model.audited = {}, {}, {}, {}, {}
  model.label = model.namespace .. "/" .. model.name
  for _, endpoint in ipairs(model.endpoints) do
    endpoint.address = address_of(endpoint)
    endpoint.slot = view.slots["e:" .. endpoint.address]
    if not endpoint.draining then
      model.live[#model.live + 1] = endpoint
      model.capacity = model.capacity + (endpoint.capacity)
    end
  end
  prepare_tiers(view, model)
  local window = model.admission.batchWindow
  if window then
    local every = view.limits.batchWindowEveryMs
    model.batch_window = { length = window.lengthMs / 1000, target = window.maxP95Ms / 1000, interval = every / 1000 }
    model.measures_latency = true
  end
  local adaptive = model.admission.adaptiveConcurrency
  if adaptive then
    model.adaptive = { min = adaptive.min, max = adaptive.max, interval = view.limits.adaptEveryMs / 1000 }
  end
  if model.fallback then model.fallback.address = address_of(model.fallback) end
end

local function add(view, model)
  local users = view.users
  prepare(view, model)
  view.by_uid[model.uid], view.by_object[model.label] = model, model
  -- No table has a name twice; if one did, who has it would keep it.
  for _, list in ipairs { model.servedNames, model.adapters } do
    for _, name in ipairs(list) do view.names[name] = view.names[name] or model end
  end
  each_owner(model, function(owner) users[owner] = (users[owner] or 0) + 1 end)
end

local function remove(view, uid)
  local model, names, users = view.by_uid[uid], view.names, view.users
  if not model then return end
  view.by_uid[uid] = nil
  if view.by_object[model.label] == model then view.by_object[model.label] = nil end
  for _, list in ipairs { model.servedNames, model.adapters } do
    for _, name in ipairs(list) do
      if names[name] == model then names[name] = nil end
    end
  end
  each_owner(model, function(owner) users[owner] = users[owner] > 1 and users[owner] - 1 or nil end)
end

--- All limits: those of the table, and the defaults of the others.
local function limits_of(view)
  local limits = {}
  for name, value in pairs(protocol.limits) do limits[name] = view.limits and view.limits[name] or value end
  return limits
end

--- Makes a decoded table a view.
function M.new(view, slots)
  view.names, view.by_uid, view.by_object, view.by_hash = {}, {}, {}, {}
  view.slots, view.owners, view.users = {}, {}, {}
  view.limits = limits_of(view)
  take_slots(view, slots)
  for _, model in ipairs(view.models) do add(view, model) end
  for _, key in ipairs(view.keys) do
    key.namespace = key.tenant:match("^[^/]*")
    if key.models then
      key.allowed = {}
      for _, name in ipairs(key.models) do key.allowed[name] = true end
    end
    view.by_hash[key.sha256] = key
  end
  return view
end

--- Changes a view to what came after it. Requests under way keep the models that they have. Never yields: no request sees half
-- of a change.
function M.change(view, change, slots)
  local list, known = {}, {}
  for _, model in ipairs(view.models) do known[model.uid] = true end
  take_slots(view, slots)
  for _, uid in ipairs(change.removed) do remove(view, uid) end
  for _, model in ipairs(change.models) do remove(view, model.uid) end
  for _, model in ipairs(change.models) do add(view, model) end
  for _, model in ipairs(view.models) do list[#list + 1] = view.by_uid[model.uid] end
  for _, model in ipairs(change.models) do
    if not known[model.uid] then list[#list + 1] = model end
  end
  view.models, view.version = list, change.version
end

return M

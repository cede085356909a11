--- The waiting room of each model: requests that no engine can take yet. A request is *held* while its model has no engine
-- (the operator wakes it) and *queued* while all of its engines are full. Tenants take turns, so that one with a thousand
-- requests does not starve one with a single request. Each worker has its own rooms; the bounds count all workers.
local counters = require "counters"
local routes = require "routes"
local share = require "share"
local semaphore = require "ngx.semaphore"

local M = {}

local rooms, room_count = {}, 0 -- by model uid

--- Tells the operator, through its long poll, that a model is asked for and has no engine.
local function announce()
  ngx.shared.state:incr("holds", 1, 0)
end

local function kind_of(model)
  return #model.live == 0 and counters.HELD or counters.QUEUED
end

--- Requests of a model that wait, in all workers.
function M.count(model)
  return counters.sum(model.slot, counters.HELD) + counters.sum(model.slot, counters.QUEUED)
end

--- True when an engine could take one more request. What still runs on engines that drain, or are gone from the table, takes
-- nothing from the others.
local function has_room(model)
  local live, running = model.live, counters.sum(model.slot, counters.PENDING)
  for i = 1, #live do running = running + counters.sum(live[i].slot, counters.IN_FLIGHT) end
  return running < model.capacity
end

--- Counts a request as let in.
function M.admit(model)
  counters.add(model.slot, counters.IN_FLIGHT, 1)
  counters.add(model.slot, counters.PENDING, 1)
end

--- True when a request may pass at once: there is capacity and nobody waits for it.
function M.may_pass(model)
  return has_room(model) and M.count(model) == 0
end

local function open_room(model)
  local room = { slot = model.slot, kind = kind_of(model), count = 0, tenants = {}, guests = share.new() }
  rooms[model.uid], room_count = room, room_count + 1
  return room
end

--- Removes a waiter. Tenants form a ring, and a tenant's waiters a list, so that this takes constant time.
local function remove(waiter)
  local room, tenant = waiter.room, waiter.tenant
  waiter.room = nil
  waiter.previous.next, waiter.next.previous = waiter.next, waiter.previous
  if tenant.waiters.next == tenant.waiters then
    room.tenants[tenant.name] = nil
    tenant.previous.next, tenant.next.previous = tenant.next, tenant.previous
    if room.turn == tenant then room.turn = tenant.next ~= tenant and tenant.next or nil end
  end
  counters.add(room.slot, room.kind, -1)
  counters.add(0, counters.HELD, -1)
  if waiter.guest then share.add(room.guests, waiter.guest, -1) end
  room.count = room.count - 1
  if room.count == 0 then rooms[waiter.uid], room_count = nil, room_count - 1 end
end

local function tenant_of(room, name)
  local tenant = room.tenants[name]
  if tenant then return tenant end
  tenant = { name = name, waiters = {} }
  tenant.waiters.next, tenant.waiters.previous = tenant.waiters, tenant.waiters
  local turn = room.turn
  if turn then -- the new one is last in the round
    tenant.next, tenant.previous = turn, turn.previous
    turn.previous.next, turn.previous = tenant, tenant
  else
    tenant.next, tenant.previous, room.turn = tenant, tenant, tenant
  end
  room.tenants[name] = tenant
  return tenant
end

--- The namespace of a key, if it is another one than the model's.
local function guest_of(model, key)
  return key and key.namespace ~= model.namespace and key.namespace or nil
end

--- Is there room in the queue of a model? Its own namespace may fill it, others have parts of it.
function M.may_enter(model, key)
  local free, room, guest = model.admission.maxQueue - M.count(model), rooms[model.uid], guest_of(model, key)
  return free > 0 and not (room and guest and not share.allows(room.guests, guest, 1, free))
end

--- Lines a request up, of a key if it has one. The waiter must be left with `leave` when the request ends, however that comes.
function M.enter(model, tenant_name, key)
  local room = rooms[model.uid] or open_room(model)
  local tenant = tenant_of(room, tenant_name)
  local last = tenant.waiters
  local waiter = { uid = model.uid, room = room, tenant = tenant, ready = semaphore.new(0), guest = guest_of(model, key) }
  if waiter.guest then share.add(room.guests, waiter.guest, 1) end
  waiter.next, waiter.previous = last, last.previous
  last.previous.next, last.previous = waiter, waiter
  room.count = room.count + 1
  local first = M.count(model) == 0
  counters.add(room.slot, room.kind, 1)
  counters.add(0, counters.HELD, 1)
  if first and room.kind == counters.HELD then announce() end
  return waiter
end

--- Leaves the room, if the waiter is still in it.
function M.leave(waiter)
  if waiter.room then remove(waiter) end
end

--- Waits up to `seconds` for a turn. Returns true when the request may go on: with a place among those in flight
-- (`waiter.granted`), or without one because its model is gone or cannot be woken, which the caller has to look at.
function M.wait(waiter, seconds)
  if not waiter.room then return true end
  return waiter.ready:wait(seconds) == true
end

local function release(waiter, granted)
  waiter.granted = granted
  remove(waiter)
  waiter.ready:post(1)
end

--- Lets those go on for whom there is room now.
function M.pump(uid)
  local room = rooms[uid]
  if not room then return end
  local model = routes.current().by_uid[uid]
  local lost = not model or model.unavailable ~= nil
  if not lost then
    local kind = kind_of(model)
    if kind ~= room.kind then
      counters.add(room.slot, room.kind, -room.count)
      counters.add(room.slot, kind, room.count)
      room.kind = kind
      if kind == counters.HELD then announce() end
    end
  end
  while room.count > 0 and (lost or has_room(model)) do
    local tenant = room.turn
    room.turn = tenant.next
    if not lost then M.admit(model) end
    release(tenant.waiters.next, not lost)
  end
end

--- Looks after the rooms of this worker until it exits: engines that appear, or that other workers' requests leave free.
function M.watch()
  local uids = {}
  while not (ngx.worker.exiting() and room_count == 0) do
    routes.current()
    if room_count > 0 then
      local n = 0
      for uid in pairs(rooms) do
        n = n + 1
        uids[n] = uid
      end
      for i = 1, n do M.pump(uids[i]) end
    end
    ngx.sleep(0.01)
  end
end

return M

--- The waiting room of each model: requests that no engine can take yet. A request is *held* while its model has no engine
-- (the operator wakes it) and *queued* while all of its engines are full. Namespaces take turns, and in each its tenants, so that one
-- with a thousand requests does not starve one with a single request, nor a team that calls itself a thousand tenants another. Each
-- worker has its own rooms; the bounds count all workers.
local adaptive_limit = require "adaptive_limit"
local counters = require "counters"
local degradation = require "degradation"
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

--- Requests of a model that run, in all workers. What still runs on engines that drain, or are gone from the table, takes nothing from
-- the others.
local function running_of(model)
  local live, running = model.live, counters.sum(model.slot, counters.PENDING)
  for i = 1, #live do running = running + counters.sum(live[i].slot, counters.IN_FLIGHT) end
  return running
end

--- How many requests of a model may run now.
function M.limit(model)
  local limit = model.limits_in_flight and degradation.in_flight_limit(model, M.count(model)) or model.capacity
  return model.adaptive and math.min(limit, adaptive_limit.get(model)) or limit
end

--- True when an engine could take one more request.
local function has_room(model)
  local running = running_of(model)
  if model.adaptive then adaptive_limit.note_running(model, running) end
  return running < M.limit(model)
end

--- How many more requests of a model engines may have, with turns: up to twice what they can run.
function M.spare(model)
  return 2 * model.capacity - running_of(model)
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
  local room = { slot = model.slot, kind = kind_of(model), count = 0, members = {}, guests = share.new() }
  rooms[model.uid], room_count = room, room_count + 1
  return room
end

--- Makes a member of a ring of those that take turns: the new one is last in the round. It is a ring itself, of its own members.
local function join(ring, name)
  local member = ring.members[name]
  if member then return member end
  member = { name = name, members = {} }
  local turn = ring.turn
  if turn then
    member.next, member.previous = turn, turn.previous
    turn.previous.next, turn.previous = member, member
  else
    member.next, member.previous, ring.turn = member, member, member
  end
  ring.members[name] = member
  return member
end

--- Takes a member out of a ring.
local function part(ring, member)
  ring.members[member.name] = nil
  member.previous.next, member.next.previous = member.next, member.previous
  if ring.turn == member then ring.turn = member.next ~= member and member.next or nil end
end

--- The member of a ring whose turn it is; the next turn is the next one's.
local function take_turn(ring)
  local member = ring.turn
  ring.turn = member.next
  return member
end

--- Removes a waiter. Namespaces form a ring, the tenants of each another, and a tenant's waiters a list: this takes constant time.
local function remove(waiter)
  local room, namespace, tenant = waiter.room, waiter.namespace, waiter.tenant
  waiter.room = nil
  waiter.previous.next, waiter.next.previous = waiter.next, waiter.previous
  if tenant.waiters.next == tenant.waiters then
    part(namespace, tenant)
    if not namespace.turn then part(room, namespace) end
  end
  counters.add(room.slot, room.kind, -1)
  counters.add(0, counters.HELD, -1)
  if waiter.guest then share.add(room.guests, waiter.guest, -1) end
  room.count = room.count - 1
  if room.count == 0 then rooms[waiter.uid], room_count = nil, room_count - 1 end
end

--- A tenant of a namespace, with the list of its waiters.
local function tenant_of(namespace, name)
  local tenant = join(namespace, name)
  if not tenant.waiters then
    tenant.waiters = {}
    tenant.waiters.next, tenant.waiters.previous = tenant.waiters, tenant.waiters
  end
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
  local namespace = join(room, key and key.namespace or model.namespace)
  local tenant = tenant_of(namespace, tenant_name)
  local last = tenant.waiters
  local waiter = {
    uid = model.uid, room = room, namespace = namespace, tenant = tenant, ready = semaphore.new(0), guest = guest_of(model, key),
    since = ngx.now(),
  }
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
    local tenant = take_turn(take_turn(room))
    if not lost then M.admit(model) end
    release(tenant.waiters.next, not lost)
  end
end

--- The namespaces that wait in this worker, by UID of the model: since when the one waits whose turn is next.
function M.namespaces()
  local found = {}
  for uid, room in pairs(rooms) do
    local names = {}
    for name, namespace in pairs(room.members) do names[name] = namespace.turn.waiters.next.since end
    found[uid] = names
  end
  return found
end

--- Lets up to `most` requests of a namespace go on, whatever else runs, if they have waited from before `since`. Returns how many.
function M.let_pass(model, name, most, since)
  local room, count = rooms[model.uid], 0
  while room and count < most and room.members[name] do
    local waiter = take_turn(room.members[name]).waiters.next
    if waiter.since > since then break end
    M.admit(model)
    release(waiter, true)
    count = count + 1
  end
  return count
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

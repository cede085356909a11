--- The route table: accepted from the operator by one worker, kept in shared memory and on disk, and read by every worker
-- the moment its revision on the board changes.
local board = require "board"
local cjson = require "cjson.safe"

local M = {}

local FILE = ngx.config.prefix() .. "routes.json"
local SNAPSHOT = ngx.config.prefix() .. "snapshot/routes.json" -- start.sh links the directory
local EMPTY = { version = 0, models = {}, names = {}, by_uid = {}, by_hash = {} }

local revision = 0
local view = EMPTY

--- Gives every model and engine of the table its slot on the board. Slots that nobody uses any more are free once nothing is in flight on them.
local function assign_slots(table_, old)
  local slots, taken, wanted = {}, {}, {}
  for _, model in ipairs(table_.models) do
    wanted[#wanted + 1] = "m:" .. model.uid
    for _, endpoint in ipairs(model.endpoints) do wanted[#wanted + 1] = "e:" .. endpoint.address end
  end
  local new = {}
  for _, name in ipairs(wanted) do
    local slot = old[name]
    if slot then
      slots[name], taken[slot] = slot, true
    else
      new[#new + 1] = name
    end
  end
  for name, slot in pairs(old) do
    local busy = board.sum(slot, board.IN_FLIGHT) + board.sum(slot, board.HELD) + board.sum(slot, board.QUEUED)
    if not slots[name] and busy > 0 then slots[name], taken[slot] = slot, true end
  end
  local slot = 0
  for _, name in ipairs(new) do
    if not slots[name] then
      repeat slot = slot + 1 until not taken[slot]
      if slot >= board.SLOTS then return nil, "it has more models and engines than the router can count" end
      slots[name], taken[slot] = slot, true
      board.clear(slot)
    end
  end
  return slots
end

local function check(table_)
  if type(table_) ~= "table" or type(table_.version) ~= "number" or type(table_.models) ~= "table" then
    return "it is not a route table"
  end
  for _, model in ipairs(table_.models) do
    if type(model.uid) ~= "string" or type(model.servedNames) ~= "table" or type(model.endpoints) ~= "table" then
      return "a model lacks uid, servedNames or endpoints"
    end
    for _, endpoint in ipairs(model.endpoints) do
      if type(endpoint.address) ~= "string" or not endpoint.address:find("^.+:%d+$") then
        return "an endpoint's address is not ip:port"
      end
    end
  end
end

local function read_file(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

local function write_file(path, text)
  local file, err = io.open(path .. ".new", "wb")
  if not file then return nil, err end
  local written
  written, err = file:write(text)
  file:close()
  if not written then return nil, err end
  return os.rename(path .. ".new", path)
end

--- Makes a table the one that all workers run. `origin` is "operator", "file" or "snapshot".
-- Returns its version, or nil, the reason, and the version that is newer.
local function apply(text, origin)
  local state = ngx.shared.state
  local table_, err = cjson.decode(text)
  if not table_ then return nil, err end
  local fault = check(table_)
  if fault then return nil, fault end
  local version = state:get("version")
  if version and table_.version < version then return nil, "it is older than the table in use", version end
  if version == table_.version and state:get("origin") ~= "snapshot" then return version end
  local slots
  slots, err = assign_slots(table_, cjson.decode(state:get("slots") or "{}"))
  if not slots then return nil, err end
  local slots_text = cjson.encode(slots)
  local stored
  stored, err = state:safe_set("table", slots_text .. "\n" .. text)
  if not stored then return nil, err end
  state:set("slots", slots_text)
  state:set("version", table_.version)
  state:set("origin", origin)
  board.set_revision(board.revision() + 1)
  return table_.version
end

--- Called in the master before it forks: after a reload the table is still in memory, after a restart of the container on disk,
-- and a new pod starts with the snapshot if the operator left one.
function M.init()
  if ngx.shared.state:get("version") then return end
  for _, source in ipairs { { FILE, "file" }, { SNAPSHOT, "snapshot" } } do
    local text = read_file(source[1])
    if text then
      local version, err = apply(text, source[2])
      if version then return end
      ngx.log(ngx.ERR, "route table in ", source[1], " not used: ", err)
    end
  end
end

--- Applies a table that the operator sent. One at a time; safe against a late one of a former leader.
function M.put(text)
  local state = ngx.shared.state
  while not state:add("applying", true, 10) do ngx.sleep(0.002) end
  local version, err, newer = apply(text, "operator")
  state:delete("applying")
  if version then
    local written, problem = write_file(FILE, text)
    if not written then ngx.log(ngx.ERR, "route table not kept on disk: ", problem) end
  end
  return version, err, newer
end

local function compile(text)
  local newline = text:find("\n", 1, true)
  local slots = cjson.decode(text:sub(1, newline - 1))
  local table_ = cjson.decode(text:sub(newline + 1))
  table_.names, table_.by_uid, table_.by_hash = {}, {}, {}
  for _, model in ipairs(table_.models) do
    model.slot = slots["m:" .. model.uid]
    model.live, model.capacity, model.series, model.histograms, model.tokens = {}, 0, {}, {}, {}
    model.label = (model.namespace or "") .. "/" .. (model.name or model.uid)
    for _, endpoint in ipairs(model.endpoints) do
      endpoint.slot = slots["e:" .. endpoint.address]
      endpoint.host, endpoint.port = endpoint.address:match("^(.+):(%d+)$")
      endpoint.port = tonumber(endpoint.port)
      if not endpoint.draining then
        model.live[#model.live + 1] = endpoint
        model.capacity = model.capacity + (endpoint.capacity or 1)
      end
    end
    if model.fallback then
      local host, port = model.fallback:match("^(.+):(%d+)$")
      model.fallback = host and { address = model.fallback, host = host, port = tonumber(port) }
    end
    if model.state == "Suspended" and not model.unavailable then
      model.unavailable = { reason = "Suspended", message = "The model is suspended." }
    end
    model.tiers = model.admission and model.admission.degradation or {}
    table.sort(model.tiers, function(a, b) return a.queueAbove > b.queueAbove end)
    table_.by_uid[model.uid] = model
    for _, name in ipairs(model.servedNames) do table_.names[name] = model end
    for _, name in ipairs(model.adapters or {}) do table_.names[name] = model end
  end
  for _, key in ipairs(table_.keys or {}) do
    if key.models then
      key.allowed = {}
      for _, name in ipairs(key.models) do key.allowed[name] = true end
    end
    table_.by_hash[key.sha256] = key
  end
  return table_
end

--- The table that this worker runs: always the last one that was applied.
function M.current()
  local now = board.revision()
  if now ~= revision then
    view, revision = compile(ngx.shared.state:get("table")), now
  end
  return view
end

--- Version for the operator: 0 while there is none, or only the snapshot, which lacks the secrets.
function M.version()
  local state = ngx.shared.state
  return state:get("origin") == "snapshot" and 0 or state:get("version") or 0
end

return M

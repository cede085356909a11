--- The route table: accepted from the operator by one worker, whole or as what has changed, kept in shared memory and on disk,
-- and read by every worker the moment the revision on the counters changes. In shared memory and on disk it is the last whole
-- table and the changes since.
local adaptive_limit = require "adaptive_limit"
local batch_window = require "batch_window"
local check = require "check"
local cjson = require "cjson.safe"
local compiled_routes = require "compiled_routes"
local counters = require "counters"
local latency = require "latency"
local protocol = require "protocol"

local M = {}

local FILE = ngx.config.prefix() .. "routes.json"
local CHANGES = ngx.config.prefix() .. "routes.changes" -- one a line
local SNAPSHOT = ngx.config.prefix() .. "snapshot/routes.json" -- start.sh links the directory

--- Why a change cannot be applied: its sender must send the whole table.
M.OTHER_BASE = "it changes another table than the one in use, or that one has been changed enough"

local revision = 0
local view = compiled_routes.EMPTY

local function read_file(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

local function write_file(path, mode, text)
  local file, err = io.open(path, mode)
  if not file then return nil, err end
  local written
  written, err = file:write(text)
  file:close()
  return written, err
end

--- Keeps a whole table on disk. Changes that a crash leaves behind fit no other table.
local function keep(text)
  local written, err = write_file(FILE .. ".new", "wb", text)
  if written then written, err = os.rename(FILE .. ".new", FILE) end
  os.remove(CHANGES)
  return written, err
end

--- Keeps a change on disk. The line of one that a crash cut off ends here.
local function keep_change(text)
  return write_file(CHANGES, "ab", "\n" .. text:gsub("\n", " "))
end

--- Tells the workers of what is in shared memory. Only then the operator may hear of it.
local function publish(version, origin, slots)
  local state = ngx.shared.state
  for _, slot in pairs(slots) do
    counters.clear(slot)
    latency.clear(slot)
    adaptive_limit.clear(slot)
    batch_window.clear(slot)
  end
  state:set("origin", origin)
  counters.set_revision(counters.revision() + 1)
  state:set("version", version)
  state:set("changed", ngx.now())
  return version
end

--- Makes a table the one that all workers run. `origin` is "operator", "file" or "snapshot".
-- Returns its version, or nil, the reason, and the version that is newer.
local function apply(text, origin)
  local state = ngx.shared.state
  local table_, err = cjson.decode(text)
  if not table_ then return nil, err end
  local fault = check.fault(table_, protocol.route_table, "")
  if fault then return nil, fault end
  local version = state:get("version")
  if version and table_.version < version then return nil, "it is older than the table in use", version end
  if version == table_.version and state:get("origin") ~= "snapshot" then return version end
  local all, new = compiled_routes.slots_for(M.current(), table_.models)
  if not all then return nil, new end
  local last = counters.revision()
  local stored
  stored, err = state:safe_set("table", last + 1 .. "\n" .. cjson.encode(all) .. "\n" .. text)
  if not stored then return nil, err end
  for number = (state:get("base") or last) + 1, last do state:delete("change" .. number) end
  state:set("base", last + 1)
  state:set("room", math.max(#text, table_.limits and table_.limits.changesBytes or protocol.limits.changesBytes))
  return publish(table_.version, origin, new)
end

--- Applies what has changed since the version in use. Returns the new version, or nil, the reason, and the version in use
-- unless the change itself is wrong.
local function apply_change(text)
  local state = ngx.shared.state
  local change, err = cjson.decode(text)
  if not change then return nil, err end
  local fault = check.fault(change, protocol.route_change, "")
  if fault then return nil, fault end
  local version, room = M.version(), (state:get("room") or 0) - #text
  if version == change.version then return version end
  if version > change.version then return nil, "it is older than the table in use", version end
  if version == 0 or version ~= change.from or room < 0 then return nil, M.OTHER_BASE, version end
  local slots
  slots, err = compiled_routes.new_slots_for(M.current(), change.models)
  if not slots then return nil, err end
  local stored
  stored, err = state:safe_set("change" .. counters.revision() + 1, cjson.encode(slots) .. "\n" .. text)
  if not stored then return nil, err end
  state:set("room", room)
  return publish(change.version, state:get("origin"), slots)
end

--- Called in the master before it forks: after a reload the table is still in memory, after a restart of the container on disk,
-- and a new pod starts with the snapshot if the operator left one.
function M.init()
  if ngx.shared.state:get("version") then return end
  for _, source in ipairs { { FILE, "file" }, { SNAPSHOT, "snapshot" } } do
    local text = read_file(source[1])
    if text then
      local version, err = apply(text, source[2])
      if version and source[1] == FILE then
        -- Those that do not fit are left out; the operator compares the version that comes of it with its own.
        for change in (read_file(CHANGES) or ""):gmatch("[^\n]+") do apply_change(change) end
      end
      if version then return end
      ngx.log(ngx.ERR, "route table in ", source[1], " not used: ", err)
    end
  end
end

--- Applies what the operator sent. One at a time; safe against a late one of a former leader.
local function accept(text, how, keep_it)
  local state = ngx.shared.state
  while not state:add("applying", true, 10) do ngx.sleep(0.002) end
  local version, err, running = how(text, "operator")
  if version then
    local written, problem = keep_it(text)
    if not written then ngx.log(ngx.ERR, "route table not kept on disk: ", problem) end
  end
  state:delete("applying")
  return version, err, running
end

--- Applies a whole table: returns its version, or nil, the reason, and the version that is newer, if that is why.
function M.put(text)
  return accept(text, apply, keep)
end

--- Applies what has changed: returns the version, or nil, the reason, and the version in use unless the change itself is wrong.
function M.patch(text)
  return accept(text, apply_change, keep_change)
end

--- Reads the last whole table.
local function read_table()
  local number, slots, text = ngx.shared.state:get("table"):match("^(%d+)\n([^\n]*)\n(.*)$")
  view, revision = compiled_routes.new(cjson.decode(text), cjson.decode(slots)), tonumber(number)
end

local function catch_up(now)
  local state, attempts = ngx.shared.state, 0
  if revision < (state:get("base") or 0) then read_table() end
  while revision < now do
    local text = state:get("change" .. revision + 1)
    if text then
      local slots, change = text:match("^([^\n]*)\n(.*)$")
      compiled_routes.change(view, cjson.decode(change), cjson.decode(slots))
      revision = revision + 1
    elseif attempts < 3 then -- a whole table came meanwhile
      attempts = attempts + 1
      read_table()
    else
      ngx.log(ngx.ERR, "a change of the route table is lost: ", revision + 1)
      revision = now
    end
  end
end

--- The table that this worker runs: always the last one that was applied.
function M.current()
  local now = counters.revision()
  if now ~= revision then catch_up(now) end
  return view
end

--- Version for the operator: 0 while there is none, or only the snapshot, which lacks the secrets.
function M.version()
  local state = ngx.shared.state
  return state:get("origin") == "snapshot" and 0 or state:get("version") or 0
end

return M

--- Picks an engine by consistent hashing with bounded load: requests of one conversation meet the same engine, whose prefix cache
-- knows it, unless that engine has clearly more to do than the others.
local counters = require "counters"
local ffi = require "ffi"
local least_requests = require "pick_least_requests"

local C, crc32 = ffi.C, ngx.crc32_long
pcall(ffi.cdef, "void *memmem(const void *haystack, size_t length, const void *needle, size_t needle_length);")
local BYTES = ffi.typeof("const uint8_t *")

local M = {}

local POINTS = 100 -- of each engine on the ring
local BOUND = 1.25 -- how much more than its share an engine may have; the value of KubeAI and HAProxy
local SAMPLE = 1024 -- bytes that are hashed of each part
local QUOTE, OPEN_BRACKET, OPEN_BRACE, CLOSE_BRACE = 34, 91, 123, 125

--- Place of a text between two places; nil when it is not there.
local function find(p, needle, from, to)
  if from > to then return nil end -- a length below 0 would be all of the memory
  local found = C.memmem(p + from, to - from + 1, needle, #needle)
  return found ~= nil and tonumber(ffi.cast(BYTES, found) - p) or nil
end

--- Hash of the beginning of a conversation: what comes before the first words of the user, and those. It stays the same when
-- turns are added. A prompt that is a string counts with its first bytes. nil when there is nothing to hash.
local function key_of(from, to, p)
  local start = from.messages or from.prompt or from.input
  if not start then return nil end
  local stop = from.messages and to.messages or from.prompt and to.prompt or to.input
  -- Only what ends with its bracket: the scanner passes over values that are no JSON, and behind those there may be anything.
  local nested = p[start] == OPEN_BRACKET or p[start] == OPEN_BRACE
  local user = nested and find(p, '"user"', start, stop)
  if not user then return crc32(ffi.string(p + start, math.min(stop - start + 1, SAMPLE))) end
  local last = user + 5
  local behind = last + 1
  while p[behind] <= 32 do behind = behind + 1 end
  if p[behind] ~= CLOSE_BRACE then -- the words come behind the role
    last = (find(p, '"role"', behind, stop) or stop + 1) - 1
    while p[last] ~= QUOTE do last = last - 1 end
  end
  return crc32(ffi.string(p + start, math.min(user - start, SAMPLE)) .. ffi.string(p + user, math.min(last - user + 1, SAMPLE)))
end

--- Place of an engine's point on the ring. A hash and no checksum: those of neighbouring addresses lie too evenly apart.
local function point(address, i)
  local a, b, c, d = ngx.md5_bin(address .. "#" .. i):byte(1, 4)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

local function ring_of(model)
  local points = {}
  for _, endpoint in ipairs(model.live) do
    for i = 1, POINTS do points[#points + 1] = { at = point(endpoint.address, i), endpoint = endpoint } end
  end
  table.sort(points, function(a, b) return a.at < b.at end)
  return points
end

--- Access phase: hashes the conversation, unless there is nothing to choose.
function M.prepare(ctx, model, from, to, p)
  if #model.live ~= 1 then ctx.affinity_key = key_of(from, to, p) or false end
end

--- The first engine on the ring from the conversation's place on that `usable` admits and that has not reached its bound; else, or
-- without a conversation, the one with least to do.
function M.pick(ctx, model, usable, now)
  local key, tried = ctx.affinity_key, ctx.tried
  if not key then return least_requests.pick(ctx, model, usable, now) end
  local ring = model.ring
  if not ring then
    ring = ring_of(model)
    model.ring = ring
  end
  local total, low, high = 1, 1, #ring
  for _, endpoint in ipairs(model.live) do total = total + counters.sum(endpoint.slot, counters.IN_FLIGHT) end
  while low < high do
    local middle = math.floor((low + high) / 2)
    if ring[middle].at < key then low = middle + 1 else high = middle end
  end
  for step = 0, #ring - 1 do
    local endpoint = ring[(low + step - 1) % #ring + 1].endpoint
    local bound = math.ceil(BOUND * total * endpoint.capacity / model.capacity)
    if usable(endpoint, tried, now) and counters.sum(endpoint.slot, counters.IN_FLIGHT) < bound then return endpoint end
  end
  return least_requests.pick(ctx, model, usable, now)
end

return M

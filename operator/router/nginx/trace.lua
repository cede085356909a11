--- Ids of requests that come without one: 128 random bits in hexadecimal, as W3C's Trace Context wants them. They name a request,
-- they protect nothing.
local random = math.random

local M = {}

local MAX_ID, PARENT = 128, 55 -- bytes

local prefix, own_span -- half of the ids of this worker, and the id of the span that stands for it where it traces nothing

local function random_bytes(n)
  local file = assert(io.open("/dev/urandom", "rb"))
  local bytes = assert(file:read(n))
  file:close()
  return bytes
end

local function random_hex(n)
  return (random_bytes(n):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

--- In each worker: takes randomness from the kernel, because workers that start together have all else in common.
function M.start()
  local a, b, c, d, e, f, g = random_bytes(7):byte(1, 7)
  math.randomseed(((((((a * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 256 + f) * 256 + g) / 8)
  prefix, own_span = random_hex(8), random_hex(8)
end

--- Is it an id that may be passed on, logged and given back?
local function is_id(text)
  return #text <= MAX_ID and text:find("^[%w_.:@/+=-]+$") ~= nil
end

--- Is it a value of `traceparent`? https://www.w3.org/TR/trace-context/#traceparent-header
local function is_parent(text)
  if #text > MAX_ID or #text > PARENT and text:byte(PARENT + 1) ~= 45 then return false end
  local version, id, span, flags = text:match("^(%x+)-(%x+)-(%x+)-(%x+)")
  return version ~= nil and #version == 2 and #id == 32 and #span == 16 and #flags == 2 and not text:find("%u")
    and version ~= "ff" and id:find("[^0]") ~= nil and span:find("[^0]") ~= nil
end

--- The id of a span.
function M.span_id()
  return ("%08x%08x"):format(random(0, 0xffffffff), random(0, 0xffffffff))
end

--- A new id, of a trace or of a request.
function M.id()
  return ("%s%08x%08x"):format(prefix, random(0, 0xffffffff), random(0, 0xffffffff)) -- one string: to join three costs three
end

--- Names the request, and takes the names that its client gave if they are sane. Returns the id of its trace, and the `traceparent` that
-- the client gave, if it did.
function M.name(var, given_id, given_parent)
  local parent = given_parent and is_parent(given_parent) and given_parent or nil
  local own = M.id()
  var.trace_request_id = given_id and is_id(given_id) and given_id or own
  return parent and parent:sub(4, 35) or own, parent
end

--- The `traceparent` for engines, of a request that the router does not trace: of what they trace as `flags` has it (`01`, or `00` for
-- nothing) the router is the parent.
function M.parent(id, flags)
  return "00-" .. id .. "-" .. own_span .. "-" .. flags
end

return M

--- Ids of requests that come without one: 128 random bits in hexadecimal, as W3C's Trace Context wants them. They name a request,
-- they protect nothing.
local random, tohex = math.random, require("bit").tohex

local M = {}

local prefix -- half of the ids of this worker

local function random_bytes(n)
  local file = assert(io.open("/dev/urandom", "rb"))
  local bytes = assert(file:read(n))
  file:close()
  return bytes
end

--- In each worker: takes randomness from the kernel, because workers that start together have all else in common.
function M.start()
  local a, b, c, d, e, f, g = random_bytes(7):byte(1, 7)
  math.randomseed(((((((a * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 256 + f) * 256 + g) / 8)
  prefix = random_bytes(8):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)
end

--- A new id.
function M.new_id()
  return prefix .. tohex(random(-0x80000000, 0x7fffffff)) .. tohex(random(-0x80000000, 0x7fffffff))
end

return M

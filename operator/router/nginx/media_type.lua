--- What kind of content an answer may have. All engines of a pool share a host: what a browser would run there, it would run with the
-- cookies of that host, and could read what other engines answer.
local M = {}

local OTHER = "application/octet-stream" -- which browsers only save
local PASSED = {
  ["application/json"] = true, ["application/x-ndjson"] = true, ["text/event-stream"] = true, ["text/plain"] = true, [OTHER] = true,
}
local MAX_KNOWN = 256

local known, known_count = {}, 0 -- by the value of the header: engines send few different ones

local function judge(value)
  -- Of several types in one header browsers may take the last one.
  local kind = (value:match("^([%w/.+-]+)%s*$") or value:match("^([%w/.+-]+)%s*;[^,]*$") or ""):lower()
  return (PASSED[kind] or kind:find("^audio/")) and value or OTHER
end

--- The value of Content-Type to pass on for what an engine or an entry of the cache says, which may be nothing.
function M.of(value)
  if type(value) ~= "string" then return OTHER end
  local verdict = known[value]
  if not verdict then
    if known_count == MAX_KNOWN then known, known_count = {}, 0 end
    verdict = judge(value)
    known[value], known_count = verdict, known_count + 1
  end
  return verdict
end

return M

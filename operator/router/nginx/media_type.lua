--- What kind of content an answer may have. All engines of a pool share a host: what a browser would run there, it would run with the
-- cookies of that host, and could read what other engines answer.
local memo = require "memo"

local M = {}

local OTHER = "application/octet-stream" -- which browsers only save
local PASSED = {
  ["application/json"] = true, ["application/x-ndjson"] = true, ["text/event-stream"] = true, ["text/plain"] = true, [OTHER] = true,
}
local MAX_KNOWN = 256

-- By the value of the header: engines send few different ones.
local judge = memo(function(value)
  -- Of several types in one header browsers may take the last one.
  local kind = (value:match("^([%w/.+-]+)%s*$") or value:match("^([%w/.+-]+)%s*;[^,]*$") or ""):lower()
  return (PASSED[kind] or kind:find("^audio/")) and value or OTHER
end, MAX_KNOWN)

--- The value of Content-Type to pass on for what an engine or an entry of the cache says, which may be nothing.
function M.of(value)
  return type(value) == "string" and judge(value) or OTHER
end

return M

--- The path of a request in the one form in which it is decided on, cached, logged and sent on. nginx decides by a path that it has
-- decoded and shortened, but sends the line as it came: an engine could read another path in it than the router did.
local paths = require "paths"

local M = {}

--- The path without doubled slashes and one at its end, as clients make them from a base URL; the request goes on with that one.
-- nil for a path that means another one than it says: with `.` and `..`, or with encoded characters; and for a `#` behind a query, at
-- which nginx ends that, and not every engine does.
function M.path(var)
  local sent = var.request_uri
  if paths.exact[sent] then return sent end -- there is nothing to decode or to shorten
  local read = var.uri
  local query = sent:find("?", 1, true)
  if query then
    if sent:find("#", query, true) then return nil end
    sent = sent:sub(1, query - 1)
  end
  if sent == read and (read:byte(-1) ~= 47 or read == "/") then return read end
  local path = sent:gsub("//+", "/"):gsub("(.)/$", "%1")
  if path ~= read:gsub("(.)/$", "%1") then return nil end
  ngx.req.set_uri(path) -- from here on nginx sends this path, not the line as it came
  return path
end

--- The query of a request, with its question mark; empty without one.
function M.query(var)
  return var.args and "?" .. var.args or ""
end

return M

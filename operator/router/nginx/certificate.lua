--- The certificate that clients see, of which start.sh writes down until when it is valid.
local M = {}

local FILE = ngx.config.prefix() .. "tls.enddate" -- as openssl writes it: notAfter=Nov  7 12:00:00 2026 GMT

--- When the certificate expires, in seconds since 1970; nil when there is none, or when it cannot be read.
function M.expiry()
  local file = io.open(FILE, "rb")
  if not file then return nil end
  local month, day, time, year = (file:read("*l") or ""):match("^notAfter=(%a+) +(%d+) ([%d:]+) (%d+) GMT$")
  file:close()
  return month and ngx.parse_http_time(("Mon, %02d %s %s %s GMT"):format(day, month, year, time))
end

return M

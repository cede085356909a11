--- The certificate that clients see, which start.sh takes from its Secret.
local ssl = require "ngx.ssl"

local M = {}

local FILE = ngx.config.prefix() .. "tls.pem" -- the chain and its key
local END_FILE = ngx.config.prefix() .. "tls.enddate" -- as openssl writes it: notAfter=Nov  7 12:00:00 2026 GMT

local known, chain, key

--- Reads the file again for each handshake, which takes microseconds, and parses it once, which takes a millisecond.
local function look()
  local file = io.open(FILE, "rb")
  if not file then return end
  local text = file:read("*a")
  file:close()
  if text == known then return end
  known = text
  local new_chain, new_key = ssl.parse_pem_cert(text), ssl.parse_pem_priv_key(text)
  if new_chain and new_key then chain, key = new_chain, new_key end
end

--- Serves the newest certificate to a client that connects. Where it cannot be read, that with which nginx began goes on.
function M.serve()
  look()
  if not chain or not ssl.clear_certs() then return end
  ssl.set_cert(chain)
  ssl.set_priv_key(key)
end

--- When the certificate expires, in seconds since 1970; nil when there is none, or when it cannot be read.
function M.expiry()
  local file = io.open(END_FILE, "rb")
  if not file then return nil end
  local month, day, time, year = (file:read("*l") or ""):match("^notAfter=(%a+) +(%d+) ([%d:]+) (%d+) GMT$")
  file:close()
  return month and ngx.parse_http_time(("Mon, %02d %s %s %s GMT"):format(day, month, year, time))
end

return M

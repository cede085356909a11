--- The certificate that clients see, which start.sh takes from its Secret.
local ssl = require "ngx.ssl"

local M = {}

local FILE = ngx.config.prefix() .. "tls.pem" -- the chain and its key
local END_FILE = ngx.config.prefix() .. "tls.enddate" -- as openssl writes it: notAfter=Nov  7 12:00:00 2026 GMT

local known -- text of the file
local newest, former -- what was parsed of it, and what served before

--- Reads the file again for each handshake, which takes microseconds, and parses it once, which takes a millisecond.
local function look()
  local file = io.open(FILE, "rb")
  if not file then return end
  local text = file:read("*a")
  file:close()
  if text == known then return end
  known = text
  local new_chain, new_key = ssl.parse_pem_cert(text), ssl.parse_pem_priv_key(text)
  if new_chain and new_key then newest, former = { chain = new_chain, key = new_key }, newest end
end

--- Reads the certificate with which nginx begins. Called before the first handshake.
M.init = look

local function set(pair)
  local done, fault = ssl.set_cert(pair.chain)
  if done then done, fault = ssl.set_priv_key(pair.key) end
  return done, fault
end

--- Serves the newest certificate to a client that connects. Where it cannot be read, or OpenSSL refuses it, such as one with a short key,
-- the one before goes on.
function M.serve()
  look()
  if not newest or not ssl.clear_certs() then return end
  local done, fault = set(newest)
  if done then return end
  ngx.log(ngx.ERR, "the renewed certificate is refused: ", fault, "; correct the Secret of spec.router.tls")
  if not former then return end
  newest, former = former, nil
  ssl.clear_certs()
  set(newest)
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

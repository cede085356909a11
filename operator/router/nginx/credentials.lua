--- Finds requests with credentials that this router did not check: the engine may answer them to nobody else, so that no cache
-- may (RFC 9111, 3.5). What the router has checked, it has taken off.
local base = require "resty.core.base"
local ffi = require "ffi"
local memo = require "memo"
require "resty.core.request" -- which declares the functions below

local C = ffi.C

local M = {}

local MAX_HEADERS, MAX_KNOWN = 100, 1000
-- Of names of headers: Authorization, Cookie, X-Api-Key, X-Auth-Token, X-Amz-Security-Token, Cf-Access-Jwt-Assertion and the like.
local WORDS = { "auth", "cookie", "credential", "jwt", "key", "passw", "secret", "signature", "token" }

-- What clients that must send a key say when there is none: OpenAI's SDKs ask for one, and `EMPTY` is what vLLM's documentation
-- gives them. Nobody is known by it.
local PLACEHOLDERS = { ["bearer empty"] = true, ["bearer none"] = true, empty = true, none = true }
local MAX_PLACEHOLDER = 16 -- bytes

local headers, truncated = ffi.new("ngx_http_lua_ffi_table_elt_t[?]", MAX_HEADERS), ffi.new("int[1]")

-- By name of the header: clients send few different ones.
local is_credential = memo(function(name)
  if name:find("idempotency-key", 1, true) then return false end
  for _, word in ipairs(WORDS) do
    if name:find(word, 1, true) then return true end
  end
  return false
end, MAX_KNOWN)

local function is_placeholder(value)
  return value.len <= MAX_PLACEHOLDER and PLACEHOLDERS[ffi.string(value.data, value.len):lower()] ~= nil
end

--- Has the request a header that may hold credentials, or too many headers to tell?
function M.carried()
  local request = base.get_request()
  local n = C.ngx_http_lua_ffi_req_get_headers_count(request, MAX_HEADERS, truncated)
  if n < 0 or truncated[0] ~= 0 then return true end
  if n == 0 then return false end
  if C.ngx_http_lua_ffi_req_get_headers(request, headers, n, 0) ~= 0 then return true end -- 0: names in lower case
  for i = 0, n - 1 do
    local key = headers[i].key
    if is_credential(ffi.string(key.data, key.len)) and not is_placeholder(headers[i].value) then return true end
  end
  return false
end

return M

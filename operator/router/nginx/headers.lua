--- Finds the headers of a request that the router looks at, all in one pass: `ngx.var` passes over every header for each name.
local base = require "resty.core.base"
local ffi = require "ffi"
require "resty.core.request" -- which declares the functions below

local C = ffi.C
pcall(ffi.cdef, "int memcmp(const void *a, const void *b, size_t n);")

local M = {}

local LIST = ffi.typeof("ngx_http_lua_ffi_table_elt_t[?]")
local USUAL = 64 -- headers; for more of them there is a list of its own
local IDENTITY = "identity" -- the encoding that is none
-- By length. nginx answers by them what the router says itself, also a POST (RFC 9110, 13.2.1, has them for GET).
local CONDITIONS = { [8] = "if-match", [13] = "if-none-match", [17] = "if-modified-since", [19] = "if-unmodified-since" }
local usual_list, truncated = LIST(USUAL), ffi.new("int[1]")

local function is(text, word)
  return text.len == #word and C.memcmp(text.data, word, #word) == 0
end

local function string_of(text)
  return ffi.string(text.data, text.len)
end

--- Is it the name of a content coding that changes the body? RFC 9110, 8.4.1.
local function is_coding(text)
  return text.len > 0 and (text.len ~= #IDENTITY or string_of(text):lower() ~= IDENTITY)
end

--- Takes conditions off the request.
function M.drop_conditions()
  for _, name in pairs(CONDITIONS) do ngx.req.clear_header(name) end
end

--- Takes conditions off the request, and returns what it says of itself: values of `X-Request-Id`, `traceparent` and `Content-Length` (a
-- number), each nil when the header is not there, and of two the first; whether a `Content-Encoding` says that the body is compressed;
-- whether there is an `Upgrade`.
function M.find()
  local request = base.get_request()
  local n = C.ngx_http_lua_ffi_req_get_headers_count(request, 0, truncated) -- 0: however many
  local list = n <= USUAL and usual_list or LIST(n)
  C.ngx_http_lua_ffi_req_get_headers(request, list, n, 0) -- 0: names in lower case
  local id, parent, length, compressed, upgrade, conditional = nil, nil, nil, false, false, false
  for i = 0, n - 1 do
    local name, value = list[i].key, list[i].value
    local size = name.len
    if size == 14 then
      if is(name, "content-length") then length = length or tonumber(string_of(value)) end
    elseif size == 12 then
      if is(name, "x-request-id") then id = id or string_of(value) end
    elseif size == 11 then
      if is(name, "traceparent") then parent = parent or string_of(value) end
    elseif size == 16 then
      if is(name, "content-encoding") then compressed = compressed or is_coding(value) end
    elseif size == 7 then
      if is(name, "upgrade") then upgrade = true end
    elseif CONDITIONS[size] and is(name, CONDITIONS[size]) then
      conditional = true
    end
  end
  if conditional then M.drop_conditions() end
  return id, parent, length, compressed, upgrade
end

return M

--- The body of a request, without making a Lua string of it: copying and collecting 64 KiB a request costs as much as
-- proxying it does.
local base = require "resty.core.base"
local ffi = require "ffi"

local C = ffi.C
local NAME = "request_body"

local value, lowercase = ffi.new("unsigned char *[1]"), ffi.new("char[?]", #NAME)
local length, message = ffi.new("size_t[1]"), ffi.new("char *[1]")

local M = {}

--- The body as a string, for those few that need one.
function M.text()
  local text = ngx.req.get_body_data()
  if text then return text end
  local name = ngx.req.get_body_file()
  if not name then return "" end
  local file = assert(io.open(name, "rb"))
  text = file:read("*a")
  file:close()
  return text
end

--- Reads the body. Returns a pointer to its bytes, their number, and what keeps them alive beside the request. nginx spills a
-- large body to a file; that one has to become a string.
function M.read()
  ngx.req.read_body()
  local found = C.ngx_http_lua_ffi_var_get(base.get_request(), NAME, #NAME, lowercase, 0, value, length, message) == 0
  if found and length[0] > 0 then return ffi.cast("const uint8_t *", value[0]), tonumber(length[0]), nil end
  local text = M.text()
  return ffi.cast("const uint8_t *", text), #text, text
end

return M

--- SHA-256, by the OpenSSL that nginx is linked with.
local ffi = require "ffi"

pcall(ffi.cdef, "unsigned char *SHA256(const unsigned char *d, size_t n, unsigned char *md);")

local M = {}

local BYTES = 32
local digest = ffi.new("unsigned char[?]", BYTES)
local HEX = {}
for code = 0, 255 do HEX[string.char(code)] = ("%02x"):format(code) end

--- The hash as 32 bytes.
function M.bytes(text)
  ffi.C.SHA256(text, #text, digest)
  return ffi.string(digest, BYTES)
end

--- The hash in hexadecimal.
function M.hex(text)
  return (M.bytes(text):gsub(".", HEX))
end

return M

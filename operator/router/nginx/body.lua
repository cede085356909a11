--- The body of a request, without making a Lua string of it: copying and collecting 64 KiB a request costs as much as
-- proxying it does. What a router holds of bodies is bounded, in bytes and in time.
local base = require "resty.core.base"
local counters = require "counters"
local ffi = require "ffi"
local own_answer = require "own_answer"
local routes = require "routes"
local share = require "share"

local C = ffi.C
local NAME = "request_body"
local MAX_AT_ONCE = 1400 -- bytes that come together with the header; larger bodies may have to be waited for
local MAX_UNWATCHED = 131072 -- bytes
local SLOWEST = 65536 -- bytes a second that a large one has to come with

local value, lowercase = ffi.new("unsigned char *[1]"), ffi.new("char[?]", #NAME)
local length, message = ffi.new("size_t[1]"), ffi.new("char *[1]")
local BYTES = ffi.typeof("const uint8_t *")
local EMPTY = ffi.cast(BYTES, "")

local most_bytes -- of all requests, by the configuration, which a worker has one of
local parts = share.new() -- bytes by namespace of keys
local unwatched, unwatched_count = {}, 0 -- requests whose bodies are read without a watch

local M = {}

--- The body as a string, for those few that need one. nginx has all of it in memory (client_body_buffer_size).
function M.text()
  return ngx.req.get_body_data() or ""
end

--- Counts bytes that the router holds for a request: its body, or an answer that is sent from memory.
function M.hold(ctx, bytes)
  ctx.body_bytes = (ctx.body_bytes or 0) + bytes
  counters.add(0, counters.BODY_BYTES, bytes)
  if ctx.api_key then share.add(parts, ctx.api_key.namespace, bytes) end
end

--- Is there room for so many bytes more, for this request's namespace too?
function M.has_room(ctx, bytes)
  most_bytes = most_bytes or tonumber(ngx.var.max_bodies_size)
  local free = most_bytes - counters.sum(0, counters.BODY_BYTES)
  return bytes <= free and (not ctx.api_key or share.allows(parts, ctx.api_key.namespace, bytes, free))
end

local function forget(ctx)
  if unwatched[ctx] then unwatched[ctx], unwatched_count = nil, unwatched_count - 1 end
end

--- Log phase: the router holds nothing of the request any more.
function M.release(ctx)
  forget(ctx)
  if ctx.body_bytes then M.hold(ctx, -ctx.body_bytes) end
end

local function too_slow(seconds)
  ngx.sleep(seconds)
  ngx.header["Connection"] = "close"
  return own_answer.own_error(408)
end

--- Reads the body, while another thread ends the request when that takes too long.
local function read_in_time(seconds)
  local watch = ngx.thread.spawn(too_slow, seconds)
  ngx.req.read_body()
  ngx.thread.kill(watch)
end

--- Reads the body. To watch one costs a tenth of what a request costs, and nearly all come at once: a few small ones at a time, in
-- each worker, are not watched. Their clients may be slow, and have no more than that.
local function read(ctx, bytes, limits)
  if unwatched_count >= limits.unwatchedBodies or bytes > MAX_UNWATCHED then
    return read_in_time(limits.bodyGraceMs / 1000 + (bytes > MAX_AT_ONCE and bytes / SLOWEST or 0))
  end
  unwatched[ctx], unwatched_count = true, unwatched_count + 1
  ngx.req.read_body()
  forget(ctx)
end

--- Makes room for the body, reads it, and counts it. One in pieces has no length: it may become as large as any.
local function receive(ctx, bytes, compressed)
  if compressed then return own_answer.error(415, "The body is compressed (Content-Encoding): send it as it is.") end
  local limits = routes.current().limits
  if bytes and bytes <= MAX_AT_ONCE then return read(ctx, bytes, limits) end
  local most = bytes or tonumber(ngx.var.max_body_size)
  if not M.has_room(ctx, most) then
    return own_answer.error(503, "The router holds as many large requests as it can. Try again shortly.", nil, 1)
  end
  M.hold(ctx, most)
  read(ctx, most, limits)
end

--- The memory of the body, which belongs to the request, and the number of its bytes: 0 where nginx has it in a file.
function M.memory()
  local found = C.ngx_http_lua_ffi_var_get(base.get_request(), NAME, #NAME, lowercase, 0, value, length, message) == 0
  if not found then return EMPTY, 0 end
  return ffi.cast(BYTES, value[0]), tonumber(length[0])
end

--- Reads the body. Returns its memory, which stays until the body is changed, and the number of its bytes. Ends the request with an
-- error when the body is too much, too slow, compressed, or no UTF-8, which is what JSON comes in. `bytes` and `compressed` are what
-- headers.lua says of it.
function M.read(ctx, bytes, compressed)
  receive(ctx, bytes, compressed)
  local p, n = M.memory()
  if ctx.body_bytes and n ~= ctx.body_bytes then M.hold(ctx, n - ctx.body_bytes) end
  if n >= 3 and p[0] == 0xEF and p[1] == 0xBB and p[2] == 0xBF then -- a byte order mark, which Python skips
    ngx.req.set_body_data(ffi.string(p + 3, n - 3))
    return M.memory()
  end
  if n >= 2 and not ctx.path.form and (p[0] == 0 or p[1] == 0 or p[0] >= 0xFE) then
    return own_answer.error(400, "The body is in UTF-16 or UTF-32: send it in UTF-8.")
  end
  return p, n
end

--- Ends a request with an error when it has a body though its path has none: nginx would read it for the engine, uncounted.
function M.refuse(ctx, bytes, compressed)
  local var = ngx.var
  local has_body = bytes and bytes > 0 or var.http_transfer_encoding ~= nil
  if not bytes and ngx.req.http_version() >= 2 then has_body = select(2, M.read(ctx, bytes, compressed)) > 0 end -- there it needs no header
  if has_body then return own_answer.error(400, ("A request for %s has no body."):format(var.uri)) end
end

return M

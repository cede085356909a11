--- Reads what a client of Redis asks its socket for, within bounds: a server that is broken or hostile may send a line without
-- end, lists without end, or values that no router wrote.
local byte, find, sub = string.byte, string.find, string.sub

local M = {}

local MAX_LINE = 1024 -- bytes; what routers read is the number of bytes that follow, a number, or why a command failed
local MAX_LINES = 256 -- of one exchange
local MAX_LIST = 16 -- replies in one
local CHUNK = 4096 -- bytes that are asked for at once
local LIST = 42

local TOO_LONG = "the reply is longer than what routers write"

local function too_large(state)
  state.too_large = true
  return nil, TOO_LONG
end

local function line(socket, state)
  local methods = getmetatable(socket).__index
  state.lines = state.lines + 1
  local deadline, rest = ngx.now() + state.seconds, state.rest
  local stop = find(rest, "\r\n", 1, true)
  while not stop do
    if #rest > MAX_LINE or state.lines > MAX_LINES then return nil, TOO_LONG end
    if ngx.now() > deadline then return nil, "timeout" end
    local data, err = methods.receiveany(socket, CHUNK)
    if not data then return nil, err end
    rest = rest == "" and data or rest .. data
    stop = find(rest, "\r\n", 1, true)
  end
  if stop > MAX_LINE then return nil, TOO_LONG end
  state.rest = sub(rest, stop + 2)
  if byte(rest) == LIST and (tonumber(sub(rest, 2, stop - 1)) or math.huge) > MAX_LIST then return too_large(state) end
  return sub(rest, 1, stop - 1)
end

local function value(socket, state, size)
  if size > state.most or size ~= size then return too_large(state) end
  local rest = state.rest
  if size <= #rest then
    state.rest = sub(rest, size + 1)
    return sub(rest, 1, size)
  end
  local receive_any, deadline = getmetatable(socket).__index.receiveany, ngx.now() + state.seconds
  local parts, left = { rest }, size - #rest
  state.rest = ""
  while left > 0 do
    if ngx.now() > deadline then return nil, "timeout" end
    local data, err = receive_any(socket, left)
    if not data then return nil, err end
    parts[#parts + 1], left = data, left - #data
  end
  return table.concat(parts)
end

--- `receive` of a bound socket: a line, or `size` bytes.
local function receive(socket, size)
  if size then return value(socket, socket.bounds, size) end
  return line(socket, socket.bounds)
end

--- Bounds what is read from a socket. `most`: bytes of a value; `seconds`: how long a line or a value may take. Returns a state: `too_large`
-- when there was a value or list of more than that, and `rest`, what came and was not asked for. With either the connection is
-- of no more use.
function M.bound(socket, most, seconds)
  local state = { too_large = false, rest = "", most = most, seconds = seconds, lines = 0 }
  socket.bounds, socket.receive = state, receive
  return state
end

return M

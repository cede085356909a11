--- Reads what a client of Redis asks its socket for, within bounds: a server that is broken or hostile may send a line without
-- end, lists without end, or values that no router wrote.
local find, sub = string.find, string.sub

local M = {}

local MAX_LINE = 1024 -- bytes; what routers read is the number of bytes that follow, a number, or why a command failed
local MAX_LINES = 256 -- of one exchange
local MAX_LIST = 16 -- replies in one
local CHUNK = 4096 -- bytes that are asked for at once
local LIST = 42

local TOO_LONG = "the reply is longer than what routers write"

--- Bounds what is read from a socket. `most`: bytes of a value; `seconds`: how long a line may take. Returns a state: `too_large`
-- when there was a value or list of more than that, and `rest`, what came and was not asked for. With either the connection is
-- of no more use.
function M.bound(socket, most, seconds)
  local receive, receive_any = socket.receive, socket.receiveany
  local state = { too_large = false, rest = "" }
  local lines = 0

  local function too_large()
    state.too_large = true
    return nil, TOO_LONG
  end

  local function line()
    lines = lines + 1
    local deadline = ngx.now() + seconds
    local rest = state.rest
    local stop = find(rest, "\r\n", 1, true)
    while not stop do
      if #rest > MAX_LINE or lines > MAX_LINES then return nil, TOO_LONG end
      if ngx.now() > deadline then return nil, "timeout" end
      local data, err = receive_any(socket, CHUNK)
      if not data then return nil, err end
      rest = rest .. data
      stop = find(rest, "\r\n", 1, true)
    end
    if stop > MAX_LINE then return nil, TOO_LONG end
    state.rest = sub(rest, stop + 2)
    local text = sub(rest, 1, stop - 1)
    if text:byte() == LIST and (tonumber(sub(text, 2)) or math.huge) > MAX_LIST then return too_large() end
    return text
  end

  local function value(size)
    if size > most or size ~= size then return too_large() end
    local rest = state.rest
    if size <= #rest then
      state.rest = sub(rest, size + 1)
      return sub(rest, 1, size)
    end
    local data, err = receive(socket, size - #rest)
    state.rest = ""
    return data and rest .. data, err
  end

  function socket.receive(_, size)
    if size then return value(size) end
    return line()
  end
  return state
end

return M

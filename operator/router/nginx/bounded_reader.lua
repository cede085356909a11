--- Reads what a client of Redis asks its socket for, within bounds: a server that is broken or hostile may send a line without
-- end, lists without end, or values that no router wrote.
local byte, find, sub = string.byte, string.find, string.sub

local M = {}

local MAX_LINE = 1024 -- bytes; what routers read is the number of bytes that follow, a number, or why a command failed
local MAX_LINES = 16 -- of one exchange: those of routers have six at most, and each may take `seconds`
local MAX_LIST = 16 -- replies in one
local CHUNK = 4096 -- bytes that are asked for at once
local LIST = 42

local TOO_LONG = "the reply is longer than what routers write"

local Reader = {}
Reader.__index = Reader

local function too_large(reader)
  reader.too_large = true
  return nil, TOO_LONG
end

--- Place of the end of the line that begins at `at` in the text; nil when that is not there, or too far.
local function line_end(reader)
  local deadline = ngx.now() + reader.seconds
  reader.lines = reader.lines + 1
  local stop = find(reader.text, "\r\n", reader.at, true)
  while not stop do
    local rest = sub(reader.text, reader.at)
    if #rest > MAX_LINE or reader.lines > MAX_LINES then return nil, TOO_LONG end
    if ngx.now() > deadline then return nil, "timeout" end
    local data, err = reader.socket:receiveany(CHUNK)
    if not data then return nil, err end
    reader.text, reader.at = rest == "" and data or rest .. data, 1
    stop = find(reader.text, "\r\n", 1, true)
  end
  if stop - reader.at >= MAX_LINE then return nil, TOO_LONG end
  return stop
end

local function line(reader)
  local stop, err = line_end(reader)
  if not stop then return nil, err end
  local text, at = reader.text, reader.at
  reader.at = stop + 2
  if byte(text, at) == LIST and (tonumber(sub(text, at + 1, stop - 1)) or math.huge) > MAX_LIST then return too_large(reader) end
  return sub(text, at, stop - 1)
end

local function value(reader, size)
  if size > reader.most or size ~= size then return too_large(reader) end
  local text, at = reader.text, reader.at
  local left = size - (#text - at + 1)
  if left <= 0 then
    reader.at = at + size
    return sub(text, at, at + size - 1)
  end
  local deadline, parts = ngx.now() + reader.seconds, { sub(text, at) }
  reader.text, reader.at = "", 1
  while left > 0 do
    if ngx.now() > deadline then return nil, "timeout" end
    local data, err = reader.socket:receiveany(left)
    if not data then return nil, err end
    parts[#parts + 1], left = data, left - #data
  end
  return table.concat(parts)
end

--- Reads a line, or `size` bytes.
function Reader:receive(size)
  if size then return value(self, size) end
  return line(self)
end

function Reader:send(data)
  return self.socket:send(data)
end

function Reader:close()
  return self.socket:close()
end

--- Whether all that came was asked for, and nothing of it was too much. If not, the connection is of no more use.
function Reader:is_clean()
  return not self.too_large and self.at > #self.text
end

--- What a client of Redis may use in the place of a socket that is connected. `most`: bytes of a value; `seconds`: how long a line or a
-- value may take. `too_large` says whether there was a value or list of more than that.
function M.new(socket, most, seconds)
  return setmetatable({ socket = socket, text = "", at = 1, most = most, seconds = seconds, lines = 0, too_large = false }, Reader)
end

return M

--- Reads the tokens that an answer used, and takes the usage event out of streams whose client did not ask for it.
local byte, find, sub = string.byte, string.find, string.sub

local M = {}

local TAIL = 2048 -- bytes at the end of an answer that hold its usage

--- The number behind a name, from a place in the text on; false when there is none.
local function number_behind(text, name, start)
  local _, at = find(text, name, start, true)
  if not at then return false end
  local n, digits, c = 0, false, nil
  repeat
    at = at + 1
    c = byte(text, at)
    if c and c >= 48 and c <= 57 then n, digits = n * 10 + c - 48, true end
  until not c or (c ~= 32 and (c < 48 or c > 57))
  return digits and n
end

local function note(ctx, text)
  local at = find(text, '"usage":', 1, true)
  if not at then return end
  local prompt = number_behind(text, '"prompt_tokens":', at) or number_behind(text, '"input_tokens":', at)
  if not prompt then return end
  ctx.prompt_tokens = prompt
  ctx.completion_tokens = number_behind(text, '"completion_tokens":', at) or number_behind(text, '"output_tokens":', at)
end

--- One part of an answer that is no stream. The usage is in its last bytes.
function M.plain(ctx, chunk, eof)
  if chunk ~= "" then
    ctx.last = #chunk >= TAIL and sub(chunk, -TAIL) or ctx.last and sub(ctx.last .. chunk, -TAIL) or chunk
  end
  if eof and ctx.last then note(ctx, ctx.last) end
end

--- One part of a stream: returns what the client is to get. Events are only kept back, until their end is there, in streams
-- from which the usage event has to be taken.
function M.stream(ctx, chunk, eof)
  if not ctx.strip_usage then
    note(ctx, chunk)
    return chunk
  end
  if ctx.rest then
    chunk = ctx.rest .. chunk
    ctx.rest = false
  end
  if not eof and sub(chunk, -2) ~= "\n\n" then
    local stop = 0
    repeat
      local _, last = find(chunk, "\n\n", stop + 1, true)
      stop = last or stop
    until not last
    ctx.rest, chunk = sub(chunk, stop + 1), sub(chunk, 1, stop)
  end
  if not find(chunk, '"choices":[]', 1, true) then return chunk end
  return (chunk:gsub("data: ({.-})\n\n", function(event)
    if find(event, '"choices":[]', 1, true) and find(event, '"usage":', 1, true) then
      note(ctx, event)
      return ""
    end
  end))
end

return M

--- Reads the tokens that an answer used, and takes the usage event out of streams whose client did not ask for it.
local find, match, sub = string.find, string.match, string.sub

local M = {}

local TAIL = 2048 -- bytes at the end of an answer that hold its usage

local function note(ctx, text)
  local usage = match(text, '"usage":%s*(%b{})')
  if not usage then return end
  ctx.prompt_tokens = tonumber(match(usage, '"prompt_tokens":%s*(%d+)') or match(usage, '"input_tokens":%s*(%d+)'))
  ctx.completion_tokens = tonumber(match(usage, '"completion_tokens":%s*(%d+)') or match(usage, '"output_tokens":%s*(%d+)'))
end

--- One part of an answer that is no stream. The usage is in its last bytes.
function M.plain(ctx, chunk, eof)
  if chunk ~= "" then
    ctx.last = #chunk >= TAIL and sub(chunk, -TAIL) or sub((ctx.last or "") .. chunk, -TAIL)
  end
  if eof and ctx.last and find(ctx.last, '"usage"', 1, true) then note(ctx, ctx.last) end
end

--- One part of a stream: returns what the client is to get. Events are only kept back, until their end is there, in streams
-- from which the usage event has to be taken.
function M.stream(ctx, chunk, eof)
  if not ctx.strip_usage then
    if find(chunk, '"usage":', 1, true) then note(ctx, chunk) end
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

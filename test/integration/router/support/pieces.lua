-- Prints how many KiB the parts of an answer take that the reader of usage keeps, of an engine that sends one byte at a time.
collectgarbage("stop")
local usage = require "usage"

local function kept(ctx, text, take)
  collectgarbage("collect")
  local before = collectgarbage("count")
  for i = 1, #text do take(ctx, text:sub(i, i)) end
  collectgarbage("collect")
  return collectgarbage("count") - before
end

local contexts = { {}, {} }
local event = kept(contexts[1], "data: " .. ("x"):rep(60000), function(ctx, piece) usage.strip(ctx, piece, false) end)
local object = kept(contexts[2], '{"usage":{"a":"' .. ("x"):rep(4000), function(ctx, piece) usage.plain(ctx, piece, false) end)
io.stdout:write(("%d\t%d\n"):format(event, object))

-- Prints, as lines `prompt completion`, the tokens that are read from answers of which an engine decides every byte.
local usage = require "usage"

local function line(ctx)
  io.stdout:write(("%s %s\n"):format(tostring(ctx.prompt_tokens), tostring(ctx.completion_tokens)))
end

for _, members in ipairs {
  '"usage":{"prompt_tokens":7,"completion_tokens":5}',
  '"usage":{"prompt_tokens":  7, "completion_tokens": 5}',
  '"usage":{"prompt_tokens":7.9,"completion_tokens":5e3}',
  '"usage":{"prompt_tokens":99999999999999999999999,"completion_tokens":0}',
  '"usage":{"prompt_tokens":-7,"completion_tokens":"5"}',
  '"prompt_usage":{"prompt_tokens":1,"completion_tokens":1},"usage":{"prompt_tokens":7,"completion_tokens":5}',
  '"usage":{"prompt_tokens":7,"completion_tokens":5},"prompt_usage":{"prompt_tokens":1,"completion_tokens":1}',
} do
  local ctx = {}
  usage.plain(ctx, '{"id":"1",' .. members .. "}", true)
  line(ctx)
end
local ctx = {}
usage.header(ctx, '"usage":{"prompt_tokens":7,"completion_tokens":    ')
line(ctx)

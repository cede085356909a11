--- What an answer costs that ended before its usage came: its client hung up, or its engine broke off. Else a client would get all of a
-- stream but the last event, and others would pay for it.
local request_body = require "body"
local reservation = require "reservation"
local scan = require "scan"
local usage = require "usage"

local M = {}

local CLIENT_CLOSED_REQUEST = 499
local MAX_TOKENS = 1e9 -- of a prompt, as usage.lua has it for answers

--- Tokens of the prompt of a request, about.
local function prompt_of(ctx)
  if ctx.reserved then return ctx.reserved.prompt end
  local p, n = request_body.memory()
  if n == 0 then n = tonumber(ngx.var.content_length) or 0 end -- it may be in a file, where streams began with comments
  local from, to = nil, nil
  if not ctx.path.form then from, to = scan.members(p, n) end
  local tokens = reservation.prompt(n, from, from and to, p)
  return math.min(tokens < math.huge and tokens or n, MAX_TOKENS) -- of one that cannot be counted, its bytes
end

--- Whether an engine worked for the request until one of both ended it.
local function is_early(ctx, status)
  return ctx.at_engine and not ctx.ended and not ctx.path.free and not ctx.relay and (status == CLIENT_CLOSED_REQUEST or ctx.cut)
end

--- Log phase: estimates the tokens of such an answer, as far as its engine has not said them.
function M.estimate(ctx, status)
  if not is_early(ctx, status) then return end
  ctx.prompt_tokens = ctx.prompt_tokens or prompt_of(ctx)
  ctx.completion_tokens = math.max(ctx.completion_tokens or 0, usage.seen(ctx))
end

return M

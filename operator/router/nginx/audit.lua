--- What the access log says of a request beside what nginx knows: who sent it, to which model, and what it used. Nothing that a client
-- wrote is in it but method and path, both of them bounded.
local paths = require "paths"

local M = {}

local MAX_METHOD, MAX_PATH = 16, 256 -- bytes
local KEY_ID = 16 -- digits of a key's SHA-256: enough to find it in its ConfigMap, of no use without that

--- Text of a client as it may stand in a string of JSON.
local function masked(text, most)
  return (text:sub(1, most):gsub('[%c"\\\127-\255]', "?"))
end

--- Tokens, in the order in which they are spent.
local function tokens(ctx)
  local prompt, completion = ctx.prompt_tokens, ctx.completion_tokens
  if not prompt and not completion then return "" end
  return (prompt and ',"promptTokens":' .. prompt or "") .. (completion and ',"completionTokens":' .. completion or "")
end

--- Log phase: hands the fields of a client's request to nginx.
---@param ctx Context
---@param shortened boolean|nil Whether its answer is shorter than it asked for.
function M.note(ctx, shortened)
  local var = ngx.var
  local uri, key, model, id = var.uri, ctx.api_key, ctx.model, ctx.trace_id
  if not uri then return end -- the request has no first line
  local parent = id and var.given_parent
  local tenant, owner = ctx.tenant or key and key.tenant, key or model
  var.audit = table.concat {
    ',"method":"', masked(ngx.req.get_method(), MAX_METHOD), '","path":"', paths.exact[uri] and uri or masked(uri, MAX_PATH),
    id and '","traceId":"' or "", id and (parent ~= "" and parent:sub(4, 35) or id) or "",
    owner and '","namespace":"' or "", owner and owner.namespace or "", tenant and '","tenant":"' or "", tenant or "",
    key and '","keyId":"' or "", key and key.sha256:sub(1, KEY_ID) or "",
    model and '","model":"' or "", model and model.label or "",
    ctx.cache_result and '","cache":"' or "", ctx.cache_result or "",
    ctx.tier and '","tier":"max_tokens=' or "", ctx.tier and ctx.tier.maxTokens or "", '"', shortened and ',"shortened":true' or "", tokens(ctx),
  }
end

return M

--- What the access log says of a request beside what nginx knows: who sent it, to which model, and what it used. Nothing that a client
-- wrote is in it but method and path, both of them bounded.
local M = {}

local MAX_METHOD, MAX_PATH = 16, 256 -- bytes
local KEY_ID = 16 -- digits of a key's SHA-256: enough to find it in its ConfigMap, of no use without that

--- Text of a client as it may stand in a string of JSON.
local function masked(text, most)
  return (text:sub(1, most):gsub('[%c"\\\127-\255]', "?"))
end

--- Fields of what was asked for, and by whom.
local function fields(method, path, key, tenant, model)
  local owner = key or model
  return table.concat {
    ',"method":"', method, '","path":"', path, '"',
    owner and ',"namespace":"' .. owner.namespace .. '","tenant":"' .. (tenant or key.tenant) .. '"' or "",
    key and ',"keyId":"' .. key.sha256:sub(1, KEY_ID) .. '"' or "", model and ',"model":"' .. model.label .. '"' or "",
  }
end

--- The same for a key and a path of a model: made once, because every request would pay for it. They go with the table.
local function usual_fields(ctx, model, path)
  local key = ctx.api_key
  local made = model.audited[key or "none"]
  if not made then
    made = {}
    model.audited[key or "none"] = made
  end
  local text = made[path]
  if not text then
    text = fields("POST", path, key, ctx.tenant, model)
    made[path] = text
  end
  return text
end

--- Fields that few requests have.
local function rare_fields(ctx, shortened)
  return (ctx.cache_result and ',"cache":"' .. ctx.cache_result .. '"' or "")
    .. (ctx.tier and ',"tier":' .. ctx.tier.number or "") .. (shortened and ',"shortened":true' or "")
end

--- Fields of the tokens that are known. `%d`, because `..` writes numbers by a way that takes ten times as long.
local function tokens(prompt, completion)
  if prompt and completion then return (',"promptTokens":%d,"completionTokens":%d'):format(prompt, completion) end
  if not prompt and not completion then return "" end
  return (prompt and ',"promptTokens":%d' or ',"completionTokens":%d'):format(prompt or completion)
end

--- Log phase: hands the fields of a client's request to nginx.
---@param ctx Context
---@param status number
---@param shortened boolean|nil Whether its answer is shorter than it asked for.
function M.note(ctx, status, shortened)
  local var, model, method = ngx.var, ctx.model, ngx.req.get_method()
  local path = ctx.path and ctx.path.name
  local asked
  if model and path and method == "POST" then
    asked = usual_fields(ctx, model, path)
  else
    path = path or var.uri
    -- A request that is malformed may have no path, no trace, and no status, for which nginx has the version of HTTP.
    asked = path and fields(masked(method, MAX_METHOD), masked(path, MAX_PATH), ctx.api_key, ctx.tenant, model) or ""
  end
  var.audit = (',"status":%d,"traceId":"%s"%s%s%s'):format(
    status < 100 and 0 or status, ctx.trace_id or "", asked,
    (ctx.cache_result or ctx.tier) and rare_fields(ctx, shortened) or "", tokens(ctx.prompt_tokens, ctx.completion_tokens)
  )
end

return M

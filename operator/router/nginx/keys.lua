--- API keys. The table has their SHA-256 only; a request's key is hashed and looked up, so that nothing depends on how much of
-- a guess is right.
local metrics = require "metrics"
local own_answer = require "own_answer"
local sha256 = require "sha256"

local M = {}

--- The entry of a key in the table; nil without a valid one.
local function find_key(view, token)
  return token and view.by_hash[sha256.hex(token)]
end

--- The token of `Authorization: Bearer <token>`; schemes have no case (RFC 9110, 11.1).
local function bearer(header)
  local scheme, token = (header or ""):match("^(%a+)%s+(%S+)%s*$")
  return scheme and scheme:lower() == "bearer" and token or nil
end

--- Lets the request in, or ends it with 401. Returns the key's entry, or nil when the pool asks for none. `x_api_key`: clients of
-- this path may send their key as `x-api-key`, as those of the Messages API do. Engines get no key in either of the two, on no path.
function M.authenticate(view, x_api_key)
  if view.auth ~= "APIKey" then return nil end
  local var = ngx.var
  local key = find_key(view, bearer(var.http_authorization))
  if key then ngx.req.clear_header("Authorization") end
  local other = var.http_x_api_key
  if other then
    local known = find_key(view, other)
    if x_api_key then key = key or known end
    if x_api_key or known then ngx.req.clear_header("x-api-key") end
  end
  if key then return key end
  metrics.rejected(nil, "unauthorized")
  ngx.header["WWW-Authenticate"] = "Bearer"
  local how = x_api_key and "`Authorization: Bearer <key>` or `x-api-key: <key>`" or "`Authorization: Bearer <key>`"
  return own_answer.error(401, ("Provide a valid API key as %s."):format(how))
end

--- Is the key one of the team that has the model?
function M.is_of_owner(key, model)
  return key ~= nil and key.namespace == model.namespace
end

--- May the key use a model? A model that it may not use does not exist for it. A key names models as clients do, or those of its
-- own namespace by the name of their object: whose object of that name another team has is not its choice.
function M.allows(key, model, name)
  if not key or not key.allowed then return true end
  return key.allowed[name] or M.is_of_owner(key, model) and key.allowed[model.name] or false
end

--- The models that a key may use, those of a key without a list all. A list is short, and a pool may have thousands.
function M.models_of(key, view)
  if not key or not key.allowed then return view.models end
  local list, seen = {}, {}
  for _, name in ipairs(key.models) do
    local candidates = { view.names[name] or false, view.by_object[key.namespace .. "/" .. name] or false }
    for _, model in ipairs(candidates) do
      if model and not seen[model] then list[#list + 1], seen[model] = model, true end
    end
  end
  return list
end

return M

--- GET /v1/models and /v1/models/{id}: from the route table, so that models at zero are listed like any other.
local admission = require "admission"
local cjson = require "cjson.safe"
local context = require "context"
local cors = require "cors"
local headers = require "headers"
local keys = require "keys"
local limits = require "limits"
local own_answer = require "own_answer"
local request_body = require "body"
local routes = require "routes"
local trace = require "trace"

local M = {}

local PATH = { free = true } -- as paths.lua has those that forward

local whole = {} -- `text`: the list of all `models`, for keys without a list of their own; it takes milliseconds to make

--- The JSON text of one entry, with the fields of vLLM. (Debian's cjson cannot write an empty array.)
local function card(model, id, parent)
  return ('{"id":%s,"object":"model","created":%d,"owned_by":%s,"root":%s,"parent":%s,"max_model_len":%s,"permission":[]}'):format(
    cjson.encode(id),
    model.created,
    cjson.encode(model.namespace),
    cjson.encode(parent or id),
    parent and cjson.encode(parent) or "null",
    model.maxModelLen and ("%d"):format(model.maxModelLen) or "null"
  )
end

--- Counts a request and lets it in, as request.lua does. Returns the table and the key that it may read with, or nil when it has got
-- its answer.
local function enter()
  local ctx = context.new()
  ngx.ctx, ctx.path = ctx, PATH
  ctx.trace_id = (trace.name(ngx.var, headers.find()))
  admission.enter()
  local method = ngx.req.get_method()
  if method ~= "GET" and method ~= "HEAD" then
    if cors.preflight() then return end
    ngx.header["Allow"] = "GET, HEAD"
    return own_answer.error(405, "Method Not Allowed")
  end
  local view = routes.current()
  local key = keys.authenticate(view, true)
  if key then
    ctx.api_key = key
    admission.take_part(key.namespace)
    limits.take(ctx, view)
  end
  return view, key, ctx
end

--- The list for a key, as JSON text. A key that is limited to some models sees only those.
local function list_for(view, key)
  local list = {}
  for _, model in ipairs(keys.models_of(key, view)) do
    for _, name in ipairs(model.servedNames) do
      if keys.allows(key, model, name) then list[#list + 1] = card(model, name) end
    end
    for _, name in ipairs(model.adapters) do
      if keys.allows(key, model, name) then list[#list + 1] = card(model, name, model.servedNames[1]) end
    end
  end
  return '{"object":"list","data":[' .. table.concat(list, ",") .. "]}"
end

--- Content phase.
function M.list()
  local view, key, ctx = enter()
  if not view then return end
  local text
  if key and key.allowed then
    text = list_for(view, key)
  else
    if whole.models ~= view.models then whole = { models = view.models, text = list_for(view, nil) } end
    text = whole.text
  end
  if not request_body.has_room(ctx, #text) then
    return own_answer.error(503, "The router holds as many large answers as it can. Try again shortly.", nil, 1)
  end
  request_body.hold(ctx, #text)
  return own_answer.json(200, text)
end

--- Content phase of one model.
function M.get()
  local view, key = enter()
  if not view then return end
  local id = ngx.var.uri:match("^/v1/models/(.+)$")
  local model = view.names[id]
  if not model or not keys.allows(key, model, id) then
    return own_answer.error(404, ("The model `%s` does not exist."):format(id or ""), "model")
  end
  local parent = model.servedNames[1]
  for _, name in ipairs(model.servedNames) do
    if name == id then parent = nil end
  end
  return own_answer.json(200, card(model, id, parent))
end

return M

--- Cross-origin requests of browsers, as the pool's `router.cors` has it (https://fetch.spec.whatwg.org/#http-cors-protocol).
-- Where that is set it stands for the engines too: vLLM lets every origin read its answers unless it is told otherwise.
local own_answer = require "own_answer"
local routes = require "routes"

local M = {}

local METHODS = "GET, HEAD, POST"

--- The settings of the table in use, with origins to look up and the ends of those with a wildcard; nil when it has none.
local function settings()
  local cors = routes.current().cors
  if not cors or cors.exact then return cors end
  cors.exact, cors.below = {}, {}
  for _, origin in ipairs(cors.allowOrigins) do
    local scheme, domain = origin:match("^([^*]+)%*(%..+)$")
    if scheme then
      cors.below[#cors.below + 1] = { scheme = scheme, domain = domain }
    else
      cors.exact[origin] = true
    end
  end
  return cors
end

local function is_allowed(cors, origin)
  if not origin or #origin > 253 then return false end
  if cors.exact["*"] or cors.exact[origin] then return true end
  for _, one in ipairs(cors.below) do
    if origin:sub(1, #one.scheme) == one.scheme and origin:sub(-#one.domain) == one.domain then
      if origin:sub(#one.scheme + 1, -#one.domain - 1):find("^[%w-][%w.-]*$") then return true end
    end
  end
  return false
end

--- Answers a preflight, which comes without a key. Returns false when the request is none, or the pool has no such settings.
function M.preflight()
  if ngx.req.get_method() ~= "OPTIONS" then return false end
  local var, cors = ngx.var, settings()
  if not cors or not var.http_origin or not var.http_access_control_request_method then return false end
  if not is_allowed(cors, var.http_origin) then
    return own_answer.error(403, "This origin is not one of router.cors.allowOrigins of the pool.")
  end
  local header, asked = ngx.header, var.http_access_control_request_headers
  header["Access-Control-Allow-Methods"] = cors.allowMethods or METHODS
  header["Access-Control-Allow-Headers"] = cors.allowHeaders or asked and asked:match("^[%w_%-, ]+$")
  header["Access-Control-Max-Age"] = cors.maxAge
  ngx.ctx.replied = true
  ngx.status = 204
  return ngx.exit(204)
end

--- Header phase of every answer to clients, of the router's own errors and nginx's too.
function M.header()
  local cors = settings()
  if not cors then return end
  local header, origin = ngx.header, ngx.var.http_origin
  local allowed, everyone = is_allowed(cors, origin), cors.exact["*"]
  header["Access-Control-Allow-Origin"] = allowed and (everyone and "*" or origin) or nil
  header["Access-Control-Allow-Credentials"] = allowed and cors.allowCredentials and "true" or nil
  header["Access-Control-Expose-Headers"] = allowed and cors.exposeHeaders or nil
  if everyone then return end
  local vary = header["Vary"]
  if type(vary) == "table" then vary = table.concat(vary, ", ") end
  header["Vary"] = vary and vary .. ", Origin" or "Origin"
end

return M

--- Checks what the operator sends against the schema that both sides have (protocol.lua), so that no request meets a field that is
-- missing or of another kind. Fields that this router does not know are ignored.
local M = {}

local NULL = require("cjson.safe").null

local function is_number(value, schema)
  return type(value) == "number" and value == value and value >= (schema.min or -math.huge) and value <= (schema.max or math.huge)
end

local CHECKS = {
  string = function(value, schema)
    return type(value) == "string" and (not schema.enum or schema.enum[value]) and #value <= 4 * (schema.longest or math.huge)
  end,
  boolean = function(value) return type(value) == "boolean" end,
  number = is_number,
  integer = function(value, schema) return is_number(value, schema) and value == math.floor(value) end,
  object = function(value) return type(value) == "table" end,
  array = function(value) return type(value) == "table" and (next(value) == nil or value[1] ~= nil) end,
}

--- What is wrong with a value, as a path and a complaint; nil when nothing is.
function M.fault(value, schema, path)
  if not CHECKS[schema.type](value, schema) then return ("%s is missing, or no %s as it should be"):format(path, schema.type) end
  if schema.fields then
    for _, field in ipairs(schema.fields) do
      local member = value[field.name]
      if member ~= nil and member ~= NULL or field.required then
        local fault = M.fault(member, field.schema, path == "" and field.name or path .. "." .. field.name)
        if fault then return fault end
      end
    end
  elseif schema.items then
    for i, item in ipairs(value) do
      local fault = M.fault(item, schema.items, path .. "[" .. i - 1 .. "]")
      if fault then return fault end
    end
  end
end

return M

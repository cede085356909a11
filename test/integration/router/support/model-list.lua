-- Counts instructions of the interpreter for the list of models of a key that is limited to one, in tables of 500 and 4,000
-- models. Prints both, and the number of models found in each. Runs when nginx starts, as growth.lua.
jit.off()
local compiled_routes, keys = require "compiled_routes", require "keys"

for _, size in ipairs { 500, 4000 } do
  local models = {}
  for i = 1, size do
    local name = "m" .. i
    models[i] = { uid = name, namespace = "team", name = name, servedNames = { name }, adapters = {}, endpoints = {}, admission = { degradation = {} } }
  end
  local key = { sha256 = "a", tenant = "team", models = { "m7" } }
  local view = compiled_routes.new({ models = models, keys = { key } }, {})
  local work = 0
  debug.sethook(function() work = work + 1 end, "", 1)
  local found = keys.models_of(key, view)
  debug.sethook()
  io.stdout:write(work, "\t", #found, "\n")
end

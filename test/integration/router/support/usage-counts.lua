-- Counts requests for one model of a thousand keys of each of three teams, then of two others, and of an engine that says what it likes.
-- Prints the batch that the operator would get.
local list, values = {}, {}
ngx.shared = {
  usage = {
    get = function(_, key) return values[key] end,
    set = function(_, key, value) values[key] = value end,
    add = function() return true end,
    delete = function(_, key) values[key] = nil end,
    incr = function(_, key, n) values[key] = (values[key] or 0) + n end,
    lpush = function(_, _, text) return table.insert(list, 1, text) or #list end,
    rpop = function() return table.remove(list) end,
  },
}
local usage_counts = require "usage_counts"

for _, team in ipairs { "team-b", "team-c", "team-d" } do
  for i = 1, 1500 do usage_counts.add({ uid = "m" }, team .. "/key-" .. i, usage_counts.REQUESTS, 1) end
end
usage_counts.add({ uid = "m" }, "team-a/ci", usage_counts.REQUESTS, 1)
usage_counts.add({ uid = "m" }, "team-e", usage_counts.REQUESTS, 1)
for _ = 1, 5 do
  for _ = 1, 500 do usage_counts.add({ uid = "n" }, "team-a", usage_counts.COMPLETION_TOKENS, 1e9) end
  usage_counts.flush()
end
io.write(usage_counts.batch(0))

-- Has two requests arrive in each of many windows, by a clock that only this script moves. Prints how many keys of the memory in which
-- the route table is were written, and how many windows were counted.
local WINDOWS, LENGTH = 10000, 0.05

local now, keys, windows = 1e9, 0, 0
local function write()
  keys = keys + 1
  return true
end
ngx.now = function() return now end
ngx.sleep = function(seconds) now = now + seconds end
ngx.shared = { state = { get = function() end, set = write, add = write } }

local batch_window, batching, latency, metrics = require "batch_window", require "batching", require "latency", require "metrics"
latency.init()
batch_window.init()
keys = 0
metrics.add = function(series, n)
  if series:find("batches_total", 1, true) then windows = windows + n end
end

local model = {
  name = "m", namespace = "team-a", slot = 1, histograms = {},
  batch_window = { length = LENGTH, target = 1, interval = 10 },
}
for _ = 1, WINDOWS do
  local arrived = now + LENGTH / 2
  for _ = 1, 2 do
    now = arrived
    batching.wait({}, model)
  end
end
io.write(keys, "\t", windows)

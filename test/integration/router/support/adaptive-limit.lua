-- Drives the limit that adapts (adaptive_limit.lua) with a simulated engine, whose time for a step grows with its batch: a step takes
-- twice as long as an empty one at its knee. Prints a line for each phase of each engine: its name, the knee, and the lowest and the
-- highest limit. Runs when nginx starts.
local adaptive_limit = require "adaptive_limit"

local FLOOR, CEILING = 32, 128
local NOISE = 0.05

local function engine(seed)
  math.randomseed(seed)
  local knee = 40 + math.random(0, 14)
  local state = { limit = FLOOR, best = 0, last = 0 }
  local self = { knee = knee, slower = 1 }

  --- Runs periods, with so many requests or as many as may run. Returns the lowest and the highest limit.
  function self.run(periods, requests)
    local lowest, highest = math.huge, 0
    for _ = 1, periods do
      local running = requests or math.floor(state.limit)
      local mean = 0.01 * self.slower * (1 + running / knee) * (1 - NOISE + 2 * NOISE * math.random())
      state.limit, state.best = adaptive_limit.next(state.limit, state.best, state.last, mean, running, FLOOR, CEILING)
      state.last = mean
      lowest, highest = math.min(lowest, state.limit), math.max(highest, state.limit)
    end
    return lowest, highest
  end

  function self.say(name, ...)
    io.stdout:write(("%s\t%d\t%.1f\t%.1f\n"):format(name, knee, ...))
  end
  return self
end

for seed = 1, 10 do
  local own = engine(seed)
  own.run(20, 2)
  own.say("quiet", own.run(1, 2))
  own.run(60)
  own.say("busy", own.run(500))
  own.slower = 10
  own.say("once slow", own.run(1))
  own.slower = 0.2
  own.run(1)
  own.slower = 1
  own.run(15)
  own.say("after once slow and once fast", own.run(100))
  own.slower = 4
  own.run(12)
  own.say("slow", own.run(1))
  own.slower = 1
  own.run(60)
  own.say("after slow", own.run(100))
  own.slower = 4
  own.run(300)
  own.say("slow for good", own.run(100))
end

math.randomseed(1)
local limit, best, last, lowest, highest = FLOOR, 0, 0, math.huge, 0
for period = 1, 10000 do
  local pushes_up = math.floor(period / 500) % 2 == 0
  local mean = 10 ^ (pushes_up and -6 or math.random(-6, 6))
  limit, best = adaptive_limit.next(limit, best, last, mean, math.random(0, 1000), FLOOR, CEILING)
  last, lowest, highest = mean, math.min(lowest, limit), math.max(highest, limit)
end
io.stdout:write(("hostile\t0\t%.1f\t%.1f\n"):format(lowest, highest))

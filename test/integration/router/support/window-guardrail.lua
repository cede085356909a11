-- Has a guardrail choose the length of a batching window before a simulated engine, for some seeds and lengths. Latency is noise about
-- that of the engine and the window. Prints for each phase the shortest and longest window of its second half, as parts of the full one.
local batch_window = require "batch_window"

local TARGET, ROUNDS = 1, 400

-- Latency without a window, in seconds, and by how much a whole window adds to it; nil where there are too few requests to tell.
local PHASES = {
  { name = "fast", base = 0.5, window = 0 },
  { name = "slow", base = 1.5, window = 0 },
  { name = "fast again", base = 0.5, window = 0 },
  { name = "too long a window", base = 0.6, window = 0.8 },
  { name = "slow again", base = 1.5, window = 0 },
  { name = "idle" },
  { name = "slow for hours", base = 1e9, window = 0 },
  { name = "fast at last", base = 0.5, window = 0 },
}

for seed = 1, 10 do
  math.randomseed(seed)
  local length = math.random(10, 50) / 1000
  local cut = 0
  for _, phase in ipairs(PHASES) do
    local shortest, longest, outside = math.huge, 0, 0
    for round = 1, ROUNDS do
      local left = length - cut
      local p95 = phase.base and (phase.base + phase.window * left / length) * (0.95 + 0.1 * math.random())
      cut = batch_window.next_cut(cut, length, p95, TARGET)
      if not (cut >= 0 and cut <= length) then outside = outside + 1 end
      if round > ROUNDS / 2 then
        shortest, longest = math.min(shortest, (length - cut) / length), math.max(longest, (length - cut) / length)
      end
    end
    io.write(("%s\t%d\t%.4f\t%.4f\t%d\n"):format(phase.name, seed, shortest, longest, outside))
  end
end

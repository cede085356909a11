--- Small changes to a JSON body, made in its text: all else stays byte for byte as the client wrote it. Changes are
-- collected first, because the places of members are those of the original.
local ffi = require "ffi"
local scan = require "scan"

local sub = string.sub

local M = {}

local ASK = '"include_usage":true'
local NULL = ("n"):byte() -- `null`: no other literal begins with n

--- A list of changes to a text.
function M.new(text)
  return { text = text }
end

--- Plans to put `with` in the place of the bytes from `from` to `to`, which count from 0.
local function replace(edits, from, to, with)
  edits[#edits + 1] = { from = from, to = to, with = with }
end

--- Plans to put a member into an object whose brace is at `brace`; without a place into the one that is the text.
local function insert(edits, member, brace)
  brace = brace or edits.text:find("{", 1, true) - 1
  local comma = edits.text:find("^%s*}", brace + 2) and "" or ","
  replace(edits, brace + 1, brace, member .. comma)
end

--- The text with all changes made.
function M.apply(edits)
  table.sort(edits, function(a, b) return a.from < b.from end)
  local parts, at = {}, 1
  for _, change in ipairs(edits) do
    parts[#parts + 1] = sub(edits.text, at, change.from)
    parts[#parts + 1] = change.with
    at = change.to + 2
  end
  parts[#parts + 1] = sub(edits.text, at)
  return table.concat(parts)
end

--- Asks for the usage event of a stream. `p`: the text as memory. Returns false when the client asks for it itself, or its options
-- cannot be read, which is for the engine to say.
function M.ask_usage(edits, from, to, p)
  local at = from.stream_options
  if not at then
    insert(edits, '"stream_options":{' .. ASK .. "}")
    return true
  end
  if p[at] == NULL then
    replace(edits, at, to.stream_options, "{" .. ASK .. "}")
    return true
  end
  local options, ends = scan.members(p + at, to.stream_options - at + 1)
  if not options then return false end
  local given = options.include_usage
  if not given then
    insert(edits, ASK, at)
  elseif scan.is_true(p + at, given, ends.include_usage) then
    return false
  else
    replace(edits, at + given, at + ends.include_usage, "true")
  end
  return true
end

local LIMITS = { "max_tokens", "max_completion_tokens", "max_output_tokens" }

--- Does a member set no limit? Older engines, such as vLLM 0.10, take 0 of one for the same as none.
local function is_none(member, asked)
  return asked == "null" or member == "max_completion_tokens" and tonumber(asked) == 0
end

--- How many answers an object asks for, which share the limit. Engines also take numbers in strings.
local function answers_of(edits, base, from, to)
  local most = 1
  for _, member in ipairs { "n", "best_of" } do
    local asked = from[member] and tonumber((sub(edits.text, base + from[member] + 1, base + to[member] + 1):gsub('["_]', "")))
    if asked and asked > most then most = asked end
  end
  return most
end

--- Caps the length of the answer by the members of an object; their places count from `base`, and a new one is behind the brace at
-- `brace`, called `name`.
local function cap(edits, base, brace, from, to, limit, name)
  local given, capped = false, false
  limit = math.max(1, math.floor(limit / answers_of(edits, base, from, to)))
  local least = from.min_tokens and sub(edits.text, base + from.min_tokens + 1, base + to.min_tokens + 1)
  if least and not (tonumber(least) and tonumber(least) <= limit) then -- engines refuse one that is above the limit
    replace(edits, base + from.min_tokens, base + to.min_tokens, ("%d"):format(limit))
  end
  for _, member in ipairs(LIMITS) do
    local asked = from[member] and sub(edits.text, base + from[member] + 1, base + to[member] + 1)
    if asked and not is_none(member, asked) then
      given = true
      if not (tonumber(asked) and tonumber(asked) <= limit) then
        replace(edits, base + from[member], base + to[member], ("%d"):format(limit))
        capped = true
      end
    end
  end
  if given then return capped end
  if from[name] then
    replace(edits, base + from[name], base + to[name], ("%d"):format(limit)) -- null
  else
    insert(edits, ('"%s":%d'):format(name, limit), brace)
  end
  return true
end

--- Caps the length of the answer. Returns false when the client asks for no more than that anyway. Engines also take numbers in
-- strings and the like: whatever is not a number, and not null, becomes the limit.
function M.cap_tokens(edits, from, to, limit, path)
  if path ~= "/inference/v1/generate" then
    return cap(edits, 0, nil, from, to, limit, path == "/v1/responses" and "max_output_tokens" or "max_tokens")
  end
  local at, options, ends = from.sampling_params, nil, nil
  if at then options, ends = scan.members(ffi.cast("const uint8_t *", edits.text) + at, to.sampling_params - at + 1) end
  return options ~= nil and cap(edits, at, at, options, ends, limit, "max_tokens")
end

return M

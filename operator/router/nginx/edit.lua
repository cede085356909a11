--- Small changes to a JSON body, made in its text: all else stays byte for byte as the client wrote it.
local cjson = require "cjson.safe"
local scan = require "scan"

local byte, find, sub = string.byte, string.find, string.sub

local M = {}

local function replace(body, from, to, text)
  return sub(body, 1, from - 1) .. text .. sub(body, to + 1)
end

local function insert(body, member)
  local brace = find(body, "{", 1, true)
  return sub(body, 1, brace) .. member .. "," .. sub(body, brace + 1)
end

--- Asks for the usage event of a stream. Returns the body, or nil when the client asks for it itself or the options are not understood.
function M.ask_usage(body, from, to)
  local at = from.stream_options
  if not at then return insert(body, '"stream_options":{"include_usage":true}') end
  local options = cjson.decode(sub(body, at, to.stream_options))
  if options == cjson.null then options = {} end
  if type(options) ~= "table" or options.include_usage == true then return nil end
  options.include_usage = true
  return replace(body, at, to.stream_options, cjson.encode(options))
end

local LIMITS = { "max_tokens", "max_completion_tokens", "max_output_tokens" }

--- Caps the length of the answer. Returns the body, or nil when the client asks for no more than that anyway.
function M.cap_tokens(body, from, to, limit, path)
  local present, changed = false, false
  -- From the end of the body, so that earlier places stay where they are.
  local members = {}
  for _, name in ipairs(LIMITS) do
    if from[name] then members[#members + 1] = name end
  end
  table.sort(members, function(a, b) return from[a] > from[b] end)
  for _, name in ipairs(members) do
    if byte(body, from[name]) ~= 110 then -- not null
      present = true
      local asked = scan.number(body, from[name], to[name])
      if asked and asked > limit then
        body, changed = replace(body, from[name], to[name], ("%d"):format(limit)), true
      end
    end
  end
  if not present then
    for _, name in ipairs(members) do body = replace(body, from[name], to[name], ("%d"):format(limit)) end
    if #members == 0 then
      body = insert(body, ('"%s":%d'):format(path == "/v1/responses" and "max_output_tokens" or "max_tokens", limit))
    end
    return body
  end
  return changed and body or nil
end

return M

--- Finds top-level members of a JSON request without building tables. The engine is the one that validates:
-- this reads correct JSON exactly and may pass over errors in values that it skips.
local cjson = require "cjson.safe"

local byte, find, sub = string.byte, string.find, string.sub

local QUOTE, BACKSLASH, COMMA, COLON = 34, 92, 44, 58
local OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET = 123, 125, 91, 93

--- A table with a place for each member that the router cares for.
local function members()
  return {
    model = false, stream = false, stream_options = false, messages = false, prompt = false, input = false,
    temperature = false, seed = false, max_tokens = false, max_completion_tokens = false, max_output_tokens = false,
  }
end

--- Index of the first byte at or after `i` that is not white space.
local function skip_space(s, i)
  local c = byte(s, i)
  while c == 32 or c == 10 or c == 13 or c == 9 do
    i = i + 1
    c = byte(s, i)
  end
  return i, c
end

--- Index behind the string whose first byte inside the quotes is at `i`; nil when it does not end.
local function skip_string(s, i)
  while true do
    local quote = find(s, '"', i, true)
    if not quote then return nil end
    local b = quote - 1
    while b >= i and byte(s, b) == BACKSLASH do b = b - 1 end
    if (quote - b) % 2 == 1 then return quote + 1 end
    i = quote + 1
  end
end

--- Index behind the object or array whose first byte inside is at `i`; nil when it does not end.
local function skip_container(s, i)
  local depth = 1
  while true do
    local c = byte(s, i)
    if c == QUOTE then
      i = skip_string(s, i + 1)
      if not i then return nil end
    else
      if c == OPEN_BRACE or c == OPEN_BRACKET then
        depth = depth + 1
      elseif c == CLOSE_BRACE or c == CLOSE_BRACKET then
        depth = depth - 1
        if depth == 0 then return i + 1 end
      elseif not c then
        return nil
      end
      i = i + 1
    end
  end
end

--- Index behind the value at `i`, whose first byte is `c`; nil when there is none.
local function skip_value(s, i, c)
  if c == QUOTE then return skip_string(s, i + 1) end
  if c == OPEN_BRACE or c == OPEN_BRACKET then return skip_container(s, i + 1) end
  local start = i
  while c and c ~= COMMA and c ~= CLOSE_BRACE and c ~= CLOSE_BRACKET and c > 32 do
    i = i + 1
    c = byte(s, i)
  end
  if c and i > start then return i end
end

--- Text of the JSON string between `from` (its quote) and `to`, with escapes resolved; nil when they are wrong.
local function text(s, from, to)
  local raw = sub(s, from + 1, to - 1)
  if not find(raw, "\\", 1, true) then return raw end
  return cjson.decode('"' .. raw .. '"')
end

local M = { skip_string = skip_string, skip_value = skip_value, skip_space = skip_space, text = text }

--- Scans an object. Returns a table `name → index of the value` for the members the router knows, and `name → index of
-- the value's last byte` in a second one, false where there is none; of a name that comes twice the last one counts, as for JSON.parse and Python.
-- Returns nil and the reason when the text is not an object or ends early.
function M.members(s)
  local from, to = members(), members()
  local i, c = skip_space(s, 1)
  if c ~= OPEN_BRACE then return nil, "it is not a JSON object" end
  i, c = skip_space(s, i + 1)
  if c == CLOSE_BRACE then return from, to end
  while true do
    if c ~= QUOTE then return nil, "a member's name is missing" end
    local behind = skip_string(s, i + 1)
    if not behind then return nil, "it ends inside a string" end
    local name = text(s, i, behind - 1)
    i, c = skip_space(s, behind)
    if c ~= COLON then return nil, "a colon is missing" end
    i, c = skip_space(s, i + 1)
    behind = skip_value(s, i, c)
    if not behind then return nil, "a value is missing or does not end" end
    if from[name] ~= nil then from[name], to[name] = i, behind - 1 end
    i, c = skip_space(s, behind)
    if c == CLOSE_BRACE then
      i, c = skip_space(s, i + 1)
      if c then return nil, "there is text behind the object" end
      return from, to
    end
    if c ~= COMMA then return nil, "a comma is missing" end
    i, c = skip_space(s, i + 1)
  end
end

--- The members of an object as `"name":value` in the order of their names, as written but without white space around them;
-- of a name that comes twice the last one counts. For an object that `members` could read; nil for others.
function M.parts(s)
  local values, names = {}, {}
  local i, c = skip_space(s, 1)
  if c ~= OPEN_BRACE then return nil end
  i, c = skip_space(s, i + 1)
  while c == QUOTE do
    local behind = skip_string(s, i + 1)
    local name = text(s, i, behind - 1)
    if not name then return nil end
    i, c = skip_space(s, (skip_space(s, behind)) + 1)
    behind = skip_value(s, i, c)
    if not values[name] then names[#names + 1] = name end
    values[name] = sub(s, i, behind - 1)
    i, c = skip_space(s, behind)
    if c == COMMA then i, c = skip_space(s, i + 1) end
  end
  table.sort(names)
  for n, name in ipairs(names) do names[n] = cjson.encode(name) .. ":" .. values[name] end
  return names
end

--- The string at a member's place; nil when it is not a string.
function M.string(s, from, to)
  if from and byte(s, from) == QUOTE then return text(s, from, to) end
end

--- True when the member's value is the literal `true`.
function M.is_true(s, from, to)
  return from and to - from == 3 and sub(s, from, to) == "true"
end

--- The number at a member's place; nil when it is not a number.
function M.number(s, from, to)
  return from and byte(s, from) ~= QUOTE and tonumber(sub(s, from, to)) or nil
end

--- The value of a field of a multipart form; nil when it has none.
function M.form_field(s, content_type, field)
  local boundary = content_type:match('boundary="([^"]+)"') or content_type:match("boundary=([^%s;]+)")
  if not boundary then return nil end
  local mark = "--" .. boundary
  local wanted = 'name="' .. field .. '"'
  local at = find(s, mark, 1, true)
  while at do
    local head = at + #mark
    local body = find(s, "\r\n\r\n", head, true)
    if not body then return nil end
    local next_mark = find(s, "\r\n" .. mark, body + 2, true)
    if not next_mark then return nil end
    local name = find(s, wanted, head, true)
    if name and name < body and find(sub(s, name - 1, name - 1), "[%s;]") then return sub(s, body + 4, next_mark - 1) end
    at = next_mark + 2
  end
end

return M

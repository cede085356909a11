--- Finds the top-level members of a JSON request without building tables. The engine is the one that validates: this reads
-- correct JSON exactly and may pass over errors in values that it skips. Works on memory (`p`, `n` bytes) with places that
-- count from 0, so that nothing is copied and LuaJIT compiles all of it.
local cjson = require "cjson.safe"
local ffi = require "ffi"

local C = ffi.C
pcall(ffi.cdef, "void *memchr(const void *s, int c, size_t n);")
local BYTES = ffi.typeof("const uint8_t *")

local QUOTE, BACKSLASH, COMMA, COLON = 34, 92, 44, 58
local OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET = 123, 125, 91, 93

local M = {}

local MAX_MEMBERS = 512 -- requests of the API have some sixty; more would only make a router work
local MAX_NAME = 256 -- bytes of a member's name as written; no name that counts is nearly as long

-- The members that the router cares for.
local KNOWN = {}
for name in ([[
  model stream stream_options messages prompt input prompt_embeds temperature seed max_tokens max_completion_tokens max_output_tokens
  previous_response_id background n best_of min_tokens sampling_params include_usage inputs images token_ids query queries documents items
  text_1 text_2 data_1 data_2
]]):gmatch("%S+") do KNOWN[name] = true end

--- A table with places for the eight members that requests have most, so that it seldom grows.
local function usual()
  return {
    model = false, stream = false, stream_options = false, messages = false, prompt = false, temperature = false, max_tokens = false,
    input = false,
  }
end

--- Place of the first byte at or behind `i` that is not white space; `n` when there is none. No space, or one, is what
-- serializers write; those cases keep LuaJIT out of the loop.
local function skip_space(p, i, n)
  if i < n and p[i] > 32 then return i end
  if i + 1 < n and p[i] == 32 and p[i + 1] > 32 then return i + 1 end
  while i < n and (p[i] == 32 or p[i] == 10 or p[i] == 13 or p[i] == 9) do i = i + 1 end
  return i
end

--- Place of the next quote; nil when there is none.
local function next_quote(p, i, n)
  local found = C.memchr(p + i, QUOTE, n - i)
  if found ~= nil then return tonumber(ffi.cast(BYTES, found) - p) end
end

--- Is the quote at `i` escaped? Only an odd number of backslashes before it escapes it.
local function is_escaped(p, i)
  local b = i - 1
  while p[b] == BACKSLASH do b = b - 1 end
  return (i - b) % 2 == 0
end

--- Place behind what ends when `depth` brackets, and the string that `i` may be in, are closed; nil when that does not come.
-- One loop without an inner one, for LuaJIT: strings are passed over with memchr, from quote to quote.
local function skip_nested(p, i, n, depth, in_string)
  while i < n do
    if in_string then
      local quote = next_quote(p, i, n)
      if not quote then return nil end
      if p[quote - 1] ~= BACKSLASH then
        in_string = false
      elseif p[quote - 2] == BACKSLASH then
        in_string = is_escaped(p, quote)
      end
      i = quote + 1
      if depth == 0 and not in_string then return i end
    else
      local c = p[i]
      i = i + 1
      if c == QUOTE then
        in_string = true
      elseif c == OPEN_BRACE or c == OPEN_BRACKET then
        depth = depth + 1
      elseif c == CLOSE_BRACE or c == CLOSE_BRACKET then
        depth = depth - 1
        if depth == 0 then return i end
      end
    end
  end
end

--- Place behind the string whose first byte inside the quotes is at `i`; nil when it does not end.
local function skip_string(p, i, n)
  local quote = next_quote(p, i, n)
  if not quote or p[quote - 1] ~= BACKSLASH then return quote and quote + 1 end
  return skip_nested(p, i, n, 0, true)
end

--- Place behind the value at `i`; nil when there is none, or it does not end.
local function skip_value(p, i, n)
  if i >= n then return nil end
  local c = p[i]
  if c == QUOTE then return skip_string(p, i + 1, n) end
  if c == OPEN_BRACE or c == OPEN_BRACKET then return skip_nested(p, i + 1, n, 1, false) end
  local start = i
  while i < n and p[i] > 32 and p[i] ~= COMMA and p[i] ~= CLOSE_BRACE and p[i] ~= CLOSE_BRACKET do i = i + 1 end
  if i > start then return i end
end

--- Text of the JSON string between the quotes at `from` and `to`, with escapes resolved; nil when they are wrong.
local function text(p, from, to)
  local raw = ffi.string(p + from + 1, to - from - 1)
  if not raw:find("\\", 1, true) then return raw end
  return (cjson.decode('"' .. raw .. '"'))
end

--- Walks over the members of an object: `visit(name, from, to, a, b, p)` with the places of the value's first and last byte; the name
-- is nil when it cannot be read. Returns true, or nil and what is wrong.
local function walk(p, n, visit, a, b)
  local i, count = skip_space(p, 0, n), 0
  if i >= n or p[i] ~= OPEN_BRACE then return nil, "it is not a JSON object" end
  i = skip_space(p, i + 1, n)
  local more = i >= n or p[i] ~= CLOSE_BRACE
  while more do
    count = count + 1
    if count > MAX_MEMBERS then return nil, ("it has more than %d members"):format(MAX_MEMBERS) end
    if i >= n or p[i] ~= QUOTE then return nil, "a member's name is missing" end
    local behind = skip_string(p, i + 1, n)
    if not behind then return nil, "it ends inside a string" end
    local name
    if behind - i <= MAX_NAME then name = text(p, i, behind - 1) end
    i = skip_space(p, behind, n)
    if i >= n or p[i] ~= COLON then return nil, "a colon is missing" end
    i = skip_space(p, i + 1, n)
    behind = skip_value(p, i, n)
    if not behind then return nil, "a value is missing or does not end" end
    visit(name, i, behind - 1, a, b, p)
    i = skip_space(p, behind, n)
    if i >= n or (p[i] ~= COMMA and p[i] ~= CLOSE_BRACE) then return nil, "a comma is missing" end
    more = p[i] == COMMA
    if more then i = skip_space(p, i + 1, n) end
  end
  if skip_space(p, i + 1, n) < n then return nil, "there is text behind the object" end
  return true
end

local function note(name, first, last, from, to)
  if KNOWN[name] then from[name], to[name] = first, last end
end

--- Scans an object. Returns a table `name → place of the value's first byte` for the members that the router knows, with nil or
-- false for those that are not there, and one with the places of their last bytes. Of a name that comes twice the last one counts, as
-- for JSON.parse and Python. Returns nil and the reason when the text is not an object or ends early.
function M.members(p, n)
  local from, to = usual(), usual()
  local read, fault = walk(p, n, note, from, to)
  if not read then return nil, fault end
  return from, to
end

local unreadable -- of the object that `parts` walks over, which is one at a time: whether it has a name that cannot be read

local function collect(name, first, last, values, names, p)
  if not name then
    unreadable = true
    return
  end
  if not values[name] then names[#names + 1] = name end
  values[name] = ffi.string(p + first, last - first + 1)
end

--- The members of an object, each with the length of its name, its name and its value, in the order of their names and without white
-- space around them; of a name that comes twice the last one counts. nil for what is not an object, or has a name that cannot be
-- read: engines may.
function M.parts(p, n)
  local values, names = {}, {}
  unreadable = false
  if not walk(p, n, collect, values, names) or unreadable then return nil end
  table.sort(names)
  for i = 1, #names do
    local name = names[i]
    names[i] = #name .. ":" .. name .. values[name]
  end
  return names
end

--- The string at a member's place; nil when it is not a string.
function M.string(p, from, to)
  if from and p[from] == QUOTE then return text(p, from, to) end
end

M.skip = skip_value

--- Number of the values in a list, counted no further than to `most`; 1 for what is no list.
function M.length(p, from, to, most)
  local n, i, count = to + 1, skip_space(p, from + 1, to + 1), 0
  if p[from] ~= OPEN_BRACKET then return 1 end
  while i and i < to and count < most do
    count = count + 1
    i = skip_value(p, i, n)
    i = i and skip_space(p, i, n)
    if i and p[i] == COMMA then i = skip_space(p, i + 1, n) end
  end
  return count
end

--- Number of the strings or lists in a list, counted likewise; 1 for every other value, lists of numbers and objects too.
function M.count(p, from, to, most)
  local i = skip_space(p, from + 1, to + 1)
  if p[from] ~= OPEN_BRACKET or p[i] ~= QUOTE and p[i] ~= OPEN_BRACKET then return 1 end
  return M.length(p, from, to, most)
end

--- Walks over the members of all objects in a value, however deep: `visit(name, p, first, n, state)` with the place of the member's
-- value, and that behind the whole. Returns false when there are more than `most`.
function M.each_member(p, from, to, most, visit, state)
  local n, count = to + 1, 0
  local quote = next_quote(p, from, n)
  while quote do
    local behind = skip_string(p, quote + 1, n)
    if not behind then return true end
    local colon = skip_space(p, behind, n)
    if colon < n and p[colon] == COLON then
      count = count + 1
      if count > most then return false end
      local name = behind - quote <= MAX_NAME and text(p, quote, behind - 1)
      if name then visit(name, p, skip_space(p, colon + 1, n), n, state) end
    end
    quote = next_quote(p, behind, n)
  end
  return true
end

local TRUE = { ["1"] = true, on = true, t = true, ["true"] = true, y = true, yes = true }

--- Does vLLM take a text for true? https://docs.pydantic.dev/latest/api/standard_library_types/#booleans
function M.is_truth(word)
  return word ~= nil and TRUE[word:lower()] == true
end

--- True when vLLM takes the member's value for true.
function M.is_true(p, from, to)
  if not from then return false end
  if p[from] == 116 then return true end -- `true`: no other literal begins with t
  if p[from] == QUOTE then return to - from < 64 and M.is_truth(text(p, from, to)) end
  return (p[from] == 49 or p[from] == 48) and tonumber(ffi.string(p + from, to - from + 1)) == 1 -- 1, 1.0, 0.1e1
end

--- The number at a member's place; nil when it is not a number.
function M.number(p, from, to)
  return from and p[from] ~= QUOTE and tonumber(ffi.string(p + from, to - from + 1)) or nil
end

return M

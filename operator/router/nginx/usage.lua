--- Reads the tokens that an answer used, only from the place where its API states them: a client can have the engine repeat the same
-- words elsewhere. Reads each byte once, as the answer passes, and keeps a few of them. Takes the usage event out of streams whose client
-- did not ask for it.
local ffi = require "ffi"

local C = ffi.C
pcall(ffi.cdef, "void *memchr(const void *s, int c, size_t n);")
pcall(ffi.cdef, "size_t strcspn(const char *s, const char *reject);")
pcall(ffi.cdef, "unsigned long strtoul(const char *s, char **end, int base);")
local BYTES, CHARS = ffi.typeof("const uint8_t *"), ffi.typeof("const char *")

local byte, find, match, sub, concat = string.byte, string.find, string.match, string.sub, table.concat
local QUOTE, BACKSLASH, COMMA, NEWLINE, SPACE = 34, 92, 44, 10, 32
local OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET = 123, 125, 91, 93

local M = {}

-- Members of an event that hold the answer, or the end of it: of the Responses, Messages and Cohere APIs.
local HOLDERS = { response = true, message = true, delta = true }
local MAX_NAME = 8 -- bytes of the longest name above
local MAX_TOKENS = 1e9 -- of one answer; what an engine says beyond is no number to count with
local MAX_USAGE = 4096 -- bytes of a usage object
local MAX_FINGERPRINT = 256 -- bytes of the end of an event in which it is looked for
local MAX_EVENT = 65536 -- bytes of an event that may be the usage event
local MAX_PIECES = 128 -- that are kept of either, each of which takes memory of its own
local TEXT_BYTES = 4 -- of a token, on average
local LOGPROB_BYTES = 64 -- of a token whose probability comes with it, at least
local FRAME = 512 -- bytes of an event without text, at most: the events of completions all have some
local STRUCTURE = '"{}[],\n' -- all bytes that mean something outside of strings
local STEP = 32 -- bytes from which on it is faster to ask C for the next of those

--- The number behind a name, from a place in the text on; false when there is none. Read by C: LuaJIT would end the trace of the phase
-- at a loop.
local function number_behind(text, name, start)
  local _, at = find(text, name, start, true)
  if not at then return false end
  local c = byte(text, at + 1)
  if c == SPACE then c = byte(text, find(text, "[^ ]", at + 1) or #text + 1) end
  if not c or c < 48 or c > 57 then return false end
  return math.min(tonumber(C.strtoul(ffi.cast(CHARS, text) + at, nil, 10)), MAX_TOKENS)
end

--- Takes note of the usage object that begins at `start` and ends with the text.
local function note(ctx, text, start)
  local prompt = number_behind(text, '"prompt_tokens":', start) or number_behind(text, '"input_tokens":', start)
  local completion = number_behind(text, '"completion_tokens":', start) or number_behind(text, '"output_tokens":', start)
  if not prompt and not completion then prompt = number_behind(text, '"total_tokens":', start) end
  if prompt then ctx.prompt_tokens = prompt end
  if completion then ctx.completion_tokens = completion end
end

--- `depth` of brackets; `level`: depth of the object whose members are looked at, which is 1 or, in a holder, 2; `name` of the
-- member that is being read; `events` that have begun; `frame`: bytes of the smallest event so far, which has next to no text; `text`:
-- tokens by the bytes of events beyond that.
local function new_state()
  return {
    depth = 0, level = 1, in_string = false, odd = false, at_name = false, naming = false, part = "", name = "", events = 0,
    parts = false, size = 0, usage_depth = 0, frame = false, text = 0,
  }
end

--- Ends the string that is a member's name, whose last bytes are in the chunk from `from` to `to`, which count from 0.
local function end_name(s, chunk, from, to)
  s.naming = false
  local length = #s.part + to - from
  s.name = length <= MAX_NAME and s.part .. sub(chunk, from + 1, to) or ""
end

--- Passes over a string from `i` on; returns the place behind it, or `n` when it goes on in the next chunk.
local function pass_string(s, chunk, p, i, n)
  local start = i
  while true do
    local found = C.memchr(p + i, QUOTE, n - i)
    local stop = found ~= nil and tonumber(ffi.cast(BYTES, found) - p) or n
    local b = stop - 1
    while b >= i and p[b] == BACKSLASH do b = b - 1 end
    local odd = (stop - 1 - b) % 2 == 1
    if b < i and s.odd then odd = not odd end -- the run began in the chunk before
    s.odd = false
    if stop == n then
      s.odd = odd
      if s.naming then s.part = sub(s.part .. sub(chunk, start + 1, math.min(n, start + MAX_NAME + 1)), 1, MAX_NAME + 1) end
      return n
    end
    i = stop + 1
    if not odd then
      s.in_string = false
      if s.naming then end_name(s, chunk, start, stop) end
      return i
    end
  end
end

--- Opens a bracket. Returns true when a usage object begins.
local function open(s, c, sse)
  local depth = s.depth
  s.depth = depth + 1
  if depth == 0 then
    s.events, s.at_name, s.name = s.events + 1, true, ""
  elseif depth == s.level and c == OPEN_BRACE and not s.parts then
    if s.name == "usage" then return true end
    if sse and depth == 1 and HOLDERS[s.name] then s.level, s.at_name, s.name = 2, true, "" end
  end
end

local function close(s)
  local depth = s.depth - 1
  s.depth = depth < 0 and 0 or depth
  if depth < s.level then s.level, s.name = 1, "" end
end

--- Adds a piece to a list. Many become one.
local function append(pieces, piece)
  local n = #pieces + 1
  pieces[n] = piece
  if n < MAX_PIECES then return end
  pieces[1] = concat(pieces)
  for i = n, 2, -1 do pieces[i] = nil end
end

--- Takes what the chunk has of a usage object, from `from` to `to`, which count from 0.
local function keep(s, chunk, from, to)
  s.size = s.size + to - from
  if s.size <= MAX_USAGE then append(s.parts, sub(chunk, from + 1, to)) end
end

--- Place of the next byte that means something, from `i` on.
local function next_structure(p, i, n)
  local stop = i + STEP < n and i + STEP or n
  while i < stop do
    local c = p[i]
    if c == QUOTE or c == COMMA or c == NEWLINE or c == OPEN_BRACE or c == CLOSE_BRACE or c == OPEN_BRACKET or c == CLOSE_BRACKET then
      return i
    end
    i = i + 1
  end
  if i < n then i = i + tonumber(C.strcspn(ffi.cast("const char *", p + i), STRUCTURE)) end
  return i < n and i or n
end

local function read(ctx, s, chunk, sse)
  local p, n, i, from = ffi.cast(BYTES, chunk), #chunk, 0, 0
  while i < n do
    if s.in_string then
      i = pass_string(s, chunk, p, i, n)
    else
      i = next_structure(p, i, n)
      if i == n then break end
      local c = p[i]
      if c == QUOTE then
        s.in_string, s.odd = true, false
        s.naming = s.at_name and s.depth == s.level
        if s.naming then s.at_name, s.part = false, "" end
      elseif c == COMMA then
        if s.depth == s.level then s.at_name, s.name = true, "" end
      elseif c == OPEN_BRACE or c == OPEN_BRACKET then
        if open(s, c, sse) then s.parts, s.size, s.usage_depth, from = {}, 0, s.depth, i end
      elseif c == NEWLINE then
        if sse then s.depth, s.level, s.parts = 0, 1, false end -- an event's JSON is one line
      else
        close(s)
        if s.parts and s.depth < s.usage_depth then
          keep(s, chunk, from, i + 1)
          if s.size <= MAX_USAGE then note(ctx, concat(s.parts), 1) end
          s.parts = false
        end
      end
      i = i + 1
    end
  end
  if s.parts then keep(s, chunk, from, n) end
end

local function state_of(ctx)
  local s = ctx.usage
  if not s then
    s = new_state()
    ctx.usage = s
  end
  return s
end

--- The header of an answer in which embeddings as bytes say what they are.
function M.header(ctx, text)
  local at = find(text, '"usage"', -MAX_USAGE, true)
  if at then note(ctx, text, at) end
end

--- Does a chunk have probabilities? Chat and completions name them differently, and vLLM says `"logprobs":null` where there are none.
-- In text, these quotes would be escaped.
local function has_probabilities(chunk)
  return find(chunk, '"logprob":', 1, true) or find(chunk, '"token_logprobs":[', 1, true)
end

--- Adds the tokens that the bytes of a chunk make, in which `n` events began.
local function weigh(s, chunk, n)
  local bytes = #chunk - n * (s.frame or FRAME)
  if bytes <= 0 then return end
  s.text = s.text + bytes / (has_probabilities(chunk) and LOGPROB_BYTES or TEXT_BYTES)
end

--- Tokens that a stream has had for all that is known without its usage. Most engines send one in each event. Some send several:
-- with `--stream-interval` and speculative decoding, or where the client reads slowly. The usage of each event would be exact
-- (`continuous_usage_stats`), but would have to be read in each and taken out for most clients; bytes cost next to nothing.
function M.seen(ctx)
  local s = ctx.usage
  return s and math.max(s.events, math.floor(s.text)) or 0
end

--- One part of a stream, as the engine sent it. Whole events without usage, which most are, are only counted.
function M.stream(ctx, chunk)
  local s = state_of(ctx)
  local before = s.events
  if s.depth == 0 and not s.in_string and byte(chunk, -1) == NEWLINE and not find(chunk, '"usage"', 1, true) then
    local last, frame = 0, s.frame or FRAME
    local _, at = find(chunk, "\n\n", 1, true)
    while at do
      s.events = s.events + 1
      if at - last < frame then frame = at - last end
      last = at
      _, at = find(chunk, "\n\n", at + 1, true)
    end
    if s.events > before then s.frame = frame end
    return weigh(s, chunk, s.events - before)
  end
  read(ctx, s, chunk, true)
  return weigh(s, chunk, s.events - before)
end

--- Place of the usage object at the end of a whole answer, where most engines have it; nil when it is elsewhere. In JSON only a
-- member's name has quotes and a colon like that, and only one of the outermost object has but one bracket behind its value. Looked for
-- without its first quote: there are many of them, at each of which C would compare the rest.
local function usage_at_end(text)
  local n = #text
  local at = find(text, 'usage":{', -MAX_USAGE, true)
  at = at and at - 1
  if not at or byte(text, at) ~= QUOTE or byte(text, at - 1) ~= COMMA or byte(text, n) ~= CLOSE_BRACE then return nil end
  if not find(text, "{", at + 9, true) then return find(text, "}", at + 9, true) == n - 1 and at or nil end -- most have no objects in it
  local depth = 0
  for i = at + 8, n - 1 do
    local c = byte(text, i)
    if c == OPEN_BRACE then
      depth = depth + 1
    elseif c == CLOSE_BRACE then
      depth = depth - 1
      if depth == 0 then return i == n - 1 and at or nil end
    end
  end
end

--- One part of an answer that is no stream. The first one is kept until it is known whether it is all.
function M.plain(ctx, chunk, eof)
  local first = ctx.first_chunk
  if chunk ~= "" then
    if not first and not ctx.usage then
      ctx.first_chunk = chunk
    else
      local s = state_of(ctx)
      if first then
        ctx.first_chunk = false
        read(ctx, s, first, false)
      end
      read(ctx, s, chunk, false)
    end
  end
  first = eof and ctx.first_chunk
  if not first then return end
  local start = usage_at_end(first)
  if start then return note(ctx, first, start) end
  return read(ctx, state_of(ctx), first, false)
end

--- The member of a usage event that is to stay, as vLLM puts it at the end of the last event of a stream; nil when there is none.
local function fingerprint(event)
  local at = find(event, ',"system_fingerprint":"', -MAX_FINGERPRINT, true)
  return at and match(event, '^,"system_fingerprint":"[^"\\]*"', at)
end

--- An event with the fingerprint of another one, unless it has one.
local function signed(event, usage)
  local member = sub(event, -3) == "}\n\n" and not fingerprint(event) and fingerprint(usage)
  return member and sub(event, 1, -4) .. member .. "}\n\n" or event
end

--- Events without those that have the usage and nothing else. The last of the others gets the fingerprint, so one that has a
-- finish reason is held back until the next one is there.
local function without_usage(ctx, text)
  local last = ctx.finish
  if not last and not find(text, '"choices":[]', 1, true) and not find(text, '"finish_reason":"', 1, true) then return text end
  local out, start = {}, 1
  while start <= #text do
    local _, stop = find(text, "\n\n", start, true)
    local event = sub(text, start, stop or #text)
    if stop and find(event, '"choices":[]', 1, true) and find(event, '"usage":{', 1, true) then
      if last then last = signed(last, event) end
    else
      out[#out + 1], last = last, nil
      if stop and find(event, '"finish_reason":"', 1, true) then last = event else out[#out + 1] = event end
    end
    start = (stop or #text) + 1
  end
  ctx.finish = last
  return concat(out)
end

--- Place behind the last end of an event in the chunk; `behind` is whether the byte before the chunk is a newline.
local function last_end(chunk, behind)
  local n = #chunk
  if byte(chunk, n) == NEWLINE and (n == 1 and behind or byte(chunk, n - 1) == NEWLINE) then return n end
  local stop = behind and byte(chunk, 1) == NEWLINE and 1 or 0
  local at = stop
  repeat
    local _, last = find(chunk, "\n\n", at + 1, true)
    at = last
    stop = last or stop
  until not last
  return stop
end

--- What is held back: an event with a finish reason, and of one whose end is not there yet.
function M.held(ctx)
  local finish, held = ctx.finish or "", ctx.held
  ctx.finish, ctx.held = nil, nil
  return held and finish .. concat(held) or finish
end

--- One part of a stream: returns what the client is to get. Events are held back until their end is there, but none that is too
-- long to be the one to be taken out.
function M.strip(ctx, chunk, eof)
  local held = ctx.held
  if chunk == "" then return eof and without_usage(ctx, M.held(ctx)) .. M.held(ctx) or "" end
  local stop = eof and #chunk or last_end(chunk, ctx.newline)
  ctx.newline = byte(chunk, #chunk) == NEWLINE
  local out = ""
  if stop > 0 then
    out = sub(chunk, 1, stop)
    ctx.passing = false
    if held then
      held[#held + 1] = out
      out = concat(held)
      ctx.held, held = nil, nil
    end
    out = without_usage(ctx, out)
    if stop == #chunk then return eof and out .. M.held(ctx) or out end
    chunk = sub(chunk, stop + 1)
  end
  if ctx.passing then return out .. chunk end
  held = held or { size = 0 }
  append(held, chunk)
  held.size, ctx.held = held.size + #chunk, held
  if held.size <= MAX_EVENT then return out end
  ctx.passing = true
  return out .. M.held(ctx)
end

return M

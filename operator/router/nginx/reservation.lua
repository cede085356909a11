--- Tokens to reserve for a request, by its body: how many it may use before its engine says what it did, and how many an engine may
-- say at most. Engines of other teams answer too, and a key's limit is not theirs to use up.
local ffi = require "ffi"
local scan = require "scan"

local M = {}

local TEXT, AUDIO = 4, 32 -- bytes of a request that make a token, about
-- Tokens of a picture, sound or video in a prompt, whatever its length: about what most models make of a large one. Of a picture Pixtral
-- makes up to 4096, InternVL 3328, LLaVA-NeXT 2928; Qwen-VL 16384 of 12.8 megapixels, and about as many of a video of 32 frames.
local MEDIUM, VIDEO = 4096, 16384
-- Members of the APIs that hold one. https://docs.vllm.ai/en/latest/features/multimodal_inputs.html
local MEDIA = {
  image_url = MEDIUM, image_pil = MEDIUM, image_embeds = MEDIUM, source = MEDIUM,
  audio_url = MEDIUM, input_audio = MEDIUM, audio_embeds = MEDIUM,
  video_url = VIDEO, video_embeds = VIDEO,
}
-- Members that prompts are in.
local PROMPTS = {
  "messages", "prompt", "input", "inputs", "token_ids", "query", "queries", "documents", "items", "text_1", "text_2", "data_1", "data_2",
}
-- What is scored: one query is computed with each of the documents, unless there are as many queries.
local PAIRS = {
  query = { "documents", "items" }, queries = { "documents", "items" }, text_1 = { "text_2" }, data_1 = { "data_2" },
}
-- Tokens that are reserved for an answer of no stated length, and the part of the limit that they are at most.
local UNSTATED, UNSTATED_PART = 1024, 0.1
-- What a prompt may have at most: tokens for one that is counted above, of bytes that are a token each, and tokens of its template.
local DENSEST, TEMPLATE = 4, 1024
-- To older engines, such as vLLM 0.10, 0 of this is the same as none; later ones refuse it.
local UNLIMITED_BY_ZERO = "max_completion_tokens"
local LONGEST = 131072 -- tokens of an answer at most, where the model's length is not known
local MOST = 1e9
local QUOTE, OPEN_BRACE, OPEN_BRACKET, COMMA = 34, 123, 91, 44
local MAX_NUMBER = 32 -- bytes
local MAX_PROMPTS = 65536 -- of one request, counted; more make it as large as any
local MAX_NAMES = 65536 -- members in all of a prompt; likewise

--- The number at a member's place, in any spelling that vLLM accepts; endless when it cannot be read, nil when there is none.
local function number_at(p, from, to, name)
  local at = from[name]
  if not at then return nil end
  local size = to[name] - at + 1
  local text = ffi.string(p + at, math.min(MAX_NUMBER, size))
  if text == "null" then return nil end
  local number = size <= MAX_NUMBER and tonumber((text:gsub('["_]', "")))
  return number and number == number and number or math.huge
end

local function most(a, b)
  return a and b and math.max(a, b) or a or b
end

--- The length of an answer and the number of answers, as far as one object says.
local function stated(from, to, p)
  local length
  for _, name in ipairs { "max_tokens", "max_completion_tokens", "max_output_tokens" } do
    local number = number_at(p, from, to, name)
    if name == UNLIMITED_BY_ZERO and number == 0 then number = nil end
    length = most(length, number)
  end
  return length, most(number_at(p, from, to, "n"), number_at(p, from, to, "best_of"))
end

--- Prompts, or conversations, that are answered each on its own.
local function prompts(from, to, p)
  local number = 1
  for _, name in ipairs { "prompt", "messages", "prompt_embeds" } do
    if from[name] then number = math.max(number, scan.count(p, from[name], to[name], MAX_PROMPTS)) end
  end
  return number < MAX_PROMPTS and number or math.huge
end

--- Tokens that an answer may have at most, as far as the request says, the number of answers, and that of prompts; endless where it
-- cannot be read.
local function stated_output(from, to, p)
  local length, answers = stated(from, to, p)
  local at = from.sampling_params
  if at and p[at] == OPEN_BRACE then
    local of, till = scan.members(p + at, to.sampling_params - at + 1)
    if not of then return math.huge, 1, 1 end
    local inner_length, inner_answers = stated(of, till, p + at)
    length, answers = most(length, inner_length), most(answers, inner_answers)
  end
  local number = prompts(from, to, p)
  return length and math.max(0, length), math.max(1, answers or 1) * number, number
end

--- Takes note of a member inside of a prompt, whose value begins at `first`. What is inside of a medium is no text; one in another is
-- not passed over once more.
local function note(name, p, first, n, seen)
  if name == "type" then seen.parts = seen.parts + 1 end
  local tokens = MEDIA[name]
  if not tokens then return end
  seen.tokens = seen.tokens + tokens
  if first < seen.behind then return end
  local behind = scan.skip(p, first, n) or n
  seen.bytes, seen.behind = seen.bytes + behind - first, behind
end

--- The product, of which endless times nothing is nothing.
local function times(a, b)
  return (a == 0 or b == 0) and 0 or a * b
end

--- Tokens in a list of numbers, or of such lists; nil for anything else.
local function token_ids(p, from, to)
  local i = from
  while i < to and (p[i] == OPEN_BRACKET or p[i] <= 32) do i = i + 1 end
  if i == from or p[i] < 48 or p[i] > 57 then return nil end
  local count = 1
  for at = i, to do
    if p[at] == QUOTE then return nil end
    if p[at] == COMMA then count = count + 1 end
  end
  return count
end

--- What `note` sees in a member; nil when that has too many members.
local function look(p, from, to)
  local seen = { tokens = 0, bytes = 0, behind = 0, parts = 0 }
  return scan.each_member(p, from, to, MAX_NAMES, note, seen) and seen or nil
end

--- Tokens of what is at a member's place, about.
local function measure(p, from, to)
  local ids = token_ids(p, from, to)
  if ids then return ids end
  local seen = look(p, from, to)
  return seen and (to - from + 1 - seen.bytes) / TEXT + seen.tokens or math.huge
end

--- How many texts are at a member's place.
local function count(p, from, to)
  return token_ids(p, from, to) and scan.count(p, from, to, MAX_PROMPTS) or scan.length(p, from, to, MAX_PROMPTS)
end

--- How many documents are at a member's place. Of one that is an object older engines score each part.
local function documents_at(p, from, to)
  if p[from] ~= OPEN_BRACE then return count(p, from, to) end
  local seen = look(p, from, to)
  return seen and math.max(1, seen.parts) or math.huge
end

--- Tokens of a prompt by the `n` bytes of its request, about, and how often it is computed.
local function prompt_of(from, to, p, n)
  local tokens, runs, sizes = n / TEXT, 1, {}
  for _, name in ipairs(PROMPTS) do
    local at = from[name]
    if at then
      sizes[name] = measure(p, at, to[name])
      tokens = tokens + sizes[name] - (to[name] - at + 1) / TEXT
    end
  end
  if from.images then tokens = tokens + MEDIUM * scan.length(p, from.images, to.images, MAX_PROMPTS) end
  for query, others in pairs(PAIRS) do
    for _, name in ipairs(others) do
      if sizes[query] and sizes[name] and count(p, from[query], to[query]) == 1 then
        local documents = documents_at(p, from[name], to[name])
        runs = math.max(runs, documents)
        tokens = tokens + times(sizes[query], documents - 1)
      end
    end
  end
  return math.ceil(tokens), runs
end

--- Tokens of a prompt by the `n` bytes of its request, about; endless where they cannot be counted. `from`, `to`, `p`: where the members of
-- its body are, if that is JSON.
function M.prompt(n, from, to, p)
  if not from then return math.ceil(n / AUDIO) end
  return (prompt_of(from, to, p, n))
end

--- What to reserve for a request of `n` bytes of a key with a limit: tokens of the prompt, all tokens, and how many an answer may charge at
-- most. `from`, `to`, `p`: where the members of its body are, if that is JSON.
function M.of(path, model, limit, n, from, to, p)
  if path.free or not n then return 0, 0, 0 end
  if not from then
    local prompt = math.ceil(n / AUDIO)
    local all = prompt + math.min(UNSTATED, limit * UNSTATED_PART)
    return prompt, all, DENSEST * prompt + TEMPLATE + (model.maxModelLen or LONGEST)
  end
  local prompt, runs = prompt_of(from, to, p, n)
  local length, answers, number = 0, 1, 1
  if path.sse then length, answers, number = stated_output(from, to, p) end
  local all = prompt + times(length or math.min(UNSTATED, limit * UNSTATED_PART), answers)
  local longest = math.min(length or math.huge, model.maxModelLen or LONGEST)
  local charge = DENSEST * prompt + TEMPLATE * math.max(runs, number) + times(longest, answers)
  return math.min(prompt, MOST), math.min(all, MOST), math.min(math.max(all, charge), MOST)
end

return M

--- Requests and tokens by model and tenant, until the operator has recorded them. Workers add up in tables of their own and put them on a
-- list in shared memory. The operator fetches the list in batches; a batch stays until the operator asks for what comes after it.
local cjson = require "cjson.safe"
local share = require "share"

local M = {
  -- Places in the counts of a tenant, as the protocol has them.
  REQUESTS = 1,
  PROMPT_TOKENS = 2,
  COMPLETION_TOKENS = 3,
  CACHED_REQUESTS = 4,
  CACHED_TOKENS = 5,
}

local LONGEST = 6 -- place of the tokens of the longest request, of which the highest counts, not the sum

local OTHER = "(other)" -- no name in Kubernetes
local MAX_PAIRS = 2000 -- of a model and a tenant that one worker counts separately
local MAX_COUNT = 1e12 -- of a batch, by the protocol: an engine may say any number of tokens
local MAX_BATCH_PAIRS = 6000 -- after which a batch takes no more of the list
local MAX_LIST_BYTES = 4 * 1024 * 1024 -- beyond, a worker keeps its counts, and goes on adding up
local LOCK = 5 -- seconds that making a batch may take

local pending, pairs_count, parts = {}, 0, share.new() -- pairs by namespace

--- The name by which a tenant of a model is counted: its own; that of its namespace where that has a third of the pairs; or `OTHER`
-- where it has half of them, or there are none left.
local function name_of(of_model, tenant)
  if of_model[tenant] then return tenant end
  local namespace, free = tenant:match("^[^/]*"), MAX_PAIRS - pairs_count
  if free > 0 and share.allows(parts, namespace, 1, free / 2) then return tenant end
  if of_model[namespace] or free > 0 and share.allows(parts, namespace, 1, free) then return namespace end
  return OTHER
end

local function counts_of(uid, tenant)
  local of_model = pending[uid]
  if not of_model then
    of_model = {}
    pending[uid] = of_model
  end
  local name = name_of(of_model, tenant)
  local counts = of_model[name]
  if counts then return counts end
  counts = { 0, 0, 0, 0, 0, 0 }
  of_model[name], pairs_count = counts, pairs_count + 1
  share.add(parts, name:match("^[^/]*"), 1)
  return counts
end

--- Adds to a count of a tenant of a model.
function M.add(model, tenant, place, n)
  local counts = counts_of(model.uid, tenant)
  counts[place] = math.min(counts[place] + n, MAX_COUNT)
end

--- Notes the length of a request in tokens, prompt and answer.
function M.note_length(model, tenant, tokens)
  local counts = counts_of(model.uid, tenant)
  counts[LONGEST] = math.min(math.max(counts[LONGEST], tokens), MAX_COUNT)
end

--- Puts what this worker has counted on the list, if that has room. Called every second.
function M.flush()
  if pairs_count == 0 then return end
  local shared = ngx.shared.usage
  if (shared:get("bytes") or 0) > MAX_LIST_BYTES then return end
  local text = cjson.encode(pending)
  if not text or not shared:lpush("list", text) then return end
  shared:incr("bytes", #text, 0)
  pending, pairs_count, parts = {}, 0, share.new()
end

--- Adds the counts of a worker to those of a batch. Returns how many pairs are new.
local function merge(batch, more)
  local new = 0
  for uid, tenants in pairs(more) do
    local of_model = batch[uid] or {}
    batch[uid] = of_model
    for tenant, counts in pairs(tenants) do
      local sums = of_model[tenant]
      if sums then
        for place = 1, LONGEST - 1 do sums[place] = math.min(sums[place] + counts[place], MAX_COUNT) end
        sums[LONGEST] = math.max(sums[LONGEST], counts[LONGEST])
      else
        of_model[tenant], new = counts, new + 1
      end
    end
  end
  return new
end

--- Takes tables off the list. Returns their sums, or nil when there are none.
local function take(shared)
  local batch, count = {}, 0
  while count < MAX_BATCH_PAIRS do
    local text = shared:rpop("list")
    if not text then break end
    shared:incr("bytes", -#text, 0)
    count = count + merge(batch, cjson.decode(text) or {})
  end
  return count > 0 and batch or nil
end

--- The batch after the one of this number, as JSON: the same one again until it is asked for what comes after that.
function M.batch(after)
  local shared = ngx.shared.usage
  local id = shared:get("id") or 0
  local text = shared:get("batch")
  if text and id > after then return text end
  local nothing = ('{"id":%.0f,"counts":{}}'):format(id)
  if not shared:add("taking", true, LOCK) then return nothing end -- another one asks at the same time
  local counts = take(shared)
  if counts then
    id = math.max(id + 1, math.floor(ngx.now() * 1000))
    text = ('{"id":%.0f,"counts":%s}'):format(id, cjson.encode(counts))
    shared:set("batch", text)
    shared:set("id", id)
  else
    shared:delete("batch")
  end
  shared:delete("taking")
  return counts and text or nothing
end

return M

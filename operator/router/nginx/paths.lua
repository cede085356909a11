--- The paths of vLLM that the router forwards; all else, such as its development and administration paths, does not exist.
-- methods: allowed methods. sse: how the path's streams end and report errors ("openai": `data: [DONE]`, "events": named
-- events). form: the body is a multipart form. query: the model is named by the query, because there is no body.
-- messages: the path is of Anthropic's Messages API, with its keys and errors. cache: answers may be kept. usage: its streams can
-- be asked for the tokens they used. free: the model does not run, so that no tokens are used. uncounted: nothing tells how many tokens
-- are used. upgrade: the connection may become a websocket. responses: it makes a response that could be stored. stored: it is
-- about one that was. name: the path itself, where it has no variable part.

local function json(sse, cache)
  return { methods = { POST = true }, allow = "POST", sse = sse, cache = cache }
end

local generate, events, compute = json("openai", true), json("events", false), json(nil, true)
local chat = json("openai", true)
chat.usage = true
local text = json(nil, true)
text.free = true
local responses = json("events", false)
responses.responses = true
local messages, count = json("events", false), json(nil, true)
messages.messages, count.messages, count.free = true, true, true
local form = { methods = { POST = true }, allow = "POST", sse = "openai", form = true }
local query = { methods = { GET = true }, allow = "GET", query = true, free = true }
local realtime = { methods = { GET = true }, allow = "GET", query = true, uncounted = true, upgrade = true }

local M = {}

--- Paths without a variable part: what is known of each.
M.exact = {
  ["/v1/chat/completions"] = chat,
  ["/v1/chat/completions/batch"] = generate,
  ["/v1/completions"] = chat,
  ["/v1/responses"] = responses,
  ["/v1/messages"] = messages,
  ["/v1/messages/count_tokens"] = count,
  ["/cohere/v2/chat"] = events,
  ["/inference/v1/generate"] = generate,
  ["/v1/chat/completions/render"] = text,
  ["/v1/completions/render"] = text,
  ["/v1/chat/completions/derender"] = text,
  ["/v1/completions/derender"] = text,
  ["/generative_scoring"] = compute,
  ["/invocations"] = chat,
  ["/v1/embeddings"] = compute,
  ["/v2/embed"] = compute,
  ["/pooling"] = compute,
  ["/classify"] = compute,
  ["/score"] = compute,
  ["/v1/score"] = compute,
  ["/rerank"] = compute,
  ["/v1/rerank"] = compute,
  ["/v2/rerank"] = compute,
  ["/tokenize"] = text,
  ["/detokenize"] = text,
  ["/tokenizer_info"] = query,
  ["/v1/realtime"] = realtime,
  ["/v1/audio/transcriptions"] = form,
  ["/v1/audio/translations"] = form,
}

local response = { methods = { GET = true, POST = true, DELETE = true }, allow = "GET, POST, DELETE", stored = true }

for path, known in pairs(M.exact) do
  local own = { name = path }
  for name, value in pairs(known) do own[name] = value end
  M.exact[path] = own
end

--- What is known of a path; nil when the router does not serve it.
function M.of(path)
  local known = M.exact[path]
  if known then return known end
  if path:find("^/v1/responses/[^/]+$") or path:find("^/v1/responses/[^/]+/%l[%l_]*$") then return response end
end

return M

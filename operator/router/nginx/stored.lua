--- Responses that vLLM stores are in the memory of the one engine that made them, and nobody else knows which that is. The router
-- says so, instead of asking engines that do not have them.
local M = {}

local WHY = "this router does not serve stored responses (retrieve, cancel, delete, previous_response_id, background)."

--- What to answer for a stored response.
M.MESSAGE = "There is no such response: " .. WHY

local FALSE, NULL = ("f"):byte(), ("n"):byte()

--- What is wrong with a request for a new response, and which of its members; nil when it needs nothing that is stored.
-- Places are those of the scanner.
function M.refusal(from, p)
  local previous, background = from.previous_response_id, from.background
  if previous and p[previous] ~= NULL then
    return "Send the whole conversation as `input`: " .. WHY, "previous_response_id"
  end
  if background and p[background] ~= NULL and p[background] ~= FALSE then
    return "Leave `background` out, and stream the answer if it takes long: " .. WHY, "background"
  end
end

return M

--- Fair parts of what all namespaces share in a router: one may have more only while that is no more than what is free, so that there
-- is always something left for another. One alone gets half of it in a router of one worker, two thirds in one of two: each worker
-- knows its own requests, and what all of them have in sum.
local M = {}

--- A new thing to share.
function M.new()
  return {}
end

--- Adds to what a namespace has; a negative number gives back.
function M.add(parts, namespace, n)
  local own = (parts[namespace] or 0) + n
  parts[namespace] = own ~= 0 and own or nil
end

--- May a namespace have `n` more, of which `free` are free? One that has nothing may always have some.
function M.allows(parts, namespace, n, free)
  local own = parts[namespace]
  return not own or own + n <= free
end

return M

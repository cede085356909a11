--- Makes the metrics for those who ask for them, in a fifth of a worker's time however many ask: with thousands of models one takes tens
-- of milliseconds, in which the worker does nothing else.
local M = {}

local REST = 4 -- times as long as one took until the next
local LEAST = 0.001 -- seconds: nginx's clock has milliseconds

local made, rested, text = 0, 0, nil -- number of those made, when the next may be, and the last one

--- The text that `make` returns, made after this was called: one for all who wait for it.
function M.get(make)
  local before = made
  while made == before do
    local left = rested - ngx.now()
    if left > 0 then
      ngx.sleep(math.max(LEAST, left)) -- one of less is none, and would not let time pass
    else
      ngx.update_time()
      local began = ngx.now()
      text = make()
      ngx.update_time()
      made, rested = made + 1, ngx.now() + REST * math.max(LEAST, ngx.now() - began)
    end
  end
  return text
end

return M

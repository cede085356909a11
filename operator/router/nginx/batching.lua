--- Requests of a model that arrive in one window are released together. Windows begin at multiples of their length since 1970, so that
-- all workers have the same ones without telling each other, and a request waits half of one on average.
local batch_window = require "batch_window"
local metrics = require "metrics"
local spans = require "spans"

local M = {}

local function count(ctx, model, since, edge)
  local histograms, labels = model.histograms, { "model", model.name, "namespace", model.namespace }
  histograms.batch_seconds = histograms.batch_seconds or metrics.histogram("batch_seconds", unpack(labels))
  metrics.observe(histograms.batch_seconds, ngx.now() - since)
  if batch_window.is_first(model.slot, edge) then metrics.add(metrics.series("batches_total", unpack(labels)), 1) end
  if ctx.span then spans.part(ctx.span, "batch window", since) end
end

--- True for a request that generates something, at a model that is awake, and that has not waited for a window before.
function M.applies(ctx, model)
  return #model.live > 0 and not ctx.path.free and not ctx.path.upgrade and not ctx.redispatches
end

--- Waits for the end of the window that a request arrived in.
function M.wait(ctx, model)
  local length = batch_window.length(model)
  if length == 0 then return end
  local since = ngx.now()
  local edge = (math.floor(since / length) + 1) * length
  ngx.sleep(edge - since)
  count(ctx, model, since, edge)
end

return M

-- LuaJIT inside of nginx.
std = "ngx_lua"
max_line_length = false
files["operator/router/nginx/worker.lua"] = { globals = { "router" } }
-- Counts what the string library does, and therefore takes its place.
files["test/integration/router/support/growth.lua"] = { globals = { "string", "ngx" } }
-- Move the clock themselves.
files["test/integration/router/support/scrapes.lua"] = { globals = { "ngx" } }
files["test/integration/router/support/batch-windows.lua"] = { globals = { "ngx" } }

--- The text of a stored answer: when it was made, its header, its body. Read with distrust: whoever has the password of Redis can
-- write there, and a Redis in trouble may have anything.
local media_type = require "media_type"

local M = {}

local FORMAT = "3" -- first in the text, and part of the key: routers of several versions share one Redis
local MAX_HEADER = 16384 -- bytes; an answer with a longer one is not stored
local MAX_TOKENS = 2e9 -- of an answer, as usage.lua counts them
local MAX_PARSED, MAX_COUNT = 1024, 256 -- bytes of a header, and headers, that a worker keeps parsed

-- What belongs to one exchange and not to the answer (RFC 9111, 3.1), what nginx and this router write themselves, what CORS says to
-- one origin, and validators: nginx would answer a POST by them, which RFC 9110 has for GET.
local DROPPED = {
  connection = true, ["keep-alive"] = true, te = true, trailer = true, ["transfer-encoding"] = true, upgrade = true,
  ["content-length"] = true, date = true, server = true, age = true, ["set-cookie"] = true, ["x-cache"] = true,
  ["x-request-id"] = true, ["x-degraded"] = true, traceparent = true, tracestate = true, ["server-timing"] = true,
  ["x-content-type-options"] = true, etag = true, ["last-modified"] = true,
}

-- What nginx hides of an engine's answer (proxy_hide_header), because it is about the host, and redirects: an entry has none of them
-- unless somebody else wrote it.
for _, name in ipairs {
  "accept-ch", "alt-svc", "clear-site-data", "critical-ch", "expect-ct", "link", "location", "nel", "public-key-pins", "refresh",
  "report-to", "reporting-endpoints", "service-worker-allowed", "set-cookie2", "set-login", "strict-transport-security",
  "use-as-dictionary", "www-authenticate",
} do DROPPED[name] = true end

local function is_dropped(name)
  return DROPPED[name] or name:find("^proxy%-") or name:find("^access%-control%-") or name:find("^x%-accel%-")
end

--- Would a header come back as it was? nginx leaves out what is empty; other names are in no API, and `parse` takes no risk with them.
local function is_plain(name, value)
  return value ~= "" and name:find("^[%w_-]+$") ~= nil
end

local function text_of(value)
  if type(value) == "table" then value = table.concat(value, ", ") end
  return value and tostring(value):lower()
end

--- For how many seconds the engine lets a shared cache use an answer: at most `ttl`, 0 for not at all.
local function seconds_of(header, ttl)
  if ngx.var.upstream_http_set_cookie then return 0 end -- which clients do not get
  -- Routers ask every engine for the same encoding. Of an answer, only CORS headers differ by origin, and these are dropped.
  local vary = text_of(header["vary"])
  if vary and vary:gsub("accept%-encoding", ""):gsub("origin", ""):find("[^%s,]") then return 0 end
  local control = text_of(header["cache-control"])
  if not control then return ttl end
  if control:find("no-store", 1, true) or control:find("no-cache", 1, true) or control:find("private", 1, true) then return 0 end
  local age = control:match("s%-maxage%s*=%s*\"?(%d+)") or control:match("max%-age%s*=%s*\"?(%d+)")
  return age and math.min(tonumber(age), ttl) or ttl
end

--- Header phase: the lines of the answer's header that are stored with it, and for how many seconds; nil when it must not be.
function M.header_of_answer(ttl)
  local header, truncated = ngx.resp.get_headers()
  local seconds = not truncated and seconds_of(header, ttl) or 0
  if seconds < 1 then return nil end
  local lines, size = {}, 0
  for name, value in pairs(header) do
    if not is_dropped(name) then
      for _, one in ipairs(type(value) == "table" and value or { value }) do
        if not is_plain(name, one) then return nil end
        local line = name .. ": " .. one .. "\n"
        lines[#lines + 1], size = line, size + #line
      end
    end
  end
  if size > MAX_HEADER then return nil end
  return table.concat(lines), seconds
end

--- The text to store of `header`, as `header_of_answer` gives it, a body, and the tokens that the answer used.
function M.encode(header, body, tokens)
  return ("%s %d %d %d %d\n"):format(FORMAT, ngx.time(), #header, #body, tokens) .. header .. body
end

--- The entry that a text holds: `age` in seconds, `header` as lines, `body`, `tokens`. nil when it is not whole, or older than `ttl` seconds.
function M.decode(text, ttl)
  local made, header, body, tokens, start = text:match("^" .. FORMAT .. " (%d+) (%d+) (%d+) (%d+)\n()")
  if not made then return nil end
  header, body = tonumber(header), tonumber(body)
  if header > MAX_HEADER or #text ~= start - 1 + header + body then return nil end
  local age = math.max(0, ngx.time() - tonumber(made))
  if age > ttl then return nil end
  tokens = math.min(tonumber(tokens), MAX_TOKENS)
  return { age = age, header = text:sub(start, start + header - 1), body = text:sub(start + header), tokens = tokens }
end

--- The header in lines, as pairs of a name and its value or values. With distrust: see above.
local function parse(lines)
  local pairs_of, places = {}, {}
  for line in lines:gmatch("([^\n]*)\n") do
    local name, value = line:match("^([%w_-]+): (.*)$")
    name = name and name:lower()
    if name and not is_dropped(name) then
      local one = places[name]
      if not one then
        pairs_of[#pairs_of + 1], pairs_of[#pairs_of + 2] = name, value
        places[name] = #pairs_of
      elseif type(pairs_of[one]) == "table" then
        table.insert(pairs_of[one], value)
      else
        pairs_of[one] = { pairs_of[one], value }
      end
    end
  end
  return pairs_of
end

local parsed, parsed_count = {}, 0 -- by lines: answers of one engine have the same few headers

--- Gives the answer to this request the header of an entry.
function M.set_header(lines)
  local pairs_of = parsed[lines]
  if not pairs_of then
    pairs_of = parse(lines)
    if #lines <= MAX_PARSED then
      if parsed_count == MAX_COUNT then parsed, parsed_count = {}, 0 end
      parsed[lines], parsed_count = pairs_of, parsed_count + 1
    end
  end
  local header = ngx.header
  for i = 1, #pairs_of, 2 do header[pairs_of[i]] = pairs_of[i + 1] end
  header["Content-Type"] = media_type.of(header["Content-Type"])
end

M.FORMAT = FORMAT

return M

-- Counts the work of the router's parsers on hostile input of one, two and four times a size: instructions of the interpreter, and
-- bytes that the string library looks at or copies. Prints a line for each parser: its name and the three counts.
-- Runs when nginx starts, because Debian's luajit cannot be installed beside nginx's Lua; the router's files are on its path.
jit.off()

local work = 0
local find, sub, match, gsub = string.find, string.sub, string.match, string.gsub
string.find = function(text, pattern, from, plain)
  local found = { find(text, pattern, from, plain) }
  local start = from or 1
  if pattern:byte() ~= 94 or plain then work = work + (found[2] or #text) - start + 1 end
  return unpack(found, 1, math.max(#found, 1))
end
string.sub = function(...)
  local part = sub(...)
  work = work + #part
  return part
end
string.match = function(text, ...)
  work = work + #text
  return match(text, ...)
end
string.gsub = function(text, ...)
  work = work + #text
  return gsub(text, ...)
end

ngx.req.set_uri = function() end
local ffi = require "ffi"
local form, reservation, scan, target = require "form", require "reservation", require "scan", require "target"

local function json(text)
  local bytes = ffi.cast("const uint8_t *", text)
  scan.members(bytes, #text)
  scan.parts(bytes, #text)
end
local function prompt(text)
  local bytes = ffi.cast("const uint8_t *", text)
  local from, to = scan.members(bytes, #text)
  reservation.of({ sse = "openai" }, {}, 1000, #text, from, to, bytes)
end
local function multipart(text)
  form.fields(text, "multipart/form-data; boundary=X", { model = true })
end
local function path(text)
  target.path({ uri = "/v1/models", request_uri = text })
end
local function rep(n, text) return text:rep(n) end
local function members(n)
  local list = {}
  for i = 1, n / 200 do list[i] = ('"k%d":1'):format(i) end
  return "{" .. table.concat(list, ",") .. "}"
end

local cases = {
  { "json: members", json, members },
  { "json: a string of backslashes", json, function(n) return '{"a":"' .. rep(n, "\\\\") .. '"}' end },
  { "json: a string of escaped quotes", json, function(n) return '{"a":"' .. rep(n, '\\"') .. '"}' end },
  { "json: strings of backslashes", json, function(n) return '{"a":[' .. rep(n / 10, '"\\\\\\\\",') .. '1]}' end },
  { "json: depth", json, function(n) return '{"a":' .. rep(n, "[") .. rep(n, "]") .. "}" end },
  { "json: a string that does not end", json, function(n) return '{"a":"' .. rep(n, "\\") end },
  { "json: a long name", json, function(n) return '{"' .. rep(n, "\\u0061") .. '":1}' end },
  { "json: white space", json, function(n) return "{" .. rep(n, " ") .. '"a"' .. rep(n, "\n") .. ":1}" end },
  { "prompt: media in media", prompt, function(n) return '{"messages":' .. rep(n / 20, '{"image_url":') .. "1" .. rep(n / 20, "}") .. "}" end },
  { "prompt: lists of documents", prompt, function(n) return '{"query":"a","documents":[' .. rep(n / 20, '"a",') .. '"a"]}' end },
  { "prompt: tokens", prompt, function(n) return '{"prompt":[' .. rep(n / 20, "1,") .. "1]}" end },
  { "form: parts", multipart, function(n) return rep(n / 400, "--X\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n") .. "--X--" end },
  { "form: parts without an end", multipart, function(n) return rep(n, "--X\r\n\r\n\r\n") end },
  { "form: what begins like a boundary", multipart, function(n) return "--X\r\nContent-Disposition: form-data; name=a\r\n\r\n" .. rep(n, "\r\n--X?") end },
  { "form: a header that does not end", multipart, function(n) return "--X\r\n" .. rep(n, "a: b\r\n") .. "\r\n--X--" end },
  { "form: parameters", multipart, function(n) return "--X\r\nContent-Disposition: form-data" .. rep(n, "; filename=a") .. "\r\n\r\n1\r\n--X--" end },
  { "path: slashes", path, function(n) return rep(n, "/") .. "v1/models" .. rep(n, "/") end },
  { "path: a query", path, function(n) return "/v1/models?" .. rep(n, "//?") end },
}

for _, case in ipairs(cases) do
  local name, parse, make = unpack(case)
  local counts = {}
  for i, size in ipairs { 20000, 40000, 80000 } do
    local input = make(size)
    work = 0
    debug.sethook(function() work = work + 1 end, "", 1)
    parse(input)
    debug.sethook()
    counts[i] = work
  end
  io.stdout:write(("%s\t%d\t%d\t%d\n"):format(name, unpack(counts)))
end

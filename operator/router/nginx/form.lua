--- Finds the text fields of a multipart form (RFC 7578). vLLM's parser is the one that counts, so what that one could read in
-- another way is refused: parameters in pieces (RFC 2231), escaped names, folded or repeated headers.
local find, lower, match, sub = string.find, string.lower, string.match, string.sub

local M = {}

local MAX_PARTS = 256
local MAX_HEAD = 4096 -- bytes of a part's header

--- The boundary that a Content-Type names; nil without a single plain one, or with a charset that fields would be decoded by.
local function boundary_of(content_type)
  local plain = lower(content_type)
  local parameters = match(plain, "^%s*multipart/form%-data%s*(;.*)$")
  if not parameters then return nil end
  local _, last = find(parameters, ";%s*boundary=")
  if not last or select(2, parameters:gsub("boundary", "")) ~= 1 then return nil end
  local charsets = select(2, parameters:gsub("charset", ""))
  if charsets > 1 or charsets == 1 and not find(parameters, ';%s*charset="?utf%-8"?%s*%f[;%z]') then return nil end
  local given = sub(content_type, #content_type - #parameters + last + 1)
  local boundary, rest = match(given, '^"([^"\\]+)"(.*)$')
  if not boundary then boundary, rest = match(given, "^([^%s;\"]+)(.*)$") end
  return boundary and #boundary <= 70 and (rest == "" or find(rest, "^%s*;")) and boundary or nil
end

--- Place behind the quoted string that begins at `at`, and its text; nil when it does not end.
local function quoted(text, at)
  local from = at + 1
  while true do
    local stop = find(text, '["\\]', from)
    if not stop then return nil end
    if sub(text, stop, stop) == '"' then return stop + 1, sub(text, at + 1, stop - 1) end
    from = stop + 2
  end
end

--- The name of a part from the value of its Content-Disposition, and whether it is a file. nil when it cannot be read.
local function name_of(disposition)
  if find(disposition, "\\\\", 1, true) then return nil end
  local _, at = find(lower(disposition), "^%s*form%-data%s*")
  if not at then return nil end
  local name, is_file
  at = at + 1
  while at <= #disposition do
    local _, last, key = find(disposition, "^;%s*([%w%-_]+%*?)=", at)
    if not key then return nil end
    key = lower(key)
    local behind, value
    if sub(disposition, last + 1, last + 1) == '"' then
      behind, value = quoted(disposition, last + 1)
    else
      local _, stop, token = find(disposition, '^([^%s;"]+)', last + 1)
      behind, value = stop and stop + 1, token
    end
    if not behind then return nil end
    if key == "name" then
      if name or find(value, "[\\\128-\255]") then return nil end
      name = value
    elseif key == "filename" or key == "filename*" then
      is_file = true
    else
      return nil
    end
    at = select(2, find(disposition, "^%s*", behind)) + 1
  end
  return name, is_file
end

--- The one Content-Disposition among the lines of a part's header; nil without a single plain one.
local function disposition_of(head)
  local found
  for line in (head .. "\r\n"):gmatch("(.-)\r\n") do
    local name, value = match(line, "^([%w%-_]+):%s*(.*)$")
    if not name or find(line, "[%z\1-\8\10-\31\127]") then return nil end -- some of which are space to one parser and not to another
    if lower(name) == "content-disposition" then
      if found then return nil end
      found = value
    end
  end
  return found
end

--- Place of the next line that is a boundary, the place behind it, and whether it is the last one; nil when there is none, or when white
-- space follows it, which newer parsers allow (RFC 2046, 5.1.1). What only begins like one belongs to a value.
local function next_boundary(form, mark, from)
  while true do
    local at, last = find(form, mark, from, true)
    if not at then return nil end
    local ending = sub(form, last + 1, last + 2)
    if ending == "\r\n" then return at, last + 3, false end
    if ending == "--" then return at, last + 3, true end
    if find(ending, "^[ \t]") then return nil end
    from = last + 1
  end
end

--- The values of the text fields that are asked for (`wanted[name]` is true), as the engine reads them: of a field that comes twice the
-- last one counts. Returns nil and what is wrong with a form that cannot be read.
function M.fields(form, content_type, wanted)
  local boundary = boundary_of(content_type)
  if not boundary then return nil, "Content-Type must be multipart/form-data with one boundary" end
  local first = "--" .. boundary
  local mark = "\r\n" .. first
  local fields, parts = {}, 0
  if sub(form, 1, #first + 2) ~= first .. "\r\n" then return nil, "it does not begin with its boundary" end
  local from, done = #first + 3
  repeat
    parts = parts + 1
    if parts > MAX_PARTS then return nil, ("it has more than %d parts"):format(MAX_PARTS) end
    local stop, behind, last = next_boundary(form, mark, from)
    if not stop then return nil, "it does not end with its boundary, or one is followed by white space" end
    local part = sub(form, from, math.min(from + MAX_HEAD, stop - 1))
    local head = find(part, "\r\n\r\n", 1, true)
    local disposition = head and disposition_of(sub(part, 1, head - 1))
    local name, is_file
    if disposition then name, is_file = name_of(disposition) end
    if not name then return nil, "the header of a part cannot be read" end
    if wanted[name] then
      if is_file then return nil, ("the field `%s` is a file"):format(name) end
      fields[name] = sub(form, from + head + 3, stop - 1)
    end
    from, done = behind, last
  until done
  return fields
end

return M

-- Written by sparkform; changes are lost.
-- Two things that HAProxy's own words cannot say.

-- 1. A stream that its engine did not end gets an error event and a proper end. The filter sees the
-- raw answer, one a connection. A chunk is passed on once it is whole, so nothing half is left
-- behind; engines write an event a chunk.

local EVENT = 'data: {"error":{"message":"The engine ended before its answer was complete.",'
  .. '"type":"server_error","param":null,"code":"stream_cut"}}\n\n'
local TAIL = string.format("%x\r\n%s\r\n0\r\n\r\n", #EVENT, EVENT)

local Guard = { id = "ends streams that were cut", flags = 0 }
Guard.__index = Guard

function Guard:new()
  return setmetatable({ state = "head" }, Guard)
end

function Guard:start_analyze(txn, channel)
  if channel:is_resp() then
    filter.register_data_filter(self, channel)
  end
end

local function is_stream(head)
  local folded = head:lower()
  return folded:find("\r\ncontent%-type:%s*text/event%-stream") ~= nil
    and folded:find("\r\ntransfer%-encoding:%s*chunked") ~= nil
end

-- How many bytes of the text are a whole head, or 0.
function Guard:read_head(text)
  local _, last = text:find("\r\n\r\n", 1, true)
  if last == nil then
    return 0
  end
  self.state = is_stream(text:sub(1, last)) and "chunks" or "done"
  return last
end

-- How many bytes of the text are whole, the first `whole` of which are known to be.
function Guard:read_chunks(text, whole)
  while true do
    local _, head, digits = text:find("^(%x+)[^\r\n]*\r\n", whole + 1)
    if head == nil then
      return whole
    end
    local size = tonumber(digits, 16)
    if size == 0 then
      self.state = "done"
      return #text
    end
    if #text < head + size + 2 then
      return whole
    end
    whole = head + size + 2
  end
end

-- Returns how many bytes are passed on.
function Guard:tcp_payload(txn, channel)
  local length = channel:input()
  if self.state == "done" then
    return length
  end
  local text = length > 0 and channel:data() or ""
  local whole = 0
  if self.state == "head" then
    whole = self:read_head(text)
  end
  if self.state == "chunks" then
    whole = self:read_chunks(text, whole)
  end
  if channel:may_recv() then
    return self.state == "done" and length or whole
  end
  if self.state ~= "chunks" then
    return length
  end
  self.state = "done"
  -- Not append: that puts text in front of what is there (hlua.c, 2.6 to 3.2).
  local ended = text:sub(1, whole) .. TAIL
  channel:set(ended)
  return #ended
end

core.register_filter("guard", Guard, function(guard, arguments)
  return guard
end)

-- 2. An alias becomes the name that the engine knows. The action finds the place, by the converter
-- that found the name: what stands before it ends with the body's own "model" alone. The filter puts
-- the name there.

local LARGE_BYTES = 1048576
local MOST_TRIES = 64 -- A body of nothing but such places may not cost more.

core.register_action("find_alias", { "http-req" }, function(txn)
  local body = txn.f:req_body()
  local model = txn:get_var("txn.model")
  local served = txn:get_var("txn.served")
  local tries = 0
  for first, last in body:gmatch('"model"%s*:%s*()"[^"]*"()') do
    tries = tries + 1
    if tries > MOST_TRIES then
      break
    end
    if txn.c:json_query(body:sub(1, last - 1) .. "}", "$.model") == model then
      txn:set_var("txn.first", first - 1)
      txn:set_var("txn.length", last - first)
      if txn.f:req_hdr("content-length") ~= "" then
        local length = #body - (last - first) + #served + 2
        txn.http:req_set_header("content-length", tostring(length))
      end
      break
    end
  end
  if #body > LARGE_BYTES then
    body = nil
    collectgarbage()
  end
end)

local Alias = { id = "puts a model's name for its alias", flags = filter.FLT_CFG_FL_HTX }
Alias.__index = Alias

function Alias:new()
  return setmetatable({ is_done = false }, Alias)
end

function Alias:start_analyze(txn, channel)
  if not channel:is_resp() then
    filter.register_data_filter(self, channel)
  end
end

function Alias:http_payload(txn, message)
  local first = txn:get_var("txn.first")
  if self.is_done or first == nil then
    return
  end
  self.is_done = true
  message:remove(first, txn:get_var("txn.length"))
  message:insert('"' .. txn:get_var("txn.served") .. '"', first)
end

core.register_filter("alias", Alias, function(alias, arguments)
  return alias
end)

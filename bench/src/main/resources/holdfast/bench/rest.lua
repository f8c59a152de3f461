-- What wrk sends in "holdfast bench rest", and the one line that it prints at the end.
-- Arguments: get, put or batch; the Authorization header; how many keys; bytes of a value; keys of
-- a batch. Requests are made before the first is sent, so that making them costs nothing.

local threads = 0
local made, at = {}, 0

function setup(thread)
  thread:set("first", threads * 7919)
  threads = threads + 1
end

local function value(number, size)
  local text = string.format("%08d", number)
  return text .. string.rep("v", size - #text)
end

function init(args)
  local what, login = args[1], args[2]
  local keys, size, batch = tonumber(args[3]), tonumber(args[4]), tonumber(args[5])
  local headers = { ["Authorization"] = login }
  local count = what == "batch" and 64 or keys
  for i = 0, count - 1 do
    local number = (first + i) % keys
    if what == "get" then
      made[i] = wrk.format("GET", "/v1/kv/bench/k" .. number, headers)
    elseif what == "file" then
      made[i] = wrk.format("GET", "/file", headers)
    elseif what == "put" then
      made[i] = wrk.format("PUT", "/v1/kv/bench/k" .. number, headers, value(i, size))
    else
      local changes = {}
      for j = 0, batch - 1 do
        local key = (first + i * batch + j) % keys
        changes[#changes + 1] =
          string.format('{"op":"put","key":"k%d","value":"%s"}', key, value(i, size))
      end
      headers["Content-Type"] = "application/json"
      made[i] =
        wrk.format("POST", "/v1/kv/bench/batch", headers, "[" .. table.concat(changes, ",") .. "]")
    end
  end
  at = count - 1
end

function request()
  at = at + 1
  if made[at] == nil then
    at = 0
  end
  return made[at]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    "result requests=%d micros=%d p50=%d p99=%d max=%d refused=%d broken=%d\n",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    latency.max, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end

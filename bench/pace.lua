-- post.lua at a pace: each connection waits so many milliseconds between an
-- answer and its next request. Arguments: file, bearer key, media type, milliseconds.
local requests, at, pause = {}, 0, 0

function init(args)
  local headers = { ["Authorization"] = "Bearer " .. args[2], ["Content-Type"] = args[3] }
  for line in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", "/v1/verify", headers, line)
  end
  pause = tonumber(args[4])
  collectgarbage("collect")
  collectgarbage("stop")
end

function delay()
  return pause
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"micros":%d,"refused":%d,"broken":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end

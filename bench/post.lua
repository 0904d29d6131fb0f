-- Posts the credentials of a file, one a line, in order and from the start
-- again. Arguments: file, bearer key, media type and, for a pace, how many
-- milliseconds each connection waits between an answer and its next request.
local requests, at = {}, 0

function init(args)
  local headers = { ["Authorization"] = "Bearer " .. args[2], ["Content-Type"] = args[3] }
  for line in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", "/v1/verify", headers, line)
  end
  if args[4] then
    local pause = tonumber(args[4])
    function delay() return pause end
  end
  -- Nothing more is allocated: collecting would only disturb.
  collectgarbage("collect")
  collectgarbage("stop")
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

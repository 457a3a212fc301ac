-- Asks Vestibule about a request, with the HTTP client that HAProxy has since 2.5.
--
--     setenv VESTIBULE 127.0.0.1:8000
--     lua-load /etc/haproxy/vestibule.lua
--     http-request lua.vestibule
--     http-request deny deny_status 503 unless { var(txn.vestibule) -m str allowed }
--
-- Where Vestibule allows the request, txn.vestibule is "allowed", and the request says who is signed
-- in, and nothing of what the client said of that. Anything else that it says is answered in its words;
-- without an answer, and if this script fails, the variable stays unset and the last line denies.

local url = "http://" .. os.getenv("VESTIBULE") .. "/api/authz/forward-auth"

-- Milliseconds. HAProxy tries four times, so that a visitor waits four times this at the longest.
local TIMEOUT = 2500

-- What Vestibule needs to know a browser by.
local ASKED_WITH = {
    "cookie", "accept", "user-agent", "referer", "x-requested-with",
    "sec-fetch-mode", "sec-fetch-site", "sec-fetch-dest", "sec-purpose",
}

-- All of them, or the answer is none: a missing one would leave the client's own in place.
local IDENTITY = { "remote-user", "remote-name", "remote-email", "remote-groups", "remote-methods" }

-- HAProxy writes these itself.
local NOT_HANDED_ON = {
    ["connection"] = true, ["content-length"] = true, ["date"] = true,
    ["keep-alive"] = true, ["transfer-encoding"] = true,
}

-- HAProxy counts the values of a header from 0.
local function joined(values, separator)
    local all = {}
    for at = 0, #values do
        if values[at] then all[#all + 1] = values[at] end
    end
    return table.concat(all, separator)
end

local function question(txn)
    local headers = {
        ["x-forwarded-method"] = { txn.sf:method() },
        ["x-forwarded-proto"] = { txn.f:ssl_fc() == 1 and "https" or "http" },
        ["x-forwarded-host"] = { txn.sf:req_hdr("host") },
        ["x-forwarded-uri"] = { txn.sf:pathq() },
        ["x-forwarded-for"] = { txn.sf:src() },
    }
    local sent = txn.http:req_get_headers()
    for _, name in ipairs(ASKED_WITH) do
        if sent[name] then
            headers[name] = { joined(sent[name], name == "cookie" and "; " or ", ") }
        end
    end
    -- Each by itself: two joined would be none that anybody knows.
    if sent["authorization"] then
        headers["authorization"] = {}
        for at = 0, #sent["authorization"] do
            table.insert(headers["authorization"], sent["authorization"][at])
        end
    end
    return headers
end

local function allow(txn, answer)
    for _, name in ipairs(IDENTITY) do
        if not answer.headers[name] then return end
    end
    -- The client's own, in every spelling: applications read "remote_user" and "remote.user" as the same.
    for name in pairs(txn.http:req_get_headers()) do
        if name:lower():sub(1, 6) == "remote" then
            txn.http:req_del_header(name)
        end
    end
    for _, name in ipairs(IDENTITY) do
        txn.http:req_set_header(name, answer.headers[name][0])
    end
    -- The application's cookies, without those of Vestibule.
    txn.http:req_del_header("cookie")
    local cookie = answer.headers["cookie"]
    if cookie and cookie[0] ~= "" then
        txn.http:req_set_header("cookie", cookie[0])
    end
    -- An app token is for Vestibule; any other Authorization is the application's.
    if answer.headers["remote-methods"][0] == "token" then
        txn.http:req_del_header("authorization")
    end
    txn:set_var("txn.vestibule", "allowed")
end

local function answer_with(txn, answer)
    local reply = txn:reply({ status = answer.status, reason = answer.reason })
    for name, values in pairs(answer.headers) do
        if not NOT_HANDED_ON[name] then
            for _, value in pairs(values) do
                reply:add_header(name, value)
            end
        end
    end
    local body = answer.body or ""
    reply:add_header("content-length", tostring(#body))
    if txn.sf:method() ~= "HEAD" then
        reply:set_body(body)
    end
    txn:done(reply)
end

core.register_action("vestibule", { "http-req" }, function(txn)
    local answer = core.httpclient():get({ url = url, headers = question(txn), timeout = TIMEOUT })
    if not answer then
        return
    elseif answer.status == 200 then
        allow(txn, answer)
    elseif answer.status >= 300 and answer.status < 500 then
        answer_with(txn, answer)
    end
end)

package api

// A CodeInfo explains one code to those who meet it (GET /v1/codes).
type CodeInfo struct {
	Code string `json:"code"`
	Kind string `json:"kind"` // verdict, warning, receipt or fault
	// Verdict is what a verdict code leads to; "" for the other kinds.
	Verdict string `json:"verdict,omitempty"`
	Check   string `json:"check,omitempty"`
	Zh      string `json:"zh"`
	En      string `json:"en"`
	Cause   string `json:"cause"`
	// Act names who must act: holder, hall, province, gateway; "" nobody.
	Act string `json:"act"`
	// Retry says whether trying again, unchanged, helps.
	Retry bool `json:"retry"`
}

// codeTable lists every code that the gateway ever answers.
var codeTable = []CodeInfo{
	{"OK", "verdict", "VALID", "", "执照有效", "The licence is valid", "Every check passed.", "", false},

	failed("FORMAT_MALFORMED", "format", "执照数据格式错误", "The credential cannot be read", "It is not a well-formed signed token, or its JSON can be read in two ways.", "holder"),
	failed("FORMAT_DUPLICATE_MEMBER", "format", "执照数据含重复成员", "A member stands twice", "A JSON object in the credential has one member name twice.", "province"),
	failed("HEADER_INVALID", "format", "签名头无效", "The signature header is invalid", "alg, kid or typ is missing or no text, or the type is not known or not the one announced.", "holder"),
	failed("HEADER_NOT_ALLOWED", "format", "签名头含禁用成员", "The signature header holds what is not allowed", "It brings a key, an address of one, or its own rules. Keys come from the trust list only.", "province"),
	failed("CLAIM_MISSING", "format", "缺少必需内容", "Something required is missing", "A required claim or licence member is not there.", "province"),
	failed("CLAIM_INVALID", "format", "内容取值无效", "Something has a value that it cannot have", "A claim or licence member is empty, null or of the wrong form.", "province"),

	failed("ISSUER_NOT_RECOGNISED", "issuer", "签发机关不在互认名单", "The issuer is not on the trust list", "Nobody of that name may issue licences in the alliance.", "hall"),
	failed("ISSUER_SUSPENDED", "issuer", "签发机关已被暂停互认", "The issuer's province is suspended", "The trust list has suspended the province.", "province"),
	failed("ISSUER_NOT_AUTHORISED", "issuer", "签发机关无权签发", "The issuer may not issue this", "The document type, the registration authority's division or the date of issue lies outside what the trust list allows it.", "province"),
	unknown("TRUST_LIST_EXPIRED", "issuer", "信任名单已过期", "The trust list has expired", "The gateway has no trust list in force.", "gateway"),

	failed("KEY_NOT_FOUND", "key", "签名密钥不存在", "The issuer has no such key", "The kid does not stand in the issuer's key set.", "province"),
	failed("KEY_REVOKED", "key", "签名密钥已吊销", "The key is revoked", "The trust list or the key set has revoked the key that signed.", "province"),
	failed("KEY_OUTSIDE_WINDOW", "key", "签发时间不在密钥有效期内", "Issued outside the key's window", "The key signs credentials of another time.", "province"),
	failed("ALGORITHM_NOT_ALLOWED", "key", "签名算法不被允许", "The algorithm is not allowed", "It is not on the alliance's list, not allowed for this issuer, or does not fit the key.", "province"),
	unknown("KEYS_UNAVAILABLE", "key", "暂时无法取得签发机关密钥", "The issuer's keys cannot be had", "The issuer's key set could not be fetched for too long.", "province"),

	failed("SIGNATURE_INVALID", "signature", "签名验证失败", "The signature is wrong", "The credential was altered, or the issuer's key did not sign it.", "holder"),
	failed("DIGEST_MISMATCH", "signature", "摘要不一致", "The digest does not match", "A sealed document is not the one that was signed.", "holder"),

	failed("NOT_YET_VALID", "validity", "执照尚未生效", "Not valid yet", "The credential's nbf lies in the future.", "holder"),
	failed("EXPIRED", "validity", "电子凭证已过期", "The credential has expired", "Its exp is past. The holder can download a fresh one.", "holder"),
	failed("ISSUED_IN_FUTURE", "validity", "签发时间晚于当前时间", "Issued in the future", "Its iat lies in the future.", "province"),

	failed("USCC_INVALID", "subject", "统一社会信用代码无效", "The credit code is invalid", "Length, alphabet, category or a check digit is wrong (GB 32100-2015).", "province"),
	failed("SUBJECT_MISMATCH", "subject", "凭证主体与执照不一致", "Subject and licence differ", "The claim sub is not the licence's uniscid.", "province"),

	failed("HOLDER_PROOF_INVALID", "holder", "持照人证明无效", "The holder's proof is wrong", "Its signature, audience, nonce, time or credential is wrong, or it was used before.", "holder"),
	failed("HOLDER_PROOF_MISSING", "holder", "缺少持照人证明", "The holder's proof is missing", "The caller requires one and the credential came without.", "holder"),

	failed("STATUS_REVOKED", "status", "执照状态：已撤销", "The status list says revoked", "The issuer has revoked the document.", "holder"),
	failed("STATUS_SUSPENDED", "status", "执照状态：已暂停", "The status list says suspended", "The issuer has suspended the document.", "holder"),
	failed("STATUS_NOT_VALID", "status", "执照状态：无效", "The status list says not valid", "The status list holds a value that is not valid.", "holder"),
	failed("STATUS_REFERENCE_INVALID", "status", "状态引用无效", "The reference to the status list is invalid", "The claim is malformed, points outside the issuer's lists, or beyond the list's end.", "province"),
	failed("STATUS_MISSING", "status", "缺少状态引用", "No status reference", "Policy requires one and the credential has none.", "province"),
	unknown("STATUS_UNAVAILABLE", "status", "暂时无法查询状态列表", "The status list cannot be had", "It could not be fetched, or what came was wrong.", "province"),

	failed("REGISTRATION_REVOKED", "registry", "营业执照已被吊销", "The business licence is revoked", "Registration state 2 or 3.", "holder"),
	failed("REGISTRATION_CANCELLED", "registry", "企业已注销", "The business is cancelled", "Registration state 4.", "holder"),
	failed("REGISTRATION_ANNULLED", "registry", "登记已被撤销", "The registration is annulled", "Registration state 5.", "holder"),
	failed("REGISTRATION_MOVED", "registry", "企业已迁出", "The business has moved out", "Registration state 6: ask for the licence of the new authority.", "holder"),
	failed("REGISTRATION_NOT_FOUND", "registry", "登记机关无此登记", "No such registration", "The province's registry does not know the code.", "province"),
	failed("LICENCE_SUPERSEDED", "registry", "执照已被更新版本取代", "A newer licence exists", "The register's approval date is later than the licence's. The holder can download the new one.", "holder"),
	unknown("REGISTRY_UNAVAILABLE", "registry", "暂时无法查询登记机关", "The registry cannot be had", "It did not answer, or nothing fresh enough was kept.", "province"),
	{"REGISTRATION_STATE_UNKNOWN", "verdict", "INDETERMINATE", "registry", "登记状态不明", "The registration state is unknown", "Registration state 9, or a word that is not mapped.", "province", false},

	warning("USCC_CHECK_EXCEPTION", "统一社会信用代码校验位为已公布例外", "A published pilot code", "Its check digit is wrong, and it is valid all the same."),
	warning("REGION_DIFFERS", "信用代码所示首次登记地不在签发省份", "First registered elsewhere", "Digits 3 to 8 of the code name another province. Businesses move."),
	warning("NAME_DIFFERS", "登记名称与执照不一致", "The register knows another name", "The name may have changed since the licence was issued."),
	warning("TERM_ENDED", "营业期限已届满", "The term of business has ended", "The licence's opto is past."),
	warning("STANDING_STALE", "登记状态为较早查询结果", "The standing is older than wanted", "The registry could not be had; an older answer within stale_if_error counts."),
	warning("HOLDER_PROOF_UNBOUND", "持照人证明未绑定本次请求", "The holder's proof is bound to nobody", "The request did not say which audience and nonce to expect."),

	ofReceipt("RECEIPT_MALFORMED", "回执格式错误", "The receipt cannot be read", "It is not a well-formed receipt."),
	ofReceipt("RECEIPT_ISSUER_NOT_RECOGNISED", "回执签发网关不在名单", "The receipt's gateway is not known", "It is neither this gateway nor one that the trust list names."),
	ofReceipt("RECEIPT_SIGNATURE_INVALID", "回执签名无效", "The receipt's signature is wrong", "It was altered, or another key signed it."),
	ofReceipt("RECEIPT_EXPIRED", "回执已过期", "The receipt has ended", "Its evidence has ended; verify again."),

	fault(BadRequest, "请求无法解析", "Not JSON, or a member is unknown, twice or of the wrong type; detail says where.", "hall", false),
	fault(Unauthenticated, "身份未被识别", "No key or certificate, or one that is not known.", "hall", false),
	fault(Forbidden, "无此权限", "Your scopes do not cover it.", "hall", false),
	fault(NotFound, "无此页面", "The path is not one of the API.", "hall", false),
	fault(MethodNotAllowed, "方法不被支持", "Allow says which method the page takes.", "hall", false),
	fault(NotAcceptable, "无法提供所要求的格式", "Accept excludes application/json.", "hall", false),
	fault(RequestTimeout, "请求传输超时", "The body did not arrive in time.", "hall", true),
	fault(IdempotencyConflict, "幂等键已用于其他请求", "The same Idempotency-Key came with another body.", "hall", false),
	fault(TooLarge, "请求过大", "The body is longer than the gateway takes.", "hall", false),
	fault(UnsupportedMediaType, "媒体类型不被支持", "Content-Type is not one of a credential or JSON, or the body is compressed.", "hall", false),
	fault(Unprocessable, "请求内容矛盾", "It can be read and makes no sense; detail says why.", "hall", false),
	fault(RateLimited, "请求过于频繁", "More requests than agreed; Retry-After says when to come again.", "hall", true),
	fault(Overloaded, "网关繁忙", "More work than the gateway can take; Retry-After says when to come again.", "gateway", true),
	fault(Internal, "网关内部错误", "The gateway failed; its log has the request id.", "gateway", true),
}

func failed(code, check, zh, en, cause, act string) CodeInfo {
	return CodeInfo{code, "verdict", "INVALID", check, zh, en, cause, act, false}
}

func unknown(code, check, zh, en, cause, act string) CodeInfo {
	return CodeInfo{code, "verdict", "INDETERMINATE", check, zh, en, cause, act, true}
}

func warning(code, zh, en, cause string) CodeInfo {
	return CodeInfo{code, "warning", "", "", zh, en, cause, "", false}
}

func ofReceipt(code, zh, en, cause string) CodeInfo {
	return CodeInfo{code, "receipt", "", "", zh, en, cause, "holder", false}
}

func fault(code FaultCode, zh, cause, act string, retry bool) CodeInfo {
	return CodeInfo{string(code), "fault", "", "", zh, faults[code].title, cause, act, retry}
}

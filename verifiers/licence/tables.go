package licence

// A RegState is a national registration-state code (登记状态), as registers give
// it. The zero RegState is not a state. What each means for a verdict is decided
// elsewhere.
type RegState string

// The national codes.
const (
	RegActive           RegState = "1" // 存续
	RegRevoked          RegState = "2" // 吊销，未注销
	RegRevokedCancelled RegState = "3" // 吊销，已注销
	RegCancelled        RegState = "4" // 注销
	RegAnnulled         RegState = "5" // 撤销
	RegMoved            RegState = "6" // 迁出
	RegOther            RegState = "9" // 其他
)

type names struct{ cn, en string }

var regStates = map[RegState]names{
	RegActive:           {"存续（在营、开业、在册）", "active"},
	RegRevoked:          {"吊销，未注销", "licence revoked, not cancelled"},
	RegRevokedCancelled: {"吊销，已注销", "licence revoked and cancelled"},
	RegCancelled:        {"注销", "cancelled"},
	RegAnnulled:         {"撤销", "registration annulled"},
	RegMoved:            {"迁出", "moved out"},
	RegOther:            {"其他", "other"},
}

// Names returns what the state is called; ok is false for a code that is not in
// the national table.
func (s RegState) Names() (cn, en string, ok bool) {
	n, ok := regStates[s]
	return n.cn, n.en, ok
}

var entityTypes = map[string]names{
	"1110": {"有限责任公司(国有独资)", "limited liability company (wholly state-owned)"},
	"1130": {"有限责任公司(自然人投资或控股)", "limited liability company (invested in or controlled by natural persons)"},
	"1140": {"有限责任公司(国有控股)", "limited liability company (state-controlled)"},
	"1151": {"有限责任公司(自然人独资)", "limited liability company (sole natural person)"},
	"1153": {"有限责任公司(非自然人投资或控股的法人独资)", "limited liability company (sole corporate owner)"},
	"1190": {"其他有限责任公司", "other limited liability company"},
	"1212": {"股份有限公司(上市、自然人投资或控股)", "joint-stock company (listed, controlled by natural persons)"},
	"1222": {"股份有限公司(非上市、自然人投资或控股)", "joint-stock company (unlisted, controlled by natural persons)"},
	"2100": {"有限责任公司分公司", "branch of a limited liability company"},
	"3400": {"股份合作制", "joint-stock cooperative"},
	"4531": {"普通合伙企业", "general partnership"},
	"4533": {"有限合伙企业", "limited partnership"},
	"4540": {"个人独资企业", "sole proprietorship"},
	"5150": {"有限责任公司(外国法人独资)", "limited liability company (sole foreign corporate owner)"},
	"6110": {"有限责任公司(港澳台与境内合资)", "limited liability company (Hong Kong, Macao or Taiwan joint venture)"},
	"9100": {"农民专业合作社", "farmers' cooperative"},
	"9500": {"个体工商户", "individual business"},
}

// EntityType returns what an enttype code means. The table holds the common
// types only, so a code that is not in it is unknown here, not wrong.
func EntityType(code string) (cn, en string, ok bool) {
	n, ok := entityTypes[code]
	return n.cn, n.en, ok
}

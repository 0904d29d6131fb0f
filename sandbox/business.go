// Invented businesses: every entity class, synthetic credit codes with right
// check digits, always the same for the same province, class and number.

package sandbox

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Class is a kind of business that holds a licence.
type Class int

// The classes, with the first two digits of their credit codes.
const (
	Company         Class = iota // 有限责任公司, 91
	JointStock                   // 股份有限公司, 91
	ForeignInvested              // 外商投资企业, 91
	Branch                       // 分公司, 91
	Partnership                  // 合伙企业, 91
	Proprietorship               // 个人独资企业, 91
	SoleTrader                   // 个体工商户, 92
	Cooperative                  // 农民专业合作社, 93
	OtherEntity                  // 其他, 99
	classes         = iota
)

// Classes returns every class.
func Classes() []Class {
	all := make([]Class, classes)
	for i := range all {
		all[i] = Class(i)
	}
	return all
}

// class is what is fixed about one. capital tells whether a licence of it
// states a registered capital.
var classTable = [classes]struct {
	name, category, enttype, enttypeCn, suffix string
	capital                                    bool
}{
	Company:         {"company", "91", "1130", "有限责任公司（自然人投资或控股）", "有限公司", true},
	JointStock:      {"joint-stock", "91", "1229", "其他股份有限公司（非上市）", "股份有限公司", true},
	ForeignInvested: {"foreign-invested", "91", "5150", "有限责任公司（外国法人独资）", "（中国）有限公司", true},
	Branch:          {"branch", "91", "2130", "有限责任公司分公司（自然人投资或控股）", "有限公司第一分公司", false},
	Partnership:     {"partnership", "91", "4533", "有限合伙企业", "合伙企业（有限合伙）", true},
	Proprietorship:  {"proprietorship", "91", "4540", "个人独资企业", "工作室", true},
	SoleTrader:      {"sole-trader", "92", "9500", "个体工商户", "经营部", false},
	Cooperative:     {"cooperative", "93", "9100", "农民专业合作社", "专业合作社", true},
	OtherEntity:     {"other", "99", "9900", "其他", "服务中心", false},
}

// String returns the class in English, fit for a file name.
func (c Class) String() string {
	if c < 0 || c >= classes {
		return "Class(" + strconv.Itoa(int(c)) + ")"
	}
	return classTable[c].name
}

// A Business is what stands in a licence (contract §2.1). Empty strings are
// left out of it, except OpTo, which is then null: 长期.
type Business struct {
	USCC, EntName, EntType, EntTypeCn, LeRep string
	RegCap                                   string // 万元, decimal
	EstDate, OpFrom, OpTo, ApprDate          string // YYYY-MM-DD
	Dom, OpScope                             string
	RegOrg, RegOrgCn                         string
	CopyNo                                   string
}

// decoyNumber is the business that lying registries speak of: beyond any that
// is asked about, below the point where scatter repeats itself.
const decoyNumber = 98_000_000

// Business invents the nth business of a class. Nothing is registered.
func (p *Province) Business(class Class, n int) Business {
	kind := classTable[class]
	h := scatter(uint64(n)*classes + uint64(class))
	at := p.cities[h%uint64(len(p.cities))]
	trade := trades[h/7%uint64(len(trades))]
	established := time.Date(2003+int(h/11%20), time.Month(1+h/13%12), 1+int(h/17%28), 0, 0, 0, 0, time.UTC)
	approved := established.AddDate(0, 1+int(h/19%18), int(h/23%27))
	b := Business{
		USCC:    synthesize(kind.category, at.code, h),
		EntType: kind.enttype, EntTypeCn: kind.enttypeCn,
		EntName: strings.TrimSuffix(p.Name, "市") + tradeName(h/29) + trade.word + kind.suffix,
		LeRep:   personName(h / 31),
		EstDate: established.Format(time.DateOnly), OpFrom: established.Format(time.DateOnly),
		ApprDate: approved.Format(time.DateOnly),
		Dom:      fmt.Sprintf("%s%s%s%d号", p.Name, at.name, streets[h/37%uint64(len(streets))], 1+h/41%900),
		OpScope:  trade.scope,
		RegOrg:   at.code, RegOrgCn: at.name + "市场监督管理局",
	}
	if kind.capital {
		b.RegCap = fmt.Sprintf("%d.%04d", 10+h/43%4990, h/47%2*5000)
	}
	if h/53%3 == 0 {
		b.OpTo = established.AddDate(50, 0, -1).Format(time.DateOnly)
	}
	return b
}

// Record returns the business as its register should know it: state 1, and
// approved on the day that the licence says.
func (b Business) Record() Record {
	return Record{USCC: b.USCC, EntName: b.EntName, RegState: "1", ApprDate: b.ApprDate}
}

// Members returns the licence object of the business.
func (b Business) Members() map[string]any {
	m := map[string]any{"opto": nil}
	for name, value := range map[string]string{
		"uniscid": b.USCC, "entname": b.EntName, "enttype": b.EntType, "enttypeCn": b.EntTypeCn,
		"lerep": b.LeRep, "regcap": b.RegCap, "estdate": b.EstDate, "opfrom": b.OpFrom, "opto": b.OpTo,
		"apprdate": b.ApprDate, "dom": b.Dom, "opscope": b.OpScope, "regorg": b.RegOrg,
		"regorgCn": b.RegOrgCn, "copyno": b.CopyNo,
	} {
		if value != "" {
			m[name] = value
		}
	}
	if b.RegCap != "" {
		m["regcapcur"] = "156"
	}
	return m
}

// scatter spreads consecutive numbers over 31^6 values, none twice: the
// modulus is 31^6, and the multiplier shares no factor with it.
func scatter(n uint64) uint64 {
	const modulus = 31 * 31 * 31 * 31 * 31 * 31
	return (n%modulus*402_653_189 + 77_777_777) % modulus
}

const (
	codeAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY" // GB 32100-2015 §4: without I O S V Z
	bodyPrefix   = "YY"                              // no organisation code issued so far begins so
)

// synthesize returns the credit code for a category, a division and a number
// below 31^6.
func synthesize(category, division string, n uint64) string {
	code := []byte(category + division + bodyPrefix + "000000")
	for i := len(code) - 1; n > 0; i, n = i-1, n/31 {
		code[i] = codeAlphabet[n%31]
	}
	// GB 11714-1997: letters count from A = 10, weights 3 7 9 10 5 8 4 2.
	sum := 0
	for i, weight := range []int{3, 7, 9, 10, 5, 8, 4, 2} {
		digit := int(code[8+i] - '0')
		if code[8+i] >= 'A' {
			digit = int(code[8+i]-'A') + 10
		}
		sum += digit * weight
	}
	code = append(code, "0123456789X"[(11-sum%11)%11])
	return string(append(code, lastDigit(code)))
}

// lastDigit returns position 18 for the first 17 (GB 32100-2015 §5: powers of
// 3 modulo 31).
func lastDigit(code []byte) byte {
	sum := 0
	for i, weight := 0, 1; i < len(code); i, weight = i+1, weight*3%31 {
		sum += strings.IndexByte(codeAlphabet, code[i]) * weight
	}
	return codeAlphabet[(31-sum%31)%31]
}

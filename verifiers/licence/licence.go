// Package licence knows what a Chinese business licence says: its members, the
// unified social credit code, dates, and the code tables behind them.
//
// It does no input or output and trusts nobody: what it reads is what a
// credential claims, which counts only once its signature has been checked.
package licence

import (
	"math/bits"

	"tongyan/strict"
)

// A Licence holds the members of contract §2.1 as the credential states them.
// The empty string and the zero Date stand for "not stated": left out, hidden
// by selective disclosure, or, for optional text, stated empty.
type Licence struct {
	Uniscid   string // as stated; [ParseUSCC] has not seen it yet
	Entname   string
	Enttype   string // code of the entity-type table, see [EntityType]
	EnttypeCn string
	Lerep     string
	Regcap    string // decimal digits in 万元, with or without a fraction; never a float
	Regcapcur string // three digits, GB/T 12406; where Regcap is stated without it, 156 (CNY) is meant
	Dom       string
	Opscope   string
	Regorg    string // six digits; it need not be in any table
	RegorgCn  string
	Copyno    string

	Estdate   Date
	Opfrom    Date
	Opto      Date // the last day of the term
	Apprdate  Date
	Perpetual bool // opto was stated as null: 长期
}

// TermEnded reports whether the last day of the business term lies before
// today. A term that is perpetual or not stated does not end.
func (l *Licence) TermEnded(today Date) bool {
	return l.Opto != "" && l.Opto < today
}

// A MemberError says which member of a licence keeps it from being read. It
// never quotes what the member holds.
type MemberError struct {
	Member  string // a name of contract §2.1, or "licence" for the object itself
	Missing bool   // required and not there; otherwise null, empty, or of a wrong form
}

func (e *MemberError) Error() string {
	if e.Missing {
		return "licence: " + e.Member + " is required and missing"
	}
	return "licence: " + e.Member + " is null, empty or not of its type"
}

// The members in the order of the contract's table, which is also the order in
// which they are shown and in which the first fault decides.
const (
	uniscid = iota
	entname
	enttype
	enttypeCn
	lerep
	regcap
	regcapcur
	estdate
	opfrom
	opto
	dom
	opscope
	regorg
	regorgCn
	apprdate
	copyno
)

var memberNames = [...]string{
	uniscid: "uniscid", entname: "entname", enttype: "enttype", enttypeCn: "enttypeCn",
	lerep: "lerep", regcap: "regcap", regcapcur: "regcapcur", estdate: "estdate",
	opfrom: "opfrom", opto: "opto", dom: "dom", opscope: "opscope",
	regorg: "regorg", regorgCn: "regorgCn", apprdate: "apprdate", copyno: "copyno",
}

const (
	// SPEC: contract §2.4 "Members may be selectively disclosed, except uniscid,
	// regorg and apprdate, which always stand in the open".
	requiredAlways = 1<<uniscid | 1<<regorg | 1<<apprdate
	requiredOpenly = requiredAlways | 1<<entname | 1<<enttype | 1<<lerep | 1<<estdate
)

// Read reads the licence object of a credential. With selective, a required
// member that was not disclosed is absent and no fault, save for those that
// always stand in the open. Unknown members are passed over.
//
// An error is always a *MemberError, and names the first faulty member in the
// contract's order, whatever the order in the object; the Licence beside it is
// empty.
func Read(v strict.Value, selective bool) (Licence, error) {
	if v.Kind() != strict.Object {
		return Licence{}, &MemberError{Member: "licence", Missing: v.Kind() == strict.Absent}
	}
	var l Licence
	var seen, bad uint32 // a bit for each member
	members := v.Members()
	for i := range members {
		at, ok := l.read(members[i].Name, &members[i].Value)
		if at < 0 {
			continue
		}
		seen |= 1 << at
		if !ok {
			bad |= 1 << at
		}
	}
	required := uint32(requiredOpenly)
	if selective {
		required = requiredAlways
	}
	if faults := bad | required&^seen; faults != 0 {
		at := bits.TrailingZeros32(faults)
		return Licence{}, &MemberError{Member: memberNames[at], Missing: seen&(1<<at) == 0}
	}
	return l, nil
}

// read takes one member. It returns which one it is, -1 if unknown, and whether
// the value has the form that the member asks for.
func (l *Licence) read(name string, v *strict.Value) (at int, ok bool) {
	switch name {
	case "uniscid":
		return uniscid, notEmpty(v, &l.Uniscid)
	case "entname":
		return entname, notEmpty(v, &l.Entname)
	case "enttype":
		return enttype, notEmpty(v, &l.Enttype)
	case "enttypeCn":
		return enttypeCn, text(v, &l.EnttypeCn)
	case "lerep":
		return lerep, notEmpty(v, &l.Lerep)
	case "regcap":
		return regcap, text(v, &l.Regcap) && isDecimal(l.Regcap)
	case "regcapcur":
		return regcapcur, text(v, &l.Regcapcur) && isDigits(l.Regcapcur, 3)
	case "estdate":
		return estdate, date(v, &l.Estdate)
	case "opfrom":
		return opfrom, date(v, &l.Opfrom)
	case "opto":
		l.Perpetual = v.Kind() == strict.Null
		return opto, l.Perpetual || date(v, &l.Opto)
	case "dom":
		return dom, text(v, &l.Dom)
	case "opscope":
		return opscope, text(v, &l.Opscope)
	case "regorg":
		return regorg, text(v, &l.Regorg) && isDigits(l.Regorg, 6)
	case "regorgCn":
		return regorgCn, text(v, &l.RegorgCn)
	case "apprdate":
		return apprdate, date(v, &l.Apprdate)
	case "copyno":
		return copyno, text(v, &l.Copyno)
	}
	return -1, false
}

func text(v *strict.Value, to *string) (ok bool) {
	*to, ok = v.Text()
	return ok
}

func notEmpty(v *strict.Value, to *string) bool {
	return text(v, to) && *to != ""
}

func date(v *strict.Value, to *Date) bool {
	s, ok := v.Text()
	if !ok {
		return false
	}
	*to, ok = ParseDate(s)
	return ok
}

func isDigits(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range n {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// maxDecimal is far above any capital: the registers keep 18 digits.
const maxDecimal = 32

// isDecimal reports whether s is digits, or digits, a point and digits: no
// sign, exponent, blank or grouping, which two readers might take differently.
func isDecimal(s string) bool {
	if len(s) > maxDecimal {
		return false
	}
	point := -1
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
		case c == '.' && point < 0 && i > 0:
			point = i
		default:
			return false
		}
	}
	return s != "" && point != len(s)-1
}

package facts

import (
	"encoding/binary"
	"errors"
	"time"

	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
)

// schema is the version of what is kept. Any change of the encodings below, and
// of what their members mean, changes it; a value of another schema is a miss.
const schema = 1

var (
	errEncoding = errors.New("facts: not an encoded fact")
	errUnproven = errors.New("facts: a finding that is not proven")
)

// The encodings are flat: the members in order, a text as its length and its
// bytes, a number as a varint, a flag as one byte. There is one encoding of
// each fact. Readers copy the whole once and cut every text out of that.

func appendText[S ~string](b []byte, s S) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendFlag(b []byte, flag bool) []byte {
	if flag {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendTime(b []byte, t time.Time) []byte {
	b = binary.AppendVarint(b, t.Unix())
	return binary.AppendUvarint(b, uint64(t.Nanosecond()))
}

// reader cuts one encoded fact into its members. Its first error stays, and
// everything read after it is zero.
type reader struct {
	rest string
	bad  bool
}

func (r *reader) fail() {
	r.rest, r.bad = "", true
}

func (r *reader) number() uint64 {
	var n uint64
	for i := range min(len(r.rest), binary.MaxVarintLen64) {
		c := r.rest[i]
		// The last byte is not zero unless it is the only one, and the tenth
		// holds one bit: one encoding for each number.
		if c < 0x80 {
			if c == 0 && i > 0 || i == binary.MaxVarintLen64-1 && c > 1 {
				break
			}
			r.rest = r.rest[i+1:]
			return n | uint64(c)<<(7*i)
		}
		n |= uint64(c&0x7f) << (7 * i)
	}
	r.fail()
	return 0
}

func (r *reader) signed() int64 {
	n := r.number()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) fixed(n uint64) (s string) {
	if n > uint64(len(r.rest)) {
		r.fail()
		return ""
	}
	s, r.rest = r.rest[:n], r.rest[n:]
	return s
}

func (r *reader) text() string { return r.fixed(r.number()) }

func (r *reader) flag() bool {
	switch r.fixed(1) {
	case "\x01":
		return true
	case "\x00":
		return false
	}
	r.fail()
	return false
}

func (r *reader) time() time.Time {
	seconds, nanos := r.signed(), r.number()
	if nanos >= 1e9 {
		r.fail()
		return time.Time{}
	}
	return time.Unix(seconds, int64(nanos)).UTC()
}

// findingSize is about how many bytes appendFinding adds.
func findingSize(f *verifiers.Finding) int {
	l := &f.Licence
	return 512 + len(f.Confirmation) + len(l.Entname) + len(l.EnttypeCn) + len(l.Dom) + len(l.Opscope) + len(l.RegorgCn)
}

func appendFinding(b []byte, d verifiers.Digest, f *verifiers.Finding) []byte {
	b = append(b, d[:]...)
	b = appendText(b, f.Format)
	b = appendText(b, f.Key)
	b = appendText(b, f.Algorithm)
	b = appendText(b, f.KeyID)
	b = appendText(b, f.Issuer)
	b = appendText(b, f.Subject)
	b = appendFlag(b, f.SubjectIn)
	b = appendText(b, f.ID)
	b = binary.AppendVarint(b, f.IssuedAt)
	b = binary.AppendVarint(b, f.NotBefore)
	b = binary.AppendVarint(b, f.Expires)
	b = appendLicence(b, &f.Licence)
	b = appendFlag(b, f.Status != nil)
	if f.Status != nil {
		b = appendText(b, f.Status.URI)
		b = binary.AppendVarint(b, f.Status.Index)
		b = appendFlag(b, f.Status.Malformed)
	}
	b = appendText(b, f.Confirmation)
	b = appendText(b, f.HashName)
	return append(b, f.Body[:]...)
}

// readFinding reads what appendFinding wrote. A finding that is not proven is
// an error: none was ever kept.
func readFinding(b []byte) (d verifiers.Digest, f *keptFinding, err error) {
	r := reader{rest: string(b)}
	f = &keptFinding{text: len(b)}
	copy(d[:], r.fixed(uint64(len(d))))
	f.Format = verifiers.Format(r.text())
	f.Key = keys.Thumbprint(r.text())
	f.Algorithm = r.text()
	f.KeyID = keys.KeyID(r.text())
	f.Issuer = keys.Issuer(r.text())
	f.Subject = r.text()
	f.SubjectIn = r.flag()
	f.ID = r.text()
	f.IssuedAt = r.signed()
	f.NotBefore = r.signed()
	f.Expires = r.signed()
	r.licence(&f.Licence)
	if r.flag() {
		f.Status = &verifiers.StatusRef{URI: r.text(), Index: r.signed(), Malformed: r.flag()}
	}
	f.Confirmation = r.text()
	f.HashName = r.text()
	copy(f.Body[:], r.fixed(uint64(len(f.Body))))
	switch {
	case r.bad || r.rest != "":
		return verifiers.Digest{}, nil, errEncoding
	case f.Key == "":
		return verifiers.Digest{}, nil, errUnproven
	}
	return d, f, nil
}

func appendLicence(b []byte, l *licence.Licence) []byte {
	b = appendText(b, l.Uniscid)
	b = appendText(b, l.Entname)
	b = appendText(b, l.Enttype)
	b = appendText(b, l.EnttypeCn)
	b = appendText(b, l.Lerep)
	b = appendText(b, l.Regcap)
	b = appendText(b, l.Regcapcur)
	b = appendText(b, l.Dom)
	b = appendText(b, l.Opscope)
	b = appendText(b, l.Regorg)
	b = appendText(b, l.RegorgCn)
	b = appendText(b, l.Copyno)
	b = appendText(b, l.Estdate)
	b = appendText(b, l.Opfrom)
	b = appendText(b, l.Opto)
	b = appendText(b, l.Apprdate)
	return appendFlag(b, l.Perpetual)
}

func (r *reader) licence(l *licence.Licence) {
	l.Uniscid = r.text()
	l.Entname = r.text()
	l.Enttype = r.text()
	l.EnttypeCn = r.text()
	l.Lerep = r.text()
	l.Regcap = r.text()
	l.Regcapcur = r.text()
	l.Dom = r.text()
	l.Opscope = r.text()
	l.Regorg = r.text()
	l.RegorgCn = r.text()
	l.Copyno = r.text()
	l.Estdate = licence.Date(r.text())
	l.Opfrom = licence.Date(r.text())
	l.Opto = licence.Date(r.text())
	l.Apprdate = licence.Date(r.text())
	l.Perpetual = r.flag()
}

func appendStanding(b []byte, s *verifiers.Standing) []byte {
	b = appendText(b, s.Key.Province)
	b = appendText(b, s.Key.USCC)
	b = append(b, byte(s.Answer))
	b = appendText(b, s.State)
	b = appendText(b, s.Entname)
	b = appendText(b, s.Apprdate)
	b = appendTime(b, s.AsOf)
	return appendTime(b, s.AskedAt)
}

// readStanding reads what appendStanding wrote. A standing without an answer is
// an error: none was ever kept.
func readStanding(b []byte) (*keptStanding, error) {
	r := reader{rest: string(b)}
	s := &keptStanding{text: len(b)}
	s.Key.Province = keys.ProvinceCode(r.text())
	s.Key.USCC = licence.USCC(r.text())
	if answer := r.fixed(1); answer != "" {
		s.Answer = verifiers.Answer(answer[0])
	}
	s.State = licence.RegState(r.text())
	s.Entname = r.text()
	s.Apprdate = licence.Date(r.text())
	s.AsOf = r.time()
	s.AskedAt = r.time()
	if r.bad || r.rest != "" || !isAnswer(s.Answer) {
		return nil, errEncoding
	}
	return s, nil
}

func isAnswer(a verifiers.Answer) bool {
	return a == verifiers.Registered || a == verifiers.NotRegistered
}

// lease says that one gateway is asking, and since when by its own clock. Its
// sealed bytes, of which no two are equal, are also the token by which it is
// given back.
type lease struct {
	began time.Time
	life  time.Duration
}

func appendLease(b []byte, l lease) []byte {
	return binary.AppendVarint(appendTime(b, l.began), int64(l.life))
}

func readLease(b []byte) (l lease, err error) {
	r := reader{rest: string(b)}
	l = lease{began: r.time(), life: time.Duration(r.signed())}
	if r.bad || r.rest != "" {
		return lease{}, errEncoding
	}
	return l, nil
}

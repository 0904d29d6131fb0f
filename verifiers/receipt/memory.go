package receipt

import (
	"errors"
	"sync"

	"tongyan/keys"
	"tongyan/verifiers"
)

// content is all that a receipt says but for its id and the moment of signing.
type content struct {
	digest   verifiers.Digest
	audience string
	outcome  verifiers.Outcome
	code     verifiers.Code
	results  [checkCount]verifiers.Result
	codes    string // of the checks that have one; most verdicts have none
	uniscid  string
	issuer   keys.Issuer
	key      keys.Thumbprint
	asOf     int64
	ends     int64
	version  int64
}

func contentOf(r *verifiers.Response, audience string) content {
	v := &r.Verdict
	c := content{
		digest: r.Digest, audience: audience, outcome: v.Outcome, code: v.Code,
		key: v.Key, ends: v.ValidUntil.Unix(), version: v.TrustVersion,
	}
	for i := range v.Checks {
		c.results[i] = v.Checks[i].Result
		if code := v.Checks[i].Code; code != "" {
			c.codes += string([]byte{0, byte(i)}) + string(code)
		}
	}
	if v.Authority != nil {
		c.issuer = v.Authority.Issuer
	}
	if v.Proven && r.Finding != nil {
		c.uniscid = r.Finding.Licence.Uniscid
	}
	if v.Source != "" {
		c.asOf = v.AsOf.Unix()
	}
	return c
}

// A memory keeps receipts, to give them again. It forgets the half that was not
// asked for lately once it is full. If it forgets, a receipt is signed anew.
type memory struct {
	half int // of how many it keeps at most

	// mu guards the two maps. It is not held while signing: whoever wants a
	// receipt that another is signing waits at the slip.
	mu         sync.Mutex
	young, old map[content]*slip
}

var errUnfinished = errors.New("receipts: signing did not come to its end")

// A slip is one receipt, signed or being signed.
type slip struct {
	once   sync.Once
	issued Issued
	err    error
}

func newMemory(most int) *memory {
	return &memory{half: max(most/2, 1), young: make(map[content]*slip)}
}

// recall returns the receipt of a content, which sign makes where there is
// none. Concurrent calls for one content sign once. A failure is not kept.
func (m *memory) recall(c content, sign func() (Issued, error)) (Issued, error) {
	s := m.slip(c)
	s.once.Do(func() {
		s.err = errUnfinished // stays where sign panics
		if s.issued, s.err = sign(); s.err != nil {
			m.drop(c, s)
		}
	})
	return s.issued, s.err
}

func (m *memory) slip(c content) *slip {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.young[c]; s != nil {
		return s
	}
	s := m.old[c]
	if s == nil {
		s = new(slip)
	}
	if len(m.young) >= m.half {
		m.young, m.old = make(map[content]*slip, m.half), m.young
	}
	m.young[c] = s
	return s
}

func (m *memory) drop(c content, s *slip) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, generation := range [...]map[content]*slip{m.young, m.old} {
		if generation[c] == s {
			delete(generation, c)
		}
	}
}

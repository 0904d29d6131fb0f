// Package workload chooses what is sent: licences asked about again and again,
// licences never seen before, refused ones of every kind, and what only an
// attacker would send; each with the answer that it must get.
package workload

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"

	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/verdict"
	"tongyan/loadtest/internal/words"
)

// An Item is one piece of work. It is shared and never changed.
type Item struct {
	Body  []byte
	Media string // Content-Type
	Want  verdict.Want
	Class string // province, format and algorithm; or what kind of sample
	Name  string // for people: never the credential
}

// A Mix yields work. Next is for one goroutine.
type Mix struct {
	rng        *rand.Rand
	hot        []*Item
	popularity []float64 // cumulative, over hot
	cold       func() *Item
	coldShare  float64
	others     []weighted // verdicts that are not VALID
	valid      float64    // weight of VALID beside others
	hostile    []*Item
	oversized  *Item
	shares     struct{ hostile, oversized float64 }

	notes []words.Text
	short int64 // cold work that was asked for and not ready
}

type weighted struct {
	weight float64
	items  []*Item
}

// parts is what a source of credentials has to offer.
type parts struct {
	hot     []*Item
	samples []*Item      // not VALID
	cold    func() *Item // nil if the source can make no new ones; may return nil
	notes   []words.Text
}

func newMix(p parts, w profile.Workload, seed uint64) (*Mix, error) {
	if len(p.hot) == 0 {
		return nil, errors.New("workload: no valid credential to send")
	}
	m := &Mix{
		rng: rand.New(rand.NewPCG(seed, 0x2545f4914f6cdd1d)),
		hot: p.hot, cold: p.cold, coldShare: float64(*w.Cold), notes: p.notes,
		popularity: zipf(len(p.hot), *w.Zipf),
		valid:      w.Verdicts["VALID"],
		oversized:  oversized(p.hot[0]),
	}
	m.shares.hostile, m.shares.oversized = float64(w.Hostile), float64(w.Oversized)
	if m.cold == nil {
		if m.coldShare > 0 {
			m.note("credentials never seen before (the corpus has a fixed number)", "从未出现过的证照（语料数量固定）")
		}
		m.coldShare = 0
	}
	byVerdict := map[string][]*Item{}
	for _, item := range p.samples {
		byVerdict[item.Want.Verdict] = append(byVerdict[item.Want.Verdict], item)
		if verdict.Hostile(item.Want) {
			m.hostile = append(m.hostile, item)
		}
	}
	for _, v := range []string{"INVALID", "INDETERMINATE"} {
		switch items := byVerdict[v]; {
		case w.Verdicts[v] <= 0:
		case len(items) == 0:
			m.note("credentials that must be "+v+" (there are no samples)", "应得 "+v+" 的证照（没有样例）")
		default:
			m.others = append(m.others, weighted{w.Verdicts[v], items})
		}
	}
	if len(m.hostile) == 0 && m.shares.hostile > 0 {
		m.note("hostile credentials (there are no samples)", "恶意证照（没有样例）")
		m.shares.hostile = 0
	}
	if m.valid <= 0 && len(m.others) == 0 {
		return nil, errors.New("workload: the wanted verdicts cannot be had from this source")
	}
	return m, nil
}

func (m *Mix) note(en, zh string) { m.notes = append(m.notes, words.T(en, zh)) }

// Untested lists what the profile asks for and this mix cannot send.
func (m *Mix) Untested() []words.Text {
	notes := slices.Clone(m.notes)
	if m.short > 0 {
		notes = append(notes, words.F("%d credentials that should have been new (minting was too slow)",
			"%d 份本应全新的证照（签发速度不足）", m.short))
	}
	return notes
}

// Prime returns everything that comes again and again, each once.
func (m *Mix) Prime() []*Item { return slices.Clone(m.hot) }

// Next chooses the next piece of work.
func (m *Mix) Next() *Item {
	u := m.rng.Float64()
	if u < m.shares.oversized {
		return m.oversized
	}
	if u < m.shares.oversized+m.shares.hostile {
		return m.hostile[m.rng.IntN(len(m.hostile))]
	}
	total := m.valid
	for _, o := range m.others {
		total += o.weight
	}
	x := m.rng.Float64()*total - m.valid
	for _, o := range m.others {
		if x < 0 {
			break
		}
		if x -= o.weight; x < 0 {
			return o.items[m.rng.IntN(len(o.items))]
		}
	}
	if m.coldShare > 0 && m.rng.Float64() < m.coldShare {
		if item := m.cold(); item != nil {
			return item
		}
		m.short++
	}
	x = m.rng.Float64() * m.popularity[len(m.popularity)-1]
	return m.hot[min(sort.SearchFloat64s(m.popularity, x), len(m.hot)-1)]
}

// zipf returns cumulative weights: the nth of n has n^-s.
func zipf(n int, s float64) []float64 {
	out := make([]float64, n)
	sum := 0.0
	for i := range out {
		sum += math.Pow(float64(i+1), -s)
		out[i] = sum
	}
	return out
}

// oversized is a token beyond the contract's 64 KiB (§2.2) with the outward
// form of a good one.
func oversized(like *Item) *Item {
	header, rest, _ := strings.Cut(string(like.Body), ".")
	_, signature, _ := strings.Cut(rest, ".")
	body := header + "." + strings.Repeat("A", 68<<10) + "." + signature
	return &Item{
		Body: []byte(body), Media: like.Media, Class: "oversized", Name: "oversized",
		Want: verdict.Want{Verdict: "INVALID", Code: "FORMAT_MALFORMED"},
	}
}

package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/verdict"
	"tongyan/sandbox"
)

// Business numbers: samples begin at 90 million (see the sandbox), hot ones
// at 1, cold ones at 1 million. Cold ones come round again after coldCycle, so
// that the simulated registers stay bounded over a day; their credentials are
// new all the same.
const (
	hotFrom   = 1
	coldFrom  = 1_000_000
	coldCycle = 250_000
	maxStock  = 20_000 // cold credentials kept ready
	listSize  = 1 << 16
)

// A Mint makes work from a sandbox. Close ends its goroutine.
type Mint struct {
	*Mix
	stop context.CancelFunc
	done sync.WaitGroup
}

// Close ends the minting and waits for it.
func (m *Mint) Close() {
	m.stop()
	m.done.Wait()
}

// FromSandbox mints a population and keeps a stock of new credentials; need is
// how many pieces of work are to come in all.
func FromSandbox(ctx context.Context, sb *sandbox.Sandbox, w profile.Workload, seed uint64, need float64) (*Mint, error) {
	press := &press{sandbox: sb, w: w}
	if err := press.prepare(); err != nil {
		return nil, err
	}
	p := parts{hot: make([]*Item, w.Population)}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range p.hot {
		group.Go(func() (err error) {
			if err = inner.Err(); err == nil {
				p.hot[i], err = press.mint(rand.New(rand.NewPCG(seed, uint64(i))), hotFrom+i)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	samples, err := sb.Samples()
	if err != nil {
		return nil, err
	}
	for _, s := range samples {
		if s.Verdict != "VALID" {
			p.samples = append(p.samples, &Item{
				Body: []byte(s.Token), Media: "application/jwt", Name: s.File, Class: "sample " + s.Verdict,
				Want: verdict.Want{Verdict: s.Verdict, Code: s.Code},
			})
		}
	}
	ctx, stop := context.WithCancel(ctx)
	m := &Mint{stop: stop}
	if *w.Cold > 0 {
		stock := make(chan *Item, int(min(max(need*float64(*w.Cold)*1.1, 16), maxStock)))
		p.cold = func() *Item {
			select {
			case item := <-stock:
				return item
			default:
				return nil
			}
		}
		press.fill(ctx, stock, seed, &m.done)
	}
	if m.Mix, err = newMix(p, w, seed); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// press mints to the weights of a profile.
type press struct {
	sandbox   *sandbox.Sandbox
	w         profile.Workload
	provinces []*sandbox.Province
	lists     []*sandbox.StatusList // by province; nil if no credential has a status
}

func (p *press) prepare() error {
	for _, province := range p.sandbox.Provinces() {
		if len(p.w.Provinces) == 0 || p.w.Provinces[province.Code] > 0 {
			p.provinces = append(p.provinces, province)
		}
	}
	for code := range p.w.Provinces {
		if p.sandbox.Province(code) == nil {
			return fmt.Errorf("workload: province %q is not one of the sandbox's", code)
		}
	}
	for format := range p.w.Formats {
		if !slices.Contains([]sandbox.Format{sandbox.EBLJWT, sandbox.SDJWTVC, sandbox.VCJWT}, sandbox.Format(format)) {
			return fmt.Errorf("workload: format %q is not one of the contract's", format)
		}
	}
	if p.w.Status > 0 {
		for _, province := range p.provinces {
			// The shortest life that the contract lets a list have (§4), so
			// that an outage shows within a run.
			list, err := province.Status.Publish(1, sandbox.StatusSpec{Size: listSize, TTL: 30 * time.Second})
			if err != nil {
				return err
			}
			p.lists = append(p.lists, list)
		}
	}
	return nil
}

// fill makes half of the stock before it returns, and the rest, and what is
// taken, behind the scenes.
func (p *press) fill(ctx context.Context, stock chan *Item, seed uint64, done *sync.WaitGroup) {
	half := make(chan struct{})
	done.Go(func() {
		rng := rand.New(rand.NewPCG(seed, 0xc01d))
		ready := sync.OnceFunc(func() { close(half) })
		defer ready()
		for n := 0; ctx.Err() == nil; n++ {
			item, err := p.mint(rng, coldFrom+n%coldCycle)
			if err != nil {
				return // cold work runs short, which is counted and told
			}
			select {
			case stock <- item:
			case <-ctx.Done():
			}
			if len(stock) >= cap(stock)/2 {
				ready()
			}
		}
	})
	<-half
}

// mint makes the credential of business number n.
func (p *press) mint(rng *rand.Rand, n int) (*Item, error) {
	at := pickIndex(rng, p.provinces, func(s *sandbox.Province) float64 { return weight(p.w.Provinces, s.Code) })
	province := p.provinces[at]
	format := pick(rng, p.w.Formats, string(sandbox.EBLJWT))
	spec := sandbox.LicenceSpec{
		Format: sandbox.Format(format),
		Class:  sandbox.Classes()[rng.IntN(len(sandbox.Classes()))],
		Number: n,
		ID:     fmt.Sprintf("load-%d-%d", n, rng.Uint64()), // new bytes, also where a signature has no chance in it
	}
	alg := ""
	if offered := p.algorithms(province); len(offered) > 0 {
		alg = pick(rng, offered, "")
		spec.Alg = alg
	} else if key := province.SigningKey(""); key != nil {
		alg = key.Alg
	}
	if p.lists != nil && rng.Float64() < float64(p.w.Status) {
		spec.Status = p.lists[at].Entry(rng.IntN(listSize))
	}
	token, _, err := province.Mint(spec)
	if err != nil {
		return nil, err
	}
	return &Item{
		Body: []byte(token), Media: "application/" + format, Want: verdict.Want{Verdict: "VALID", Code: "OK"},
		Class: province.Code + " " + format + " " + alg, Name: fmt.Sprintf("licence %d of %s", n, province.Code),
	}, nil
}

// algorithms are those of the profile's mix that the province signs with.
func (p *press) algorithms(province *sandbox.Province) map[string]float64 {
	out := map[string]float64{}
	for alg, weight := range p.w.Algorithms {
		if weight > 0 && province.SigningKey(alg) != nil {
			out[alg] = weight
		}
	}
	return out
}

// weight is a mix's weight of a name, all alike where the mix is empty.
func weight(mix map[string]float64, name string) float64 {
	if len(mix) == 0 {
		return 1
	}
	return mix[name]
}

// pick draws a name from a mix, in an order that does not change.
func pick(rng *rand.Rand, mix map[string]float64, otherwise string) string {
	names := make([]string, 0, len(mix))
	for name := range mix {
		names = append(names, name)
	}
	if len(names) == 0 {
		return otherwise
	}
	slices.Sort(names)
	return names[pickIndex(rng, names, func(name string) float64 { return mix[name] })]
}

func pickIndex[T any](rng *rand.Rand, of []T, weight func(T) float64) int {
	total := 0.0
	for _, v := range of {
		total += weight(v)
	}
	x := rng.Float64() * total
	for i, v := range of {
		if x -= weight(v); x < 0 {
			return i
		}
	}
	return len(of) - 1
}

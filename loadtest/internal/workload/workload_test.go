package workload_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/workload"
	"tongyan/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func spec(t *testing.T, text string) profile.Workload {
	t.Helper()
	p, err := profile.Parse([]byte("version: 1\nname: x\narrivals: { stages: [ { for: 10s, rate: 5/s } ] }\nworkload: "+text+"\n"), "f")
	if err != nil {
		t.Fatal(err)
	}
	return p.Workload
}

func corpus(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("expected.csv", "file,verdict,code\na.jwt,VALID,OK\nb.jwt,VALID,OK\nbad.jwt,INVALID,SIGNATURE_INVALID\nold.jwt,INVALID,EXPIRED\n")
	for _, name := range []string{"a.jwt", "b.jwt", "bad.jwt", "old.jwt"} {
		write(name, "aGVhZA."+name+".c2ln")
	}
	return dir
}

func TestCorpusMix(t *testing.T) {
	w := spec(t, "{ zipf: 1, cold: 10%, verdicts: { VALID: 80, INVALID: 20 }, hostile: 10%, oversized: 5% }")
	mix, err := workload.FromCorpus(corpus(t), w, 3)
	if err != nil {
		t.Fatal(err)
	}
	const n = 40_000
	seen := map[string]float64{}
	for range n {
		seen[mix.Next().Name] += 1.0 / n
	}
	// 85 % is the mix: 80 to 20, the valid ones 2 to 1 by Zipf, the others
	// alike; bad.jwt alone is hostile.
	for name, want := range map[string]float64{
		"oversized": 0.05, "a.jwt": 0.85 * 0.8 * 2 / 3, "b.jwt": 0.85 * 0.8 / 3,
		"old.jwt": 0.85 * 0.1, "bad.jwt": 0.85*0.1 + 0.1,
	} {
		if math.Abs(seen[name]-want) > 0.01 {
			t.Errorf("%s: %.3f of the work, want %.3f", name, seen[name], want)
		}
	}
	if notes := mix.Untested(); len(notes) != 1 || !strings.Contains(notes[0].En, "never seen before") {
		t.Errorf("untested: %v", notes)
	}
	if len(mix.Prime()) != 2 {
		t.Errorf("%d to prime", len(mix.Prime()))
	}
}

func TestSameSeedSameWork(t *testing.T) {
	dir, w := corpus(t), spec(t, "{}")
	names := func(seed uint64) (all string) {
		mix, err := workload.FromCorpus(dir, w, seed)
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			all += mix.Next().Name
		}
		return all
	}
	first := names(1)
	if again := names(1); first != again || first == names(2) {
		t.Error("the seed does not decide")
	}
}

func TestBadCorpora(t *testing.T) {
	for name, table := range map[string]string{
		"no table":      "",
		"other columns": "name,result\n",
		"outside":       "file,verdict,code\n../secret,VALID,OK\n",
		"no verdict":    "file,verdict,code\na.jwt,FINE,OK\n",
		"none valid":    "file,verdict,code\nbad.jwt,INVALID,EXPIRED\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := corpus(t)
			if err := os.WriteFile(filepath.Join(dir, "expected.csv"), []byte(table), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := workload.FromCorpus(dir, spec(t, "{}"), 1); err == nil {
				t.Error("taken")
			}
		})
	}
}

func TestMinted(t *testing.T) {
	sb, err := sandbox.Start(context.Background(), sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	w := spec(t, `{ population: 40, cold: 50%, status: 50%, provinces: { "310000": 1, "330000": 3 },
  formats: { ebl+jwt: 1, vc+jwt: 1, dc+sd-jwt: 1 }, algorithms: { SM2: 1 } }`)
	mint, err := workload.FromSandbox(context.Background(), sb, w, 1, 200)
	if err != nil {
		t.Fatal(err)
	}
	defer mint.Close()
	if n := len(mint.Prime()); n != 40 {
		t.Fatalf("%d hot ones", n)
	}
	hot, cold, provinces := map[*workload.Item]bool{}, map[string]bool{}, map[string]int{}
	for _, item := range mint.Prime() {
		hot[item] = true
	}
	for range 150 {
		item := mint.Next()
		if item.Want.Verdict != "VALID" {
			continue
		}
		provinces[item.Class[:6]]++
		if strings.HasPrefix(item.Class, "310000") && !strings.HasSuffix(item.Class, "SM2") {
			t.Errorf("Shanghai signed with %s", item.Class)
		}
		if !hot[item] {
			if cold[string(item.Body)] {
				t.Error("a new credential came twice")
			}
			cold[string(item.Body)] = true
		}
	}
	if len(cold) < 40 || provinces["330000"] < provinces["310000"] || len(provinces) != 2 {
		t.Errorf("%d new ones, provinces %v", len(cold), provinces)
	}
}

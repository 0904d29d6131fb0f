package faults

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// steppable is the gateway built with a clock that can be stepped: the standard
// library's time.Now adds the seconds that stand in the file that FAULTS_CLOCK
// names, in eight bytes. Built once; its path.
var steppable = sync.OnceValues(func() (string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	clock := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	source, err := os.ReadFile(clock)
	if err != nil {
		return "", err
	}
	const plain = "sec, nsec, mono := runtimeNow()"
	if strings.Count(string(source), plain) < 1 {
		return "", fmt.Errorf("%s does not read the clock as %q: this Go is another one", clock, plain)
	}
	text := strings.ReplaceAll(string(source), plain, plain+"\n\tsec += faultsClock()")
	dir := filepath.Dir(gatewayBinary)
	edited, added, overlay := filepath.Join(dir, "time.go"), filepath.Join(dir, "faultsclock.go"), filepath.Join(dir, "overlay.json")
	paths := map[string]map[string]string{"Replace": {clock: edited, filepath.Join(filepath.Dir(clock), "faultsclock.go"): added}}
	names, err := json.Marshal(paths)
	if err != nil {
		return "", err
	}
	for file, content := range map[string]string{edited: text, added: clockSource, overlay: string(names)} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	to := filepath.Join(dir, "gateway-steppable")
	return to, build(to, "-overlay", overlay)
})

// clockSource is added to package time. It reads memory and no file: the clock
// is also looked at where no system call may be made.
const clockSource = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var faultsStep *int64 // in a page that the file and this process share

func init() {
	name, ok := syscall.Getenv("FAULTS_CLOCK")
	if !ok {
		return
	}
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	page, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	syscall.Close(fd)
	faultsStep = (*int64)(unsafe.Pointer(&page[0]))
}

func faultsClock() int64 {
	if faultsStep == nil {
		return 0
	}
	return atomic.LoadInt64(faultsStep)
}
`

// stepped is a gateway whose clock is stepped and set right again.
func stepped(by time.Duration) func(t *testing.T) hardship {
	return func(t *testing.T) hardship {
		gateway, err := steppable()
		must(t, err)
		w := newWorld(t)
		file := filepath.Join(w.dir, "clock")
		set := func(by time.Duration) {
			f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o600)
			must(t, err)
			defer f.Close()
			_, err = f.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(by/time.Second)), 0)
			must(t, err)
		}
		set(0)
		t.Setenv("FAULTS_CLOCK", file)
		g := w.prepare(setup{})
		g.command[0] = gateway
		g.start()
		h := hardship{g: g, mix: w.newQuestions(nil, g.target), set: func() { set(by) }, mend: func() { set(0) }}
		known := h.mix.known[0]
		h.recovered = func() bool {
			return g.target.ask(known.token).is(known.verdict, known.code) && g.ready() == http.StatusOK
		}
		if by < 0 || by > 24*time.Hour {
			h.codes = []string{"TRUST_LIST_EXPIRED"}
			h.bitten = func() bool {
				return g.target.ask(known.token).Code == "TRUST_LIST_EXPIRED" && g.ready() == http.StatusServiceUnavailable
			}
		}
		return h
	}
}

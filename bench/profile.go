package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// cpuProfile ends the names of the profiles that gateways write.
const cpuProfile = ".cpu.pprof"

// merge writes one profile out of those of all gateways.
func (b *bench) merge() error {
	all, err := filepath.Glob(filepath.Join(b.dir, "*"+cpuProfile))
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return errors.New("none of these runs has a gateway that writes a profile")
	}
	merged, err := exec.Command("go", append([]string{"tool", "pprof", "-proto"}, all...)...).Output()
	if err != nil {
		return fmt.Errorf("go tool pprof: %w", err)
	}
	return os.WriteFile(b.profile, merged, 0o644)
}

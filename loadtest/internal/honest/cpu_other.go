//go:build !unix

package honest

import "time"

func processCPU() time.Duration { return 0 }

func hostCPU() (idle, total uint64) { return 0, 0 }

package api

import (
	"net/http"
	"time"
)

// For tests: the table of faults, and a way to answer by any of them.

func FaultStatus() map[FaultCode]int {
	out := map[FaultCode]int{}
	for code, f := range faults {
		out[code] = f.status
	}
	return out
}

func (a *API) Refuse(w http.ResponseWriter, r *http.Request, code FaultCode, detail string, after time.Duration) {
	a.refuse(&call{w: w, r: r}, problem(code, detail).after(after))
}

package main

import (
	"net/http"

	"tongyan/gateway/internal/parties"
)

// forEdge lets the edge ask for readiness where it sends its work. The admin
// listener is plain HTTP on loopback; the edge is elsewhere, and it can say who
// it is here only. Without that, a draining gateway would get work to the end.
// Everybody else is answered by next, which knows no such page.
func forEdge(edge *parties.Edge, admin, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" || !edge.Asks(r) {
			next.ServeHTTP(w, r)
			return
		}
		// The edge may be passing on what a stranger asked: yes or no is all
		// that he hears. What is down behind it is the operators' business.
		plain := r.Clone(r.Context())
		plain.URL.RawQuery = ""
		admin.ServeHTTP(w, plain)
	})
}

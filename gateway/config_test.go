package main

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"tongyan/gateway/internal/config"
)

// What is right key by key can be wrong as a whole: config check says so too.
func TestDialectMistakes(t *testing.T) {
	good := config.Registry{Province: "330000", URL: &url.URL{Scheme: "https", Host: "registry.zj.example"}, Timeout: time.Second, MaxInFlight: 1, Rate: 1}
	bad := good
	bad.Dialect = &config.Dialect{Method: "GET", Path: "/q/{uniscid}", Headers: map[string]config.Secret[string]{"Host": config.Hide("elsewhere.example")},
		Fields: config.Fields{UniSCID: "/id", RegState: "/state"}}
	if err := dialectMistakes(&config.Config{File: "gateway.yaml", Registries: []config.Registry{good}}); err != nil {
		t.Errorf("a good one: %v", err)
	}
	err := dialectMistakes(&config.Config{File: "gateway.yaml", Registries: []config.Registry{good, bad}})
	if err == nil || !strings.HasPrefix(err.Error(), "gateway.yaml: registries.330000.dialect.headers") {
		t.Errorf("a header that steers the connection: %v", err)
	}
	if err != nil && strings.Contains(err.Error(), "elsewhere") {
		t.Error("the header's value is shown")
	}
}

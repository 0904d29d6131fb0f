package keys_test

import (
	"testing"
	"time"

	"tongyan/keys"
)

const (
	shanghai = keys.Issuer("https://ebl.sh.example")
	jiangsu  = keys.Issuer("https://ebl.js.example")
)

func setOf(t testing.TB, renewed time.Time, all ...any) *keys.Set {
	t.Helper()
	set, _, err := keys.ParseSet(value(t, object{"keys": all}), renewed)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func listOf(version int64, expires time.Time, authorities ...keys.Authority) *keys.List {
	return &keys.List{Version: version, Expires: expires, Provinces: []keys.Province{{Code: "310000", Active: true, Issuers: authorities}}}
}

// A clock that shows a time before the list's own is not believed.
func TestExpired(t *testing.T) {
	issued := time.Unix(1790000000, 0)
	book := keys.NewBook(nil, keys.Terms{Skew: time.Minute})
	list := listOf(1, issued.Add(time.Hour))
	list.IssuedAt = issued
	book.SetList(list)
	for after, want := range map[time.Duration]bool{
		0: false, time.Hour - 1: false, time.Hour: true, // at exp it has ended
		-time.Minute: false, -time.Minute - 1: true, -24 * time.Hour: true,
	} {
		if got := book.Current().Expired(issued.Add(after)); got != want {
			t.Errorf("%v after it was issued: expired is %v", after, got)
		}
	}
}

func TestLookup(t *testing.T) {
	start := time.Unix(1790000000, 0)
	book := keys.NewBook(nil, keys.Terms{Refresh: 15 * time.Minute, MaxStale: 24 * time.Hour})
	if s := book.Current(); !s.Expired(start) || s.Version() != 0 {
		t.Error("an empty book has a list in force")
	}
	if k, found := book.Current().Key(shanghai, "1", start); k != nil || found == keys.Known {
		t.Error("an empty book knows a key")
	}
	inline := setOf(t, time.Time{}, a("P-384", object{"kid": "root-vouched"}))
	book.SetList(listOf(1, start.Add(time.Hour),
		keys.Authority{Issuer: shanghai, KeySetURL: "https://ebl.sh.example/jwks.json", Inline: inline},
		keys.Authority{Issuer: jiangsu, Inline: inline}))
	before := book.Current()
	book.SetKeys(shanghai, setOf(t, start, a("P-256", object{"kid": "1"})))
	book.SetKeys("https://stranger.example", setOf(t, start, a("P-256", object{"kid": "1"})))

	for name, c := range map[string]struct {
		iss   keys.Issuer
		kid   keys.KeyID
		after time.Duration
		want  keys.Found
	}{
		"fetched":                 {shanghai, "1", 0, keys.Known},
		"inline":                  {shanghai, "root-vouched", 0, keys.Known},
		"inline, set long stale":  {shanghai, "root-vouched", 100 * time.Hour, keys.Known},
		"unknown kid":             {shanghai, "2", 15 * time.Minute, keys.Missing},
		"unknown kid, set older":  {shanghai, "2", 15*time.Minute + 1, keys.Unavailable},
		"stale but good":          {shanghai, "1", 24 * time.Hour, keys.Known},
		"beyond max_stale":        {shanghai, "1", 24*time.Hour + 1, keys.Unavailable},
		"another issuer's key":    {jiangsu, "1", 0, keys.Missing},
		"an issuer's inline keys": {jiangsu, "root-vouched", 0, keys.Known},
		"a stranger with a set":   {"https://stranger.example", "1", 0, keys.Missing},
		"an issuer but for a /":   {shanghai + "/", "1", 0, keys.Missing},
		"an issuer in capitals":   {"HTTPS://EBL.SH.EXAMPLE", "1", 0, keys.Missing},
		"the prefix of an issuer": {shanghai[:len(shanghai)-1], "1", 0, keys.Missing},
		"no issuer":               {"", "1", 0, keys.Missing},
		"no kid":                  {shanghai, "", 0, keys.Missing},
	} {
		key, found := book.Current().Key(c.iss, c.kid, start.Add(c.after))
		if found != c.want || (key != nil) != (found == keys.Known) {
			t.Errorf("%s: %v %v, want %v", name, key, found, c.want)
		}
	}
	if _, found := before.Key(shanghai, "1", start); found != keys.Unavailable {
		t.Error("an earlier snapshot changed")
	}
	book.Forget(shanghai)
	if _, found := book.Current().Key(shanghai, "1", start); found != keys.Unavailable {
		t.Error("a forgotten set is used")
	}
}

func TestRevocationsStay(t *testing.T) {
	start := time.Unix(1790000000, 0)
	key := setOf(t, start, a("P-256", object{"kid": "1"})).Key("1")
	book := keys.NewBook(map[keys.Thumbprint]keys.Revocation{"remembered": {At: 5, Reason: "compromised"}}, keys.Terms{})
	superseded := listOf(1, start, keys.Authority{Issuer: shanghai})
	superseded.Revoked = map[keys.Thumbprint]keys.Revocation{key.Thumbprint(): {At: 1000, Reason: keys.ReasonSuperseded}}
	book.SetList(superseded)
	r, ok := book.Current().Revocation(key)
	if !ok || r.Ends(999) || !r.Ends(1000) {
		t.Errorf("superseded: %+v", r)
	}
	compromised := listOf(2, start)
	compromised.Revoked = map[keys.Thumbprint]keys.Revocation{key.Thumbprint(): {At: 2000, Reason: "compromised"}}
	book.SetList(compromised)
	old := book.Current()
	book.SetList(listOf(3, start)) // which forgets both
	book.SetList(superseded)       // which says less
	for name, s := range map[string]*keys.Snapshot{"then": old, "now": book.Current()} {
		if r, ok := s.Revocation(key); !ok || !r.Ends(1) {
			t.Errorf("%s: %+v", name, r)
		}
		if _, ok := s.RevokedThumbprint("remembered"); !ok {
			t.Errorf("%s: what earlier runs knew is forgotten", name)
		}
	}
}

func TestOwnRevocation(t *testing.T) {
	start := time.Unix(1790000000, 0)
	for name, c := range map[string]struct {
		revoked any
		ends    bool // a credential of before
	}{
		"compromised": {object{"revoked_at": 1000, "reason": "compromised"}, true},
		"superseded":  {object{"revoked_at": 1000, "reason": "superseded"}, false},
		"new word":    {object{"revoked_at": 1000, "reason": "stolen in transit"}, true},
		"no time":     {object{"reason": "superseded"}, true},
		"no reason":   {object{"revoked_at": 1000}, true},
		"a bool":      {true, true},
		"a text":      {"superseded", true},
	} {
		set := setOf(t, start, a("P-256", object{"kid": "1", "revoked": c.revoked}))
		book := keys.NewBook(nil, keys.Terms{MaxStale: time.Hour})
		book.SetList(listOf(1, start, keys.Authority{Issuer: shanghai, KeySetURL: "https://x.example/"}))
		book.SetKeys(shanghai, set)
		key, _ := book.Current().Key(shanghai, "1", start)
		r, ok := book.Current().Revocation(key)
		if !ok || r.Ends(999) != c.ends || !r.Ends(1000) {
			t.Errorf("%s: %+v %v", name, r, ok)
		}
	}
	// An inline key that its issuer revokes in its own set is revoked.
	book := keys.NewBook(nil, keys.Terms{MaxStale: time.Hour})
	book.SetList(listOf(1, start, keys.Authority{Issuer: shanghai, KeySetURL: "https://x.example/",
		Inline: setOf(t, time.Time{}, a("P-256", object{"kid": "1"}))}))
	book.SetKeys(shanghai, setOf(t, start, a("P-256", object{"kid": "1", "revoked": object{"revoked_at": 1, "reason": "compromised"}})))
	key, _ := book.Current().Key(shanghai, "1", start)
	if r, ok := book.Current().Revocation(key); !ok || !r.Ends(0) {
		t.Errorf("inline: %+v %v", r, ok)
	}
}

func TestWindow(t *testing.T) {
	for name, c := range map[string]struct {
		jwk  object
		good []int64
		bad  []int64
	}{
		"open":       {object{}, []int64{0, 1 << 40}, nil},
		"nbf":        {object{"nbf": 100}, []int64{100, 1 << 40}, []int64{0, 99}},
		"exp":        {object{"exp": 200}, []int64{0, 199}, []int64{200, 1 << 40}},
		"both":       {object{"nbf": 100, "exp": 200}, []int64{100, 199}, []int64{99, 200}},
		"ended 1970": {object{"exp": 0}, nil, []int64{1, 1 << 40}},
		"never":      {object{"nbf": 200, "exp": 100}, nil, []int64{99, 100, 150, 199, 200}},
	} {
		key, err := keys.ParseJWK(value(t, a("P-256", c.jwk)))
		if err != nil {
			t.Fatal(err)
		}
		for _, iat := range c.good {
			if !key.Signs(iat) {
				t.Errorf("%s: does not sign at %d", name, iat)
			}
		}
		for _, iat := range c.bad {
			if key.Signs(iat) {
				t.Errorf("%s: signs at %d", name, iat)
			}
		}
	}
}

func TestCovers(t *testing.T) {
	auth := keys.Authority{Types: []string{"business-licence"}, Divisions: []string{"31"}, ValidFrom: 100, ValidUntil: 200}
	for name, c := range map[string]struct {
		docType, regorg string
		iat             int64
		want            bool
	}{
		"own":              {"business-licence", "310115", 100, true},
		"another province": {"business-licence", "320500", 150, false},
		"another type":     {"food-permit", "310115", 150, false},
		"before":           {"business-licence", "310115", 99, false},
		"after":            {"business-licence", "310115", 200, false},
		"short regorg":     {"business-licence", "31", 150, false},
		"no regorg":        {"business-licence", "", 150, false},
	} {
		if got := auth.Covers(c.docType, c.regorg, c.iat); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Look-alikes of an address: what a credential names is fetched only if it lies
// under a prefix for every reader of URLs.
func TestMayFetchStatus(t *testing.T) {
	slash := keys.Authority{StatusLists: []string{"https://ebl.sh.example/status/"}}
	bare := keys.Authority{StatusLists: []string{"https://ebl.sh.example/status"}}
	host := keys.Authority{StatusLists: []string{"https://ebl.sh.example"}}
	for _, c := range []struct {
		uri               string
		slash, bare, host bool
	}{
		{"https://ebl.sh.example/status/1", true, true, true},
		{"https://ebl.sh.example/status/a/b.jwt", true, true, true},
		{"https://ebl.sh.example/status/1?v=2", true, true, true},
		{"https://ebl.sh.example/status/", true, true, true},
		{"https://ebl.sh.example/status", false, true, true},
		{"https://ebl.sh.example/status?list=1", false, true, true},
		{"https://ebl.sh.example", false, false, true},
		{"https://ebl.sh.example/status-evil/1", false, false, true},
		{"https://ebl.sh.example/other", false, false, true},
		{"https://ebl.sh.example/status/../other", false, false, false},
		{"https://ebl.sh.example/status/%2e%2e/other", false, false, false},
		{"https://ebl.sh.example/status/%2Fother", false, false, false},
		{"https://ebl.sh.example/status//other", false, false, false},
		{"https://ebl.sh.example/status/./1", false, false, false},
		{`https://ebl.sh.example/status/\other`, false, false, false},
		{"https://ebl.sh.example/status/1#x", false, false, false},
		{"https://ebl.sh.example/status/1 ", false, false, false},
		{"https://ebl.sh.example.evil.example/status/1", false, false, false},
		{"https://ebl.sh.example@evil.example/status/1", false, false, false},
		{"https://ebl.sh.example:443@evil.example/status/1", false, false, false},
		{"https://evil.example/https://ebl.sh.example/status/1", false, false, false},
		{"https://EBL.sh.example/status/1", false, false, false},
		{"HTTPS://ebl.sh.example/status/1", false, false, false},
		{"http://ebl.sh.example/status/1", false, false, false},
		{"//ebl.sh.example/status/1", false, false, false},
		{"https://ebl.sh.example:444/status/1", false, false, false},
		{"https://еbl.sh.example/status/1", false, false, false}, // a Cyrillic letter
		{"https://ebl.sh.example/статус/1", false, false, false},
		{"https:ebl.sh.example/status/1", false, false, false},
		{"", false, false, false},
	} {
		if s, b, h := slash.MayFetchStatus(c.uri), bare.MayFetchStatus(c.uri), host.MayFetchStatus(c.uri); s != c.slash || b != c.bare || h != c.host {
			t.Errorf("%q: %v %v %v, want %v %v %v", c.uri, s, b, h, c.slash, c.bare, c.host)
		}
	}
	if (&keys.Authority{}).MayFetchStatus("https://ebl.sh.example/") || (&keys.Authority{StatusLists: []string{""}}).MayFetchStatus("https://ebl.sh.example/") {
		t.Error("fetched although no prefix is named")
	}
}

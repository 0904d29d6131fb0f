package trustlist_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"tongyan/keys"
	"tongyan/keys/trustlist"
)

// one is a list of one issuer with changes laid over the issuer.
func one(changes object) object {
	return listOf(7, object{"provinces": []any{provinceOf("310000", issuerOf("https://ebl.sh.example", changes))}})
}

func province(changes object) object {
	return listOf(7, object{"provinces": []any{with(provinceOf("310000", issuerOf("https://ebl.sh.example", nil)), changes)}})
}

func inline(t testing.TB, names ...string) object {
	t.Helper()
	var all []any
	for i, name := range names {
		text, err := rootKeys()[i].PublicJWK()
		if err != nil {
			t.Fatal(err)
		}
		var jwk object
		if err := json.Unmarshal(text, &jwk); err != nil {
			t.Fatal(err)
		}
		jwk["kid"] = name
		all = append(all, jwk)
	}
	return object{"keys": all}
}

// Contract §3, rule by rule. Every one of these is well signed.
func TestContent(t *testing.T) {
	thumb := string(rootKeys()[3].Public().Thumbprint())
	revoked := func(changes object) object {
		return listOf(7, object{"revoked_keys": []any{with(object{"thumbprint": thumb, "revoked_at": 5, "reason": "compromised"}, changes)}})
	}
	gateway := func(iss, uri any) object { return object{"iss": iss, "jwks_uri": uri} }
	null := json.RawMessage("null")
	cases := map[string]struct {
		list object
		want trustlist.Reason
	}{
		"plain":                     {listOf(7, nil), ""},
		"no province":               {listOf(7, object{"provinces": []any{}}), ""},
		"unknown members":           {listOf(7, object{"future": object{"a": []any{1}}}), ""},
		"suspended":                 {province(object{"state": "suspended"}), ""},
		"province without texts":    {province(object{"name": remove, "name_en": remove, "authority": remove}), ""},
		"province without issuers":  {province(object{"issuers": []any{}}), ""},
		"inline keys":               {one(object{"jwks_uri": remove, "jwks": inline(t, "1")}), ""},
		"inline and fetched":        {one(object{"jwks": inline(t, "1", "2")}), ""},
		"no status lists":           {one(object{"status_lists": remove}), ""},
		"open windows":              {one(object{"valid_from": null, "valid_until": remove}), ""},
		"unknown alg beside others": {one(object{"algs": []any{"ES256", "ML-DSA-44"}}), ""},
		"only unknown algs":         {one(object{"algs": []any{"ML-DSA-44"}}), ""},
		"several divisions":         {one(object{"divisions": []any{"31", "32"}}), ""},
		"revoked without reason":    {revoked(object{"reason": remove}), ""},
		"revoked, new reason":       {revoked(object{"reason": "lost on the train"}), ""},
		"a peer gateway":            {listOf(7, object{"gateways": []any{gateway("https://g.example", "https://g.example/jwks.json")}}), ""},

		"not an object":           {nil, trustlist.Content},
		"no iss":                  {listOf(7, object{"iss": remove}), trustlist.Content},
		"iss empty":               {listOf(7, object{"iss": ""}), trustlist.Content},
		"no version":              {listOf(7, object{"version": remove}), trustlist.Content},
		"version 0":               {listOf(0, nil), trustlist.Content},
		"version -1":              {listOf(-1, nil), trustlist.Content},
		"version 1.5":             {listOf(7, object{"version": 1.5}), trustlist.Content},
		"version 1e3":             {listOf(7, object{"version": json.RawMessage("1e3")}), trustlist.Content},
		"version as text":         {listOf(7, object{"version": "7"}), trustlist.Content},
		"version beyond 64 bits":  {listOf(7, object{"version": json.RawMessage("9223372036854775808")}), trustlist.Content},
		"no iat":                  {listOf(7, object{"iat": remove}), trustlist.Content},
		"no exp":                  {listOf(7, object{"exp": remove}), trustlist.Content},
		"exp null":                {listOf(7, object{"exp": null}), trustlist.Content},
		"exp in the year 10000":   {listOf(7, object{"exp": 253402300800}), trustlist.Content},
		"exp before iat":          {listOf(7, object{"iat": 1790000000, "exp": 1790000000}), trustlist.Content},
		"no provinces":            {listOf(7, object{"provinces": remove}), trustlist.Content},
		"provinces an object":     {listOf(7, object{"provinces": object{}}), trustlist.Content},
		"a province is a text":    {listOf(7, object{"provinces": []any{"310000"}}), trustlist.Content},
		"code of five digits":     {province(object{"code": "31000"}), trustlist.Content},
		"code with a letter":      {province(object{"code": "31000A"}), trustlist.Content},
		"code in wide digits":     {province(object{"code": "３１００００"}), trustlist.Content},
		"code a number":           {province(object{"code": 310000}), trustlist.Content},
		"state unknown":           {province(object{"state": "Active"}), trustlist.Content},
		"state absent":            {province(object{"state": remove}), trustlist.Content},
		"state null":              {province(object{"state": null}), trustlist.Content},
		"no issuers":              {province(object{"issuers": remove}), trustlist.Content},
		"an issuer is null":       {province(object{"issuers": []any{nil}}), trustlist.Content},
		"iss absent":              {one(object{"iss": remove}), trustlist.Content},
		"issuer's iss empty":      {one(object{"iss": ""}), trustlist.Content},
		"no types":                {one(object{"types": remove}), trustlist.Content},
		"types a text":            {one(object{"types": "business-licence"}), trustlist.Content},
		"an empty type":           {one(object{"types": []any{""}}), trustlist.Content},
		"no algs":                 {one(object{"algs": remove}), trustlist.Content},
		"algs with a number":      {one(object{"algs": []any{"ES256", 1}}), trustlist.Content},
		"no keys at all":          {one(object{"jwks_uri": remove}), trustlist.Content},
		"jwks_uri null":           {one(object{"jwks_uri": null}), trustlist.Content},
		"jwks_uri empty":          {one(object{"jwks_uri": ""}), trustlist.Content},
		"inline set without keys": {one(object{"jwks": object{"keys": []any{}}}), trustlist.Content},
		"inline private key":      {one(object{"jwks": object{"keys": []any{object{"kty": "oct", "kid": "1", "k": "AQ"}}}}), trustlist.Content},
		"inline kid twice":        {one(object{"jwks": inline(t, "1", "1")}), trustlist.Content},
		"status_lists null":       {one(object{"status_lists": null}), trustlist.Content},
		"a division of one digit": {one(object{"divisions": []any{"3"}}), trustlist.Content},
		"a division of a city":    {one(object{"divisions": []any{"3101"}}), trustlist.Content},
		"divisions a text":        {one(object{"divisions": "31"}), trustlist.Content},
		"valid_from negative":     {one(object{"valid_from": -1}), trustlist.Content},
		"valid_until as text":     {one(object{"valid_until": "2027-01-01"}), trustlist.Content},
		"thumbprint too short":    {revoked(object{"thumbprint": thumb[:42]}), trustlist.Content},
		"thumbprint in hex":       {revoked(object{"thumbprint": strings.Repeat("ab", 32)}), trustlist.Content},
		"thumbprint absent":       {revoked(object{"thumbprint": remove}), trustlist.Content},
		"revoked_at absent":       {revoked(object{"revoked_at": remove}), trustlist.Content},
		"revoked_keys an object":  {listOf(7, object{"revoked_keys": object{}}), trustlist.Content},
		"gateway without iss":     {listOf(7, object{"gateways": []any{object{"jwks_uri": "https://g.example/"}}}), trustlist.Content},
		"gateway without jwks":    {listOf(7, object{"gateways": []any{object{"iss": "https://g.example"}}}), trustlist.Content},

		"one iss twice in a province": {listOf(7, object{"provinces": []any{provinceOf("310000", issuerOf("https://a.example", nil), issuerOf("https://a.example", nil))}}), trustlist.DuplicateIssuer},
		"one iss in two provinces":    {listOf(7, object{"provinces": []any{provinceOf("310000", issuerOf("https://a.example", nil)), provinceOf("320000", issuerOf("https://a.example", nil))}}), trustlist.DuplicateIssuer},
		"a province twice":            {listOf(7, object{"provinces": []any{provinceOf("310000"), provinceOf("310000")}}), trustlist.DuplicateIssuer},
		"a gateway twice":             {listOf(7, object{"gateways": []any{gateway("https://g.example", "https://g.example/"), gateway("https://g.example", "https://h.example/")}}), trustlist.DuplicateIssuer},

		"jwks_uri over http":        {one(object{"jwks_uri": "http://ebl.sh.example/jwks.json"}), trustlist.Address},
		"jwks_uri a file":           {one(object{"jwks_uri": "file:///etc/passwd"}), trustlist.Address},
		"jwks_uri with a user":      {one(object{"jwks_uri": "https://ebl.sh.example@evil.example/"}), trustlist.Address},
		"jwks_uri with fragment":    {one(object{"jwks_uri": "https://ebl.sh.example/#x"}), trustlist.Address},
		"jwks_uri without host":     {one(object{"jwks_uri": "https:///jwks.json"}), trustlist.Address},
		"jwks_uri with blank":       {one(object{"jwks_uri": "https://ebl.sh.example/a b"}), trustlist.Address},
		"gateway over http":         {listOf(7, object{"gateways": []any{gateway("https://g.example", "http://g.example/")}}), trustlist.Address},
		"status prefix over http":   {one(object{"status_lists": []any{"http://ebl.sh.example/status/"}}), trustlist.Address},
		"status prefix bare":        {one(object{"status_lists": []any{"https://"}}), trustlist.Address},
		"status prefix relative":    {one(object{"status_lists": []any{"/status/"}}), trustlist.Address},
		"status prefix with dots":   {one(object{"status_lists": []any{"https://ebl.sh.example/status/../"}}), trustlist.Address},
		"status prefix escaped":     {one(object{"status_lists": []any{"https://ebl.sh.example/%2e%2e/"}}), trustlist.Address},
		"status prefix with query":  {one(object{"status_lists": []any{"https://ebl.sh.example/?x="}}), trustlist.Address},
		"status prefix with a user": {one(object{"status_lists": []any{"https://ebl.sh.example@evil.example/"}}), trustlist.Address},
		"status prefix backslash":   {one(object{"status_lists": []any{`https://ebl.sh.example\@evil.example/`}}), trustlist.Address},
		"status prefix in Cyrillic": {one(object{"status_lists": []any{"https://еbl.sh.example/status/"}}), trustlist.Address},
		"one bad prefix among good": {one(object{"status_lists": []any{"https://ebl.sh.example/status/", "ftp://ebl.sh.example/"}}), trustlist.Address},
	}
	root := rootKeys()[0]
	roots := pin(t, 1, root)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			payload := encode(t, c.list)
			if c.list == nil {
				payload = []byte("[]")
			}
			list, err := trustlist.Read(signed(t, payload, root), roots)
			wantReason(t, err, c.want)
			if (list == nil) != (err != nil) {
				t.Error("a list beside an error, or neither")
			}
			if _, err := trustlist.Sign(payload, root); trustlist.ReasonOf(err) != c.want {
				t.Errorf("the signing tool says %v", err)
			}
		})
	}
}

func TestWhatAListSays(t *testing.T) {
	thumb := string(rootKeys()[3].Public().Thumbprint())
	ownRevoked := inline(t, "1")
	ownRevoked["keys"].([]any)[0].(object)["revoked"] = object{"revoked_at": 9, "reason": "compromised"}
	payload := encode(t, listOf(7, object{
		"provinces": []any{
			with(provinceOf("310000", issuerOf("https://ebl.sh.example", object{"algs": []any{"Ed25519", "EdDSA", "ML-DSA-44", "SM2"}, "valid_until": 1900000000, "jwks": ownRevoked})), object{"state": "suspended"}),
			provinceOf("330000", issuerOf("https://ebl.zj.example", object{"valid_until": 0, "valid_from": remove})),
		},
		"revoked_keys": []any{
			object{"thumbprint": thumb, "revoked_at": 50, "reason": "superseded"},
			object{"thumbprint": thumb, "revoked_at": 20, "reason": "superseded"},
		},
		"gateways": []any{object{"iss": "https://g.example", "jwks_uri": "https://g.example/jwks.json"}},
	}))
	l, err := trustlist.ParseContent(payload)
	if err != nil {
		t.Fatal(err)
	}
	sh, zj := l.Provinces[0].Issuers[0], l.Provinces[1].Issuers[0]
	if l.Issuer != "https://trust.example" || l.Version != 7 || len(l.Digest) != 43 || l.Gateways[0].KeySetURL == "" {
		t.Errorf("%+v", l)
	}
	if l.Provinces[0].Active || !l.Provinces[1].Active {
		t.Error("the wrong province is suspended")
	}
	if !slices.Equal(sh.Algorithms, []keys.Algorithm{keys.EdDSA, keys.SM2}) {
		t.Errorf("algorithms %v", sh.Algorithms)
	}
	if sh.ValidUntil != 1900000000 || zj.ValidFrom != 0 || zj.ValidUntil != 1 || zj.Covers("business-licence", "330100", 100) {
		t.Errorf("windows %d, %d to %d", sh.ValidUntil, zj.ValidFrom, zj.ValidUntil)
	}
	if !slices.Equal(zj.Divisions, []string{"33"}) {
		t.Errorf("divisions %v", zj.Divisions)
	}
	if r := l.Revoked[keys.Thumbprint(thumb)]; r.At != 20 {
		t.Errorf("of two revocations the weaker counts: %+v", r)
	}
	if r, ok := l.Revoked[rootKeys()[0].Public().Thumbprint()]; !ok || !r.Ends(1) {
		t.Error("an inline key's own revocation is not remembered")
	}
	other, err := trustlist.ParseContent(bytes.Replace(payload, []byte("Shanghai"), []byte("Shangdong"), 1))
	if err != nil || other.Digest == l.Digest {
		t.Errorf("another content with the same digest, %v", err)
	}
}

// Roots of every algorithm sign lists.
func TestRootAlgorithms(t *testing.T) {
	payload := encode(t, listOf(7, nil))
	for _, alg := range keys.Algorithms {
		root := newKey(alg)
		if _, err := trustlist.Read(signed(t, payload, root), pin(t, 1, root)); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		if _, err := trustlist.Read(signed(t, payload, rootKeys()[0], root), pin(t, 2, root, rootKeys()[0])); err != nil {
			t.Errorf("%s beside ES256: %v", alg, err)
		}
	}
}

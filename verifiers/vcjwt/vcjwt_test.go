package vcjwt_test

import (
	"errors"
	"testing"

	"tongyan/verifiers"
	"tongyan/verifiers/vcjwt"
)

const (
	from  = 1767225600 // 2026-01-01
	until = 1798761600 // 2027-01-01
)

func TestOpen(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(object)
		want func(*verifiers.Finding)
	}{
		"members only":    {func(object) {}, func(*verifiers.Finding) {}},
		"issuer object":   {func(vc object) { vc["issuer"] = object{"id": "https://ebl.sh.example", "name": "x"} }, func(*verifiers.Finding) {}},
		"type is a text":  {func(vc object) { vc["type"] = "VerifiableCredential" }, func(*verifiers.Finding) {}},
		"further context": {func(vc object) { vc["@context"] = []any{vcjwt.Context, "https://x.example", object{"a": "b"}} }, func(*verifiers.Finding) {}},
		"all JWT claims": {func(vc object) {
			vc["iss"], vc["jti"], vc["iat"], vc["exp"], vc["sub"] = vc["issuer"], vc["id"], from, until, "91310000MA1K35Y38P"
		}, func(f *verifiers.Finding) { f.Subject, f.SubjectIn = "91310000MA1K35Y38P", true }},
		"sub of another": {func(vc object) { vc["sub"] = "x" }, func(f *verifiers.Finding) { f.Subject, f.SubjectIn = "x", true }},
		"nbf":            {func(vc object) { vc["nbf"] = 7 }, func(f *verifiers.Finding) { f.NotBefore = 7 }},
		"zone":           {func(vc object) { vc["validFrom"] = "2026-01-01T08:00:00+08:00" }, func(*verifiers.Finding) {}},
		"fractions": {func(vc object) {
			vc["validFrom"], vc["validUntil"] = "2025-12-31T23:59:59.5Z", "2027-01-01T00:00:00.9Z"
		}, func(*verifiers.Finding) {}},
		"fractions and JWT":  {func(vc object) { vc["validFrom"], vc["iat"] = "2025-12-31T23:59:59.5Z", from-1 }, func(*verifiers.Finding) {}},
		"fractions, rounded": {func(vc object) { vc["validUntil"], vc["exp"] = "2027-01-01T00:00:00.9Z", until+1 }, func(*verifiers.Finding) {}},
		"status": {func(vc object) {
			vc["status"] = object{"status_list": object{"idx": 5, "uri": "https://ebl.sh.example/status/1"}}
		}, func(f *verifiers.Finding) {
			f.Status = &verifiers.StatusRef{URI: "https://ebl.sh.example/status/1", Index: 5}
		}},
		"status malformed":         {func(vc object) { vc["status"] = object{} }, func(f *verifiers.Finding) { f.Status = &verifiers.StatusRef{Malformed: true} }},
		"status of another kind":   {func(vc object) { vc["credentialStatus"] = object{"type": "BitstringStatusListEntry"} }, unsupported},
		"status of both kinds":     {func(vc object) { both(vc, object{"status_list": object{"idx": 5, "uri": "https://x"}}) }, unsupported},
		"both, the one malformed":  {func(vc object) { both(vc, object{}) }, func(f *verifiers.Finding) { f.Status = &verifiers.StatusRef{Malformed: true} }},
		"another kind, but null":   {func(vc object) { vc["credentialStatus"] = nil }, unsupported},
		"unknown members, aud too": {func(vc object) { vc["aud"], vc["evidence"] = 1, []int{1} }, func(*verifiers.Finding) {}},
	} {
		c := good()
		tc.edit(c.vc)
		token := c.bytes()
		u, err := vcjwt.Envelope{}.Open(token)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := verifiers.Finding{
			Format: "vc+jwt", Algorithm: "EdDSA", KeyID: "k1", Issuer: "https://ebl.sh.example", ID: "urn:ebl:1",
			IssuedAt: from, Expires: until, Licence: u.Finding.Licence, Body: verifiers.DigestOf(token),
		}
		tc.want(&want)
		got := u.Finding
		if (got.Status == nil) != (want.Status == nil) || got.Status != nil && *got.Status != *want.Status {
			t.Errorf("%s: status = %+v, want %+v", name, got.Status, want.Status)
		}
		if got.Status, want.Status = nil, nil; got != want {
			t.Errorf("%s: finding = %+v, want %+v", name, got, want)
		}
		if got.Licence.Uniscid != "91310000MA1K35Y38P" || got.Licence.Lerep != "张样例" {
			t.Errorf("%s: licence = %+v", name, got.Licence)
		}
		if f, ok := u.Prove(issuer(t)); !ok || f.Key == "" {
			t.Errorf("%s: the issuer's own signature is refused", name)
		}
	}
}

func unsupported(f *verifiers.Finding) { f.Status = new(verifiers.StatusRef) }

func both(vc object, status object) {
	vc["status"], vc["credentialStatus"] = status, object{"type": "BitstringStatusListEntry"}
}

func TestOpenRefuses(t *testing.T) {
	missing, invalid := verifiers.ClaimMissing, verifiers.ClaimInvalid
	set := func(name string, value any) func(*credential) { return func(c *credential) { c.vc[name] = value } }
	without := func(name string) func(*credential) { return func(c *credential) { delete(c.vc, name) } }
	for name, tc := range map[string]struct {
		spoil func(*credential)
		code  verifiers.Code
	}{
		"typ of another":           {func(c *credential) { c.header["typ"] = "ebl+jwt" }, verifiers.HeaderInvalid},
		"typ of an older draft":    {func(c *credential) { c.header["typ"] = "vc+ld+jwt" }, verifiers.HeaderInvalid},
		"no kid":                   {func(c *credential) { delete(c.header, "kid") }, verifiers.HeaderInvalid},
		"crit":                     {func(c *credential) { c.header["crit"] = []string{"x"} }, verifiers.HeaderNotAllowed},
		"no context":               {without("@context"), missing},
		"context null":             {set("@context", nil), invalid},
		"context a text":           {set("@context", vcjwt.Context), invalid},
		"context of version 1":     {set("@context", []string{"https://www.w3.org/2018/credentials/v1"}), invalid},
		"context second":           {set("@context", []string{"https://x.example", vcjwt.Context}), invalid},
		"context empty":            {set("@context", []string{}), invalid},
		"no type":                  {without("type"), missing},
		"type of another":          {set("type", []string{"VerifiablePresentation"}), invalid},
		"type among numbers":       {set("type", []any{"VerifiableCredential", 1}), invalid},
		"type another text":        {set("type", "VerifiableCredentials"), invalid},
		"a VC within":              {set("vc", object{}), invalid},
		"a VP within":              {set("vp", object{}), invalid},
		"no issuer":                {without("issuer"), missing},
		"issuer null":              {set("issuer", nil), invalid},
		"issuer empty":             {set("issuer", ""), invalid},
		"issuer without id":        {set("issuer", object{"name": "x"}), missing},
		"issuer with a number":     {set("issuer", object{"id": 1}), invalid},
		"iss of another":           {set("iss", "https://ebl.js.example"), invalid},
		"iss longer":               {set("iss", "https://ebl.sh.example/"), invalid},
		"iss null":                 {set("iss", nil), invalid},
		"iss without issuer":       {func(c *credential) { delete(c.vc, "issuer"); c.vc["iss"] = "https://ebl.sh.example" }, missing},
		"no id":                    {without("id"), missing},
		"jti of another":           {set("jti", "urn:ebl:2"), invalid},
		"no validFrom":             {without("validFrom"), missing},
		"no validUntil":            {without("validUntil"), missing},
		"validUntil null":          {set("validUntil", nil), invalid},
		"validFrom a number":       {set("validFrom", from), invalid},
		"validFrom without zone":   {set("validFrom", "2026-01-01T00:00:00"), invalid},
		"validFrom a date":         {set("validFrom", "2026-01-01"), invalid},
		"validFrom with a blank":   {set("validFrom", "2026-01-01 00:00:00Z"), invalid},
		"validFrom with a comma":   {set("validFrom", "2026-01-01T00:00:00,5Z"), invalid},
		"validFrom with one digit": {set("validFrom", "2026-01-01T0:00:00Z"), invalid},
		"validFrom, long offset":   {set("validFrom", "2026-01-01T00:00:00+24:00"), invalid},
		"validFrom in lower case":  {set("validFrom", "2026-01-01t00:00:00z"), invalid},
		"validFrom 30 February":    {set("validFrom", "2026-02-30T00:00:00Z"), invalid},
		"validFrom before 1970":    {set("validFrom", "1969-12-31T23:59:59Z"), invalid},
		"validUntil past 9999":     {set("validUntil", "9999-12-31T23:59:59.5Z"), invalid},
		"iat one second off":       {set("iat", from+1), invalid},
		"iat a fraction":           {set("iat", float64(from)+0.5), invalid},
		"exp later":                {set("exp", until+1), invalid},
		"exp earlier":              {set("exp", until-1), invalid},
		"exp null":                 {set("exp", nil), invalid},
		"sub null":                 {set("sub", nil), invalid},
		"sub empty":                {set("sub", ""), invalid},
		"nbf a text":               {set("nbf", "x"), invalid},
		"cnf a text":               {set("cnf", "x"), invalid},
		"no subject":               {without("credentialSubject"), missing},
		"subject null":             {set("credentialSubject", nil), invalid},
		"subjects":                 {func(c *credential) { c.vc["credentialSubject"] = []any{c.vc["credentialSubject"]} }, invalid},
		"no licence":               {set("credentialSubject", object{"id": "x"}), missing},
		"no lerep":                 {func(c *credential) { delete(c.licence(), "lerep") }, missing},
		"licence outside":          {func(c *credential) { c.vc["licence"] = c.licence(); c.vc["credentialSubject"] = object{} }, missing},
	} {
		t.Run(name, func(t *testing.T) {
			c := good()
			tc.spoil(c)
			u, err := vcjwt.Envelope{}.Open(c.bytes())
			var fault *verifiers.FormatError
			if u != nil || !errors.As(err, &fault) {
				t.Fatalf("%+v, %v", u, err)
			}
			if fault.Code != tc.code {
				t.Errorf("%s: %v, want %s", fault.Code, err, tc.code)
			}
		})
	}
}

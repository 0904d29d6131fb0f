package registry

import (
	"net/http"
	"strings"
	"time"

	"tongyan/strict"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
)

// answer reads the body of a 200 or 404 as the answer to a question about key,
// put at askedAt. An error is always a *failure, and a fault of the registry's;
// the Standing beside it is zero.
func (s *speech) answer(status int, body []byte, key verifiers.StandingKey, askedAt time.Time) (verifiers.Standing, error) {
	none := verifiers.Standing{}
	v, err := strict.Parse(body)
	if err != nil {
		return none, wrong(ReasonMalformed, "answer is not strict JSON: "+err.Error())
	}
	unregistered := verifiers.Standing{Key: key, Answer: verifiers.NotRegistered, AsOf: askedAt, AskedAt: askedAt}
	if status == http.StatusNotFound {
		// A 404 without this body is a wrong address or a proxy's page: not
		// evidence about anybody's licence.
		if code, _ := v.Get("code").Text(); code != "not_found" {
			return none, wrong(ReasonStatus, `HTTP status 404 without {"code":"not_found"}`)
		}
		return unregistered, nil
	}
	if status != http.StatusOK {
		return none, wrong(ReasonStatus, "status that is no answer")
	}
	// First ok, then empty: a service that failed and therefore found nothing
	// has not said that there is no such licence.
	if s.OK != nil && !s.OK.holds(v) {
		return none, wrong(ReasonMalformed, "answer does not say what dialect.ok asks for")
	}
	if s.Empty != nil && s.Empty.holds(v) {
		return unregistered, nil
	}
	record := v.At(s.Record)
	if record.Kind() != strict.Object {
		return none, wrong(ReasonMalformed, "answer holds no record")
	}
	return s.standing(record, key, askedAt)
}

func (m *Match) holds(v strict.Value) bool {
	found := v.At(m.Pointer)
	return found.Kind() != strict.Absent && found.Equal(m.Equals)
}

// standing reads the record of one licence.
func (s *speech) standing(record strict.Value, key verifiers.StandingKey, askedAt time.Time) (verifiers.Standing, error) {
	none := verifiers.Standing{}
	about, ok := record.At(s.fields.USCC).Text()
	switch {
	case !ok:
		return none, wrong(ReasonMalformed, "answer does not name its licence")
	case about != string(key.USCC):
		return none, wrong(ReasonOtherLicence, "answer is about another licence than asked for")
	}
	standing := verifiers.Standing{Key: key, Answer: verifiers.Registered, AsOf: askedAt, AskedAt: askedAt}
	if standing.State, ok = s.state(record.At(s.fields.Regstate)); !ok {
		return none, wrong(ReasonMalformed, "answer has no registration state, or one that is no text")
	}
	if name, stated := s.field(record, s.fields.Entname); stated {
		text, ok := name.Text()
		if !ok {
			return none, wrong(ReasonMalformed, "the name in the answer is no text")
		}
		standing.Entname = strings.Clone(text) // not the whole body with it
	}
	if date, stated := s.field(record, s.fields.Apprdate); stated {
		if standing.Apprdate, ok = s.day(date); !ok {
			return none, wrong(ReasonMalformed, "the approval date in the answer is none")
		}
	}
	if moment, stated := s.field(record, s.fields.AsOf); stated {
		if standing.AsOf, ok = s.asOf(moment); !ok {
			return none, wrong(ReasonMalformed, "the as-of time in the answer is none")
		}
	}
	return standing, nil
}

// field returns an optional field of a record, and whether it is stated there.
func (s *speech) field(record strict.Value, pointer string) (v strict.Value, stated bool) {
	if pointer == "" {
		return v, false
	}
	v = record.At(pointer)
	if text, ok := v.Text(); !s.plain && (v.Kind() == strict.Null || ok && text == "") {
		return v, false
	}
	return v, v.Kind() != strict.Absent
}

// state maps the register's word for the registration state. "" with ok is a
// word without a meaning here, which the verdict calls unknown; not ok is no
// word at all.
func (s *speech) state(v strict.Value) (state licence.RegState, ok bool) {
	word, ok := v.Text()
	if !ok && !s.plain {
		word, ok = v.Literal()
	}
	if !ok || word == "" {
		return "", false
	}
	if s.States != nil {
		return s.States[word], true
	}
	if _, _, known := licence.RegState(word).Names(); !known {
		return "", true
	}
	return licence.RegState(strings.Clone(word)), true
}

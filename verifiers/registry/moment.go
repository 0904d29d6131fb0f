package registry

import (
	"strings"
	"time"

	"tongyan/strict"
	"tongyan/verifiers/licence"
)

// shanghai is where times without a zone are meant (contract §10): a fixed
// zone, so that every gateway reads the same day with or without zone data.
var shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

// day reads an approval date: YYYY-MM-DD in the plain protocol; in a dialect
// also with a time behind it, or as epoch milliseconds.
func (s *speech) day(v strict.Value) (licence.Date, bool) {
	if text, ok := v.Text(); ok {
		if date, ok := licence.ParseDate(text); ok {
			return licence.Date(strings.Clone(string(date))), true
		}
	}
	if s.plain {
		return "", false
	}
	t, ok := moment(v)
	if !ok {
		return "", false
	}
	return licence.ParseDate(t.Format(time.DateOnly))
}

// asOf reads an as-of time: RFC 3339 in the plain protocol; in a dialect also
// all that its dates may be.
func (s *speech) asOf(v strict.Value) (t time.Time, ok bool) {
	if s.plain {
		t, ok = rfc3339(v)
	} else {
		t, ok = moment(v)
	}
	t = t.UTC()
	// A zone can carry a time into a year that RFC 3339 cannot write.
	return t, ok && t.Year() >= 1 && t.Year() <= 9999
}

// rfc3339 reads RFC 3339 as it is written there. Package time alone takes an
// hour of one digit and a comma before the fraction as well.
func rfc3339(v strict.Value) (time.Time, bool) {
	text, ok := v.Text()
	if !ok || len(text) > maxTimeText || strings.Contains(text, ",") {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, text)
	return t, err == nil && text[len("2006-01-02T15")] == ':'
}

const (
	// minMillis is in March 1973. Less was not meant as milliseconds: today's
	// date in seconds would read as a day in January 1970.
	minMillis = 100_000_000_000
	maxMillis = 253402300799_999 // the end of the year 9999
)

// The times that may stand behind a date; fractions of a second are taken too.
var timeLayouts = []string{
	"2006-01-02 15:04:05",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05Z0700", // as Java's usual writer has it
	"2006-01-02 15:04",
}

const maxTimeText = 40 // bytes

// moment reads a dialect's date or time. The result is in Asia/Shanghai.
func moment(v strict.Value) (time.Time, bool) {
	if millis, ok := v.Integer(maxMillis); ok {
		return time.UnixMilli(millis).In(shanghai), millis >= minMillis
	}
	text, ok := v.Text()
	if !ok || len(text) < len(time.DateOnly) || len(text) > maxTimeText {
		return time.Time{}, false
	}
	if _, ok := licence.ParseDate(text[:10]); !ok {
		return time.Time{}, false
	}
	rest := text[10:]
	if rest == "" {
		rest = " 00:00"
	}
	if rest[0] == 'T' {
		rest = " " + rest[1:]
	}
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, text[:10]+rest, shanghai); err == nil {
			return t.In(shanghai), true
		}
	}
	return time.Time{}, false
}

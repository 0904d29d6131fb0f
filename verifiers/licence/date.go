package licence

import "time"

// A Date is a day in Asia/Shanghai, written YYYY-MM-DD; the zero Date is not
// stated. Dates from [ParseDate] are ordered by <, the zero Date before all.
type Date string

// china is China Standard Time, the same all year since 1991. A fixed zone, so
// that a machine without time-zone data knows the same day.
var china = time.FixedZone("Asia/Shanghai", 8*60*60)

// Today returns the day on which t falls in Asia/Shanghai.
func Today(t time.Time) Date {
	return Date(t.In(china).Format(time.DateOnly))
}

// ParseDate takes exactly YYYY-MM-DD, years 0001 to 9999, and only days that
// the calendar has.
func ParseDate(s string) (Date, bool) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' ||
		!isDigits(s[:4], 4) || !isDigits(s[5:7], 2) || !isDigits(s[8:], 2) {
		return "", false
	}
	year := pair(s)*100 + pair(s[2:])
	month, day := pair(s[5:]), pair(s[8:])
	if year == 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return "", false
	}
	return Date(s), true
}

func pair(s string) int { return int(s[0]-'0')*10 + int(s[1]-'0') }

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

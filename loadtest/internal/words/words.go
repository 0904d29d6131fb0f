// Package words holds what is said to people in both of the house's languages.
package words

import "fmt"

// A Text says one thing twice.
type Text struct {
	En string `json:"en"`
	Zh string `json:"zh"`
}

// T makes a Text.
func T(en, zh string) Text { return Text{en, zh} }

// F makes a Text from formats that take the same arguments in the same order.
func F(en, zh string, args ...any) Text {
	return Text{fmt.Sprintf(en, args...), fmt.Sprintf(zh, args...)}
}

// In returns the text in "zh", or else in English.
func (t Text) In(lang string) string {
	if lang == "zh" {
		return t.Zh
	}
	return t.En
}

package licence_test

import (
	"strings"
	"testing"

	"tongyan/verifiers/licence"
)

func TestRegStates(t *testing.T) {
	states := []licence.RegState{
		licence.RegActive, licence.RegRevoked, licence.RegRevokedCancelled, licence.RegCancelled,
		licence.RegAnnulled, licence.RegMoved, licence.RegOther,
	}
	for i, s := range states {
		cn, en, ok := s.Names()
		if !ok || cn == "" || en == "" || string(s) != string("1234569"[i]) {
			t.Errorf("state %q: %q, %q, %t", s, cn, en, ok)
		}
	}
	for _, s := range []licence.RegState{"", "0", "7", "8", "01", "10", "K", "１"} {
		if cn, en, ok := s.Names(); ok || cn != "" || en != "" {
			t.Errorf("state %q has a name", s)
		}
	}
}

func TestRegStatesPublished(t *testing.T) {
	table := rows(t, "../../../shared/data/regstate.csv")
	for _, row := range table {
		cn, en, ok := licence.RegState(row[0]).Names()
		if !ok || cn != row[1] || en != row[2] {
			t.Errorf("state %s: %q, %q, %t; published %q, %q", row[0], cn, en, ok, row[1], row[2])
		}
	}
	if len(table) != 7 {
		t.Errorf("%d states published, 7 in the package", len(table))
	}
}

func TestDivisionsPublished(t *testing.T) {
	for _, row := range rows(t, "../../../shared/data/divisions.csv") {
		// The published short names leave out the kind of place (市, 区).
		cn, ok := licence.DivisionName(row[0])
		if !ok || !strings.HasPrefix(cn, row[1]) {
			t.Errorf("%s: %q, published %q", row[0], cn, row[1])
		}
		if province, en, ok := licence.ProvinceName(row[0]); ok != (row[2] == "province") || ok && (province != row[1] || en == "") {
			t.Errorf("%s: province %q, %q, %t", row[0], province, en, ok)
		}
	}
}

func TestNames(t *testing.T) {
	for code, want := range map[string][2]string{
		"310000": {"上海市", "Shanghai"}, "320000": {"江苏省", "Jiangsu"},
		"330000": {"浙江省", "Zhejiang"}, "340000": {"安徽省", "Anhui"}, "440000": {"广东省", "Guangdong"},
	} {
		cn, en, ok := licence.ProvinceName(code)
		if !ok || cn != want[0] || en != want[1] {
			t.Errorf("%s: %q, %q, %t", code, cn, en, ok)
		}
		if name, ok := licence.DivisionName(code); !ok || name != want[0] {
			t.Errorf("%s: %q, %t", code, name, ok)
		}
	}
	if cn, ok := licence.DivisionName("310115"); !ok || cn != "浦东新区" {
		t.Errorf("310115: %q, %t", cn, ok)
	}
	if cn, en, ok := licence.EntityType("1151"); !ok || cn != "有限责任公司(自然人独资)" || en == "" {
		t.Errorf("1151: %q, %q, %t", cn, en, ok)
	}
	for _, code := range []string{"", "31", "3100000", "000000", "310115x"} {
		if _, _, ok := licence.ProvinceName(code); ok {
			t.Errorf("%q is a province", code)
		}
		if _, ok := licence.DivisionName(code); ok {
			t.Errorf("%q is a division", code)
		}
		if _, _, ok := licence.EntityType(code); ok {
			t.Errorf("%q is an entity type", code)
		}
	}
}

// The four provinces: who they are, and what each of them runs.

package sandbox

import "fmt"

// A Province is one member of the alliance: an issuer with a key set and
// status lists, and a registry. Each of the three is a server of its own, so
// that each can fail alone.
type Province struct {
	Code      string // GB/T 2260: "310000"
	Name      string // 上海市
	NameEn    string // Shanghai
	Authority string // 上海市市场监督管理局
	Issuer    string // issuer identifier, the credentials' iss

	Keys     *KeySet
	Registry *Registry
	Status   *StatusLists

	algs    []string // as the trust list allows them
	cities  []city
	sandbox *Sandbox
}

// member is what is fixed about a province.
type member struct {
	code, name, nameEn, issuer string
	algs                       []string // one key each; the first signs by default
	cities                     []city
}

// city is a registering authority below the province.
type city struct{ code, name string }

var members = []member{
	{"310000", "上海市", "Shanghai", "https://ebl.sh.example", []string{"ES256", "SM2"},
		[]city{{"310115", "浦东新区"}, {"310104", "徐汇区"}, {"310106", "静安区"}, {"310101", "黄浦区"}}},
	{"320000", "江苏省", "Jiangsu", "https://ebl.js.example", []string{"ES256"},
		[]city{{"320100", "南京市"}, {"320500", "苏州市"}, {"320200", "无锡市"}, {"320600", "南通市"}}},
	{"330000", "浙江省", "Zhejiang", "https://ebl.zj.example", []string{"EdDSA"},
		[]city{{"330100", "杭州市"}, {"330200", "宁波市"}, {"330400", "嘉兴市"}, {"330600", "绍兴市"}}},
	{"340000", "安徽省", "Anhui", "https://ebl.ah.example", []string{"PS256"},
		[]city{{"340100", "合肥市"}, {"340200", "芜湖市"}, {"340500", "马鞍山市"}, {"341100", "滁州市"}}},
}

// memberKeys makes the signing keys of every province.
func memberKeys() (map[string][]*Key, error) {
	made := make(map[string][]*Key)
	for _, m := range members {
		for _, alg := range m.algs {
			key, err := NewKey(alg, m.kid(alg))
			if err != nil {
				return nil, err
			}
			made[m.code] = append(made[m.code], key)
		}
	}
	return made, nil
}

// kid names a key for people; verifiers look it up and read nothing into it.
func (m member) kid(use string) string { return m.code[:2] + "-" + use + "-1" }

func (s *Sandbox) newProvince(m member, keys []*Key, dialect Dialect) (*Province, error) {
	p := &Province{
		Code: m.code, Name: m.name, NameEn: m.nameEn, Issuer: m.issuer,
		Authority: m.name + "市场监督管理局",
		algs:      m.algs, cities: m.cities, sandbox: s,
	}
	var err error
	if p.Keys, err = s.newKeySet(m.code, keys); err != nil {
		return nil, err
	}
	if p.Registry, err = s.newRegistry(p, dialect); err != nil {
		return nil, err
	}
	p.Status, err = s.newStatusLists(p)
	return p, err
}

// SigningKey returns the key the province signs with for that algorithm, or
// by default if alg is empty. It is nil once that key is out of the set.
func (p *Province) SigningKey(alg string) *Key {
	if alg == "" {
		alg = p.algs[0]
	}
	return p.Keys.Key(alg)
}

// Break sets the same fault on all the province's servers. The first error
// ends it, with those before it set.
func (p *Province) Break(f Fault) error {
	for _, e := range []*Endpoint{p.Registry.Endpoint, p.Keys.Endpoint, p.Status.Endpoint} {
		if err := e.Set(f); err != nil {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	return nil
}

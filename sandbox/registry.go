// A province's register of businesses, and its server in the plain protocol.

package sandbox

import (
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// A Record is what the register knows of one business now.
type Record struct {
	USCC     string
	EntName  string
	RegState string    // national code: 1 2 3 4 5 6 9 (contract §4); the register does not check it
	ApprDate string    // YYYY-MM-DD: day of the latest change registration
	AsOf     time.Time // zero: the moment of the answer
}

// A Registry answers GET {url}/licences/{uniscid}, or speaks the second
// dialect if it was started with one.
type Registry struct {
	*Endpoint

	now     func() time.Time
	dialect Dialect
	decoy   Record // the business a WrongLicence answer is about

	mu      sync.RWMutex // guards what follows; never held while answering
	records map[string]Record
	faults  map[string]*setting // by USCC; nil until the first
}

func (s *Sandbox) newRegistry(p *Province, dialect Dialect) (*Registry, error) {
	r := &Registry{now: s.now, dialect: dialect, records: make(map[string]Record)}
	r.decoy = p.Business(Company, decoyNumber).Record()
	answer := r.plain
	if dialect.Enabled {
		answer = r.second
	}
	var err error
	r.Endpoint, err = s.listen(p.Code+" registry", KindRegistry, answer)
	return r, err
}

// Put registers a business, or replaces what is registered of it.
func (r *Registry) Put(records ...Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range records {
		r.records[rec.USCC] = rec
	}
}

// putNew registers a business unless it is registered already.
func (r *Registry) putNew(rec Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, there := r.records[rec.USCC]; !there {
		r.records[rec.USCC] = rec
	}
}

// Record returns what is registered under a USCC.
func (r *Registry) Record(uscc string) (Record, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	rec, ok := r.records[uscc]
	return rec, ok
}

// Edit changes a record in place and says whether there was one.
func (r *Registry) Edit(uscc string, edit func(*Record)) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec, ok := r.records[uscc]
	if ok {
		edit(&rec)
		r.records[uscc] = rec
	}
	return ok
}

// SetState changes the registration state of a business: "2" revokes it.
func (r *Registry) SetState(uscc, state string) bool {
	return r.Edit(uscc, func(rec *Record) { rec.RegState = state })
}

// Remove forgets a business: the register then answers that there is none.
func (r *Registry) Remove(uscc string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.records, uscc)
}

// Len returns how many businesses are registered.
func (r *Registry) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.records)
}

// SetLicence sets a fault for questions about one business only; the zero
// Fault ends it. WrongName and Gone belong to listeners, not to answers, and
// do nothing here.
func (r *Registry) SetLicence(uscc string, f Fault) error {
	if err := f.check(KindRegistry); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if f == (Fault{}) {
		delete(r.faults, uscc)
		return nil
	}
	if r.faults == nil {
		r.faults = make(map[string]*setting)
	}
	r.faults[uscc] = &setting{Fault: f, since: time.Now()}
	return nil
}

// find returns the record and the fault for one USCC.
func (r *Registry) find(uscc string) (rec Record, ok bool, fault *setting) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	rec, ok = r.records[uscc]
	return rec, ok, r.faults[uscc]
}

// plain answers in the protocol of contract §4.
func (r *Registry) plain(req request) reply {
	uscc, ok := strings.CutPrefix(req.path, "/licences/")
	if !ok || req.method != "GET" {
		return notFound
	}
	rec, ok, fault := r.find(uscc)
	rep := notFound
	if ok {
		rep = r.describe(rec)
	}
	rep.fault = fault
	rep.other = func() reply { return r.describe(r.decoy) }
	return rep
}

func (r *Registry) describe(rec Record) reply {
	asOf := rec.AsOf
	if asOf.IsZero() {
		asOf = r.now()
	}
	body, err := json.Marshal(struct {
		USCC     string `json:"uniscid"`
		EntName  string `json:"entname"`
		RegState string `json:"regstate"`
		ApprDate string `json:"apprdate"`
		AsOf     string `json:"asof"`
	}{rec.USCC, rec.EntName, rec.RegState, rec.ApprDate, asOf.In(shanghai).Format(time.RFC3339)})
	if err != nil { // five strings
		panic(err)
	}
	return reply{status: 200, contentType: "application/json", body: body}
}

// shanghai is the zone of every date in the contract; fixed, so that no zone
// data is needed: China keeps no summer time.
var shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

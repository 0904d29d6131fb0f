// Token status lists (draft-ietf-oauth-status-list): what stands in them, and
// how they are signed anew when that changes.

package sandbox

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// StatusLists is the endpoint of one province's status lists, under /status/.
type StatusLists struct {
	*Endpoint
	province *Province

	mu    sync.RWMutex // guards lists, not what is in them
	lists map[int]*StatusList
}

func (s *Sandbox) newStatusLists(p *Province) (*StatusLists, error) {
	l := &StatusLists{province: p, lists: make(map[int]*StatusList)}
	var err error
	l.Endpoint, err = s.listen(p.Code+" status", KindStatus, l.reply)
	return l, err
}

// Prefix is the address under which all the lists stand, as the trust list's
// status_lists says it.
func (l *StatusLists) Prefix() string { return l.URL() + "/status/" }

// A StatusSpec says what a list is to be. The zero value is a good one, of
// 4096 entries of one bit.
type StatusSpec struct {
	Bits int           // per entry: 1, 2, 4 or 8; 0 means 1
	Size int           // entries, rounded up to whole bytes; 0 means 4096; at most 2^24
	TTL  time.Duration // claim ttl; 0 means five minutes
	Life time.Duration // from iat to exp; 0 means a day; negative: expired
	Key  *Key          // nil: the province's first

	// Edit, if not nil, changes header and claims just before signing; it is
	// called at each signing, under the list's lock.
	Edit func(header, claims map[string]any)
}

// A StatusList is one list. It is signed when it is asked for, if it has
// changed since or half of its ttl has passed, so that it is always fresh.
type StatusList struct {
	number   int
	spec     StatusSpec
	uri      string
	province *Province

	mu     sync.Mutex // guards what follows; held while signing
	bits   []byte
	token  []byte // nil: to be signed
	signed time.Time
	raw    []byte // served instead, if not nil
}

// Publish puts a list at /status/{number}, with all entries 0, in place of
// one that may be there.
func (l *StatusLists) Publish(number int, spec StatusSpec) (*StatusList, error) {
	if spec.Bits == 0 {
		spec.Bits = 1
	}
	if spec.Size == 0 {
		spec.Size = 4096
	}
	if spec.TTL == 0 {
		spec.TTL = 5 * time.Minute
	}
	if spec.Life == 0 {
		spec.Life = day
	}
	if 8%spec.Bits != 0 || spec.Bits < 1 || spec.Size < 1 || spec.Size > 1<<24 {
		return nil, fmt.Errorf("sandbox: status list of %d entries of %d bits", spec.Size, spec.Bits)
	}
	list := &StatusList{
		number: number, spec: spec, province: l.province,
		uri:  l.Prefix() + strconv.Itoa(number),
		bits: make([]byte, (spec.Size*spec.Bits+7)/8),
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lists[number] = list
	return list, nil
}

// URI is the list's address, and its sub.
func (l *StatusList) URI() string { return l.uri }

// Entry is the claim "status" of a credential that stands at index.
func (l *StatusList) Entry(index int) map[string]any {
	return map[string]any{"status_list": map[string]any{"idx": index, "uri": l.uri}}
}

// Set changes one entry: 0 valid, 1 revoked, 2 suspended. It is served from
// the next request on.
func (l *StatusList) Set(index int, value byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	perByte, shift := 8/l.spec.Bits, index*l.spec.Bits%8
	if index < 0 || index/perByte >= len(l.bits) || int(value)>>l.spec.Bits != 0 {
		return fmt.Errorf("sandbox: status %d at %d: outside of list %d", value, index, l.number)
	}
	mask := byte(1<<l.spec.Bits - 1)
	at := &l.bits[index/perByte]
	*at = *at&^(mask<<shift) | value<<shift
	l.token = nil
	return nil
}

// SetRaw serves these bytes instead of the list; nil ends it.
func (l *StatusList) SetRaw(token []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.raw = bytes.Clone(token)
}

// Token returns the list as served now.
func (l *StatusList) Token() ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.province.sandbox.now()
	if l.raw != nil {
		return l.raw, nil
	}
	if l.token != nil && now.Sub(l.signed) < l.spec.TTL/2 {
		return l.token, nil
	}
	token, err := l.sign(now)
	if err != nil {
		return nil, fmt.Errorf("sandbox: status list %d: %w", l.number, err)
	}
	l.token, l.signed = []byte(token), now
	return l.token, nil
}

// sign makes the status list token; l.mu is held.
func (l *StatusList) sign(now time.Time) (string, error) {
	key := l.spec.Key
	if key == nil {
		if key = l.province.SigningKey(""); key == nil {
			return "", fmt.Errorf("%s publishes no key", l.province.Code)
		}
	}
	packed, err := Deflate(l.bits)
	if err != nil {
		return "", err
	}
	header := map[string]any{"typ": "statuslist+jwt", "alg": key.Alg, "kid": key.KID}
	claims := map[string]any{
		"iss": l.province.Issuer, "sub": l.uri, "iat": now.Unix(), "exp": now.Add(l.spec.Life).Unix(),
		"ttl":         int64(l.spec.TTL / time.Second),
		"status_list": map[string]any{"bits": l.spec.Bits, "lst": b64(packed)},
	}
	if l.spec.Edit != nil {
		l.spec.Edit(header, claims)
	}
	return signMaps(header, claims, key)
}

// Deflate packs bytes as a status list's lst is packed: zlib (RFC 1950).
func Deflate(b []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := zlib.NewWriterLevel(&out, zlib.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}

func (l *StatusLists) reply(r request) reply {
	name, _ := strings.CutPrefix(r.path, "/status/")
	number, err := strconv.Atoi(name)
	if err != nil {
		return notFound
	}
	l.mu.RLock()
	list := l.lists[number]
	l.mu.RUnlock()
	if list == nil {
		return notFound
	}
	token, err := list.Token()
	if err != nil {
		return reply{status: 500, contentType: "text/plain", body: []byte(err.Error())}
	}
	return reply{status: 200, contentType: "application/statuslist+jwt", body: token}
}

package config

import (
	"crypto/x509"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Redis is the section redis: the memory that gateways share (contract §8). It
// need not be there at the start.
type Redis struct {
	// url: one address, or a list of them, which is a cluster.
	//
	//	redis://[user:password@]host[:port][/db]       one server
	//	rediss://…                                      the same over TLS
	//	[redis://a:6379, redis://b:6379]                a cluster
	//	redis+sentinel://a:26379,b:26379/master[/db]    by Sentinel; rediss+sentinel over TLS
	//
	// The default port is 6379, that of Sentinel 26379. A user and a password
	// in the address may hold %-escapes. Several hosts behind commas are a
	// list too. Required where the section stands.
	Addrs []string // host:port each, of the sentinels where Sentinel is set

	// Cluster (cluster) says that one address belongs to a cluster; for a list
	// of servers it is always true. A cluster has database 0 only.
	Cluster bool

	// Sentinel is the master's name; "" where Sentinel is not used.
	Sentinel string

	// Username and Password belong to the servers. The password stands in the
	// address or, better, in a file of one line (password_file), not in both.
	Username string
	Password Secret[string]

	// SentinelPassword (sentinel_password_file) belongs to the sentinels.
	// Default none.
	SentinelPassword Secret[string]

	DB  int  // database, 0 to 65535
	TLS bool // rediss

	// CAs are those of the PEM file CAFile (ca_file), which alone are trusted
	// for TLS. nil without it: the machine's.
	CAFile string
	CAs    *x509.CertPool

	// SealKey is read from the file seal_key_file: 32 bytes in base64. Required.
	// All gateways that share a Redis have the same; under another key every
	// stored value is a miss.
	SealKey Secret[[32]byte]
}

func readRedis(v value) *Redis {
	if v.absent() {
		return nil
	}
	o := v.object()
	defer o.done()
	r := new(Redis)
	r.readAddresses(o.get("url"))
	cluster := o.get("cluster")
	if asked := cluster.boolean(); asked && r.Sentinel != "" {
		cluster.fail("is not possible with Sentinel")
	} else if asked {
		r.Cluster = true
	} else if cluster.present() && r.Cluster {
		cluster.fail("must be true for several addresses")
	}
	if r.Cluster && r.DB != 0 {
		o.get("url").fail("names database %d; a cluster has database 0 only", r.DB)
	}
	if password := o.get("password_file"); password.present() {
		if r.Password.Reveal() != "" {
			password.fail("is a second password: one stands in the url already")
		}
		r.Password = password.secretLine()
	}
	sentinel := o.get("sentinel_password_file")
	if r.SentinelPassword = sentinel.secretLine(); sentinel.present() && r.Sentinel == "" {
		sentinel.warn("has no effect without redis+sentinel://")
	}
	ca := o.get("ca_file")
	if r.CAFile, r.CAs = ca.pool(false); r.CAs != nil && !r.TLS {
		ca.warn("has no effect without rediss://")
	}
	r.SealKey = o.get("seal_key_file").sealKey()
	return r
}

// readAddresses reads url. Its messages never repeat an address, in which a
// password may stand.
func (r *Redis) readAddresses(v value) {
	if !v.required() {
		return
	}
	items := []value{v}
	if _, isList := v.node.(*ast.SequenceNode); isList {
		items = v.items()
		if len(items) == 0 {
			v.fail("is an empty list: name a server, or leave redis out")
		}
	}
	for i, item := range items {
		one, ok := readAddress(item)
		switch {
		case !ok:
			continue
		case len(items) > 1 && one.Sentinel != "":
			item.fail("must be the only one: name the sentinels in it, behind commas")
			continue
		case i > 0 && len(r.Addrs) > 0 && (one.TLS != r.TLS || one.Username != r.Username || one.Password.Reveal() != r.Password.Reveal() || one.DB != r.DB):
			item.fail("differs from the first in scheme, user, password or database")
			continue
		}
		for _, addr := range one.Addrs {
			if slices.Contains(r.Addrs, addr) {
				item.fail("names a server a second time")
			}
		}
		addrs := append(r.Addrs, one.Addrs...)
		*r = one
		r.Addrs = addrs
	}
	r.Cluster = r.Sentinel == "" && len(r.Addrs) > 1
}

// readAddress reads one address by hand: several hosts behind commas are no
// URL to the standard library, and its errors repeat what they read.
func readAddress(v value) (r Redis, ok bool) {
	s, ok := v.requiredText()
	if !ok {
		return r, false
	}
	scheme, rest, _ := strings.Cut(s, "://")
	port := "6379"
	switch scheme {
	case "redis", "rediss":
	case "redis+sentinel", "rediss+sentinel":
		port = "26379"
	default:
		v.fail("must begin with redis://, rediss://, redis+sentinel:// or rediss+sentinel://")
		return r, false
	}
	r.TLS = strings.HasPrefix(scheme, "rediss")
	if strings.ContainsAny(rest, "?#") {
		v.fail("must not hold ? or #: settings have keys of their own, and in a password they are written %%3F and %%23")
		return r, false
	}
	authority, path, _ := strings.Cut(rest, "/")
	hosts := authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		hosts = authority[at+1:]
		if !r.readUser(authority[:at]) {
			v.fail("has a user or password with a wrong %%-escape")
			return r, false
		}
	}
	for host := range strings.SplitSeq(hosts, ",") {
		addr, ok := hostPort(host, port)
		if !ok {
			v.fail("has no proper host; expected %s://host:port", scheme)
			return r, false
		}
		r.Addrs = append(r.Addrs, addr)
	}
	if port == "26379" {
		if r.Sentinel, path, _ = strings.Cut(path, "/"); r.Sentinel == "" {
			v.fail("must name the master: %s://host:port/master", scheme)
			return r, false
		}
	}
	if path != "" {
		db, err := strconv.ParseUint(path, 10, 16)
		if err != nil {
			v.fail("must end in the database's number, or in nothing")
			return r, false
		}
		r.DB = int(db)
	}
	return r, true
}

func (r *Redis) readUser(info string) bool {
	user, password, _ := strings.Cut(info, ":")
	user, userErr := url.PathUnescape(user)
	password, passwordErr := url.PathUnescape(password)
	r.Username, r.Password = user, Hide(password)
	return userErr == nil && passwordErr == nil
}

func hostPort(s, port string) (string, bool) {
	host := s
	if h, p, err := net.SplitHostPort(s); err == nil {
		host, port = h, p
	} else if strings.HasPrefix(s, "[") {
		host = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	}
	if !validPort(port, true) || port == "" || !validHost(host) {
		return "", false
	}
	return net.JoinHostPort(host, port), true
}

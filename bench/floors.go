package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emmansun/gmsm/sm2"
)

// floorCommand makes this program play a floor instead of measuring.
const floorCommand = "serve-floor"

// serveFloor serves a floor until it is killed, and says on which address.
// A floor reads the POST and answers with 600 bytes of JSON over TLS 1.3:
// nothing in Go that checks credentials over HTTPS can be faster than
//
//	bare       that,
//	limit      that and one raw ecdsa.Verify (P-256) a request,
//	limit-sm2  that and one raw SM2 verification a request.
func serveFloor(name string) error {
	check := map[string]func() (func() bool, error){
		"bare":      func() (func() bool, error) { return func() bool { return true }, nil },
		"limit":     rawECDSA,
		"limit-sm2": rawSM2,
	}[name]
	if check == nil {
		return fmt.Errorf("there is no floor %q", name)
	}
	good, err := check()
	if err != nil {
		return err
	}
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	answer := []byte(`{"verdict":"VALID","pad":"` + strings.Repeat("x", 600-28) + `"}`)
	length := strconv.Itoa(len(answer))
	server := &http.Server{
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13},
		ReadHeaderTimeout: 5 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body := bodies.Get().(*[16 << 10]byte)
			_, err := io.ReadFull(r.Body, body[:])
			bodies.Put(body)
			if !errors.Is(err, io.ErrUnexpectedEOF) || !good() {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", length)
			w.Write(answer)
		}),
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "serving", listener.Addr())
	return server.ServeTLS(listener, "", "")
}

var bodies = sync.Pool{New: func() any { return new([16 << 10]byte) }}

func rawECDSA() (func() bool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte("signed once"))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	return func() bool { return ecdsa.Verify(&key.PublicKey, digest[:], r, s) }, err
}

func rawSM2() (func() bool, error) {
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte("signed once"))
	signature, err := sm2.SignASN1(rand.Reader, key, digest[:], nil)
	return func() bool { return sm2.VerifyASN1(&key.PublicKey, digest[:], signature) }, err
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

package main

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"tongyan/sandbox"
)

// businesses that a corpus of many credentials is about, over all its provinces.
const businesses = 500

// mint makes count different credentials of one algorithm (of the provinces
// that sign with it) about few businesses: the first of each stands among the
// first ones. A licence may be issued anew any number of times.
func mint(ctx context.Context, box *sandbox.Sandbox, alg string, format sandbox.Format, count int) ([]string, error) {
	var signers []*sandbox.Province
	for _, p := range box.Provinces() {
		if p.SigningKey(alg) != nil {
			signers = append(signers, p)
		}
	}
	if len(signers) == 0 {
		return nil, fmt.Errorf("no province signs with %s", alg)
	}
	return parallel(ctx, count, func(n int) (string, error) {
		p := signers[n%len(signers)]
		b := p.Business(sandbox.Company, n%businesses)
		b.OpScope = scope
		token, _, err := p.Mint(sandbox.LicenceSpec{Format: format, Alg: alg, Business: &b, ID: "bench-" + strconv.Itoa(n)})
		return token, err
	})
}

// scope of business as long as those of real licences are: an ebl+jwt is then
// about 1.5 KB.
var scope = strings.Repeat("技术开发、技术咨询、技术转让；货物进出口；", 8)

// mintOf makes credentials of count different businesses of one province.
func mintOf(ctx context.Context, p *sandbox.Province, first, count int) ([]string, error) {
	return p.MintMany(ctx, sandbox.LicenceSpec{Number: first}, count)
}

// parallel makes count things on all cores.
func parallel[T any](ctx context.Context, count int, one func(n int) (T, error)) ([]T, error) {
	made := make([]T, count)
	group, ctx := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		group.Go(func() (err error) {
			for n := worker; n < count && ctx.Err() == nil; n += workers {
				if made[n], err = one(n); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	return made, group.Wait()
}

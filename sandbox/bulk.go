// Minting by the thousand, for load runs.

package sandbox

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// MintMany mints count credentials of different businesses on all
// processors, and registers each business: number spec.Number and those after
// it, of spec.Class. The nth token belongs to p.Business(spec.Class,
// spec.Number+n). spec.Business must be nil, and spec.Edit, if set, must be
// safe for concurrent use. It ends early with ctx.
func (p *Province) MintMany(ctx context.Context, spec LicenceSpec, count int) ([]string, error) {
	if spec.Business != nil || count < 0 {
		return nil, fmt.Errorf("sandbox: mint many: one business named, or a count of %d", count)
	}
	tokens := make([]string, count)
	group, ctx := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		group.Go(func() error {
			for n := worker; n < count; n += workers {
				if err := ctx.Err(); err != nil {
					return fmt.Errorf("sandbox: mint many: %w", err)
				}
				one := spec
				one.Number += n
				token, _, err := p.Mint(one)
				if err != nil {
					return err
				}
				tokens[n] = token
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return tokens, nil
}

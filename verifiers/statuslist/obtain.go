package statuslist

import (
	"context"
	"errors"
	"time"

	"tongyan/fetch"
	"tongyan/keys"
)

// obtain gets a list that is no older than floor: from the store, if that has a
// newer one than held, else from its host.
func (k *Keeper) obtain(ctx context.Context, turn chan struct{}, at address, held, floor int64) (*List, error) {
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return nil, refuse(NotFetched, ctx.Err())
	}
	// The trust list may have changed since somebody asked.
	trust := k.options.Trust.Current()
	if _, authority, ok := trust.Issuer(at.issuer); !ok || !authority.MayFetchStatus(at.uri) {
		return nil, refuse(WrongIssuer, nil)
	}
	if list := k.fromStore(ctx, at, trust); list != nil && list.issued > held && list.issued >= floor {
		return list, nil
	}
	list, err := k.fromHost(ctx, at, trust, floor)
	if k.options.OnFetch != nil && k.ctx.Err() == nil {
		k.options.OnFetch(at.issuer, err)
	}
	return list, err
}

func (k *Keeper) fromStore(ctx context.Context, at address, trust *keys.Snapshot) *List {
	if k.options.Store == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	token := k.options.Store.Load(ctx, storeKey(at))
	if len(token) == 0 {
		return nil
	}
	list, err := k.read(token, at, trust)
	if err != nil {
		return nil // the host will say better
	}
	return list
}

func (k *Keeper) fromHost(ctx context.Context, at address, trust *keys.Snapshot, floor int64) (*List, error) {
	const mediaType = "application/" + Type
	answer, err := k.options.Fetch.Get(ctx, at.uri, fetch.Request{
		Accept: mediaType, MaxBytes: MaxToken, MediaTypes: []string{mediaType}})
	if err != nil {
		return nil, refuse(NotFetched, err)
	}
	list, err := k.read(answer.Body, at, trust)
	var refused *Error
	if errors.As(err, &refused) && refused.Reason == UnknownKey && k.options.Refetch != nil &&
		k.options.Refetch(ctx, at.issuer) {
		// The issuer has changed keys, and signs its lists with the new one first.
		list, err = k.read(answer.Body, at, k.options.Trust.Current())
	}
	if err != nil {
		return nil, err
	}
	if list.issued < floor {
		return nil, refuse(RolledBack, nil)
	}
	if k.options.Store != nil {
		ctx, cancel := context.WithTimeout(ctx, storeTime)
		defer cancel()
		k.options.Store.Save(ctx, storeKey(at), answer.Body, list.ends)
	}
	return list, nil
}

func (k *Keeper) read(token []byte, at address, trust *keys.Snapshot) (*List, error) {
	k.reading <- struct{}{}
	defer func() { <-k.reading }()
	return Read(token, at.issuer, at.uri, trust, time.Now())
}

// storeKey names a list in the store. An address holds no line feed.
func storeKey(at address) string { return "statuslist\n" + string(at.issuer) + "\n" + at.uri }

package rig

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"tongyan/loadtest/internal/profile"
	"tongyan/sandbox"
)

// ErrImpossible says that this rig has nothing of the kind to break.
var ErrImpossible = errors.New("rig: there is no such thing to break here")

// expiry is how long the list that is going to expire is still good for: long
// enough for every gateway to have taken it.
const expiry = 3 * time.Second

// Break does what the action says and returns what ends it.
func (r *Rig) Break(a profile.Action, province string) (mend func() error, err error) {
	switch a.On {
	case "redis":
		return r.breakProcess(a.What, r.redis, func(ctx context.Context) error { return r.redis.until(ctx, r.redis.listening) })
	case "gateway":
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.gateways) == 0 {
			return nil, ErrImpossible
		}
		g := r.gateways[0]
		return r.breakProcess(a.What, g.process, g.ready)
	case "trust":
		if a.What == "expired" {
			_, err := r.Sandbox.Trust.Publish(func(l *sandbox.List) { l.Exp = time.Now().Add(expiry).Unix() })
			return func() error { _, err := r.Sandbox.Trust.Publish(nil); return err }, err
		}
		return set([]*sandbox.Endpoint{r.Sandbox.Trust.Endpoint}, fault(a))
	}
	var endpoints []*sandbox.Endpoint
	for _, p := range r.Sandbox.Provinces() {
		if province != "" && province != p.Code {
			continue
		}
		switch a.On {
		case "registry":
			endpoints = append(endpoints, p.Registry.Endpoint)
		case "status":
			endpoints = append(endpoints, p.Status.Endpoint)
		case "keys":
			endpoints = append(endpoints, p.Keys.Endpoint)
		case "province":
			endpoints = append(endpoints, p.Registry.Endpoint, p.Status.Endpoint, p.Keys.Endpoint)
		}
	}
	if len(endpoints) == 0 {
		return nil, fmt.Errorf("%w: %s of province %q", ErrImpossible, a.On, province)
	}
	return set(endpoints, fault(a))
}

func fault(a profile.Action) sandbox.Fault {
	switch a.What {
	case "slow":
		return sandbox.Fault{Latency: a.Amount}
	case "errors":
		return sandbox.Fault{Mode: sandbox.Error, Rate: a.Share}
	case "flapping":
		return sandbox.Fault{Mode: sandbox.Error, Period: a.Amount}
	case "hang":
		return sandbox.Fault{Mode: sandbox.Hang}
	case "reset":
		return sandbox.Fault{Mode: sandbox.Reset}
	}
	return sandbox.Fault{Mode: sandbox.Gone}
}

func set(endpoints []*sandbox.Endpoint, f sandbox.Fault) (mend func() error, err error) {
	mend = func() (err error) {
		for _, e := range endpoints {
			err = errors.Join(err, e.Clear())
		}
		return err
	}
	for _, e := range endpoints {
		if err := e.Set(f); err != nil {
			return nil, errors.Join(err, mend())
		}
	}
	return mend, nil
}

// breakProcess freezes or kills a child; mending lets it run, or starts it
// anew and waits until it answers.
func (r *Rig) breakProcess(what string, p *process, ready func(context.Context) error) (mend func() error, err error) {
	if p == nil {
		return nil, ErrImpossible
	}
	if what == "frozen" {
		return func() error { return p.signal(syscall.SIGCONT) }, p.signal(syscall.SIGSTOP)
	}
	p.kill()
	return func() error {
		if err := p.start(); err != nil {
			return err
		}
		return ready(context.Background()) // bounded by readyTime
	}, nil
}

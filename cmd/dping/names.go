package main

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"time"
)

const (
	nameLookups = 8               // at a time
	nameTimeout = 3 * time.Second // for each
)

// A names looks up the names of addresses, each once and several at a time.
type names struct {
	lookup  func(ctx context.Context, addr string) ([]string, error)
	ctx     context.Context // of all lookups
	cancel  context.CancelFunc
	slots   chan struct{} // one for each lookup that may run
	running sync.WaitGroup

	mu    sync.Mutex
	known map[netip.Addr]*name
}

// A name is there once done is closed; "" is none.
type name struct {
	done chan struct{}
	text string
}

func newNames(ctx context.Context, lookup func(context.Context, string) ([]string, error)) *names {
	n := &names{lookup: lookup, slots: make(chan struct{}, nameLookups), known: map[netip.Addr]*name{}}
	n.ctx, n.cancel = context.WithCancel(ctx)
	return n
}

// close ends the lookups.
func (n *names) close() {
	n.cancel()
	n.running.Wait()
}

// start begins to look up the name of addr, if nobody has yet.
func (n *names) start(addr netip.Addr) *name {
	n.mu.Lock()
	defer n.mu.Unlock()
	if known := n.known[addr]; known != nil {
		return known
	}
	is := &name{done: make(chan struct{})}
	n.known[addr] = is
	n.running.Go(func() {
		defer close(is.done)
		select {
		case n.slots <- struct{}{}:
			defer func() { <-n.slots }()
		case <-n.ctx.Done():
			return
		}
		ctx, cancel := context.WithTimeout(n.ctx, nameTimeout)
		defer cancel()
		if list, err := n.lookup(ctx, addr.WithZone("").String()); err == nil && len(list) > 0 {
			is.text = strings.TrimSuffix(list[0], ".")
		}
	})
	return is
}

// soFar returns the name of addr if it has been found by now, else "".
func (n *names) soFar(addr netip.Addr) string {
	is := n.start(addr)
	select {
	case <-is.done:
		return is.text
	default:
		return ""
	}
}

// of returns the name of addr once it is known, "" for none.
func (n *names) of(addr netip.Addr) string {
	is := n.start(addr)
	<-is.done
	return is.text
}

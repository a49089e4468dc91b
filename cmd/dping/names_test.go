package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Each address is looked up once, not more than so many at a time, and none for longer than the limit.
func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		running, most, lookups := 0, 0, 0
		n := newNames(t.Context(), func(ctx context.Context, addr string) ([]string, error) {
			mu.Lock()
			running++
			lookups++
			most = max(most, running)
			mu.Unlock()
			defer func() {
				mu.Lock()
				running--
				mu.Unlock()
			}()
			switch addr {
			case "fe80::1": // less its zone
				return []string{"near.example.", "other.example."}, nil
			case "192.0.2.250":
				return nil, errors.New("no such name")
			case "192.0.2.251":
				<-ctx.Done()
				return nil, ctx.Err()
			}
			time.Sleep(100 * time.Millisecond)
			return []string{"host-" + addr + ".example."}, nil
		})
		defer n.close()
		start := time.Now()
		const hosts = 5 * nameLookups
		for range 2 {
			for i := range hosts {
				n.start(netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", i)))
			}
		}
		for i := range hosts {
			addr := fmt.Sprintf("192.0.2.%d", i)
			if got, want := n.of(netip.MustParseAddr(addr)), "host-"+addr+".example"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		if took := time.Since(start); most != nameLookups || lookups != hosts || took != 500*time.Millisecond {
			t.Errorf("%d lookups, up to %d at a time, took %v", lookups, most, took)
		}
		for addr, want := range map[string]string{"fe80::1%eth0": "near.example", "192.0.2.250": "", "192.0.2.251": ""} {
			if got := n.of(netip.MustParseAddr(addr)); got != want {
				t.Errorf("%s: got %q, want %q", addr, got, want)
			}
		}
		if took := time.Since(start); took != 500*time.Millisecond+nameTimeout {
			t.Errorf("took %v", took)
		}
	})
}

// The end of the context ends the lookups that run, and those that wait for their turn.
func TestNamesCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		n := newNames(ctx, func(ctx context.Context, _ string) ([]string, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		defer n.close()
		for i := range 3 * nameLookups {
			n.start(netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", i)))
		}
		start := time.Now()
		time.AfterFunc(time.Second, cancel)
		for i := range 3 * nameLookups {
			if got := n.of(netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", i))); got != "" {
				t.Errorf("got %q", got)
			}
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v", took)
		}
	})
}

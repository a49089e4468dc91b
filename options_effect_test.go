package ping_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/icmpsock/ping"
)

// An option that means nothing to a call is refused by it, with the names of the calls that it is for, and nothing is
// sent. As a default it is there for those calls.
func TestOptionsWithoutEffect(t *testing.T) {
	calls := []struct {
		name string
		make func(ctx context.Context, p *ping.Pinger, o ping.ProbeOption) error
	}{
		{"Ping", func(ctx context.Context, p *ping.Pinger, o ping.ProbeOption) error {
			_, err := p.Ping(ctx, target, o)
			return err
		}},
		{"PingN", func(ctx context.Context, p *ping.Pinger, o ping.ProbeOption) error {
			_, err := p.PingN(ctx, target, 1, o)
			return err
		}},
		{"Stream", func(ctx context.Context, p *ping.Pinger, o ping.ProbeOption) error {
			for _, err := range p.Stream(ctx, target, o) {
				return err
			}
			return nil
		}},
		{"Reachable", func(ctx context.Context, p *ping.Pinger, o ping.ProbeOption) error {
			return p.Reachable(ctx, target, o)
		}},
		{"FirstReply", func(ctx context.Context, p *ping.Pinger, o ping.ProbeOption) error {
			_, err := p.FirstReply(ctx, target, o)
			return err
		}},
		{"Sweep", func(ctx context.Context, p *ping.Pinger, o ping.ProbeOption) error {
			for _, r := range p.Sweep(ctx, slices.Values([]netip.Addr{netip.MustParseAddr(target)}), o) {
				return r.Err
			}
			return nil
		}},
		{"Trace", func(ctx context.Context, p *ping.Pinger, o ping.ProbeOption) error {
			for _, err := range p.Trace(ctx, target, o) {
				return err
			}
			return nil
		}},
		{"PathMTU", func(ctx context.Context, p *ping.Pinger, o ping.ProbeOption) error {
			_, err := p.PathMTU(ctx, target, o)
			return err
		}},
		{"TraceMTU", func(ctx context.Context, p *ping.Pinger, o ping.ProbeOption) error {
			for _, err := range p.TraceMTU(ctx, target, o) {
				return err
			}
			return nil
		}},
		{"a Watcher", func(ctx context.Context, p *ping.Pinger, o ping.ProbeOption) error {
			w, err := p.NewWatcher(ping.WithAnomalies(true)) // which holds for all of its targets
			if err != nil {
				return err
			}
			defer w.Close()
			return w.Add(1, netip.MustParseAddr(target), o)
		}},
		{"AskInterface", func(ctx context.Context, p *ping.Pinger, o ping.ProbeOption) error {
			_, err := p.AskInterface(ctx, target, ping.InterfaceID{Name: "eth0"}, o)
			return err
		}},
	}
	for _, c := range []struct {
		text    string
		option  ping.ProbeOption
		honours []string
		list    string
	}{
		{"WithCount(2)", ping.WithCount(2),
			[]string{"Stream", "Reachable", "FirstReply", "Sweep", "Trace", "PathMTU", "TraceMTU"},
			"Stream, Reachable, FirstReply, Sweep, Trace, PathMTU and TraceMTU"},
		{"WithMaxHops(9)", ping.WithMaxHops(9), []string{"Trace", "TraceMTU"}, "Trace and TraceMTU"},
		{"WithFirstHop(1)", ping.WithFirstHop(1), []string{"Trace"}, "Trace"},
		{"WithGapLimit(9)", ping.WithGapLimit(9), []string{"Trace", "TraceMTU"}, "Trace and TraceMTU"},
		{"WithFlow(7)", ping.WithFlow(7), []string{"Ping", "PingN", "Stream", "Reachable", "FirstReply", "Sweep", "Trace",
			"PathMTU", "TraceMTU", "a Watcher"},
			"Ping, PingN, Stream, Reachable, FirstReply, Sweep, Trace, PathMTU, TraceMTU and a Watcher"},
		{"WithAnomalies(true)", ping.WithAnomalies(true), []string{"Stream", "a Watcher"}, "Stream and a Watcher"},
	} {
		for _, call := range calls {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(echoAfter(ms))
				err := call.make(t.Context(), newFakePinger(t, f), c.option)
				if slices.Contains(c.honours, call.name) {
					if err != nil {
						t.Errorf("%s: %v", call.name, err)
					}
					return
				}
				want := c.text + " has no effect on " + call.name + ": it is for " + c.list
				if err == nil || !strings.HasSuffix(err.Error(), want) || len(f.sent) > 0 {
					t.Errorf("%s: %v, with %d sent, want %s", call.name, err, len(f.sent), want)
				}
			})
			synctest.Test(t, func(t *testing.T) {
				p := newFakePinger(t, newFake(echoAfter(ms)), c.option)
				if err := call.make(t.Context(), p, ping.WithAnomalies(call.name == "a Watcher")); err != nil {
					t.Errorf("%s with %s as a default: %v", call.name, c.text, err)
				}
				if w, err := p.NewWatcher(c.option); err != nil {
					t.Errorf("NewWatcher with %s: %v", c.text, err)
				} else {
					w.Close()
				}
			})
		}
	}
	p := newFakePinger(t, newFake(nil))
	if _, err := p.Resolve(t.Context(), target, ping.WithCount(2), ping.WithMaxHops(9)); err != nil {
		t.Errorf("Resolve for a call to come: %v", err)
	}
}

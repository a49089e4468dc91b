package ping_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

type resolverFunc func(ctx context.Context, network, host string) ([]netip.Addr, error)

func (f resolverFunc) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return f(ctx, network, host)
}

func TestResolver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		notFound := &net.DNSError{Err: "no such host", Name: "nosuch", IsNotFound: true}
		p := newFakePinger(t, newFake(echoAfter(20*ms)), ping.WithResolver(resolverFunc(
			func(ctx context.Context, network, host string) ([]netip.Addr, error) {
				switch host {
				case "slow":
					<-ctx.Done()
					return nil, ctx.Err()
				case "late":
					time.Sleep(5 * time.Second)
					return []netip.Addr{netip.MustParseAddr(target)}, nil
				case "both":
					return []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:192.0.2.1")}, nil
				case "none":
					return nil, nil
				case "everyone":
					return []netip.Addr{netip.MustParseAddr("224.0.0.1")}, nil
				}
				return nil, notFound
			})))
		for _, c := range []struct{ network, want string }{{"ip", "2001:db8::1"}, {"ip6", "2001:db8::1"}, {"ip4", target}} {
			r, err := p.Ping(t.Context(), "both", ping.WithNetwork(c.network))
			if err != nil || r.From != netip.MustParseAddr(c.want) {
				t.Errorf("%s: got %v, %v", c.network, r.From, err)
			}
		}
		for _, c := range []struct{ network, host, want string }{
			{"ip", "both", "[2001:db8::1 192.0.2.1]"}, {"ip6", "both", "[2001:db8::1]"}, {"ip4", "both", "[192.0.2.1]"},
			{"ip", target, "[192.0.2.1]"},
		} {
			if addrs, err := p.LookupNetIP(t.Context(), c.network, c.host); err != nil || fmt.Sprint(addrs) != c.want {
				t.Errorf("%s of %s: %v, %v, want %s", c.network, c.host, addrs, err, c.want)
			}
		}
		for _, host := range []string{"", "nosuch", "none", "everyone", "224.0.0.1"} {
			if addrs, err := p.LookupNetIP(t.Context(), "ip", host); err == nil {
				t.Errorf("%q: %v", host, addrs)
			}
		}
		// The lookup is no part of the RTT, nor of the timeout.
		if r, err := p.Ping(t.Context(), "late"); err != nil || r.RTT != 20*ms {
			t.Errorf("got %v, %v", r, err)
		}
		var dnsError *net.DNSError
		if _, err := p.Ping(t.Context(), "nosuch"); !errors.As(err, &dnsError) || dnsError != notFound {
			t.Errorf("got %v", err)
		}
		if _, err := p.Ping(t.Context(), "none"); !errors.As(err, &dnsError) {
			t.Errorf("got %v", err)
		}
		if _, err := p.Ping(t.Context(), "everyone"); err == nil || !strings.Contains(err.Error(), "224.0.0.1") {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.Ping(ctx, "slow"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

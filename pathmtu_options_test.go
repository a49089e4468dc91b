package ping_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// The end of the context or of the Pinger ends the search, with what has passed until then.
func TestPathMTUCutShort(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(cancel context.CancelFunc, p *ping.Pinger)
		want error
	}{
		{"cancelled", func(cancel context.CancelFunc, _ *ping.Pinger) { cancel() }, context.Canceled},
		{"closed", func(_ context.CancelFunc, p *ping.Pinger) { p.Close() }, net.ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			for after, want := range map[time.Duration]int{0: 0, 5 * ms: 0, 100 * ms: 1400, 3 * time.Second: 1407} {
				bothFamilies(t, func(t *testing.T, host string) {
					f := &fakePath{mtu: 1409, local: 1500}
					p := f.open(t)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if after == 0 {
						c.end(cancel, p)
					} else {
						time.AfterFunc(after, func() { c.end(cancel, p) })
					}
					start := time.Now()
					got, err := p.PathMTU(ctx, host)
					if got != want || !errors.Is(err, c.want) {
						t.Errorf("after %v: got %d, %v, want %d, %v", after, got, err, want, c.want)
					}
					if took := time.Since(start); took != after {
						t.Errorf("ended after %v, want %v", took, after)
					}
				})
			}
		})
	}
}

// WithRate spaces these packets as all others, also where it makes the search wait for each.
func TestPathMTURate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakePath{mtu: 1400, local: 1500}
		p := f.open(t, ping.WithRate(2))
		start := time.Now()
		if got, err := p.PathMTU(t.Context(), "192.0.2.1"); got != 1400 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
		departures := f.wire.departures(start)
		for i := range departures[1:] {
			if apart := departures[i+1] - departures[i]; apart < 500*ms {
				t.Errorf("packets %d and %d are %v apart", i, i+1, apart)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*ms)
		defer cancel()
		p.PathMTU(ctx, "192.0.2.1")
		if _, err := p.PathMTU(ctx, "192.0.2.1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while it waits for its turn: %v", err)
		}
	})
}

// Options that say what an echo request is like hold where they can, and the others change nothing.
func TestPathMTUOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(_ int, m ping.Message) []delayed {
			if m.TTL != 7 || m.TrafficClass != 8 || !m.DontFragment {
				t.Errorf("sent %+v", m)
			}
			if packetSize(m) > 1400 {
				return []delayed{{ms, tooBig(m, 1400)}}
			}
			return []delayed{{ms, echoed(m)}}
		})
		p := newFakePinger(t, f, ping.WithSize(65527), ping.WithTTL(7), ping.WithInterval(time.Hour),
			ping.WithResolver(resolverFunc(func(_ context.Context, network, host string) ([]netip.Addr, error) {
				if host != "host.example" {
					return nil, &net.DNSError{Name: host, IsNotFound: true}
				}
				return []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, nil
			})))
		for _, host := range []string{"192.0.2.1", "2001:db8::1", "host.example"} {
			got, err := p.PathMTU(t.Context(), host, ping.WithTrafficClass(8), ping.WithDontFragment(false))
			if got != 1400 || err != nil {
				t.Errorf("%s: got %d, %v", host, got, err)
			}
		}
		for _, c := range []struct {
			host string
			opt  ping.ProbeOption
			want string
		}{
			{"", ping.WithTTL(1), "ping : empty host name: want a name or an address"},
			{"192.0.2.1", ping.WithNetwork("ip6"), `ping 192.0.2.1: 192.0.2.1 is not an address for WithNetwork("ip6")`},
			{"192.0.2.1", ping.WithCount(0), "ping 192.0.2.1: WithCount(0): want 1 to 2147483647"},
			{"192.0.2.1", nil, "ping 192.0.2.1: option 0 is nil"},
			{"224.0.0.1", ping.WithTTL(1), "ping 224.0.0.1: 224.0.0.1 is a multicast or broadcast address: want one host's"},
		} {
			if got, err := p.PathMTU(t.Context(), c.host, c.opt); got != 0 || fmt.Sprint(err) != c.want {
				t.Errorf("got %d, %v, want %s", got, err, c.want)
			}
		}
		var e *net.DNSError
		if _, err := p.PathMTU(t.Context(), "nosuch.example"); !errors.As(err, &e) {
			t.Errorf("got %v", err)
		}
	})
}

// All sizes have the checksum and flow label of one flow: that of WithFlow, or that of a Trace.
func TestPathMTUFlow(t *testing.T) {
	bothFamilies(t, func(t *testing.T, host string) {
		type flow struct {
			checksum uint16
			label    int
		}
		var flows map[flow]int
		p := newFakePinger(t, newFake(func(_ int, m ping.Message) []delayed {
			sum := bytes.Clone(m.Data) // the fake leaves identifier and checksum alone
			clear(sum[2:6])
			if m.Addr.Is6() {
				sum = binary.BigEndian.AppendUint16(append(sum, make([]byte, len(sum)%2)...), uint16(len(m.Data)))
			}
			flows[flow{internetChecksum(sum), m.FlowLabel}]++
			if packetSize(m) > 1433 {
				return []delayed{{ms, tooBig(m, 0)}}
			}
			return []delayed{{ms, echoed(m)}}
		}))
		for _, c := range []struct {
			own  int
			like int
		}{{0, 65535}, {1, 1}, {7, 7}, {40000, 40000}, {65535, 65535}} {
			flows = map[flow]int{}
			var opts []ping.ProbeOption
			if c.own != 0 {
				opts = []ping.ProbeOption{ping.WithFlow(c.own)}
			}
			if got, err := p.PathMTU(t.Context(), host, opts...); got != 1433 || err != nil {
				t.Errorf("got %d, %v", got, err)
			}
			if len(flows) != 1 {
				t.Errorf("flow %d: %v", c.own, flows)
			}
			if _, err := p.Ping(t.Context(), host, ping.WithFlow(c.like)); err != nil {
				t.Error(err)
			}
			if c.own == 0 { // then the label is the system's choice
				checksums := map[flow]int{}
				for f := range flows {
					checksums[flow{f.checksum, 0}]++
				}
				flows = checksums
			}
			if len(flows) != 1 {
				t.Errorf("flow %d, with a ping: %v", c.own, flows)
			}
		}
	})
}

// A send that fails for another reason than the size counts as a try that was lost; for the smallest, it is the error.
func TestPathMTUSendErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := 0
		f := newFake(echoAfter(ms))
		f.refuse = func(_ int, m ping.Message) error {
			if packetSize(m) > 1450 {
				return ping.ErrTooBig
			}
			if refused++; refused%2 == 1 {
				return errors.New("no route")
			}
			return nil
		}
		p := newFakePinger(t, f)
		if got, err := p.PathMTU(t.Context(), "192.0.2.1"); got != 1450 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
		f.refuse = func(int, ping.Message) error { return syscall.EPERM }
		if got, err := p.PathMTU(t.Context(), "192.0.2.1"); got != 0 || !errors.Is(err, syscall.EPERM) {
			t.Errorf("got %d, %v", got, err)
		}
	})
}

// Searches run beside each other, and leave nothing behind.
func TestPathMTUTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mtus := []int{1280, 1300, 1400, 1433, 1500, 2000, 9000, 65535}
		f := newFake(func(_ int, m ping.Message) []delayed {
			a := m.Addr.AsSlice()
			if packetSize(m) > mtus[a[len(a)-1]] {
				return nil
			}
			return []delayed{{ms, echoed(m)}}
		})
		p := newFakePinger(t, f)
		var wg sync.WaitGroup
		for i, mtu := range mtus {
			for _, host := range []string{fmt.Sprintf("192.0.2.%d", i), fmt.Sprintf("2001:db8:1::%d", i)} {
				wg.Go(func() {
					if got, err := p.PathMTU(t.Context(), host); got != mtu || err != nil {
						t.Errorf("%s: got %d, %v, want %d", host, got, err, mtu)
					}
				})
			}
		}
		wg.Wait()
		if c := p.Counters(); c.InFlight != 0 || c.SendErrors != 0 || c.Stray != 0 {
			t.Errorf("counters are %+v", c)
		}
	})
}

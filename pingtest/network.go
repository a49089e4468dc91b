package pingtest

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
)

// A Network is a number of hosts, which any number of Pingers may ping. NewNetwork makes it; it has nothing to close.
// All its methods, and those of its hosts, are safe for concurrent use.
type Network struct {
	start time.Time

	mu      sync.Mutex // held for moments only
	hosts   map[netip.Addr]*Host
	order   []*Host // as they were made
	seed    uint64
	path    []*Host // for one use at a time
	id      uint16  // of the last transport
	unknown Counts  // of addresses that no host has
	log     log

	linkMTU   int
	openError error
}

// NewNetwork returns a network without hosts. Its time begins now; see [Host.At]. A test that uses testing/synctest
// calls it inside of the bubble.
func NewNetwork() *Network {
	return &Network{start: time.Now(), hosts: make(map[netip.Addr]*Host), log: log{limit: 1000}}
}

// Host returns the host with the address, with the settings given. On first use of the address it makes the host,
// which otherwise answers every request after 1 ms. It panics if addr is no IPv4 or IPv6 address.
func (n *Network) Host(addr string, settings ...Setting) *Host {
	a := mustParse("Host", addr)
	n.mu.Lock()
	h := n.hosts[a]
	if h == nil {
		h = newHost(n, a)
		n.hosts[a] = h
		n.order = append(n.order, h)
	}
	n.mu.Unlock()
	return h.Set(settings...)
}

// Seed sets the seed of every host's chance, 0 at first, and starts the draws anew. It returns n.
func (n *Network) Seed(seed uint64) *Network {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seed = seed
	for _, h := range n.order {
		h.reseed()
	}
	return n
}

// Pinger returns a Pinger over the network, with names looked up in it, which is closed with the test. An option that
// New refuses ends the test.
func (n *Network) Pinger(tb testing.TB, opts ...ping.Option) *ping.Pinger {
	tb.Helper()
	p, err := ping.New(append(n.Options(), opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Error(err)
		}
	})
	return p
}

// Options are those for Pingers over the network: WithTransportFunc, so that each has a transport of its own, and
// another after Reopen, and WithResolver.
func (n *Network) Options() []ping.Option {
	return []ping.Option{ping.WithTransportFunc(n.open), ping.WithResolver(n)}
}

// Transport returns a new transport over the network. It is for one Pinger, which closes it. It panics if the network
// is of a time to come, which [Host.At] would wait for in vain: it was not made in the bubble of testing/synctest in
// which it is used.
func (n *Network) Transport() ping.Transport {
	if time.Now().Before(n.start) {
		panic("pingtest: the Network was made outside of the synctest bubble that uses it: call NewNetwork inside")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.id++
	return newTransport(n, n.id)
}

// LookupNetIP makes the network a [ping.Resolver]: it returns the addresses of the hosts with the name, which [Names]
// gives, in the order in which the hosts were made. Where there is none the error is a *net.DNSError; where the lookup
// of one fails ([LookupError]), it fails for all.
func (n *Network) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	name := canonical(host)
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	var addrs []netip.Addr
	for _, h := range n.order {
		if network == "ip4" && !h.addr.Is4() || network == "ip6" && h.addr.Is4() {
			continue
		}
		h.advance(now)
		for _, own := range h.names {
			if own != name {
				continue
			}
			if h.lookupError != nil {
				return nil, h.lookupError
			}
			addrs = append(addrs, h.addr)
			break
		}
	}
	if addrs == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return addrs, nil
}

func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

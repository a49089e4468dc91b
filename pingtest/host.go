package pingtest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/icmpsock/ping"
)

// A Host is an address of a [Network], and a router if others are [Behind] it.
type Host struct {
	network *Network
	addr    netip.Addr

	// The network's mutex guards what follows.
	settings
	schedule  schedule
	chance    rand.PCG
	rand      *rand.Rand
	errors    bucket
	replies   bucket
	neighbour neighbour
	route     route
	counts    Counts
}

func newHost(n *Network, addr netip.Addr) *Host {
	h := &Host{network: n, addr: addr, settings: settings{rtt: defaultRTT}}
	h.rand = rand.New(&h.chance)
	h.reseed()
	return h
}

// reseed starts the draws anew, in a sequence of the host's own.
func (h *Host) reseed() {
	b := h.addr.As16()
	h.chance.Seed(h.network.seed, binary.BigEndian.Uint64(b[:])^binary.BigEndian.Uint64(b[8:]))
}

// Addr is the host's address.
func (h *Host) Addr() netip.Addr { return h.addr }

// String is the host's address.
func (h *Host) String() string { return h.addr.String() }

// Set changes the settings that are given, all at the same instant, and leaves the others. It returns h. Settings that
// name addresses or hosts must be of the host's IP version, else it panics. Whether a request that is sent at the very
// instant comes before or after is up to the scheduler: see the package's description, and At.
func (h *Host) Set(settings ...Setting) *Host {
	h.check(settings)
	h.network.mu.Lock()
	defer h.network.mu.Unlock()
	h.advance(time.Now())
	for _, set := range settings {
		set(&h.settings)
	}
	return h
}

// At sets the settings when the network is so old: after is from NewNetwork. What is past by then is set at once. Of
// two changes for the same instant, the one that was written down first is made first. A request that is sent at that
// instant meets the host as changed. It returns h.
//
//	h.At(10*time.Second, pingtest.Down()).At(20*time.Second, pingtest.Up())
func (h *Host) At(after time.Duration, settings ...Setting) *Host {
	h.check(settings)
	at := h.network.start.Add(after)
	h.network.mu.Lock()
	defer h.network.mu.Unlock()
	h.schedule.add(at, slices.Clone(settings))
	return h
}

// check panics if the settings do not fit the host.
func (h *Host) check(list []Setting) {
	var s settings
	for i, set := range list {
		if set == nil {
			panic(fmt.Sprintf("pingtest: host %v: setting %d is nil", h, i))
		}
		set(&s)
		for _, r := range s.routers {
			if r.network != h.network {
				panic(fmt.Sprintf("pingtest: host %v: Behind(%v): want a host of the same network", h, r))
			}
			h.checkVersion("Behind", r.addr)
		}
		h.checkVersion("Unreachable", s.unreachable)
		h.checkVersion("AnswersFrom", s.source)
		if s.refusal != nil {
			h.checkVersion("Refuse", s.refusal.From)
		}
	}
}

func (h *Host) checkVersion(name string, addr netip.Addr) {
	if addr.IsValid() && addr.Is4() != h.addr.Is4() {
		panic(fmt.Sprintf("pingtest: host %v: %s(%v): want an address of the same IP version", h, name, addr))
	}
}

// advance makes the changes that are due. The caller holds the network's mutex, as for all that follows.
func (h *Host) advance(now time.Time) {
	h.schedule.advance(now, &h.settings)
}

// drawn reports whether chance has it, with a share.
func (h *Host) drawn(share float64) bool { return share > 0 && h.rand.Float64() < share }

// loses reports whether the host's next answer gets lost.
func (h *Host) loses() bool {
	if h.loseNext > 0 {
		h.loseNext--
		return true
	}
	return h.drawn(h.loss)
}

// delay draws the next RTT.
func (h *Host) delay() time.Duration {
	if h.rttFrom != nil {
		return max(h.rttFrom(h.rand), 0)
	}
	return h.rtt
}

// refuse is the ICMP error with which the host refuses everything.
func (h *Host) refuse() *ping.ICMPError {
	if h.unreachable.IsValid() {
		return h.icmpError(h.unreachable, unreachable)
	}
	e := clone(h.refusal)
	if !e.From.IsValid() {
		e.From = h.addr
	}
	return e
}

// An errorKind is the type and code of an ICMP error, by IP version.
type errorKind struct{ type4, code4, type6, code6 int }

var (
	unreachable  = errorKind{3, 1, 1, 3}  // RFC 792, RFC 4443 section 3.1
	timeExceeded = errorKind{11, 0, 3, 0} // RFC 792, RFC 4443 section 3.3
	tooBig       = errorKind{3, 4, 2, 0}  // RFC 1191, RFC 4443 section 3.2
)

// icmpError is an ICMP error of a kind.
func (h *Host) icmpError(from netip.Addr, kind errorKind) *ping.ICMPError {
	e := &ping.ICMPError{Type: kind.type4, Code: kind.code4, From: from}
	if !h.addr.Is4() {
		e.Type, e.Code = kind.type6, kind.code6
	}
	if kind == tooBig {
		e.MTU = h.mtu
	}
	if kind != unreachable {
		e.MPLS, e.Interfaces = slices.Clone(h.labels), slices.Clone(h.interfaces)
	}
	return e
}

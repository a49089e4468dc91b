package pingtest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/icmpsock/ping"
)

// A Setting is one thing to say about a host. See [Network.Host], [Host.Set] and [Host.At]. One that makes no sense,
// such as Loss(2), panics where it is written down: a test that is wrong ought to stop at once.
type Setting func(*settings)

// settings is how a host behaves. The zero value but for rtt is one that answers everything.
type settings struct {
	names       []string
	routers     []*Host // the host is behind one of them; nil: on the link of those that ping
	rtt         time.Duration
	rttTold     bool                           // by RTT and the like
	rttFrom     func(*rand.Rand) time.Duration // if not nil: instead of rtt
	loss        float64
	lossBehind  float64
	localDrops  float64
	loseNext    int
	errorLimit  limit
	replyLimit  limit
	duplicates  float64
	reordering  float64
	reorderBy   time.Duration
	corruption  float64
	truncation  int        // 0: none
	source      netip.Addr // of echo replies; invalid: the host's own
	forgeries   float64
	down        bool
	silent      bool
	refusal     *ping.ICMPError
	unreachable netip.Addr // from there; valid: instead of refusal
	mtu         int
	blackHole   bool
	labels      []ping.MPLSLabel
	interfaces  []ping.ICMPInterface
	sendError   error
	lookupError error
	own         []Interface                        // none: what is asked of them is not answered
	neighbours  map[netip.Addr]ping.NeighbourState // nil: the same
}

// defaultRTT is that of a host of which nothing else is said.
const defaultRTT = time.Millisecond

// refuses reports whether the host lets nothing pass.
func (s *settings) refuses() bool { return s.refusal != nil || s.unreachable.IsValid() }

// Names gives the host the names by which [Network.LookupNetIP] finds it, in place of those it had. Several hosts may
// share a name. Upper and lower case are alike, and a dot at the end makes no difference.
func Names(names ...string) Setting {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = canonical(name)
		if list[i] == "" {
			panic(fmt.Sprintf("pingtest: Names(%q): want names that are not empty", names))
		}
	}
	return func(s *settings) { s.names = list }
}

// Behind places the host behind a router, that is, a host of the same network and IP version, which may be behind
// another one in turn; nil, the default, is on the link of those that ping. The nearest router comes first on the
// way. Hosts that are behind each other make a routing loop, in which the TTL runs out.
//
// Of several routers, each flow takes one, always the same: a flow is what has the same destination and, over IPv4, the
// same ICMP checksum, over IPv6 the same flow label. So the probes of one ping.WithFlow stay together, and so do those
// of a Trace; other pings over IPv4 are each a flow of its own, and over IPv6 all the same. (Routers of Linux do so
// with IPv6, and let all ICMP to a host over IPv4 take one way.)
func Behind(routers ...*Host) Setting {
	if len(routers) == 1 && routers[0] == nil {
		routers = nil
	}
	if slices.Contains(routers, nil) {
		panic(fmt.Sprintf("pingtest: Behind(%v): want routers, or a single nil", routers))
	}
	routers = slices.Clone(routers)
	return func(s *settings) { s.routers = routers }
}

// RTT sets how long it takes from sending a request until the host's answer arrives: 0 or more, 1 ms by default. It
// is the whole time there and back; the RTTs of routers on the way are not added to it. The same goes for ICMP
// errors: their RTT is that of the host or router that sends them.
func RTT(d time.Duration) Setting {
	if d < 0 {
		panic(fmt.Sprintf("pingtest: RTT(%v): want 0 or more", d))
	}
	return func(s *settings) { s.rtt, s.rttFrom, s.rttTold = d, nil, true }
}

// RTTBetween draws each [RTT] evenly from low to high: 0 <= low <= high.
func RTTBetween(low, high time.Duration) Setting {
	if low < 0 || high < low {
		panic(fmt.Sprintf("pingtest: RTTBetween(%v, %v): want 0 or more, and the greater one last", low, high))
	}
	return RTTFrom(func(r *rand.Rand) time.Duration { return low + time.Duration(r.Int64N(int64(high-low)+1)) })
}

// RTTFrom has draw choose each [RTT], with the host's generator; below 0 is taken as 0. The function must not
// use the network. This is a normal distribution, with a mean of 20 ms and a standard deviation of 2 ms:
//
//	pingtest.RTTFrom(func(r *rand.Rand) time.Duration {
//		return 20*time.Millisecond + time.Duration(r.NormFloat64()*float64(2*time.Millisecond))
//	})
func RTTFrom(draw func(*rand.Rand) time.Duration) Setting {
	if draw == nil {
		panic("pingtest: RTTFrom(nil): want a function")
	}
	return func(s *settings) { s.rttFrom, s.rttTold = draw, true }
}

// Loss has a share of the host's answers get lost: 0, the default, to 1. A router's loss is that of the ICMP errors
// that it sends; what passes through it is not concerned: see [LossBehind].
func Loss(share float64) Setting {
	checkShare("Loss", share)
	return func(s *settings) { s.loss = share }
}

// LossBehind has a share, 0, the default, to 1, of the requests get lost that pass through the host to those [Behind]
// it, on the way there or back. A share of 1 is an outage of all of them.
func LossBehind(share float64) Setting {
	checkShare("LossBehind", share)
	return func(s *settings) { s.lossBehind = share }
}

// LocalDrops has a share of the host's answers, 0, the default, to 1, come when the receive buffer of the host that
// pings has no room: they are dropped there, and the probes end with ping.ErrLocalDrop.
func LocalDrops(share float64) Setting {
	checkShare("LocalDrops", share)
	return func(s *settings) { s.localDrops = share }
}

// LoseNext has the next n answers of the host get lost, whatever [Loss] is, and then no more: 0 or more.
func LoseNext(n int) Setting {
	if n < 0 {
		panic(fmt.Sprintf("pingtest: LoseNext(%d): want 0 or more", n))
	}
	return func(s *settings) { s.loseNext = n }
}

// Duplicates has a share of the host's echo replies come twice, one right after the other: 0, the default, to 1.
func Duplicates(share float64) Setting {
	checkShare("Duplicates", share)
	return func(s *settings) { s.duplicates = share }
}

// Reordering has a share of the host's echo replies, 0, the default, to 1, come later than their RTT, by 0 or more. If
// that is longer than the interval between requests, the replies to later ones overtake them.
func Reordering(share float64, by time.Duration) Setting {
	checkShare("Reordering", share)
	if by < 0 {
		panic(fmt.Sprintf("pingtest: Reordering(%v, %v): want 0 or more", share, by))
	}
	return func(s *settings) { s.reordering, s.reorderBy = share, by }
}

// Corruption spoils a share of the host's echo replies, 0, the default, to 1: one byte of the payload is not what was
// sent, or one too many where the payload has 8 or fewer.
func Corruption(share float64) Setting {
	checkShare("Corruption", share)
	return func(s *settings) { s.corruption = share }
}

// Truncation has the host send back no more than the first n bytes of a request's payload, as some resolvers do that
// many ping: 8 or more, which is the request's secret; 0, the default, is all of it.
func Truncation(n int) Setting {
	if n != 0 && n < cookieLen {
		panic(fmt.Sprintf("pingtest: Truncation(%d): want 0 or %d or more", n, cookieLen))
	}
	return func(s *settings) { s.truncation = n }
}

// AnswersFrom has the host's echo replies come from another address, as they do where an IPv6 anycast address is pinged
// (RFC 4443 section 4.2), or an IPv4 host that has several. The default, "", is its own.
func AnswersFrom(addr string) Setting {
	var source netip.Addr
	if addr != "" {
		source = mustParse("AnswersFrom", addr)
	}
	return func(s *settings) { s.source = source }
}

// Forgeries has a share of the host's echo replies, 0, the default, to 1, come with a forged one before them: one with
// the right source and sequence number, but without the request's secret.
func Forgeries(share float64) Setting {
	checkShare("Forgeries", share)
	return func(s *settings) { s.forgeries = share }
}

// Down has the host swallow everything: requests to it, and those to the hosts behind it.
func Down() Setting { return func(s *settings) { s.down = true } }

// Silent has the host answer nothing, not even with ICMP errors. What is behind it can be reached.
func Silent() Setting { return func(s *settings) { s.silent = true } }

// Up ends [Down], [Silent], [Unreachable] and [Refuse].
func Up() Setting {
	return func(s *settings) { s.down, s.silent, s.refusal, s.unreachable = false, false, nil, netip.Addr{} }
}

// Unreachable has requests to the host, and to the hosts behind it, refused as "host unreachable" (RFC 792), or
// "address unreachable" (RFC 4443) for IPv6, by the router with the address from. Whether there is such a host does
// not matter.
//
// If the host is on the link of those that ping, it is their own kernel that finds it missing, 3 s after the first
// request: it asks for the neighbour's address three times, a second apart (arp(7), mcast_solicit and retrans_time).
// All requests of these 3 s are refused at their end, and the next one begins anew. Where an RTT has been set for the
// host, it is that instead.
func Unreachable(from string) Setting {
	addr := mustParse("Unreachable", from)
	return func(s *settings) { s.refusal, s.unreachable = nil, addr }
}

// Refuse has requests to the host, and to the hosts behind it, refused with an ICMP error. A From that is not valid is
// the host's own address. Type and Code are not looked at, but for those of a redirect over IPv4 (type 5): it refuses
// nothing, but is sent, and the request goes on. Here and with [Unreachable], whoever From is, RTT, loss and TTL are
// those of the host that has the setting.
func Refuse(e ping.ICMPError) Setting {
	own := clone(&e)
	return func(s *settings) { s.refusal, s.unreachable = own, netip.Addr{} }
}

// MTU limits requests to the host, and to the hosts behind it, to packets of n bytes, IP header included: 68 or more;
// 0, the default, is no limit. A larger one that must not be fragmented (ping.WithDontFragment) is refused by the
// host, with an ICMP error that tells the MTU: "fragmentation needed" (RFC 1191), or "packet too big" (RFC 8201). One
// that may be fragmented is, over IPv4, and passes.
//
// Over IPv6 routers fragment nothing, and refuse that one too. The kernel of those that ping remembers the MTU for 10
// minutes (net.ipv6.route.mtu_expires), 1280 if it is less, and sends larger packets to that host in fragments
// meanwhile, but those of WithDontFragment.
func MTU(n int) Setting {
	checkMTU("MTU", n)
	return func(s *settings) { s.mtu, s.blackHole = n, false }
}

// BlackHole is [MTU] of a host that swallows what is too large, and says nothing (RFC 2923 section 2.1).
func BlackHole(n int) Setting {
	checkMTU("BlackHole", n)
	return func(s *settings) { s.mtu, s.blackHole = n, true }
}

// MPLS has the host, as a router, tell of the MPLS labels with which requests come, in the ICMP errors that it sends
// of itself: those about TTL and MTU (RFC 4950).
func MPLS(labels ...ping.MPLSLabel) Setting {
	labels = slices.Clone(labels)
	return func(s *settings) { s.labels = labels }
}

// Interfaces has the host, as a router, tell by which of its interfaces requests come and would leave, in the ICMP
// errors that it sends of itself: those about TTL and MTU (RFC 5837).
func Interfaces(list ...ping.ICMPInterface) Setting {
	list = slices.Clone(list)
	return func(s *settings) { s.interfaces = list }
}

// SendError has requests to the host fail to be sent, with err, as if the host that pings had no route, say, or had no
// room if err is ping.ErrNoRoom: then the Pinger tries again every millisecond, and each try counts and is recorded as
// a request. nil, the default, ends that.
func SendError(err error) Setting { return func(s *settings) { s.sendError = err } }

// LookupError has lookups of the host's names fail with err, as if no name server could be reached, say. nil, the
// default, ends that.
func LookupError(err error) Setting { return func(s *settings) { s.lookupError = err } }

func checkShare(name string, share float64) {
	if !(share >= 0 && share <= 1) {
		panic(fmt.Sprintf("pingtest: %s(%v): want a share, from 0 to 1", name, share))
	}
}

func checkMTU(name string, n int) {
	if n != 0 && n < 68 { // RFC 791
		panic(fmt.Sprintf("pingtest: %s(%d): want 0 or 68 or more", name, n))
	}
}

func mustParse(name, addr string) netip.Addr {
	a, err := netip.ParseAddr(addr)
	if a = a.Unmap(); err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
		panic(fmt.Sprintf("pingtest: %s(%q): want the IPv4 or IPv6 address of one host, without a zone", name, addr))
	}
	return a
}

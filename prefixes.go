package ping

import (
	"iter"
	"net/netip"
)

// Prefixes returns the addresses of prefixes that a host may have, for [Pinger.Sweep]: prefix after prefix, in order.
// Bits beyond a prefix's length do not matter. What lies in two prefixes comes twice. A prefix that is not valid, such
// as the zero value, has none.
//
// Of an IPv4 prefix the network and the broadcast address are left out (RFC 1122 section 3.2.1.3), but not of a /31 or
// /32, which have none (RFC 3021). Of an IPv6 prefix the first address is left out, but not of a /127 or /128 (RFC
// 6164): it is the subnet-router anycast address (RFC 4291 section 2.6.1), which one of the routers answers for, who
// has another address besides. There is no broadcast in IPv6.
//
// Nothing is stored, so that a prefix may be as large as it likes; but a /64 of IPv6 takes thousands of years.
func Prefixes(prefixes ...netip.Prefix) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for _, p := range prefixes {
			p = p.Masked()
			addr, single := p.Addr(), p.Addr().BitLen()-p.Bits() <= 1
			if !single {
				addr = addr.Next()
			}
			for p.Contains(addr) {
				next := addr.Next()
				if addr.Is4() && !single && !p.Contains(next) {
					break // it is the broadcast address
				}
				if !yield(addr) {
					return
				}
				addr = next
			}
		}
	}
}

//go:build linux

package netlab

import (
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	strandMark     = 7
	strandPriority = 10 // of the rule: before those for the main table

	// include/uapi/linux/fib_rules.h
	fraPriority      = 6
	fraMark          = 10
	frActUnreachable = 7
)

// Strand leaves packets for the IPv4 addresses of dst, whose length is to be a
// multiple of 8, without a way out, though the routing table has one: a packet
// filter marks them when they have found it, and for marked ones there is none.
// So do programs that keep traffic out of all but a tunnel. It ends with the
// test, which is skipped if the kernel has no nf_tables.
func (ns *Namespace) Strand(tb testing.TB, dst netip.Prefix) {
	tb.Helper()
	name := "strand " + dst.String()
	ns.Do(tb, func() {
		if _, err := request(newStrandRule(unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL)); err != nil {
			tb.Fatalf("netlab: rule for mark %d: %v", strandMark, err)
		}
		err := nftables(newTable(unix.NFT_MSG_NEWTABLE, name), newRouteChain(name), newMarking(name, dst))
		if errors.Is(err, errNoNftables) {
			request(newStrandRule(unix.RTM_DELRULE, 0))
			tb.Skip("netlab:", err)
		}
		if err != nil {
			tb.Fatalf("netlab: %s: %v", name, err)
		}
	})
	tb.Cleanup(func() {
		ns.Do(tb, func() {
			_, err := request(newStrandRule(unix.RTM_DELRULE, 0))
			if err := errors.Join(err, nftables(newTable(unix.NFT_MSG_DELTABLE, name))); err != nil {
				tb.Errorf("netlab: end of %s: %v", name, err)
			}
		})
	})
}

// newStrandRule is a request about the rule that marked packets have no way.
// Its header, struct fib_rule_hdr, is laid out as that of a route.
func newStrandRule(kind, flags uint16) *message {
	m := newMessage(kind, flags, unix.RtMsg{Family: unix.AF_INET, Type: frActUnreachable})
	m.attr(fraPriority, native32(strandPriority))
	m.attr(fraMark, native32(strandMark))
	return m
}

// newRouteChain is a chain after which the way of a packet whose mark has
// changed is looked up again.
func newRouteChain(table string) *message {
	m := newNftables(unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE)
	m.attr(unix.NFTA_CHAIN_TABLE, tableName(table))
	m.attr(unix.NFTA_CHAIN_NAME, cString("mark"))
	m.nest(unix.NLA_F_NESTED|unix.NFTA_CHAIN_HOOK, func() {
		m.attr(unix.NFTA_HOOK_HOOKNUM, big32(unix.NF_INET_LOCAL_OUT))
		m.attr(unix.NFTA_HOOK_PRIORITY, big32(0))
	})
	m.attr(unix.NFTA_CHAIN_TYPE, cString("route"))
	return m
}

// newMarking is the rule that marks packets for dst.
func newMarking(table string, dst netip.Prefix) *message {
	m := newNftables(unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND)
	m.attr(unix.NFTA_RULE_TABLE, tableName(table))
	m.attr(unix.NFTA_RULE_CHAIN, cString("mark"))
	m.nest(unix.NLA_F_NESTED|unix.NFTA_RULE_EXPRESSIONS, func() {
		m.meta(unix.NFT_META_NFPROTO)
		m.compare([]byte{unix.NFPROTO_IPV4})
		m.payload(unix.NFT_PAYLOAD_NETWORK_HEADER, 16, uint32(dst.Bits()/8))
		m.compare(dst.Addr().AsSlice()[:dst.Bits()/8])
		m.expression("immediate", func() {
			m.attr(unix.NFTA_IMMEDIATE_DREG, big32(unix.NFT_REG_1))
			m.nest(unix.NLA_F_NESTED|unix.NFTA_IMMEDIATE_DATA, func() {
				m.attr(unix.NFTA_DATA_VALUE, native32(strandMark))
			})
		})
		m.expression("meta", func() {
			m.attr(unix.NFTA_META_KEY, big32(unix.NFT_META_MARK))
			m.attr(unix.NFTA_META_SREG, big32(unix.NFT_REG_1))
		})
	})
	return m
}

//go:build linux

package netlab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// A Refusal is how a packet filter gets rid of a packet.
type Refusal int

const (
	Drop   Refusal = iota // it is gone; sending it fails with EPERM
	Reject                // the same, and its sender is told "port unreachable" by ICMP
)

// A Filter refuses echo requests on their way out of a namespace, and counts
// them.
type Filter struct {
	tb   testing.TB
	ns   *Namespace
	name string
	undo sync.Once
}

// filterCounter is the name of a filter's counter, and of its chain.
const filterCounter = "refused"

// RefuseEchoes makes a packet filter of the namespace refuse the echo requests
// sent from it to the addresses of dst, whose length is to be a multiple of 8,
// until Undo is called or the test ends. The test is skipped if the kernel has
// no nf_tables.
func (ns *Namespace) RefuseEchoes(tb testing.TB, dst netip.Prefix, how Refusal) *Filter {
	tb.Helper()
	if dst.Bits() < 0 || dst.Bits()%8 != 0 {
		tb.Fatalf("netlab: filter: %v is not of a length in whole bytes", dst)
	}
	f := &Filter{tb: tb, ns: ns, name: "refuse " + dst.String()}
	ns.Do(tb, func() {
		err := nftables(newTable(unix.NFT_MSG_NEWTABLE, f.name), f.counter(unix.NFT_MSG_NEWOBJ, unix.NLM_F_CREATE),
			newChain(f.name, filterCounter, unix.NF_INET_LOCAL_OUT, nfAccept), newRefusal(f.name, dst, how))
		if errors.Is(err, errNoNftables) {
			tb.Skip("netlab:", err)
		}
		if err != nil {
			tb.Fatalf("netlab: filter %v: %v", dst, err)
		}
	})
	tb.Cleanup(f.Undo)
	return f
}

// Undo ends the filter and its counter.
func (f *Filter) Undo() {
	f.undo.Do(func() {
		f.ns.Do(f.tb, func() {
			if err := nftables(newTable(unix.NFT_MSG_DELTABLE, f.name)); err != nil {
				f.tb.Errorf("netlab: end of filter %s: %v", f.name, err)
			}
		})
	})
}

// Count returns how many packets the filter has refused.
func (f *Filter) Count() (packets int) {
	f.tb.Helper()
	f.ns.Do(f.tb, func() {
		n, err := f.read()
		if err != nil {
			f.tb.Fatalf("netlab: count of filter %s: %v", f.name, err)
		}
		packets = n
	})
	return packets
}

// read asks the kernel for the counter, in the calling thread's namespace.
func (f *Filter) read() (int, error) {
	fd, err := netlinkSocket(unix.NETLINK_NETFILTER, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	query := f.counter(unix.NFT_MSG_GETOBJ, 0)
	if err := unix.Sendto(fd, query.finish(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, err
	}
	replies, err := acknowledged(fd)
	if err != nil {
		return 0, err
	}
	for _, r := range replies {
		if len(r.Data) < unix.SizeofNlAttr {
			continue
		}
		data := attribute(r.Data[4:], unix.NFTA_OBJ_DATA) // 4: a struct nfgenmsg
		if n := attribute(data, unix.NFTA_COUNTER_PACKETS); len(n) == 8 {
			return int(binary.BigEndian.Uint64(n)), nil
		}
	}
	return 0, fmt.Errorf("no counter in %d replies", len(replies))
}

// counter makes a message about the filter's counter.
func (f *Filter) counter(kind, flags uint16) *message {
	m := newNftables(kind, flags)
	m.attr(unix.NFTA_OBJ_TABLE, tableName(f.name))
	m.attr(unix.NFTA_OBJ_NAME, cString(filterCounter))
	m.attr(unix.NFTA_OBJ_TYPE, big32(unix.NFT_OBJECT_COUNTER))
	if kind == unix.NFT_MSG_NEWOBJ {
		m.nest(unix.NLA_F_NESTED|unix.NFTA_OBJ_DATA, func() {})
	}
	return m
}

// newRefusal makes the message for a rule that counts and refuses echo requests
// to dst.
func newRefusal(table string, dst netip.Prefix, how Refusal) *message {
	family, protocol, kind, offset := byte(unix.NFPROTO_IPV4), byte(unix.IPPROTO_ICMP), byte(echoRequest4), uint32(16)
	if dst.Addr().Is6() {
		family, protocol, kind, offset = unix.NFPROTO_IPV6, unix.IPPROTO_ICMPV6, echoRequest6, 24
	}
	m := newNftables(unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND)
	m.attr(unix.NFTA_RULE_TABLE, tableName(table))
	m.attr(unix.NFTA_RULE_CHAIN, cString(filterCounter))
	m.nest(unix.NLA_F_NESTED|unix.NFTA_RULE_EXPRESSIONS, func() {
		m.meta(unix.NFT_META_NFPROTO)
		m.compare([]byte{family})
		m.meta(unix.NFT_META_L4PROTO)
		m.compare([]byte{protocol})
		if n := dst.Bits() / 8; n > 0 {
			m.payload(unix.NFT_PAYLOAD_NETWORK_HEADER, offset, uint32(n))
			m.compare(dst.Addr().AsSlice()[:n])
		}
		m.payload(unix.NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1)
		m.compare([]byte{kind})
		m.expression("objref", func() {
			m.attr(unix.NFTA_OBJREF_IMM_TYPE, big32(unix.NFT_OBJECT_COUNTER))
			m.attr(unix.NFTA_OBJREF_IMM_NAME, cString(filterCounter))
		})
		if how == Reject {
			m.expression("reject", func() {
				m.attr(unix.NFTA_REJECT_TYPE, big32(unix.NFT_REJECT_ICMPX_UNREACH))
				m.attr(unix.NFTA_REJECT_ICMP_CODE, []byte{unix.NFT_REJECT_ICMPX_PORT_UNREACH})
			})
			return
		}
		m.expression("immediate", func() {
			m.attr(unix.NFTA_IMMEDIATE_DREG, big32(unix.NFT_REG_VERDICT))
			m.nest(unix.NLA_F_NESTED|unix.NFTA_IMMEDIATE_DATA, func() {
				m.nest(unix.NLA_F_NESTED|unix.NFTA_DATA_VERDICT, func() {
					m.attr(unix.NFTA_VERDICT_CODE, big32(nfDrop))
				})
			})
		})
	})
	return m
}

// expression adds an expression of a rule.
func (m *message) expression(name string, fill func()) {
	m.nest(unix.NLA_F_NESTED|unix.NFTA_LIST_ELEM, func() {
		m.attr(unix.NFTA_EXPR_NAME, cString(name))
		m.nest(unix.NLA_F_NESTED|unix.NFTA_EXPR_DATA, fill)
	})
}

// meta adds the expression that looks at a property of a packet.
func (m *message) meta(key uint32) {
	m.expression("meta", func() {
		m.attr(unix.NFTA_META_DREG, big32(unix.NFT_REG_1))
		m.attr(unix.NFTA_META_KEY, big32(key))
	})
}

// payload adds the expression that looks at bytes of a packet.
func (m *message) payload(base, offset, length uint32) {
	m.expression("payload", func() {
		m.attr(unix.NFTA_PAYLOAD_DREG, big32(unix.NFT_REG_1))
		m.attr(unix.NFTA_PAYLOAD_BASE, big32(base))
		m.attr(unix.NFTA_PAYLOAD_OFFSET, big32(offset))
		m.attr(unix.NFTA_PAYLOAD_LEN, big32(length))
	})
}

// compare adds the expression that goes on if what was looked at is as told.
func (m *message) compare(value []byte) {
	m.expression("cmp", func() {
		m.attr(unix.NFTA_CMP_SREG, big32(unix.NFT_REG_1))
		m.attr(unix.NFTA_CMP_OP, big32(unix.NFT_CMP_EQ))
		m.nest(unix.NLA_F_NESTED|unix.NFTA_CMP_DATA, func() {
			m.attr(unix.NFTA_DATA_VALUE, value)
		})
	})
}

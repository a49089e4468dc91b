//go:build linux

package netlab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	nfnlBatchEnd = unix.NFNL_MSG_BATCH_BEGIN + 1 // NFNL_MSG_BATCH_END
	nfDrop       = 0                             // NF_DROP
	nfAccept     = 1                             // NF_ACCEPT
)

// errNoNftables means that the kernel can't do what RefuseOutput needs.
var errNoNftables = errors.New("no nf_tables in the kernel")

// RefuseOutput makes a packet filter of the namespace drop whatever is sent from
// it by IPv4 and IPv6, until undo is called or the test ends. Sending fails with
// EPERM then, except by the kernel's IPv6 ping sockets, which don't tell that a
// packet was dropped. The test is skipped if the kernel has no nf_tables.
func (ns *Namespace) RefuseOutput(tb testing.TB) (undo func()) {
	tb.Helper()
	return ns.drop(tb, "output", unix.NF_INET_LOCAL_OUT)
}

// DropInput makes a packet filter of the namespace drop whatever comes for it by
// IPv4 and IPv6, until undo is called or the test ends. The test is skipped if
// the kernel has no nf_tables.
func (ns *Namespace) DropInput(tb testing.TB) (undo func()) {
	tb.Helper()
	return ns.drop(tb, "input", unix.NF_INET_LOCAL_IN)
}

// drop has all be dropped that passes a hook.
func (ns *Namespace) drop(tb testing.TB, name string, hook uint32) (undo func()) {
	tb.Helper()
	ns.Do(tb, func() {
		err := nftables(newTable(unix.NFT_MSG_NEWTABLE, name), newChain(name, name, hook, nfDrop))
		if errors.Is(err, errNoNftables) {
			tb.Skip("netlab:", err)
		}
		if err != nil {
			tb.Fatalf("netlab: drop %s: %v", name, err)
		}
	})
	var once sync.Once
	undo = func() {
		once.Do(func() {
			ns.Do(tb, func() {
				if err := nftables(newTable(unix.NFT_MSG_DELTABLE, name)); err != nil {
					tb.Errorf("netlab: allow %s: %v", name, err)
				}
			})
		})
	}
	tb.Cleanup(undo)
	return undo
}

// newNftables begins a message to the packet filter.
func newNftables(kind, flags uint16) *message {
	return newMessage(unix.NFNL_SUBSYS_NFTABLES<<8|kind, flags, unix.Nfgenmsg{Nfgen_family: unix.NFPROTO_INET})
}

// newTable makes a message about a table of this package.
func newTable(kind uint16, name string) *message {
	var flags uint16
	if kind == unix.NFT_MSG_NEWTABLE {
		flags = unix.NLM_F_CREATE | unix.NLM_F_EXCL
	}
	m := newNftables(kind, flags)
	m.attr(unix.NFTA_TABLE_NAME, tableName(name))
	return m
}

func tableName(name string) []byte { return cString("netlab-" + name) }

// newChain makes the message for a chain at a hook, whose policy is what becomes
// of a packet that no rule decides on.
func newChain(table, name string, hook, policy uint32) *message {
	m := newNftables(unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE)
	m.attr(unix.NFTA_CHAIN_TABLE, tableName(table))
	m.attr(unix.NFTA_CHAIN_NAME, cString(name))
	m.nest(unix.NLA_F_NESTED|unix.NFTA_CHAIN_HOOK, func() {
		m.attr(unix.NFTA_HOOK_HOOKNUM, big32(hook))
		m.attr(unix.NFTA_HOOK_PRIORITY, big32(0))
	})
	m.attr(unix.NFTA_CHAIN_POLICY, big32(policy))
	m.attr(unix.NFTA_CHAIN_TYPE, cString("filter"))
	return m
}

// nftables has the messages done together, or not at all, in the calling
// thread's namespace.
func nftables(messages ...*message) error {
	fd, err := netlinkSocket(unix.NETLINK_NETFILTER, 0)
	if err != nil {
		if errors.Is(err, unix.EPROTONOSUPPORT) {
			return fmt.Errorf("%w: %w", errNoNftables, err)
		}
		return err
	}
	defer unix.Close(fd)

	batch := batchMark(unix.NFNL_MSG_BATCH_BEGIN)
	for _, m := range messages {
		batch = append(batch, m.finish()...)
	}
	batch = append(batch, batchMark(nfnlBatchEnd)...)
	if err := unix.Sendto(fd, batch, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	for range messages {
		_, err := acknowledged(fd)
		switch {
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EAFNOSUPPORT):
			return fmt.Errorf("%w: %w", errNoNftables, err)
		case err != nil:
			return err
		}
	}
	return nil
}

// batchMark makes a message that begins or ends a batch. It asks for no
// acknowledgement.
func batchMark(kind uint16) []byte {
	// The field is in network order, unlike those of the header.
	resource := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.NFNL_SUBSYS_NFTABLES))
	m := new(message)
	m.put(unix.NlMsghdr{Type: kind, Flags: unix.NLM_F_REQUEST})
	m.put(unix.Nfgenmsg{Res_id: resource})
	return m.finish()
}

func big32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

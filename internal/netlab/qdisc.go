//go:build linux

package netlab

import (
	"net"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	tcaKind    = 1          // TCA_KIND
	tcaOptions = 2          // TCA_OPTIONS
	tcRoot     = 0xffffffff // TC_H_ROOT
	tcHandle   = 1 << 16
)

// tcMessage is a struct tcmsg of rtnetlink(7).
type tcMessage struct {
	_      uint8 // family
	_      [3]uint8
	index  int32
	handle uint32
	parent uint32
	_      uint32
}

// NoRoom gives a device a queue with room for nothing, until undo is called or
// the test ends. Sending out of it fails with ENOBUFS then. The test is skipped
// if the kernel has no such queues.
func (ns *Namespace) NoRoom(tb testing.TB, dev string) (undo func()) {
	tb.Helper()
	ns.Do(tb, func() {
		err := changeQueue(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_EXCL, dev)
		if err == unix.EOPNOTSUPP || err == unix.ENOENT {
			tb.Skip("netlab: no bfifo queues in the kernel:", err)
		}
		if err != nil {
			tb.Fatalf("netlab: queue of %s: %v", dev, err)
		}
	})
	var once sync.Once
	undo = func() {
		once.Do(func() {
			ns.Do(tb, func() {
				if err := changeQueue(unix.RTM_DELQDISC, 0, dev); err != nil && !isNoDevice(err) {
					tb.Errorf("netlab: queue of %s: %v", dev, err)
				}
			})
		})
	}
	tb.Cleanup(undo)
	return undo
}

// changeQueue adds or deletes a queue of one byte of a device in the calling
// thread's namespace.
func changeQueue(kind, flags uint16, dev string) error {
	ifi, err := net.InterfaceByName(dev)
	if err != nil {
		return err
	}
	m := newMessage(kind, flags, tcMessage{index: int32(ifi.Index), handle: tcHandle, parent: tcRoot})
	m.attr(tcaKind, cString("bfifo"))
	m.attr(tcaOptions, native32(1)) // struct tc_fifo_qopt: the limit in bytes
	_, err = request(m)
	return err
}

//go:build linux

package netlab

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	vethInfoPeer = 1 // VETH_INFO_PEER
	operUp       = 6 // IF_OPER_UP
)

// Link joins two namespaces by a veth pair, whose ends are called aName and
// bName. Both ends are up and carry packets when it returns. The pair is deleted
// at the end of the test if an end is in the tests' own namespace, and else goes
// with one of the two.
func Link(tb testing.TB, a *Namespace, aName string, b *Namespace, bName string) {
	tb.Helper()
	LinkAt(tb, 0, a, aName, b, bName)
}

// LinkAt is Link with the index that aName gets; 0: the next.
func LinkAt(tb testing.TB, index int, a *Namespace, aName string, b *Namespace, bName string) {
	tb.Helper()
	a.Do(tb, func() {
		if err := addVeth(index, aName, bName, int(b.file.Fd())); err != nil {
			tb.Fatalf("netlab: link %s and %s: %v", aName, bName, err)
		}
	})
	a.peers[aName] = end{b, bName}
	b.peers[bName] = end{a, aName}
	tb.Cleanup(func() {
		delete(a.peers, aName)
		delete(b.peers, bName)
		if a != self && b != self {
			return // to delete it takes the kernel 30 ms, for which the test would wait
		}
		a.Do(tb, func() {
			if err := deleteLink(aName); err != nil {
				tb.Errorf("netlab: delete %s: %v", aName, err)
			}
		})
	})
	a.SetUp(tb, aName, true)
	b.SetUp(tb, bName, true)
}

// DelLink deletes a pair that Link made, before the end of the test.
func (ns *Namespace) DelLink(tb testing.TB, dev string) {
	tb.Helper()
	peer := ns.peers[dev]
	delete(peer.ns.peers, peer.dev)
	delete(ns.peers, dev)
	ns.Do(tb, func() {
		if err := deleteLink(dev); err != nil {
			tb.Fatalf("netlab: delete %s: %v", dev, err)
		}
	})
}

// SetUp sets a device up or down, and returns when packets can pass, or can't.
func (ns *Namespace) SetUp(tb testing.TB, dev string, up bool) {
	tb.Helper()
	var flags uint32
	if up {
		flags = unix.IFF_UP
	}
	ns.Do(tb, func() {
		if err := setFlags(dev, flags, unix.IFF_UP); err != nil {
			tb.Fatalf("netlab: set %s up or down: %v", dev, err)
		}
	})

	// Both ends of a pair learn of a change by deferred work of the kernel, and
	// until then they drop what they are given.
	peer, ok := ns.peers[dev]
	if !ok {
		return
	}
	if up && !peer.ns.isUp(tb, peer.dev) {
		return
	}
	ns.awaitOperational(tb, dev, up)
	peer.ns.awaitOperational(tb, peer.dev, up)
}

// SetMTU sets the largest packet that a device sends.
func (ns *Namespace) SetMTU(tb testing.TB, dev string, mtu int) {
	tb.Helper()
	ns.Do(tb, func() {
		err := changeLink(dev, unix.IfInfomsg{}, func(m *message) {
			m.attr(unix.IFLA_MTU, native32(uint32(mtu)))
		})
		if err != nil {
			tb.Fatalf("netlab: set MTU of %s to %d: %v", dev, mtu, err)
		}
	})
}

func (ns *Namespace) isUp(tb testing.TB, dev string) (up bool) {
	tb.Helper()
	ns.Do(tb, func() {
		ifi, err := net.InterfaceByName(dev)
		if err != nil {
			tb.Fatal("netlab:", err)
		}
		up = ifi.Flags&net.FlagUp != 0
	})
	return up
}

func (ns *Namespace) awaitOperational(tb testing.TB, dev string, want bool) {
	tb.Helper()
	ns.await(tb, "the state of "+dev, unix.RTMGRP_LINK, func() (bool, error) {
		got, err := operational(dev)
		return got == want, err
	})
}

// operational reports whether a device in the calling thread's namespace passes
// packets on.
func operational(dev string) (bool, error) {
	ifi, err := net.InterfaceByName(dev)
	if err != nil {
		return false, err
	}
	if ifi.Flags&net.FlagLoopback != 0 { // it has no operational state
		return ifi.Flags&net.FlagUp != 0, nil
	}
	replies, err := request(newMessage(unix.RTM_GETLINK, 0, unix.IfInfomsg{Index: int32(ifi.Index)}))
	if err != nil {
		return false, err
	}
	for _, r := range replies {
		attrs, err := syscall.ParseNetlinkRouteAttr(&r)
		if err != nil {
			return false, err
		}
		for _, a := range attrs {
			if a.Attr.Type == unix.IFLA_OPERSTATE && len(a.Value) == 1 {
				return a.Value[0] == operUp, nil
			}
		}
	}
	return false, fmt.Errorf("no operational state of %s", dev)
}

// addVeth makes a veth pair in the calling thread's namespace and the one that
// peerNamespace is open on.
func addVeth(index int, name, peer string, peerNamespace int) error {
	m := newMessage(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, unix.IfInfomsg{Index: int32(index)})
	m.attr(unix.IFLA_IFNAME, cString(name))
	m.nest(unix.IFLA_LINKINFO, func() {
		m.attr(unix.IFLA_INFO_KIND, cString("veth"))
		m.nest(unix.IFLA_INFO_DATA, func() {
			m.nest(vethInfoPeer, func() {
				m.put(unix.IfInfomsg{})
				m.attr(unix.IFLA_IFNAME, cString(peer))
				m.attr(unix.IFLA_NET_NS_FD, native32(uint32(peerNamespace)))
			})
		})
	})
	_, err := request(m)
	return err
}

// deleteLink deletes a device of the calling thread's namespace, if it is there.
func deleteLink(name string) error {
	m := newMessage(unix.RTM_DELLINK, 0, unix.IfInfomsg{})
	m.attr(unix.IFLA_IFNAME, cString(name))
	if _, err := request(m); err != nil && !errors.Is(err, unix.ENODEV) {
		return err
	}
	return nil
}

// setFlags sets the flags in mask of a device in the calling thread's namespace.
func setFlags(name string, flags, mask uint32) error {
	return changeLink(name, unix.IfInfomsg{Flags: flags, Change: mask}, func(*message) {})
}

func changeLink(name string, info unix.IfInfomsg, fill func(*message)) error {
	m := newMessage(unix.RTM_NEWLINK, 0, info)
	m.attr(unix.IFLA_IFNAME, cString(name))
	fill(m)
	_, err := request(m)
	return err
}

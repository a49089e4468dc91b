//go:build linux

package netlab

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// Addr gives a device an address. It is good for use at once, and goes with the
// test.
func (ns *Namespace) Addr(tb testing.TB, dev string, prefix netip.Prefix) {
	tb.Helper()
	up := false
	ns.Do(tb, func() {
		if err := changeAddr(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, dev, prefix); err != nil {
			tb.Fatalf("netlab: give %s the address %v: %v", dev, prefix, err)
		}
		var err error
		if up, err = operational(dev); err != nil {
			tb.Fatal("netlab:", err)
		}
	})
	tb.Cleanup(func() {
		ns.Do(tb, func() {
			err := changeAddr(unix.RTM_DELADDR, 0, dev, prefix)
			if err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) && !isNoDevice(err) {
				tb.Errorf("netlab: take the address %v from %s: %v", prefix, dev, err)
			}
		})
	})
	// IPv6 begins to receive at an address by deferred work of the kernel.
	if up && prefix.Addr().Is6() {
		ns.await(tb, "the address "+prefix.String(), unix.RTMGRP_IPV6_IFADDR|unix.RTMGRP_IPV6_ROUTE,
			func() (bool, error) { return isLocal(prefix.Addr()) })
	}
}

// DelAddr takes an address from a device.
func (ns *Namespace) DelAddr(tb testing.TB, dev string, prefix netip.Prefix) {
	tb.Helper()
	ns.Do(tb, func() {
		if err := changeAddr(unix.RTM_DELADDR, 0, dev, prefix); err != nil {
			tb.Fatalf("netlab: take the address %v from %s: %v", prefix, dev, err)
		}
	})
}

// changeAddr adds or deletes an address in the calling thread's namespace.
func changeAddr(kind, flags uint16, dev string, prefix netip.Prefix) error {
	ifi, err := net.InterfaceByName(dev)
	if err != nil {
		return err
	}
	addr := prefix.Addr()
	m := newMessage(kind, flags, unix.IfAddrmsg{
		Family:    family(addr),
		Prefixlen: uint8(prefix.Bits()),
		Index:     uint32(ifi.Index),
	})
	m.attr(unix.IFA_LOCAL, addr.AsSlice())
	m.attr(unix.IFA_ADDRESS, addr.AsSlice())
	if addr.Is6() {
		m.attr(unix.IFA_FLAGS, native32(unix.IFA_F_NODAD))
	}
	_, err = request(m)
	return err
}

// isNoDevice reports whether err says that there is no such device anymore, to
// the kernel or to package net, whose error for that has no name.
func isNoDevice(err error) bool {
	var op *net.OpError
	return errors.Is(err, unix.ENODEV) || errors.As(err, &op)
}

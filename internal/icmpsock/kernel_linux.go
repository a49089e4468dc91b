package icmpsock

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// A version is one of Linux.
type version struct{ major, minor int }

// Since when the kernel's datagram sockets can what raw ones could before.
var (
	// questions: extended echo requests are sent, and their replies received (net/ipv4/ping.c, ping_supported).
	questions = version{5, 13}
	// control6: control messages say what the hop limit and the traffic class of an IPv6 message are (net/ipv6/ping.c,
	// ping_v6_sendmsg). Before, they are passed over without a word, and the socket's own options hold.
	control6 = version{5, 18}
	// labels6: the flow label of an IPv6 message is that of the socket address (the same).
	labels6 = version{6, 0}
	// sums6: the checksum of an IPv6 packet that the kernel holds in several pieces is right (net/ipv4/ping.c,
	// ping_getfrag). Before, that of one of more than 16,000 bytes is the last piece's, and the packet is lost.
	sums6 = version{6, 1}
)

// keyedDepartures: SCM_TS_OPT_ID. Nothing but the version tells before a message is sent.
var keyedDepartures = version{6, 13}

// largest6 is the length in bytes of an IPv6 packet that each kernel gets the checksum of right: less than
// SKB_MAX_ALLOC (include/linux/skbuff.h) with pages of 4 KiB, more than any network takes but loopback and its like,
// and hardly the MTU of a device.
const largest6 = 15_013

// A release is the version of a kernel, with the name that it gives itself.
type release struct {
	version
	name string
}

// kernel is the running one: version 0.0 if it does not tell.
var kernel = sync.OnceValue(func() (r release) {
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		r.name = unix.ByteSliceToString(name.Release[:])
		fmt.Sscanf(r.name, "%d.%d", &r.major, &r.minor)
	}
	return r
})

// since reports whether the kernel is of the version or a later one. A distribution's kernel may do more than its
// version says.
func (r release) since(v version) bool {
	return r.major > v.major || r.major == v.major && r.minor >= v.minor
}

// lacks is the error of what the kernel is too old for.
func (r release) lacks(v version) error {
	return fmt.Errorf("a datagram socket needs Linux %d.%d for it, and this is %s", v.major, v.minor, r.name)
}

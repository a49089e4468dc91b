package pingtest

import (
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/icmpsock/ping"
)

// What the kernel of those that ping does, and not the network.

const (
	// neighbourWait is how long a neighbour is asked for its address before it is unreachable.
	neighbourWait = 3 * time.Second
	// mtuExpires is how long the MTU of a path is remembered (net.ipv6.route.mtu_expires).
	mtuExpires = 10 * time.Minute
	minMTU6    = 1280 // RFC 8200 section 5
)

// A neighbour is a host on the link that does not answer for its address.
type neighbour struct{ until time.Time }

// fails is when a request that is sent now is given up.
func (n *neighbour) fails(now time.Time) time.Time {
	if !n.until.After(now) {
		n.until = now.Add(neighbourWait)
	}
	return n.until
}

// A route is what is known of the way to a host.
type route struct {
	mtu          int // 0: nothing
	since, until time.Time
}

// learn notes an MTU that an ICMP error tells, which comes at an instant.
func (r *route) learn(mtu int, at time.Time) {
	mtu = max(mtu, minMTU6)
	if r.mtu == 0 || !at.Before(r.until) || mtu < r.mtu {
		*r = route{mtu, at, at.Add(mtuExpires)}
	}
}

// limit is the longest packet to send now, 0 if nothing is known.
func (r *route) limit(now time.Time) int {
	if now.Before(r.since) || !now.Before(r.until) {
		return 0
	}
	return r.mtu
}

// LinkMTU limits the packets that leave to n bytes, IP header included, as the device of those that ping does: 68 or
// more; 0, the default, is no limit. A larger one is fragmented, or, if it must not be (ping.WithDontFragment), cannot
// be sent: that is an error of the kind of syscall.EMSGSIZE. It returns n.
func (n *Network) LinkMTU(mtu int) *Network {
	checkMTU("LinkMTU", mtu)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.linkMTU = mtu
	return n
}

// OpenError has ping.New with the network's [Network.Options] fail with err, as if the system permitted no socket, say
// (ping.ErrNotPermitted), and Pinger.Reopen too; nil, the default, ends that. Pingers that are open go on. It returns
// n.
func (n *Network) OpenError(err error) *Network {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.openError = err
	return n
}

// open is for ping.WithTransportFunc.
func (n *Network) open() (ping.Transport, error) {
	n.mu.Lock()
	err := n.openError
	n.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return n.Transport(), nil
}

// sendable is what the kernel of those that ping makes of a request: how long its packets are, or why it cannot be
// sent.
func (j *journey) sendable(n *Network) (size int, err error) {
	to, v6 := j.request.Addr, j.request.Addr.Is6()
	if to.IsLinkLocalUnicast() && v6 && to.Zone() == "" {
		return 0, fmt.Errorf("pingtest: %v is link-local and needs a zone: %w", to, syscall.EINVAL)
	}
	size = len(j.request.Data) + 20
	if v6 {
		size += 20
	}
	longest := n.linkMTU
	if j.target != nil && v6 && !j.request.DontFragment {
		if known := j.target.route.limit(j.now); known > 0 && (longest == 0 || known < longest) {
			longest = known
		}
	}
	switch {
	case longest == 0 || size <= longest:
		return size, nil
	case j.request.DontFragment:
		return 0, fmt.Errorf("pingtest: a packet of %d bytes on a link of %d: %w", size, longest, errTooBig)
	case v6:
		return longest, nil // the longest fragment
	}
	return size, nil
}

// isRedirect reports whether an error is advice after which the request goes on.
func isRedirect(e *ping.ICMPError, to netip.Addr) bool { return e != nil && to.Is4() && e.Type == 5 }

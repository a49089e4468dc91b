package ping

import (
	"net/netip"
	"sync"
	"time"

	"github.com/icmpsock/ping/internal/engine"
	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/plan"
	"github.com/icmpsock/ping/internal/pool"
)

// neighbours is what the Sweeps of a Pinger have in common, so that they do not fill the system's neighbour tables,
// which are all programs' and all network namespaces'. Other calls send to few hosts, mostly.
type neighbours struct {
	mu     sync.Mutex // guards what follows
	read   time.Time
	links  [2][]netip.Prefix               // by family
	places [2]*plan.Neighbours[netip.Addr] // by family; nil: never read

	backlogs map[pool.Key]*plan.Backlog // of sockets
}

// rereadAfter is how long what a Sweep has read about the links is good for the next.
const rereadAfter = time.Second

// look reads which addresses are hosts on the link, in the network namespace of the Pinger's link. Of the entries of a
// table, half are for those that do not answer, and a quarter more for those that do.
func (n *neighbours) look(link engine.Link) (
	links [2][]netip.Prefix, places [2]*plan.Neighbours[netip.Addr],
) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.places[0] != nil && time.Since(n.read) < rereadAfter {
		return n.links, n.places
	}
	list, tables := readLinks(link)
	n.read, n.links = time.Now(), [2][]netip.Prefix{}
	for _, prefix := range list {
		i := family(prefix.Addr().Is6())
		n.links[i] = append(n.links[i], prefix)
	}
	for i, most := range tables {
		if n.places[i] == nil {
			n.places[i] = plan.NewNeighbours[netip.Addr](most/2, most-most/4)
		} else {
			n.places[i].Resize(most/2, most-most/4)
		}
	}
	return n.links, n.places
}

// isNear reports whether an address is on one of the links.
func isNear(addr netip.Addr, links []netip.Prefix) bool {
	addr = addr.WithZone("")
	for _, link := range links {
		if link.Contains(addr) {
			return true
		}
	}
	return false
}

// backlog is what waits for neighbours in the send buffer of a socket, of all Sweeps.
func (n *neighbours) backlog(socket pool.Key) *plan.Backlog {
	n.mu.Lock()
	defer n.mu.Unlock()
	b := n.backlogs[socket]
	if b == nil {
		if n.backlogs == nil {
			n.backlogs = make(map[pool.Key]*plan.Backlog)
		}
		b = plan.NewBacklog(halfSendBuffer)
		n.backlogs[socket] = b
	}
	return b
}

// halfSendBuffer is half of what a socket's send buffer has, in bytes, where the administrator has not changed
// net.core.wmem_max, which the kernel doubles (socket(7), SO_SNDBUF). What waits for a neighbour to answer is kept
// there, and no other probe leaves by the socket once it is full.
const halfSendBuffer = 212_992

// backlogOf is how many bytes of a send buffer the probes to one neighbour take that does not answer.
func backlogOf(shape *flight.Shape, count int, interval time.Duration) int {
	each := int64(count) // probes that wait
	if interval > 0 {
		each = min(each, int64(plan.MissingFor/interval)+1)
	}
	return int(min(int64(flight.MessageCost(shape.Size()))*each, halfSendBuffer))
}

package ping

import (
	"net/netip"
	"sync"
)

// A supply is the addresses of one family on their way from the goroutine that runs a Sweep's iterator to the lanes,
// which take what there is: an address never waits for the next. It is safe for concurrent use.
type supply struct {
	room chan struct{} // holds a token if there may be room again

	mu    sync.Mutex
	far   []netip.Addr
	near  []netip.Addr // on the link: they may have to wait, for a place in the neighbour table, and hold up no others
	ended bool
}

const (
	// supplySize is how many addresses wait to be taken at most, of those that are not on the link.
	supplySize = 2 * chunkSize
	// nearSize is how many that are.
	nearSize = 1 << 12
)

func (s *supply) init() {
	s.room = make(chan struct{}, 1)
	s.far = make([]netip.Addr, 0, supplySize)
}

// put adds an address, if there is room for it, and returns how many of its kind were there before.
func (s *supply) put(addr netip.Addr, near bool) (n int, ok bool) {
	s.mu.Lock()
	list, most := &s.far, supplySize
	if near {
		list, most = &s.near, nearSize
	}
	n = len(*list)
	if ok = n < most; ok {
		*list = append(*list, addr)
	}
	s.mu.Unlock()
	return n, ok
}

// end says that no more will come.
func (s *supply) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
}

// take moves as many addresses to far and near as these have room for. It reports whether there were none, and will be
// none.
func (s *supply) take(far, near []netip.Addr) (nFar, nNear int, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.far) == supplySize || len(s.near) == nearSize {
		signal(s.room)
	}
	ended = s.ended && len(s.far)+len(s.near) == 0
	return move(far, &s.far), move(near, &s.near), ended
}

// move moves targets from the front of a list.
func move(to []netip.Addr, from *[]netip.Addr) int {
	n := copy(to, *from)
	*from = (*from)[:copy(*from, (*from)[n:])]
	return n
}

// signal puts a token into a channel that has room for one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

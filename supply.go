package ping

import (
	"net/netip"
	"sync"
)

// A supply is the addresses of a Sweep on their way from the goroutine that runs the iterator to the lanes, which take
// what there is: an address never waits for the next.
type supply struct {
	some chan struct{} // holds a token if there may be addresses, or the end
	room chan struct{} // holds a token if there may be room again

	mu    sync.Mutex
	addrs []netip.Addr
	ended bool
}

// supplySize is how many addresses wait to be taken at most.
const supplySize = 2 * chunkSize

func newSupply() *supply {
	return &supply{
		some:  make(chan struct{}, 1),
		room:  make(chan struct{}, 1),
		addrs: make([]netip.Addr, 0, supplySize),
	}
}

// put adds an address, if there is room.
func (s *supply) put(addr netip.Addr) bool {
	s.mu.Lock()
	n := len(s.addrs)
	if n < supplySize {
		s.addrs = append(s.addrs, addr)
	}
	s.mu.Unlock()
	if n == 0 {
		signal(s.some)
	}
	return n < supplySize
}

// end says that no more will come.
func (s *supply) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	signal(s.some)
}

// take moves as many addresses to list as it has room for. It reports whether there were none, and will be none.
func (s *supply) take(list []netip.Addr) (n int, ended bool) {
	s.mu.Lock()
	before := len(s.addrs)
	n = copy(list, s.addrs)
	s.addrs = s.addrs[:copy(s.addrs, s.addrs[n:])]
	left, ended := len(s.addrs), s.ended
	s.mu.Unlock()
	if before == supplySize {
		signal(s.room)
	}
	if left > 0 || ended { // for another lane
		signal(s.some)
	}
	return n, ended && n == 0
}

// signal puts a token into a channel that has room for one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

package ping

import (
	"net/netip"
	"sync"
)

// A supply is the addresses of one family on their way from the goroutine that runs a Sweep's iterator to the lanes,
// which take what there is: an address never waits for the next. It is safe for concurrent use.
type supply struct {
	room chan struct{} // holds a token if there may be room again

	mu      sync.Mutex
	targets []target
	ended   bool
}

// A target is an address, as the caller has it, and as the system has it.
type target struct{ addr, dst netip.Addr }

// supplySize is how many addresses wait to be taken at most.
const supplySize = 2 * chunkSize

func (s *supply) init() {
	s.room = make(chan struct{}, 1)
	s.targets = make([]target, 0, supplySize)
}

// put adds a target, if there is room, and returns how many were there before.
func (s *supply) put(t target) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.targets)
	if n < supplySize {
		s.targets = append(s.targets, t)
	}
	return n
}

// end says that no more will come.
func (s *supply) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
}

// take moves as many targets to list as it has room for. It reports whether there were none, and will be none.
func (s *supply) take(list []target) (n int, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.targets)
	n = copy(list, s.targets)
	s.targets = s.targets[:copy(s.targets, s.targets[n:])]
	if before == supplySize {
		signal(s.room)
	}
	return n, s.ended && n == 0
}

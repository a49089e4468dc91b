package monitor

import (
	"runtime"
	"strconv"
	"testing"

	"github.com/icmpsock/ping/pingtest"
)

// Who waits for a Monitor while all its targets are looked at has its turn in between, also on a single processor.
func TestOthersHaveTheirTurn(t *testing.T) {
	const targets = 6000
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	m := New(pingtest.NewNetwork().Pinger(t))
	for i := range targets {
		if err := m.Add(Target{Name: strconv.Itoa(i), Host: "192.0.2.1"}); err != nil {
			t.Fatal(err)
		}
	}
	m.inOrder() // which is kept
	for name, look := range map[string]func(){
		"All": func() {
			for range m.All() {
			}
		},
		"levels": func() { (&levels{m: m}).compare(0) },
	} {
		turns, done, ended := 0, make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			for ; ; turns++ {
				select {
				case <-done:
					return
				default:
					m.Counters()
					runtime.Gosched()
				}
			}
		}()
		look()
		close(done)
		<-ended
		if turns < 50 {
			t.Errorf("%s: %d turns while %d targets were looked at", name, turns, targets)
		}
	}
}

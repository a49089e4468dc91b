package ping_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// costOfBacklog has n messages wait for a Transport that is busy, and takes one a call after that. It returns how much
// of the processors' time it took to send them.
func costOfBacklog(t *testing.T, n int) (cost time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		gate, all := make(chan struct{}), make(chan struct{})
		sent := 0 // Send is called by one goroutine at a time
		p := mustNew(t, ping.WithTransport(newPort(func(_ *port, messages []ping.Message) (int, error) {
			if sent == 0 {
				<-gate
			}
			if sent++; sent == n+1 {
				close(all)
			}
			return 1, nil
		})))
		go p.Ping(t.Context(), "192.0.2.1", ping.WithTimeout(time.Hour))
		synctest.Wait()
		go p.PingN(t.Context(), "192.0.2.1", n, ping.WithInterval(time.Nanosecond), ping.WithTimeout(time.Hour))
		time.Sleep(time.Second)
		synctest.Wait()
		before := processorTime(t)
		close(gate)
		<-all
		cost = processorTime(t) - before
	})
	return cost
}

// What it costs to send a message does not depend on how many others wait to be sent.
func TestCostOfBacklog(t *testing.T) {
	const small, large = 600, 60_000
	few := time.Duration(0)
	for range large / small {
		few += costOfBacklog(t, small)
	}
	many := costOfBacklog(t, large)
	t.Logf("a message costs %v with %d waiting, %v with %d", few/large, small, many/large, large)
	if many > 10*few {
		t.Errorf("it costs %.0f times as much to send %d messages at once as to send them %d at a time",
			many.Seconds()/few.Seconds(), large, small)
	}
}

package ping_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/skipped"
)

// costOfCancelled has n calls wait for their turns, and one more behind them, cancels the n, and lets half of their
// turns pass. It returns how much of the processors' time it took from the cancellation until another call was done,
// and checks that the rate holds.
func costOfCancelled(t *testing.T, n int) (cost time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 100 * time.Millisecond
		var left []time.Time // Send is called by one goroutine at a time
		p := mustNew(t, ping.WithRate(10), ping.WithTransport(newPort(func(p *port, messages []ping.Message) (int, error) {
			for range messages {
				left = append(left, time.Now())
			}
			return answering(p, messages)
		})))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var calls, last sync.WaitGroup
		if _, err := p.Ping(t.Context(), "192.0.2.1"); err != nil {
			t.Fatal(err)
		}
		for range n {
			calls.Go(func() {
				if _, err := p.Ping(ctx, "192.0.2.1"); err == nil {
					t.Error("a Ping was answered before its turn")
				}
			})
		}
		synctest.Wait()
		last.Go(func() {
			if _, err := p.Ping(t.Context(), "192.0.2.1"); err != nil {
				t.Errorf("the call behind them: %v", err)
			}
		})
		synctest.Wait()

		before := processorTime(t)
		cancel()
		calls.Wait()
		time.Sleep(time.Duration(n/2) * interval)
		start := time.Now()
		if _, err := p.Ping(t.Context(), "192.0.2.1"); err != nil || time.Since(start) > interval {
			t.Errorf("the next call: %v, after %v", err, time.Since(start))
		}
		cost = processorTime(t) - before

		var more sync.WaitGroup
		for range 20 {
			more.Go(func() {
				if _, err := p.Ping(t.Context(), "192.0.2.1"); err != nil {
					t.Error(err)
				}
			})
		}
		more.Wait()
		last.Wait()
		for i := range left {
			if i > 10 && left[i].Sub(left[i-11]) < time.Second {
				t.Errorf("12 echo requests left within %v, at a rate of 10/s", left[i].Sub(left[i-11]))
			}
		}
		if len(left) != 23 {
			t.Errorf("%d echo requests left, want 23", len(left))
		}
	})
	return cost
}

// Calls that are cancelled before their turn cost little each, however many there are.
func TestCostOfCancelledTurns(t *testing.T) {
	if raceEnabled {
		skipped.Test(t, "the race detector bears 8,128 goroutines")
	}
	few := skipped.AtLength(t, 2000, 8000)
	many := 10 * few
	a, b := costOfCancelled(t, few), costOfCancelled(t, many)
	t.Logf("%d calls took %v of the processors' time, %d took %v", few, a, many, b)
	if b > 50*a { // in proportion it would be 10 times, by the square 100
		t.Errorf("ten times as many calls took %.0f times as long", b.Seconds()/a.Seconds())
	}
}

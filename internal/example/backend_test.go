package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// watch tells when host goes down, after three lost pings in a row, and when it is up, after two answered ones.
func watch(ctx context.Context, p *ping.Pinger, host string, tell func(what string)) error {
	down, row := false, 0 // how many in a row speak for a change
	for reply, err := range p.Stream(ctx, host) {
		if err != nil {
			return err
		}
		if lost := reply.Err != nil; lost == down {
			row = 0
		} else if row++; lost && row == 3 {
			down, row = true, 0
			tell("down")
		} else if !lost && row == 2 {
			down, row = false, 0
			tell("up")
		}
	}
	return nil
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		db := n.Host("192.0.2.1", pingtest.Names("db.example"), pingtest.RTT(5*time.Millisecond))
		db.At(10*time.Second, pingtest.Down())
		db.At(20*time.Second, pingtest.Up())
		db.At(30*time.Second, pingtest.LoseNext(2)) // not enough

		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var got []string
		err := watch(ctx, n.Pinger(t), "db.example", func(what string) {
			got = append(got, fmt.Sprint(what, " after ", time.Since(start)))
		})

		want := []string{"down after 13s", "up after 21.005s"}
		if !slices.Equal(got, want) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
		if c := db.Counts(); c.Swallowed != 10 || c.Lost != 2 {
			t.Errorf("the network lost %d and %d, want 10 and 2", c.Swallowed, c.Lost)
		}
	})
}

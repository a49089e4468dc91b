package engine

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/wire"
)

// extended is of extended echo requests.
func extended(timeout time.Duration) *flight.Shape {
	template, extension := wire.NewExtendedTemplate(false, wire.Question{Name: "eth0"}, 56)
	return &flight.Shape{Template: template, Extension: uint8(extension), Timeout: timeout}
}

// Where all numbers for extended echo requests are in use, the next one leaves as soon as one is free again, or is
// given up after its timeout. Echo requests need not wait.
func TestExtendedNumbersInUse(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(silent)
		r := newRig(t, l, nil)
		r.caller(r.now(extended(time.Second), 256), Options{Batch: 8}).start(t.Context())
		synctest.Wait()
		first := l.left()
		start := r.clock()
		hasty := r.caller(r.now(extended(500*ms), 1), Options{}).start(t.Context())
		patient := r.caller(r.now(extended(time.Minute), 2), Options{}).start(t.Context())
		synctest.Wait()
		if n := l.left(); first != 256 || n != first {
			t.Errorf("%d have left, and then %d", first, n-first)
		}
		r.caller(r.now(shape(t, time.Hour), 3), Options{}).start(t.Context())
		synctest.Wait()
		if n := l.left() - first; n != 3 {
			t.Errorf("%d echo requests have left, want 3", n)
		}
		hasty.wait().only(1, flight.Unsent)
		if got := hasty.times()[0] - time.Duration(start); got != 500*ms || !errors.Is(hasty.results[0].Err, wire.ErrNoRoom) {
			t.Errorf("given up after %v: %v", got, hasty.results[0].Err)
		}
		l.plays(echoing)
		time.Sleep(501 * ms) // the first are given up a millisecond before
		synctest.Wait()
		if n := l.left() - first - 3; n != 2 {
			t.Errorf("%d have left with free numbers, want 2", n)
		}
		for _, p := range l.packets()[first+3:] {
			p.Data[0], p.Data[7] = wire.ExtendedReply4, 4
			l.deliver(p)
		}
		patient.wait().only(2, flight.Answered)
	})
}

package pingtest

import (
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"sync"
	"time"

	"github.com/icmpsock/ping"
)

// A transport is one Pinger's way into the network. It has one timer, not one for each message.
type transport struct {
	network *Network
	id      uint16
	done    chan struct{}
	close   sync.Once
	timer   *time.Timer // wakes Receive

	// The network's mutex guards what follows.
	arrivals arrivals
	armed    time.Time // when the timer fires; past: it has, and Receive will set it again before it waits
}

var _ ping.BufferedTransport = (*transport)(nil)

var never = time.Unix(math.MaxInt64/int64(time.Second), 0)

func newTransport(n *Network, id uint16) *transport {
	return &transport{network: n, id: id, done: make(chan struct{}), timer: time.NewTimer(math.MaxInt64), armed: never}
}

func (t *transport) closed() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

// Send implements [ping.Transport].
func (t *transport) Send(messages []ping.Message) (int, error) {
	if t.closed() {
		return 0, net.ErrClosed
	}
	t.network.mu.Lock()
	defer t.network.mu.Unlock()
	now := time.Now()
	defer t.wakeUp(now)
	for i := range messages {
		m := &messages[i]
		if len(m.Data) < headerLen {
			return i, fmt.Errorf("pingtest: message of %d bytes: want an echo request, of 8 or more", len(m.Data))
		}
		binary.BigEndian.PutUint16(m.Data[4:], t.id)
		if err := t.network.travel(t, m, now); err != nil {
			return i, err
		}
		m.Time = now
	}
	return len(messages), nil
}

// wakeUp sees to it that the timer fires when the next message arrives. The caller holds the network's mutex.
func (t *transport) wakeUp(now time.Time) {
	if at, ok := t.arrivals.next(); ok && at.Before(t.armed) {
		t.armed = at
		t.timer.Reset(at.Sub(now))
	}
}

// Receive implements [ping.Transport].
func (t *transport) Receive(messages []ping.Message) (int, error) {
	for !t.closed() {
		if n := t.take(messages); n > 0 {
			return n, nil
		}
		select {
		case <-t.timer.C:
		case <-t.done:
		}
	}
	return 0, net.ErrClosed
}

// take fills in the messages that have arrived. If there are none, the timer tells of the next.
func (t *transport) take(messages []ping.Message) (n int) {
	t.network.mu.Lock()
	defer t.network.mu.Unlock()
	now := time.Now()
	for n < len(messages) && t.arrivals.take(now, &messages[n]) {
		n++
	}
	if n == 0 {
		t.armed = never
		t.wakeUp(now)
	}
	return n
}

// Capacity implements [ping.BufferedTransport]: there is room for all that can be in flight.
func (t *transport) Capacity() int { return 1 << 20 }

// Drops implements [ping.BufferedTransport].
func (t *transport) Drops() uint64 {
	t.network.mu.Lock()
	defer t.network.mu.Unlock()
	t.arrivals.drop(time.Now())
	return t.arrivals.dropped
}

// Close implements [ping.Transport].
func (t *transport) Close() error {
	t.close.Do(func() {
		close(t.done)
		t.timer.Stop()
	})
	return nil
}

package engine

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/skipped"
	"github.com/icmpsock/ping/internal/wire"
)

// A mirror is a Link that answers everything at once, and allocates nothing for it.
type mirror struct {
	*fakeLink
	sent [][]byte // waiting to be read
	n    int
}

func newMirror() *mirror {
	m := &mirror{fakeLink: newLink(silent)}
	for range BatchSize {
		m.sent = append(m.sent, make([]byte, 100))
	}
	return m
}

// Send implements Link.
func (m *mirror) Send(packets []wire.Packet) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := min(len(packets), BatchSize-m.n)
	at := time.Now()
	for i := range packets[:n] {
		packets[i].Time = at
		m.sent[m.n] = append(m.sent[m.n][:0], packets[i].Data...)
		m.sent[m.n][0] = wire.EchoReply4
		m.n++
	}
	if n < len(packets) {
		return n, wire.ErrNoRoom
	}
	signal(m.came)
	return n, nil
}

// TryReceive implements Link.
func (m *mirror) TryReceive(packets []wire.Packet, _ bool) (n int, more wire.Backlog, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for ; n < len(packets) && m.n > 0; n++ {
		m.n--
		packets[n] = wire.Packet{Addr: target, Data: append(packets[n].Data[:0], m.sent[m.n]...)}
	}
	return n, wire.Backlog{Replies: m.n > 0}, nil
}

// endless is a Source of probes that leave in batches, each when the one before is settled, or a moment later.
type endless struct {
	wait           int64 // of that moment
	due            int64
	shape          *flight.Shape
	batch, pending int
	settled, count int
}

// Next implements Source.
func (e *endless) Next(now int64, p *flight.Probe) (at int64, ok bool) {
	if e.pending == e.batch || e.settled >= e.count {
		return 0, false
	}
	p.Dst, p.Tag, p.Shape = target, 0, e.shape
	if e.pending == 0 && e.due == 0 {
		e.due = now + e.wait
	}
	return e.due, true
}

// Sent implements Source.
func (e *endless) Sent(int64) {
	if e.pending++; e.pending == e.batch {
		e.due = 0
	}
}

// Done implements Source.
func (e *endless) Done() bool { return e.settled >= e.count && e.pending == 0 }

// An echo costs no allocation: alone, in batches, and sent by the timekeeper while its caller sleeps.
func TestNoAllocs(t *testing.T) {
	if raceEnabled {
		skipped.Test(t, "the race detector allocates")
	}
	const spare = 0.02 // the runtime makes a few of its own now and then
	for _, c := range []struct {
		name          string
		echoes, batch int
		wait          time.Duration
	}{{"alone", 2000, 1, 0}, {"in batches", 2000, 8, 0}, {"by the timekeeper", 200, 1, 20 * time.Microsecond}} {
		t.Run(c.name, func(t *testing.T) {
			batch := c.batch
			r := &rig{TB: t, epoch: time.Now()}
			conn := r.connect(newMirror(), nil, nil)
			s := shape(t, time.Hour)
			s.Bulk = batch > 1
			source := &endless{shape: s, batch: batch, wait: int64(c.wait)}
			call := NewCall(Options{Epoch: r.epoch, Batch: batch})
			home := func() (*Conn, error) { return conn, nil }
			deliver := func(_ int, results []flight.Result) bool {
				source.pending -= len(results)
				source.settled += len(results)
				return true
			}
			run := func() {
				source.settled, source.count = 0, c.echoes
				call.Start(source, home)
				if err := Run(t.Context(), deliver, call); err != nil {
					t.Error(err)
				}
				call.End()
			}
			run() // everything is as large as it gets
			runtime.GC()
			defer debug.SetGCPercent(debug.SetGCPercent(-1))
			least := math.Inf(1)
			for tries := 0; tries < 3 && least > spare; tries++ {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				run()
				runtime.ReadMemStats(&after)
				least = min(least, float64(after.Mallocs-before.Mallocs)/float64(c.echoes))
			}
			if least > spare {
				t.Errorf("%.3f allocations an echo", least)
			}
		})
	}
}

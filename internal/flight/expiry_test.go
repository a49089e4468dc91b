package flight

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/wire"
)

// Deadlines come out in order, whatever was taken out in between.
func TestDeadlines(t *testing.T) {
	f, in := newTableAndInbox(false)
	if _, ok := f.NextDeadline(); ok {
		t.Error("a deadline of no probe")
	}
	r := rand.New(rand.NewPCG(3, 4))
	timeouts := map[uint16]int64{}
	for range 3000 {
		if n := f.deadlines.len(); n > 0 && r.IntN(3) == 0 {
			f.conclude(f.at(f.deadlines.heap[r.IntN(n)].seq), answered)
			continue
		}
		p := launch(f, in, &Shape{Template: newTemplate(t, false, 8), Timeout: time.Duration(1 + r.IntN(1000))}, 0)
		timeouts[p.Seq] = int64(p.Shape.Timeout)
	}
	last := int64(0)
	for f.deadlines.len() > 0 {
		d := f.deadlines.first()
		if at, ok := f.NextDeadline(); !ok || at != d.at || at < last {
			t.Fatalf("deadline %d, %v after %d", at, ok, last)
		}
		if s := *f.at(d.seq); s.state != waiting || timeouts[d.seq] != d.at {
			t.Fatalf("deadline %d belongs to %+v", d.at, s)
		}
		last = d.at
		f.Expire(last - 1)
		if f.deadlines.len() == 0 || f.deadlines.first() != d {
			t.Fatalf("deadline %d expired before its time", d.at)
		}
		f.conclude(f.at(d.seq), expired)
	}
	if !f.Idle() || in.pending != 0 {
		t.Errorf("%d in flight, %d of the inbox", f.InFlight(), in.pending)
	}
}

// The longest of timeouts never passes, and does not overflow.
func TestLongestTimeout(t *testing.T) {
	f, in := newTableAndInbox(false)
	p := launch(f, in, &Shape{Template: newTemplate(t, false, 8), Timeout: math.MaxInt64}, 1000)
	f.Expire(math.MaxInt64 - 1)
	f.Accept(replyTo(p, 1e18), Stamp{1e18, 1e18})
	if len(in.results) != 1 || in.results[0].Kind != Answered || in.results[0].RTT != 1e18-1000 {
		t.Errorf("results %+v", in.results)
	}
}

// A probe that is given up, or whose inbox is released, leaves its room to its answer, which may come all the same.
func TestGivenUpKeepsRoom(t *testing.T) {
	f := New(10*MessageCost(56), false, rand.New(rand.NewPCG(1, 2)).Uint64)
	in, other := newInbox(), newInbox()
	f.Register(in)
	f.Register(other)
	for i := range 10 {
		launch(f, []*Inbox{in, other}[i%2], testShape(t), 100)
	}
	f.Release(other)
	f.Expire(1e18)
	if !f.Idle() || !f.Full(false) {
		t.Errorf("%d in flight, room for %d of %d bytes taken", f.InFlight(), f.window.total, f.window.limit)
	}
	for range windowSlices {
		f.Drained(f.NextRoom())
	}
	if f.Full(false) || f.window.total != 0 {
		t.Errorf("%d bytes taken in the end", f.window.total)
	}
}

// What is dropped before the send call has returned may be the answer to the probe that is being sent.
func TestDropWhileSending(t *testing.T) {
	f, in := newTableAndInbox(false)
	p := take(f, in, testShape(t))
	f.NoteDrops(1, 150)
	f.Sent(p, Stamp{100, 100}, 0)
	f.NoteDrops(1, 2e9)
	f.Expire(2e9)
	if len(in.results) != 1 || in.results[0].Kind != Dropped || in.results[0].Sent != 100 {
		t.Errorf("results %+v", in.results)
	}
	if c := f.Counts(); c.LocalDrops != 1 || c.Lost != 1 {
		t.Errorf("counts %+v", c)
	}
}

// A probe that found no room for so long that it is given up was not sent.
func TestTurnAway(t *testing.T) {
	f, in := newTableAndInbox(false)
	f.TurnAway(in, 7)
	if len(in.results) != 1 || in.results[0] != (Result{Tag: 7, Kind: Unsent, Err: wire.ErrNoRoom}) {
		t.Errorf("results %+v", in.results)
	}
	if c := f.Counts(); c != (Counts{SendErrors: 1}) {
		t.Errorf("counts %+v", c)
	}
}

// Drops narrow the window, and it opens again as far as it was.
func TestDropsNarrowWindow(t *testing.T) {
	const limit = 100_000
	f := New(limit, false, rand.New(rand.NewPCG(1, 2)).Uint64)
	f.NoteDrops(1, 100)
	if f.window.limit != limit/2 {
		t.Errorf("limit %d after a drop", f.window.limit)
	}
	for range 100 {
		f.NoteDrops(1, 100)
	}
	if f.window.limit != limit {
		t.Errorf("limit %d in the end", f.window.limit)
	}
}

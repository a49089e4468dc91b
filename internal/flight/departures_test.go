package flight

import (
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/wire"
)

func departureOf(p *Probe, wall int64) *wire.Packet {
	return &wire.Packet{Departed: true, Key: p.Key(), Time: time.Unix(0, wall)}
}

// A report of departure and the answer go together, whichever is read first.
func TestDeparted(t *testing.T) {
	f, in := newTableAndInbox(true)
	shape := testShape(t)
	for name, order := range map[string][]int{
		"report first":                 {0, 1, 2},
		"answer first":                 {0, 2, 1},
		"both before the send returns": {1, 2, 0},
		"answer before":                {2, 0, 1},
	} {
		p := take(f, in, shape)
		steps := []func(){
			func() { f.Sent(p, Stamp{100, 100}, 0) },
			func() { f.Accept(departureOf(p, 110), Stamp{200, 200}) },
			func() { f.Accept(replyTo(p, 150), Stamp{200, 200}) },
		}
		for _, i := range order {
			steps[i]()
		}
		if len(in.results) != 1 || in.results[0].RTT != 40 || in.results[0].Clock != Wire || in.results[0].Sent != 110 {
			t.Errorf("%s: results %+v", name, in.results)
		}
		if len(f.early) != 0 || f.Unstamped() {
			t.Errorf("%s: early %+v, unstamped %+v", name, f.early, f.unstamped)
		}
		in.Swap(in.results)
	}
}

// A report is for the probe that it is about alone, and one that never comes holds nothing up.
func TestDepartureOfAnother(t *testing.T) {
	f, in := newTableAndInbox(true)
	shape := testShape(t)
	p := launch(f, in, shape, 100)
	f.Accept(replyTo(p, 150), Stamp{200, 200})
	p.Cookie += 1 << 40 // of which the key has but the lowest bits
	f.Accept(departureOf(p, 110), Stamp{200, 200})
	if len(in.results) != 1 {
		t.Errorf("results %+v", in.results)
	}
	in.Swap(in.results)
	p = launch(f, in, shape, 100)
	f.Accept(replyTo(p, 150), Stamp{200, 200})
	p.Cookie++ // an earlier probe's
	f.Accept(departureOf(p, 110), Stamp{200, 200})
	f.SettleUnstamped()
	if len(in.results) != 1 || in.results[0].RTT != 50 || in.results[0].Clock != Kernel {
		t.Errorf("results %+v", in.results)
	}
	// The probe is given up while its answer waits for the report; the number's next owner gets neither.
	first := launch(f, in, shape, 100)
	f.Accept(replyTo(first, 150), Stamp{200, 200})
	f.Release(in)
	f.Register(in)
	again := take(f, in, shape)
	for again.Seq != first.Seq {
		f.Failed(again, nil)
		again = take(f, in, shape)
	}
	in.Swap(in.results)
	f.Sent(again, Stamp{100, 100}, 0)
	f.SettleUnstamped()
	if len(in.results) != 0 {
		t.Errorf("another's answer: %+v", in.results)
	}
}

// An answer that came in time and waits for the report of its probe's departure is no loss, if the deadline passes
// first.
func TestOverdueWithoutReport(t *testing.T) {
	f, in := newTableAndInbox(true)
	p := launch(f, in, testShape(t), 100)
	f.Accept(replyTo(p, 150), Stamp{200, 200})
	f.Expire(2e9)
	if len(in.results) != 1 || in.results[0].Kind != Answered || in.results[0].RTT != 50 || f.Unstamped() {
		t.Errorf("results %+v, unstamped %+v", in.results, f.unstamped)
	}
	if c := f.Counts(); c.Received != 1 || c.Lost+c.Late != 0 {
		t.Errorf("counts %+v", c)
	}
}

// What comes before the send call returns, or before the report of the departure, is kept once for each probe,
// however often it comes.
func TestFloodBeforeReport(t *testing.T) {
	f, in := newTableAndInbox(true)
	shape := testShape(t)
	p := take(f, in, shape)
	launch(f, in, shape, 100)
	for _, step := range []func(){func() {}, func() { f.Sent(p, Stamp{100, 100}, 0) }} {
		step()
		for range 100 {
			f.Accept(replyTo(p, 150), Stamp{200, 200})
		}
		if len(f.early)+len(f.unstamped) != 1 {
			t.Errorf("%d early, %d unstamped", len(f.early), len(f.unstamped))
		}
	}
	f.SettleUnstamped()
	if len(in.results) != 1 || in.results[0].Kind != Answered {
		t.Errorf("results %+v", in.results)
	}
	if in.oddities.Duplicates != 199 || f.counts.Duplicates != 199 {
		t.Errorf("oddities %+v, counts %+v", in.oddities, f.counts)
	}
}

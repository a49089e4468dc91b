package flight

import (
	"errors"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/wire"
)

// An inbox that asks for anomalies is told of each what is known of it; one that does not is told none, and both
// count them.
func TestAnomalies(t *testing.T) {
	for _, ask := range []bool{false, true} {
		f, in := newTableAndInbox(false)
		in.Anomalies = ask
		shape := testShape(t)
		answeredOnce := &Probe{Dst: testAddr, Tag: 1, Shape: shape}
		f.Take(in, answeredOnce)
		f.Sent(answeredOnce, Stamp{100, 100}, 0)
		overdue := &Probe{Dst: testAddr, Tag: 2, Shape: shape}
		f.Take(in, overdue)
		f.Sent(overdue, Stamp{200, 200}, 0)

		stray := replyTo(answeredOnce, 130)
		stray.Addr = modelAddrs[1]
		f.Accept(stray, Stamp{1000, 1000})
		corrupted := replyTo(answeredOnce, 140)
		corrupted.Data[40]++
		f.Accept(corrupted, Stamp{1000, 1000})
		f.Accept(replyTo(answeredOnce, 150), Stamp{1000, 1000})
		f.Accept(replyTo(answeredOnce, 170), Stamp{1000, 1000})
		f.Expire(1e9 + 200)
		f.Accept(replyTo(overdue, 2e9), Stamp{3e9, 3e9})

		want := []Result{
			{Tag: 1, Kind: Stray, TTL: 64, Size: 64, Sent: 100, Received: 130, From: modelAddrs[1]},
			{Tag: 1, Kind: Corrupted, TTL: 64, Size: 64, Sent: 100, Received: 140},
			{Tag: 1, Kind: Answered, Clock: Kernel, TTL: 64, Size: 64, RTT: 50, Sent: 100, Received: 150},
			{Tag: 1, Kind: Duplicate, Clock: Kernel, TTL: 64, Size: 64, RTT: 70, Sent: 100, Received: 170},
			{Tag: 2, Kind: TimedOut, Sent: 200},
			{Tag: 2, Kind: Late, Clock: Kernel, TTL: 64, Size: 64, RTT: 2e9 - 200, Sent: 200, Received: 2e9},
		}
		if len(in.Wake) != 1 {
			t.Error("the caller is not woken")
		}
		i := 0
		for _, w := range want {
			if !ask && !w.Kind.Settles() {
				continue
			}
			if i == len(in.results) || in.results[i] != w {
				t.Fatalf("result %d of %+v, want %+v", i, in.results, w)
			}
			i++
		}
		if len(in.results) != i {
			t.Errorf("%d results, want %d", len(in.results), i)
		}
		if in.Oddities() != (Oddities{Duplicates: 1, Late: 1, Corrupted: 1, Stray: 1}) {
			t.Errorf("oddities %+v", in.Oddities())
		}
	}
}

// A flood of anomalies takes no more memory than maxAnomalies of them, and the probes are settled all the same.
func TestFloodOfAnomalies(t *testing.T) {
	f, in := newTableAndInbox(false)
	in.Anomalies = true
	p := launch(f, in, testShape(t), 100)
	stray := replyTo(p, 150)
	stray.Addr = modelAddrs[1]
	for range 10_000 {
		f.Accept(stray, Stamp{200, 200})
	}
	f.Accept(replyTo(p, 150), Stamp{200, 200})
	results := in.Swap(nil)
	if len(results) != maxAnomalies+1 || results[maxAnomalies].Kind != Answered || in.Oddities().Stray != 10_000 {
		t.Errorf("%d results, oddities %+v", len(results), in.Oddities())
	}
	f.Accept(stray, Stamp{200, 200})
	if len(in.results) != 1 {
		t.Errorf("%d results after they were collected", len(in.results))
	}
}

// An anomaly is told to the inbox whose probe it is about, and to none that has been registered since.
func TestAnomalyOfReleased(t *testing.T) {
	f, one := newTableAndInbox(false)
	p := launch(f, one, testShape(t), 100)
	f.Release(one)
	two := newInbox()
	two.Anomalies = true
	f.Register(two)
	f.Accept(replyTo(p, 150), Stamp{200, 200})
	if len(one.results)+len(two.results) != 0 || two.Oddities() != (Oddities{}) || f.counts.Late != 1 {
		t.Errorf("results %+v and %+v, counts %+v", one.results, two.results, f.counts)
	}
}

// A reset inbox is as a new one.
func TestReset(t *testing.T) {
	f, in := newTableAndInbox(false)
	in.Anomalies = true
	p := launch(f, in, testShape(t), 100)
	f.Accept(replyTo(p, 150), Stamp{200, 200})
	f.Accept(replyTo(p, 150), Stamp{200, 200})
	f.Release(in)
	in.Reset()
	if got := in.Swap(nil); len(got) != 0 || in.Anomalies || in.Oddities() != (Oddities{}) || len(in.Wake) != 0 {
		t.Errorf("results %+v, %+v", got, in)
	}
}

func TestSettles(t *testing.T) {
	for kind, want := range map[Kind]bool{
		Answered: true, Refused: true, TimedOut: true, Dropped: true, Unsent: true, Ended: true,
		Late: false, Duplicate: false, Corrupted: false, Stray: false,
	} {
		if kind.Settles() != want {
			t.Errorf("kind %d settles a probe: %v", kind, !want)
		}
	}
}

// What ends the link ends all that waits, and what is refused by an ICMP error says by whom.
func TestOtherEnds(t *testing.T) {
	f, in := newTableAndInbox(false)
	shape := &Shape{Template: newTemplate(t, false, 56), Timeout: time.Hour}
	refused := launch(f, in, shape, 100)
	launch(f, in, shape, 100)
	m := refusalOf(refused, wire.Unreachable4, 1, 160)
	f.Accept(m, Stamp{200, 200})
	why := errors.New("the link ended")
	f.Drain(why)
	want := []Result{
		{Kind: Refused, Clock: Kernel, TTL: 63, RTT: 60, Sent: 100, Received: 160, From: m.Err.From, ICMP: m.Err},
		{Kind: Ended, Err: why},
	}
	if len(in.results) != 2 || in.results[0] != want[0] || in.results[1] != want[1] {
		t.Errorf("results %+v, want %+v", in.results, want)
	}
	if c := f.Counts(); c != (Counts{Sent: 2, Lost: 1, Errors: 1, Abandoned: 1}) {
		t.Errorf("counts %+v", c)
	}
}

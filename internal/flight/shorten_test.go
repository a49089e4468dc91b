package flight

import (
	"testing"
	"time"
)

// The wait of a probe in flight may be made shorter, be it on its way to the wire or gone, and never longer. An answer
// counts by that, however late it is read.
func TestShorten(t *testing.T) {
	f, in := newTableAndInbox(false)
	other := newInbox()
	f.Register(other)
	shape := &Shape{Template: newTemplate(t, false, 56), Timeout: time.Second}
	shorter := *shape
	shorter.Timeout = 10
	launched := func(in *Inbox, shape *Shape, tag int64) *Probe {
		p := &Probe{Dst: testAddr, Tag: tag, Shape: shape}
		f.Take(in, p)
		f.Sent(p, Stamp{1000, 1000}, 0)
		return p
	}
	gone := launched(in, shape, 1)
	short := launched(in, &shorter, 2)
	answered := launched(in, shape, 3)
	launched(other, shape, 4)
	leaving := &Probe{Dst: testAddr, Tag: 5, Shape: shape}
	f.Take(in, leaving)
	f.Shorten(in, func(tag int64) time.Duration { return 100 * time.Duration(tag) })
	f.Sent(leaving, Stamp{2000, 2000}, 0)
	for _, p := range []struct {
		*Probe
		at int64
	}{{gone, 1100}, {short, 1010}, {answered, 1300}, {leaving, 2500}} {
		if at := f.deadlines.at(p.Seq); at != p.at {
			t.Errorf("probe %d is given up at %d, want %d", p.Tag, at, p.at)
		}
	}
	f.Accept(replyTo(answered, 1299), Stamp{5000, 5000})
	f.Accept(replyTo(leaving, 2501), Stamp{5000, 5000})
	f.Expire(5000)
	got := map[int64]Kind{}
	for _, r := range in.results {
		got[r.Tag] = r.Kind
	}
	if len(got) != 4 || got[1] != TimedOut || got[2] != TimedOut || got[3] != Answered || got[5] != TimedOut {
		t.Errorf("got %v", got)
	}
	if f.InFlight() != 1 || len(other.results) != 0 {
		t.Errorf("%d in flight, and the other inbox has %v", f.InFlight(), other.results)
	}
}

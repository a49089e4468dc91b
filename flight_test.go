package ping

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"testing"
	"time"
)

func newTestFlight() *flight {
	return &flight{cookies: rand.New(rand.NewPCG(1, 2)).Uint64}
}

var testTemplate, _ = newTemplate(false, 56)

func take(f *flight, in *inbox, r *request) (seq uint16, cookie uint64) {
	f.take(in, r)
	return r.seq, r.cookie
}

var testAddr = netip.MustParseAddr(target)

// reply is what answers the request that a probe with this number and cookie is.
func testReply(t testing.TB, seq uint16, cookie uint64, size int, wall int64) *Message {
	template, err := newTemplate(false, size)
	if err != nil {
		t.Fatal(err)
	}
	m := echoed(Message{Addr: testAddr, Data: appendEcho(nil, template, seq, cookie)})
	m.Time = time.Unix(0, wall)
	return &m
}

// A probe takes each of the 65,536 numbers once before any is taken again, but for those that share a slot with one
// still in flight.
func TestSequenceNumbers(t *testing.T) {
	f := newTestFlight()
	in := newInbox()
	f.register(in)
	p := request{dst: testAddr, template: testTemplate, timeout: time.Second}
	hold, cookie := take(f, in, &p)
	f.sent(hold, stamp{}, 0)
	seen := map[uint16]int{}
	const others = maxSlots - maxSlots/minSlots
	for i := range 3 * others {
		seq, cookie := take(f, in, &p)
		seen[seq]++
		f.sent(seq, stamp{}, 0)
		f.accept(testReply(t, seq, cookie, 56, 1), stamp{1, 1})
		if len(in.outcomes) != 1 || in.outcomes[0].err != nil {
			t.Fatalf("probe %d, number %d: outcomes %+v", i, seq, in.outcomes)
		}
		in.outcomes = in.outcomes[:0]
	}
	if len(seen) != others || seen[hold] != 0 {
		t.Errorf("%d numbers used, the one in flight %d times", len(seen), seen[hold])
	}
	for seq, n := range seen {
		if n != 3 {
			t.Errorf("number %d used %d times", seq, n)
		}
	}
	f.accept(testReply(t, hold, cookie, 56, 1), stamp{2, 2})
	if len(in.outcomes) != 1 || in.outcomes[0].rtt != 1 {
		t.Errorf("the first probe: %+v", in.outcomes)
	}
}

// A late reply to an earlier owner of a number is not taken for the answer to a later one.
func TestEarlierOwner(t *testing.T) {
	f := newTestFlight()
	in := newInbox()
	f.register(in)
	p := request{dst: testAddr, template: testTemplate, timeout: time.Second}
	first, cookie := take(f, in, &p)
	f.sent(first, stamp{}, 0)
	f.expire(int64(2 * time.Second))
	for seq := uint16(0); ; {
		if seq, _ = take(f, in, &p); seq == first {
			break
		}
		f.failed(seq, nil)
	}
	f.sent(first, stamp{}, 0)
	in.outcomes = in.outcomes[:0]
	f.accept(testReply(t, first, cookie, 56, 1), stamp{1, 1})
	if len(in.outcomes) != 0 || in.oddities.stray != 1 {
		t.Errorf("outcomes %+v, oddities %+v", in.outcomes, in.oddities)
	}
}

// The table grows under probes in flight, up to one slot for each sequence number.
func TestGrowth(t *testing.T) {
	f := newTestFlight()
	in := newInbox()
	f.register(in)
	cookies := map[uint16]uint64{}
	for i := 0; !f.full(false); i++ {
		seq, cookie := take(f, in, &request{dst: testAddr, template: testTemplate, timeout: time.Second, tag: int64(i)})
		if _, ok := cookies[seq]; ok {
			t.Fatalf("number %d is taken twice", seq)
		}
		cookies[seq] = cookie
		f.sent(seq, stamp{}, 0)
	}
	if f.count != maxInFlight || len(cookies) != maxInFlight || len(f.slots) != maxSlots {
		t.Fatalf("%d in flight, %d numbers, %d slots", f.count, len(cookies), len(f.slots))
	}
	for seq, cookie := range cookies {
		f.accept(testReply(t, seq, cookie, 56, 1), stamp{1, 1})
	}
	got := map[int64]bool{}
	for _, o := range in.outcomes {
		if o.err != nil {
			t.Fatalf("outcome %+v", o)
		}
		got[o.tag] = true
	}
	if len(got) != maxInFlight || f.count != 0 || len(f.deadlines) != 0 {
		t.Errorf("%d answered, %d still in flight", len(got), f.count)
	}
}

// An answer may be read before the call that sent the request has returned.
func TestEarlyAnswer(t *testing.T) {
	f := newTestFlight()
	in := newInbox()
	f.register(in)
	p := request{dst: testAddr, template: testTemplate, timeout: time.Second}
	seq, cookie := take(f, in, &p)
	f.accept(testReply(t, seq, cookie, 56, 70), stamp{80, 80})
	if len(in.outcomes) != 0 {
		t.Fatalf("settled before it was sent: %+v", in.outcomes)
	}
	other, otherCookie := take(f, in, &p)
	f.accept(testReply(t, other, otherCookie, 56, 90), stamp{100, 100})
	f.accept(testReply(t, seq, cookie, 56, 75), stamp{80, 80}) // and comes twice
	f.sent(seq, stamp{50, 50}, 0)
	if len(in.outcomes) != 1 || in.outcomes[0].rtt != 20 || in.oddities.duplicates != 1 || len(f.early) != 1 {
		t.Errorf("outcomes %+v, oddities %+v, early %+v", in.outcomes, in.oddities, f.early)
	}
	f.sent(other, stamp{60, 60}, 0)
	if len(in.outcomes) != 2 || in.outcomes[1].rtt != 30 || len(f.early) != 0 {
		t.Errorf("outcomes %+v, early %+v", in.outcomes, f.early)
	}

	// The caller is gone by then.
	seq, cookie = take(f, in, &p)
	f.accept(testReply(t, seq, cookie, 56, 70), stamp{80, 80})
	f.release(in)
	f.sent(seq, stamp{50, 50}, 0)
	if f.count != 0 || len(f.early) != 0 || f.counts.Abandoned != 1 {
		t.Errorf("%d in flight, early %+v, counts %+v", f.count, f.early, f.counts)
	}
}

// What a firewall rejects fails to be sent, and may be answered by an ICMP error as well: that is nobody else's.
func TestRejected(t *testing.T) {
	f := newTestFlight()
	in := newInbox()
	f.register(in)
	p := request{dst: testAddr, template: testTemplate, timeout: time.Second}
	seq, cookie := take(f, in, &p)
	m := refusal(Message{Addr: testAddr, Data: appendEcho(nil, testTemplate, seq, cookie)}, target, 3, 3)
	f.accept(&m, stamp{})
	f.failed(seq, os.ErrPermission)
	if len(f.early) != 0 || len(in.outcomes) != 1 || !errors.Is(in.outcomes[0].err, os.ErrPermission) {
		t.Errorf("outcomes %+v, early %+v", in.outcomes, f.early)
	}
}

// A report of departure and the answer go together, whichever is read first, and only for the probe they are about.
func TestDeparted(t *testing.T) {
	f := newTestFlight()
	f.wire = true
	in := newInbox()
	f.register(in)
	p := request{dst: testAddr, template: testTemplate, timeout: time.Second}
	report := func(seq uint16, cookie uint64, wall int64) *Message {
		return &Message{departed: true, key: keyOf(seq, cookie), Time: time.Unix(0, wall)}
	}
	for name, order := range map[string][]int{"report first": {0, 1, 2}, "answer first": {0, 2, 1}, "both before the send returns": {1, 2, 0}, "answer before": {2, 0, 1}} {
		seq, cookie := take(f, in, &p)
		steps := []func(){
			func() { f.sent(seq, stamp{100, 100}, 0) },
			func() { f.accept(report(seq, cookie, 110), stamp{200, 200}) },
			func() { f.accept(testReply(t, seq, cookie, 56, 150), stamp{200, 200}) },
		}
		for _, i := range order {
			steps[i]()
		}
		if len(in.outcomes) != 1 || in.outcomes[0].rtt != 40 || in.outcomes[0].clock != ClockWire || len(f.early)+len(f.unstamped) != 0 {
			t.Errorf("%s: outcomes %+v, early %+v, unstamped %+v", name, in.outcomes, f.early, f.unstamped)
		}
		in.outcomes = in.outcomes[:0]
	}
	// The report never comes.
	seq, cookie := take(f, in, &p)
	f.sent(seq, stamp{100, 100}, 0)
	f.accept(testReply(t, seq, cookie, 56, 150), stamp{200, 200})
	f.accept(report(seq, cookie+1<<40, 110), stamp{200, 200}) // same low bits, as far as the key goes
	if len(in.outcomes) != 1 {
		t.Errorf("outcomes %+v", in.outcomes)
	}
	in.outcomes = in.outcomes[:0]
	seq, cookie = take(f, in, &p)
	f.sent(seq, stamp{100, 100}, 0)
	f.accept(testReply(t, seq, cookie, 56, 150), stamp{200, 200})
	f.accept(report(seq, cookie+1, 110), stamp{200, 200}) // an earlier probe's
	f.settleUnstamped(func(*arrival) bool { return true })
	if len(in.outcomes) != 1 || in.outcomes[0].rtt != 50 || in.outcomes[0].clock != ClockKernel {
		t.Errorf("outcomes %+v", in.outcomes)
	}
	// The probe is given up while its answer waits for the report; the number's next owner gets neither.
	in.outcomes = in.outcomes[:0]
	first, cookie := take(f, in, &p)
	f.sent(first, stamp{100, 100}, 0)
	f.accept(testReply(t, first, cookie, 56, 150), stamp{200, 200})
	f.release(in)
	f.register(in)
	for seq = first + 1; seq != first; {
		seq, _ = take(f, in, &p)
		if seq != first {
			f.failed(seq, nil)
		}
	}
	in.outcomes = in.outcomes[:0]
	f.sent(first, stamp{100, 100}, 0)
	f.settleUnstamped(func(*arrival) bool { return true })
	if len(in.outcomes) != 0 {
		t.Errorf("another's answer: %+v", in.outcomes)
	}
}

// An answer that came in time and waits for the report of its probe's departure is no loss, if the deadline passes first.
func TestOverdueWithoutReport(t *testing.T) {
	f := newTestFlight()
	f.wire = true
	in := newInbox()
	f.register(in)
	seq, cookie := take(f, in, &request{dst: testAddr, template: testTemplate, timeout: time.Second})
	f.sent(seq, stamp{100, 100}, 0)
	f.accept(testReply(t, seq, cookie, 56, 150), stamp{200, 200})
	f.expire(2e9)
	if len(in.outcomes) != 1 || in.outcomes[0].err != nil || in.outcomes[0].rtt != 50 || len(f.unstamped) != 0 {
		t.Errorf("outcomes %+v, unstamped %+v", in.outcomes, f.unstamped)
	}
	if c := f.counts; c.Received != 1 || c.Lost+c.Late != 0 {
		t.Errorf("counts %+v", c)
	}
}

// A probe that is given up, or that nobody wants any more, leaves its room to its answer, which may come all the same.
func TestGivenUpKeepsRoom(t *testing.T) {
	f := newTestFlight()
	f.window.limit = 10 * messageCost(len(testTemplate)-headerLen)
	in, other := newInbox(), newInbox()
	f.register(in)
	f.register(other)
	for i := range 10 {
		owner := in
		if i%2 == 1 {
			owner = other
		}
		seq, _ := take(f, owner, &request{dst: testAddr, template: testTemplate, timeout: time.Second})
		f.sent(seq, stamp{100, 100}, 0)
	}
	f.release(other)
	f.expire(1e18)
	if f.count != 0 || !f.full(false) {
		t.Errorf("%d in flight, room for %d of %d bytes taken", f.count, f.window.total, f.window.limit)
	}
	for range windowSlices {
		f.window.drained(f.window.next())
	}
	if f.full(false) || f.window.total != 0 {
		t.Errorf("%d bytes taken in the end", f.window.total)
	}
}

// What is dropped before the send call has returned may be the answer to the probe that is being sent.
func TestDropWhileSending(t *testing.T) {
	f := newTestFlight()
	in := newInbox()
	f.register(in)
	seq, _ := take(f, in, &request{dst: testAddr, template: testTemplate, timeout: time.Second})
	f.noteDrops(1, 150)
	f.sent(seq, stamp{100, 100}, 0)
	f.noteDrops(1, 2e9)
	f.expire(2e9)
	if len(in.outcomes) != 1 || !errors.Is(in.outcomes[0].err, ErrLocalDrop) {
		t.Errorf("outcomes %+v", in.outcomes)
	}
}

// A forged answer to a probe that was never sent, which can be made where the payload has no room for a cookie, goes
// with that probe.
func TestForgotten(t *testing.T) {
	f := newTestFlight()
	in := newInbox()
	f.register(in)
	empty, err := newTemplate(false, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := request{dst: testAddr, template: empty, timeout: time.Second}
	seq, cookie := take(f, in, &p)
	f.accept(testReply(t, seq, cookie, 0, 50), stamp{60, 60})
	f.release(in)
	if f.wanted([]request{{seq: seq}}) != 0 || len(f.early) != 0 {
		t.Errorf("early %+v", f.early)
	}
	f.register(in)
	f.next = seq
	if next, _ := take(f, in, &p); next != seq {
		t.Fatalf("number %d, want %d", next, seq)
	}
	f.sent(seq, stamp{100, 100}, 0)
	if len(in.outcomes) != 0 {
		t.Errorf("the next probe with the number is answered already: %+v", in.outcomes)
	}
}

// What comes before the send call returns, or before the report of the departure, is kept once for each probe, however
// often it comes.
func TestFloodBeforeReport(t *testing.T) {
	f := newTestFlight()
	f.wire = true
	in := newInbox()
	f.register(in)
	p := request{dst: testAddr, template: testTemplate, timeout: time.Second}
	seq, cookie := take(f, in, &p)
	other, _ := take(f, in, &p)
	f.sent(other, stamp{100, 100}, 0)
	for _, step := range []func(){func() {}, func() { f.sent(seq, stamp{100, 100}, 0) }} {
		step()
		for range 100 {
			f.accept(testReply(t, seq, cookie, 56, 150), stamp{200, 200})
		}
		if len(f.early)+len(f.unstamped) != 1 {
			t.Errorf("%d early, %d unstamped", len(f.early), len(f.unstamped))
		}
	}
	f.settleUnstamped(func(*arrival) bool { return true })
	if len(in.outcomes) != 1 || in.outcomes[0].err != nil || in.oddities.duplicates != 199 || f.counts.Duplicates != 199 {
		t.Errorf("outcomes %+v, oddities %+v", in.outcomes, in.oddities)
	}
}

// In a batch the time of departure is an estimate. Where the answer shows that it was wrong, the batch's start holds.
func TestLag(t *testing.T) {
	for _, c := range []struct{ arrived, rtt int64 }{{1100, 60}, {1041, 1}, {1039, 39}, {1005, 5}} {
		f := newTestFlight()
		in := newInbox()
		f.register(in)
		seq, cookie := take(f, in, &request{dst: testAddr, template: testTemplate, timeout: time.Second})
		f.sent(seq, stamp{1000, 1000}, 40)
		f.accept(testReply(t, seq, cookie, 56, c.arrived), stamp{1200, 1200})
		if o := in.outcomes[0]; o.rtt != c.rtt || o.clock != ClockKernel {
			t.Errorf("arrived at %d: RTT %d by the %v clock, want %d", c.arrived, o.rtt, o.clock, c.rtt)
		}
	}
}

// Releasing an inbox takes its probes out of flight, and no others.
func TestRelease(t *testing.T) {
	f := newTestFlight()
	one, two := newInbox(), newInbox()
	f.register(one)
	f.register(two)
	p := request{dst: testAddr, template: testTemplate, timeout: time.Second}
	type key struct {
		seq    uint16
		cookie uint64
	}
	var ones, twos []key
	for range 100 {
		for _, c := range []struct {
			in   *inbox
			keys *[]key
		}{{one, &ones}, {two, &twos}} {
			seq, cookie := take(f, c.in, &p)
			f.sent(seq, stamp{}, 0)
			*c.keys = append(*c.keys, key{seq, cookie})
		}
	}
	f.release(one)
	if f.count != 100 {
		t.Errorf("%d in flight, want 100", f.count)
	}
	three := newInbox()
	f.register(three) // in the place of one
	for _, k := range append(ones, twos...) {
		f.accept(testReply(t, k.seq, k.cookie, 56, 1), stamp{1, 1})
	}
	if len(one.outcomes) != 0 || len(two.outcomes) != 100 || len(three.outcomes) != 0 || three.oddities != (oddities{}) {
		t.Errorf("outcomes: %d of the released, %d of the other, %d of its successor", len(one.outcomes), len(two.outcomes), len(three.outcomes))
	}
	if c := f.counts; c.Sent != 200 || c.Received != 100 || c.Abandoned != 100 || c.Late != 100 || f.count != 0 {
		t.Errorf("counts %+v, %d in flight", c, f.count)
	}
}

// Deadlines come out in order, whatever was taken out in between.
func TestDeadlines(t *testing.T) {
	f := newTestFlight()
	in := newInbox()
	f.register(in)
	r := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		if len(f.deadlines) > 0 && r.IntN(3) == 0 {
			f.finish(f.deadlines[r.IntN(len(f.deadlines))].seq, answered)
			continue
		}
		seq, _ := take(f, in, &request{dst: testAddr, template: testTemplate, timeout: time.Duration(1 + r.IntN(1000))})
		f.sent(seq, stamp{}, 0)
	}
	last := int64(0)
	for len(f.deadlines) > 0 {
		d := f.deadlines[0]
		if d.at < last {
			t.Fatalf("deadline %d after %d", d.at, last)
		}
		if s := *f.at(d.seq); s.state != waiting || s.timeout != d.at {
			t.Fatalf("deadline %d belongs to %+v", d.at, s)
		}
		last = d.at
		f.expire(last - 1)
		if len(f.deadlines) == 0 || f.deadlines[0] != d {
			t.Fatalf("deadline %d expired before its time", d.at)
		}
		f.finish(d.seq, expired)
	}
	if f.count != 0 || in.first != -1 {
		t.Errorf("%d in flight, the first of the inbox %d", f.count, in.first)
	}
}

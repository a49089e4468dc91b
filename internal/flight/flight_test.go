package flight

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/wire"
)

// newTable is a table without a window, whose cookies are the same each time.
func newTable(reports bool) *Table { return New(0, reports, rand.New(rand.NewPCG(1, 2)).Uint64) }

func newInbox() *Inbox { return NewInbox(make(chan struct{}, 1)) }

// newTableAndInbox is a table with an inbox that is registered.
func newTableAndInbox(reports bool) (*Table, *Inbox) {
	f, in := newTable(reports), newInbox()
	f.Register(in)
	return f, in
}

func newTemplate(t testing.TB, v6 bool, size int) []byte {
	t.Helper()
	template, err := wire.NewTemplate(v6, size)
	if err != nil {
		t.Fatal(err)
	}
	return template
}

var testAddr = netip.MustParseAddr("192.0.2.1")

// testShape is that of probes of the usual size, to be answered within a second.
func testShape(t testing.TB) *Shape {
	return &Shape{Template: newTemplate(t, false, 56), Timeout: time.Second}
}

func take(f *Table, in *Inbox, shape *Shape) *Probe {
	p := &Probe{Dst: testAddr, Shape: shape}
	f.Take(in, p)
	return p
}

// launch takes a probe that left at at, on both clocks.
func launch(f *Table, in *Inbox, shape *Shape, at int64) *Probe {
	p := take(f, in, shape)
	f.Sent(p, Stamp{at, at}, 0)
	return p
}

// replyTo is the reply to a probe that came at wall.
func replyTo(p *Probe, wall int64) *wire.Packet {
	m := echoed(wire.Packet{Addr: p.Dst, Data: wire.AppendEcho(nil, p.Shape.Template, p.Seq, p.Cookie)})
	m.Time = time.Unix(0, wall)
	return &m
}

// echoed is the reply to a request.
func echoed(m wire.Packet) wire.Packet {
	m.Data = bytes.Clone(m.Data)
	m.Data[0] = wire.EchoReply4
	if m.Addr.Is6() {
		m.Data[0] = wire.EchoReply6
	}
	m.TTL = 64
	return m
}

// refusalOf is an ICMP error that quotes a probe, and came at wall.
func refusalOf(p *Probe, typ, code int, wall int64) *wire.Packet {
	return &wire.Packet{
		Addr: p.Dst,
		Data: wire.AppendEcho(nil, p.Shape.Template, p.Seq, p.Cookie),
		TTL:  63,
		Time: time.Unix(0, wall),
		Err:  &wire.Error{Type: typ, Code: code, From: netip.MustParseAddr("192.0.2.254")},
	}
}

// A probe takes each of the 65,536 numbers once before any is taken again, but for those that share a slot with one
// still in flight.
func TestSequenceNumbers(t *testing.T) {
	f, in := newTableAndInbox(false)
	shape := testShape(t)
	hold := launch(f, in, shape, 0)
	seen := map[uint16]int{}
	const others = maxSlots - maxSlots/minSlots
	for i := range 3 * others {
		p := launch(f, in, shape, 0)
		seen[p.Seq]++
		f.Accept(replyTo(p, 1), Stamp{1, 1})
		if len(in.results) != 1 || in.results[0].Kind != Answered {
			t.Fatalf("probe %d, number %d: results %+v", i, p.Seq, in.results)
		}
		in.Swap(in.results)
	}
	if len(seen) != others || seen[hold.Seq] != 0 {
		t.Errorf("%d numbers used, the one in flight %d times", len(seen), seen[hold.Seq])
	}
	for seq, n := range seen {
		if n != 3 {
			t.Errorf("number %d used %d times", seq, n)
		}
	}
	f.Accept(replyTo(hold, 1), Stamp{2, 2})
	if len(in.results) != 1 || in.results[0].RTT != 1 {
		t.Errorf("the first probe: %+v", in.results)
	}
}

// A late reply to an earlier owner of a number is not taken for the answer to a later one.
func TestEarlierOwner(t *testing.T) {
	f, in := newTableAndInbox(false)
	shape := testShape(t)
	first := launch(f, in, shape, 0)
	f.Expire(int64(2 * time.Second))
	again := take(f, in, shape)
	for again.Seq != first.Seq {
		f.Failed(again, nil)
		again = take(f, in, shape)
	}
	f.Sent(again, Stamp{}, 0)
	in.Swap(in.results)
	f.Accept(replyTo(first, 1), Stamp{1, 1})
	if len(in.results) != 0 || in.oddities.Stray != 1 {
		t.Errorf("results %+v, oddities %+v", in.results, in.oddities)
	}
}

// The table grows under probes in flight, up to one slot for each sequence number.
func TestGrowth(t *testing.T) {
	for _, reports := range []bool{false, true} {
		f, in := newTableAndInbox(reports)
		shape := testShape(t)
		var probes []*Probe
		seen := map[uint16]bool{}
		for i := 0; !f.Full(false); i++ {
			p := &Probe{Dst: testAddr, Tag: int64(i), Shape: shape}
			f.Take(in, p)
			if seen[p.Seq] {
				t.Fatalf("number %d is taken twice", p.Seq)
			}
			seen[p.Seq] = true
			f.Sent(p, Stamp{}, 0)
			f.Accept(&wire.Packet{Departed: true, Key: p.Key(), Time: time.Unix(0, 1)}, Stamp{})
			probes = append(probes, p)
		}
		if f.InFlight() != maxInFlight || len(probes) != maxInFlight || len(f.slots) != maxSlots {
			t.Fatalf("%d in flight, %d numbers, %d slots", f.InFlight(), len(probes), len(f.slots))
		}
		for _, p := range probes {
			f.Accept(replyTo(p, 3), Stamp{3, 3})
		}
		want := Result{RTT: 3, Clock: Kernel}
		if reports {
			want = Result{RTT: 2, Clock: Wire}
		}
		got := map[int64]bool{}
		for _, r := range in.Swap(nil) {
			if r.Kind != Answered || r.RTT != want.RTT || r.Clock != want.Clock {
				t.Fatalf("result %+v", r)
			}
			got[r.Tag] = true
		}
		if len(got) != maxInFlight || !f.Idle() || f.deadlines.len() != 0 || in.pending != 0 {
			t.Errorf("%d answered, %d still in flight", len(got), f.InFlight())
		}
	}
}

// An answer may be read before the call that sent the request has returned.
func TestEarlyAnswer(t *testing.T) {
	f, in := newTableAndInbox(false)
	shape := testShape(t)
	p := take(f, in, shape)
	f.Accept(replyTo(p, 70), Stamp{80, 80})
	if len(in.results) != 0 {
		t.Fatalf("settled before it was sent: %+v", in.results)
	}
	other := take(f, in, shape)
	f.Accept(replyTo(other, 90), Stamp{100, 100})
	f.Accept(replyTo(p, 75), Stamp{80, 80}) // and comes twice
	f.Sent(p, Stamp{50, 50}, 0)
	if len(in.results) != 1 || in.results[0].RTT != 20 || in.oddities.Duplicates != 1 || len(f.early) != 1 {
		t.Errorf("results %+v, oddities %+v, early %+v", in.results, in.oddities, f.early)
	}
	f.Sent(other, Stamp{60, 60}, 0)
	if len(in.results) != 2 || in.results[1].RTT != 30 || len(f.early) != 0 {
		t.Errorf("results %+v, early %+v", in.results, f.early)
	}

	// The caller is gone by then.
	p = take(f, in, shape)
	f.Accept(replyTo(p, 70), Stamp{80, 80})
	if n := f.Release(in); n != 0 {
		t.Errorf("%d had left, want 0", n)
	}
	f.Sent(p, Stamp{50, 50}, 0)
	if !f.Idle() || len(f.early) != 0 || f.counts.Abandoned != 1 {
		t.Errorf("%d in flight, early %+v, counts %+v", f.InFlight(), f.early, f.counts)
	}
}

// What a firewall rejects fails to be sent, and may be answered by an ICMP error as well: that is dropped.
func TestRejected(t *testing.T) {
	f, in := newTableAndInbox(false)
	p := take(f, in, testShape(t))
	f.Accept(refusalOf(p, wire.Unreachable4, 3, 0), Stamp{})
	f.Failed(p, os.ErrPermission)
	if len(f.early) != 0 || len(in.results) != 1 || in.results[0] != (Result{Kind: Unsent, Err: os.ErrPermission}) {
		t.Errorf("results %+v, early %+v", in.results, f.early)
	}
}

// A forged answer to a probe that was never sent, which can be made where the payload has no room for a cookie, goes
// with that probe.
func TestAnswerToUnsent(t *testing.T) {
	f, in := newTableAndInbox(false)
	shape := &Shape{Template: newTemplate(t, false, 0), Timeout: time.Second}
	p := take(f, in, shape)
	f.Accept(replyTo(p, 50), Stamp{60, 60})
	f.Release(in)
	if f.Wanted([]Probe{*p}) != 0 || len(f.early) != 0 {
		t.Errorf("early %+v", f.early)
	}
	f.Register(in)
	f.next = p.Seq
	if next := launch(f, in, shape, 100); next.Seq != p.Seq {
		t.Fatalf("number %d, want %d", next.Seq, p.Seq)
	}
	if len(in.results) != 0 {
		t.Errorf("the next probe with the number is answered already: %+v", in.results)
	}
}

// In a batch the time of departure is an estimate. Where the answer shows that it was wrong, the batch's start holds.
func TestLag(t *testing.T) {
	for _, c := range []struct{ lag, arrived, rtt int64 }{
		{40, 1100, 60}, {40, 1041, 1}, {40, 1039, 39}, {40, 1005, 5}, {-40, 1100, 100}, {1 << 32, 1<<32 + 1005, 6},
	} {
		f, in := newTableAndInbox(false)
		p := take(f, in, testShape(t))
		f.Sent(p, Stamp{1000, 1000}, c.lag)
		read := max(c.arrived, 1200)
		f.Accept(replyTo(p, c.arrived), Stamp{read, read})
		if r := in.results[0]; r.RTT != c.rtt || r.Clock != Kernel {
			t.Errorf("arrived at %d: RTT %d by clock %d, want %d", c.arrived, r.RTT, r.Clock, c.rtt)
		}
	}
}

// Releasing an inbox takes its probes out of flight, and no others.
func TestRelease(t *testing.T) {
	f, one := newTableAndInbox(false)
	two := newInbox()
	f.Register(two)
	shape := testShape(t)
	var ones, twos []*Probe
	for range 100 {
		ones = append(ones, launch(f, one, shape, 0))
		twos = append(twos, launch(f, two, shape, 0))
	}
	ones = append(ones, take(f, one, shape)) // which is being sent
	if n := f.Release(one); n != 100 || f.InFlight() != 101 {
		t.Errorf("%d had left, want 100; %d are in flight, want 101", n, f.InFlight())
	}
	f.Failed(ones[100], nil)
	three := newInbox()
	f.Register(three) // on the seat of one
	for _, p := range append(ones[:100], twos...) {
		f.Accept(replyTo(p, 1), Stamp{1, 1})
	}
	if len(one.results) != 0 || len(two.results) != 100 || len(three.results) != 0 || three.oddities != (Oddities{}) {
		t.Errorf("results: %d of the released, %d of the other, %d of its successor",
			len(one.results), len(two.results), len(three.results))
	}
	if c := f.Counts(); c != (Counts{Sent: 200, Received: 100, Abandoned: 100, Late: 100, SendErrors: 1}) || !f.Idle() {
		t.Errorf("counts %+v, %d in flight", c, f.InFlight())
	}
	var registered []*Inbox
	for in := range f.Inboxes {
		registered = append(registered, in)
	}
	if len(registered) != 2 || f.Deserted() {
		t.Errorf("%d registered", len(registered))
	}
	f.Release(two)
	if n := f.Release(three); n != 0 || !f.Deserted() {
		t.Errorf("%d in flight at last", n)
	}
}

// The table has no room for more than it can number, and some of it is not for bulk.
func TestFull(t *testing.T) {
	f, in := newTableAndInbox(false)
	shape := testShape(t)
	for range maxUnsent {
		if f.Full(true) {
			t.Fatalf("full of bulk with %d being sent", f.InFlight())
		}
		take(f, in, shape)
	}
	if !f.Full(true) || f.Full(false) || f.Crowded() {
		t.Errorf("%d being sent: full of bulk %v, full %v, crowded %v",
			f.InFlight(), f.Full(true), f.Full(false), f.Crowded())
	}
	f.Release(in)
	f, in = newTableAndInbox(false)
	for !f.Full(true) {
		launch(f, in, shape, 100)
	}
	if f.InFlight() != bulkInFlight || !f.Crowded() || f.Packed() || f.Full(false) {
		t.Errorf("%d in flight: crowded %v, packed %v, full %v", f.InFlight(), f.Crowded(), f.Packed(), f.Full(false))
	}
	for !f.Full(false) {
		launch(f, in, shape, 100)
	}
	if f.InFlight() != maxInFlight || !f.Packed() {
		t.Errorf("%d in flight: packed %v", f.InFlight(), f.Packed())
	}
}

// All probes of a flow have the same ICMP checksum, and so may take the same path.
func TestFlow(t *testing.T) {
	f, in := newTableAndInbox(false)
	shape := testShape(t)
	shape.Flow = 7
	sums := map[uint16]bool{}
	for range 100 {
		p := take(f, in, shape)
		data := wire.AppendEcho(nil, shape.Template, p.Seq, p.Cookie)
		data[2], data[3] = 0, 0
		sums[wire.Checksum(data)] = true
		f.Sent(p, Stamp{100, 100}, 0)
		f.Accept(replyTo(p, 150), Stamp{200, 200})
	}
	if len(sums) != 1 || f.counts.Received != 100 {
		t.Errorf("%d checksums, counts %+v", len(sums), f.counts)
	}
}

// A reply whose IPv4 address is told as an IPv4-mapped IPv6 one is the same reply.
func TestMappedAddress(t *testing.T) {
	f, in := newTableAndInbox(false)
	p := launch(f, in, testShape(t), 100)
	m := replyTo(p, 150)
	m.Addr = netip.AddrFrom16(m.Addr.As16())
	f.Accept(m, Stamp{200, 200})
	if f.counts.Received != 1 {
		t.Errorf("counts %+v", f.counts)
	}
}

package flight

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/icmpsock/ping/internal/wire"
)

// A slot is a cache line, which is what a probe among many costs.
func TestSlotSize(t *testing.T) {
	if size := unsafe.Sizeof(slot{}); size != 64 {
		t.Errorf("a slot has %d bytes, want 64", size)
	}
}

// A load keeps so many probes in flight: a step answers one of them, by chance among the oldest, and sends another.
type load struct {
	table   *Table
	in      *Inbox
	probes  []Probe
	packets []wire.Packet
	results []Result
	order   []int // which is answered next
	at      int   // in order
	now     int64
}

func newLoad(t testing.TB, reports bool, inFlight, reach int) *load {
	l := &load{table: newTable(reports), in: newInbox(), now: 1e9}
	l.table.Register(l.in)
	shape := &Shape{Template: newTemplate(t, false, 56), Timeout: time.Second}
	l.probes = make([]Probe, inFlight)
	l.packets = make([]wire.Packet, inFlight)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range l.probes {
		l.probes[i] = Probe{Dst: testAddr, Tag: int64(i), Shape: shape}
		l.packets[i] = wire.Packet{Addr: testAddr, TTL: 64, Data: make([]byte, 0, 64)}
		l.order = append(l.order, i)
		l.send(i)
	}
	for i := range l.order { // out of order by as many as reach
		j := min(i+r.IntN(reach), inFlight-1)
		l.order[i], l.order[j] = l.order[j], l.order[i]
	}
	return l
}

func (l *load) send(i int) {
	p := &l.probes[i]
	l.table.Take(l.in, p)
	l.now += 1000
	l.table.Sent(p, Stamp{l.now, l.now}, 0)
	m := &l.packets[i]
	m.Data = wire.AppendEcho(m.Data[:0], p.Shape.Template, p.Seq, p.Cookie)
	m.Data[0] = wire.EchoReply4
	m.Time = time.Unix(0, l.now+500)
}

func (l *load) step() {
	i := l.order[l.at]
	if l.at++; l.at == len(l.order) {
		l.at = 0
	}
	read := Stamp{l.now + 600, l.now + 600}
	l.table.Accept(&l.packets[i], read)
	if l.table.Unstamped() {
		l.table.Accept(&wire.Packet{Departed: true, Key: l.probes[i].Key(), Time: l.packets[i].Time}, read)
	}
	if l.at%64 == 0 {
		l.results = l.in.Swap(l.results)
	}
	l.send(i)
}

// BenchmarkEcho is what the table costs for one echo: Take, Sent and Accept, with the bytes of the request and the
// reply made by the benchmark.
func BenchmarkEcho(b *testing.B) {
	for _, c := range []struct{ inFlight, reach int }{{1, 1}, {1000, 100}, {60_000, 1000}, {60_000, 60_000}} {
		b.Run(fmt.Sprintf("inflight=%d/reach=%d", c.inFlight, c.reach), func(b *testing.B) {
			l := newLoad(b, false, c.inFlight, c.reach)
			b.ReportAllocs()
			for b.Loop() {
				l.step()
			}
			if got := l.table.Counts(); got.Received != got.Sent-uint64(c.inFlight) {
				b.Errorf("counts %+v", got)
			}
		})
	}
}

// Once the table is warm, an echo allocates nothing.
func TestNoAllocations(t *testing.T) {
	for _, reports := range []bool{false, true} {
		l := newLoad(t, reports, 1000, 100)
		for range 100_000 {
			l.step()
		}
		if n := testing.AllocsPerRun(10_000, l.step); n != 0 {
			t.Errorf("%v allocations an echo, reports of departures: %v", n, reports)
		}
		if c := l.table.Counts(); c.Received != c.Sent-1000 {
			t.Errorf("counts %+v", c)
		}
	}
}

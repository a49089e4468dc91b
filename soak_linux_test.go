package ping_test

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// soak is for how long TestSoak runs.
var soak = flag.Duration("soak", 0, "how long TestSoak runs; 0: 600 ms, 2 s with -long")

// A soaked is what the responder did with the requests to one address, of which each call has one of its own, in the
// order in which they came.
type soaked struct {
	sync.Mutex
	answered []bool
}

// Full rate, for a long time, over a network that loses, doubles and reorders, with callers that give up: each probe
// has had the end that the responder gave it, each packet is accounted for, and neither memory nor goroutines grow.
func TestSoak(t *testing.T) {
	length := *soak
	if length == 0 {
		length = skipped.AtLength(t, 600*ms, 2*time.Second)
	}
	var book sync.Map // of *soaked by address, for as long as its call runs
	var losses, doubles atomic.Uint64
	r := rand.New(rand.NewPCG(17, 18)) // the responder's own
	responder := netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs:  nearPrefixes(),
		Routes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:a::/64")},
		Quiet:  true,
		Script: func(q *netlab.Request) (answers []netlab.Answer) {
			var after time.Duration
			if r.IntN(4) == 0 {
				after = time.Duration(r.IntN(3000)) * time.Microsecond // and so overtaken
			}
			lost := r.IntN(20) == 0
			if v, ok := book.Load(q.Dst); ok {
				s := v.(*soaked)
				s.Lock()
				s.answered = append(s.answered, !lost)
				s.Unlock()
			}
			if lost {
				losses.Add(1)
				return nil
			}
			answers = append(answers, q.Echo().Later(after))
			if r.IntN(50) == 0 {
				doubles.Add(1)
				answers = append(answers, q.Echo().Later(after+time.Duration(r.IntN(1000))*time.Microsecond))
			}
			return answers
		},
	})
	p := openPinger(t)
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()

	const callers = 32
	var calls, cut, probes, tardy atomic.Uint64
	var next atomic.Uint32
	one := func(r *rand.Rand) {
		n := next.Add(1) & (1<<24 - 1)
		addr := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 10<<24|n)))
		if n%4 == 0 {
			b := netip.MustParseAddr("2001:db8:a::").As16()
			binary.BigEndian.PutUint32(b[12:], n)
			addr = netip.AddrFrom16(b)
		}
		truth := new(soaked)
		book.Store(addr, truth)
		defer book.Delete(addr)
		call, stop := context.WithCancel(ctx)
		defer stop()
		limit := 1 << 30
		if r.IntN(3) == 0 {
			limit = r.IntN(100)
		}
		count, seen := 1+r.IntN(200), map[int]error{}
		var end error
		opts := []ping.ProbeOption{ping.WithCount(count), ping.WithInterval(time.Nanosecond), ping.WithTimeout(250 * ms)}
		for reply, err := range p.Stream(call, addr.String(), opts...) {
			if end = err; err != nil {
				break
			}
			if _, twice := seen[reply.Seq]; twice {
				t.Errorf("%v: probe %d ended twice", addr, reply.Seq)
			}
			seen[reply.Seq] = reply.Err
			if reply.Err == nil && (reply.From != addr || reply.RTT <= 0 || reply.RTT > 250*ms) {
				t.Errorf("%v: %+v", addr, reply)
			}
			if len(seen) == limit {
				stop()
			}
		}
		calls.Add(1)
		switch {
		case errors.Is(end, context.Canceled), errors.Is(end, context.DeadlineExceeded):
			cut.Add(1)
		case end != nil || len(seen) != count:
			t.Errorf("%v: %d of %d probes ended, %v", addr, len(seen), count, end)
		}
		truth.Lock()
		defer truth.Unlock()
		for seq, err := range seen {
			probes.Add(1)
			switch {
			case errors.Is(err, ping.ErrLocalDrop):
			case err != nil && !errors.Is(err, ping.ErrTimeout):
				t.Errorf("%v: probe %d: %v", addr, seq, err)
			case seq >= len(truth.answered):
				if err == nil { // else the responder has not got so far
					t.Errorf("%v: probe %d is answered, but has not come", addr, seq)
				}
			case err == nil && !truth.answered[seq]:
				t.Errorf("%v: probe %d is answered, in truth it is not", addr, seq)
			case err != nil && truth.answered[seq]:
				tardy.Add(1) // it may be late: the counters tell, in the end
			}
		}
	}
	var memory []uint64
	measure := func() {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		memory = append(memory, m.HeapAlloc)
	}
	goroutines := runtime.NumGoroutine()
	const rounds = 8
	for i := range rounds {
		round, done := context.WithTimeout(ctx, length/(rounds+1))
		var wg sync.WaitGroup
		for c := range callers {
			wg.Go(func() {
				for r := rand.New(rand.NewPCG(uint64(i), uint64(c))); round.Err() == nil; {
					one(r)
				}
			})
		}
		wg.Wait()
		done()
		measure()
	}
	eventually(t, "all has been read", func() bool {
		requests, answers := responder.Count()
		k := p.Counters()
		return uint64(requests) == k.Sent && uint64(answers) == k.Sent-losses.Load()+doubles.Load() &&
			uint64(answers) == k.Received+k.Late+k.Duplicates+k.Stray+k.LocalDrops
	})
	k := p.Counters()
	t.Logf("%d calls, %d of them cut short, %d probes told of, %d too late or lost here; losses %d, doubles %d; %+v; "+
		"heap %v",
		calls.Load(), cut.Load(), probes.Load(), tardy.Load(), losses.Load(), doubles.Load(), k, memory)
	if k.Sent != k.Received+k.Lost+k.Abandoned || k.InFlight+k.Corrupted+k.SendErrors+k.Errors != 0 ||
		tardy.Load() > k.Late+k.LocalDrops {
		t.Errorf("%d too late or lost here; counters are %+v", tardy.Load(), k)
	}
	if first, last := memory[1], memory[rounds-1]; last > first+1<<20 {
		t.Errorf("the heap has grown from %d to %d bytes: %v", first, last, memory)
	}
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= goroutines })
}

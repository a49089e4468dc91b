package ping

import (
	"net/netip"
	"testing"
	"time"
)

// FuzzCourse: whatever becomes of each probe, and whenever, hops come in order, whole, and to an end; nothing is sent
// more often than it may be, nor beyond the end; and the last hop is the first where the path ends.
func FuzzCourse(f *testing.F) {
	f.Add(3, 30, int64(time.Second), []byte{})
	f.Add(3, 30, int64(time.Second), []byte{0, 1, 2, 3, 4, 5, 6, 7})
	f.Add(1, 255, int64(1), []byte{1})
	f.Add(3, 9, int64(0), []byte{0x10, 0x21, 0x32, 0x03, 0x14, 0xff, 0xf0})
	f.Add(10, 4, int64(time.Minute), []byte{0x81, 0x80, 0x80, 0x80})
	f.Fuzz(func(t *testing.T, count, maxHops int, interval int64, script []byte) {
		if count < 1 || count > 20 || maxHops < 1 || maxHops > 255 || interval < 0 || interval > int64(time.Hour) {
			t.Skip("refused by the options")
		}
		type flyer struct {
			probe probe
			at    time.Time
			reply Reply
		}
		from := netip.MustParseAddr("10.0.0.1")
		now := time.Unix(0, 0)
		start := now
		var flying []flyer
		var hops []Hop
		sent := map[probe]int{}
		final := maxHops
		c := newCourse(count, maxHops, time.Duration(interval))
		for turn := 0; !c.ended(); turn++ {
			for h, ok := c.take(); ok; h, ok = c.take() {
				hops = append(hops, h)
			}
			first := -1
			for i := range flying {
				if first < 0 || flying[i].at.Before(flying[first].at) {
					first = i
				}
			}
			p, at, ok := c.next()
			if !ok && first < 0 {
				if c.ended() {
					break
				}
				t.Fatalf("it hangs after %d hops", len(hops))
			}
			if ok && (first < 0 || !at.After(flying[first].at)) {
				if now.Before(at) {
					now = at
				}
				if p.distance < 1 || p.distance > final || p.seq < 0 || p.seq >= count {
					t.Fatalf("probe %+v, the path ends at %d", p, final)
				}
				if probeOf(int64(p.tag())) != p {
					t.Fatalf("the tag of %+v is that of %+v", p, probeOf(int64(p.tag())))
				}
				sent[p]++
				c.sent(p, now)
				what := byte(0)
				if len(script) > 0 {
					what = script[turn%len(script)]
				}
				fl := flyer{p, now.Add(time.Duration(what>>3) * 10 * ms), Reply{Seq: 99, From: from}}
				switch what & 7 {
				case 0, 1, 2:
					fl.reply.Err = &ICMPError{Type: icmpTimeExceeded, From: from}
				case 3:
					fl.reply.Err = &ICMPError{Type: icmpUnreachable, Code: 1, From: from}
				case 4: // an echo
				default:
					fl.at, fl.reply = now.Add(time.Second), Reply{Err: ErrTimeout}
				}
				flying = append(flying, fl)
				continue
			}
			fl := flying[first]
			flying = append(flying[:first], flying[first+1:]...)
			now = fl.at
			c.settle(fl.probe, fl.reply)
			if exceeded, ok := fl.reply.Err.(*ICMPError); fl.reply.Err == nil || ok && exceeded.Type != icmpTimeExceeded {
				final = min(final, fl.probe.distance)
			}
			if turn > 100*count*maxHops {
				t.Fatal("it does not end")
			}
		}
		if len(hops) != final {
			t.Errorf("%d hops, want %d", len(hops), final)
		}
		for i, h := range hops {
			if h.Distance != i+1 || len(h.Replies) != count {
				t.Errorf("hop %d is %v", i+1, h)
			}
			again := 0
			for seq, r := range h.Replies {
				if r.Seq != seq || r.Err == nil && i+1 != final {
					t.Errorf("hop %d of %d, probe %d: %+v", i+1, final, seq, r)
				}
				again += sent[probe{i + 1, seq}] - 1
			}
			if again < 0 || again > maxRetries {
				t.Errorf("hop %d: %d probes were sent again", i+1, again)
			}
		}
		// Each hop takes a timeout for its probes and each retry, and all go on together.
		most := time.Duration(maxHops)*stride + time.Duration(count)*time.Second + maxRetries*(limitPause+time.Second)
		most += time.Duration(count) * time.Duration(interval)
		if took := now.Sub(start); took > most {
			t.Errorf("it took %v, more than %v", took, most)
		}
	})
}

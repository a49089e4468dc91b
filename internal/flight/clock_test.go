package flight

import (
	"testing"
	"time"
)

func TestRoundTrip(t *testing.T) {
	const ms = int64(time.Millisecond)
	sent := Stamp{Wall: 1_700_000_000_000 * ms, Mono: 500 * ms}
	at := func(d int64) Stamp { return sent.Add(d) }
	// apart is after as long on each clock.
	apart := func(wall, mono int64) Stamp { return Stamp{sent.Wall + wall, sent.Mono + mono} }
	for _, c := range []struct {
		name    string
		read    Stamp
		arrived int64
		rtt     int64
		clock   Clock
	}{
		{"stamped", at(21 * ms), sent.Wall + 20*ms, 20 * ms, Kernel},
		{"read long after", at(5000 * ms), sent.Wall + 20*ms, 20 * ms, Kernel},
		{"no Stamp", at(21 * ms), 0, 21 * ms, User},
		{"arrived before it was sent", at(21 * ms), sent.Wall - 1, 21 * ms, User},
		{"arrived after it was read", at(21 * ms), sent.Wall + 30*ms, 21 * ms, User},
		{"Stamp a moment after the reading", at(20 * ms), sent.Wall + 20*ms + 500, 20 * ms, Kernel},
		{"clock set forward an hour", apart(3_600_021*ms, 21*ms), sent.Wall + 3_600_020*ms, 21 * ms, User},
		{"clock set back an hour", apart(-3_599_979*ms, 21*ms), sent.Wall - 3_599_980*ms, 21 * ms, User},
		{"clock set back, within the RTT", apart(11*ms, 21*ms), sent.Wall + 10*ms, 21 * ms, User},
		{"clock set forward after the arrival", apart(3_600_021*ms, 21*ms), sent.Wall + 20*ms, 21 * ms, User},
		{"clock slewed at 500 ppm", apart(10_005*ms, 10_000*ms), sent.Wall + 10_004*ms, 10_000 * ms, Kernel},
		{"read before it was sent", apart(-ms, -ms), sent.Wall, 0, Kernel},
	} {
		rtt, clock := roundTrip(sent, c.read, c.arrived)
		if rtt != c.rtt || clock != c.clock {
			t.Errorf("%s: got %v by clock %d, want %v by clock %d", c.name,
				time.Duration(rtt), clock, time.Duration(c.rtt), c.clock)
		}
	}
}

// Whatever the clocks do, an RTT lies between 0 and the monotonic time from sending to reading.
func FuzzRoundTrip(f *testing.F) {
	f.Add(int64(0), int64(0), int64(1), int64(1), int64(1))
	f.Add(int64(1e18), int64(5), int64(-1e18), int64(50), int64(1e18+20))
	f.Add(int64(1e18), int64(5), int64(1e18+45), int64(50), int64(-1))
	f.Fuzz(func(t *testing.T, sentWall, sentMono, readWall, readMono, arrived int64) {
		const limit = 1 << 61 // a hundred years either way; beyond that the differences overflow
		for _, v := range []int64{sentWall, sentMono, readWall, readMono, arrived} {
			if v < -limit || v > limit {
				return
			}
		}
		rtt, _ := roundTrip(Stamp{sentWall, sentMono}, Stamp{readWall, readMono}, arrived)
		if rtt < 0 || rtt > max(readMono-sentMono, 0) {
			t.Errorf("RTT %d is not within 0 to %d", rtt, readMono-sentMono)
		}
	})
}

func TestWireRoundTrip(t *testing.T) {
	const ms = int64(time.Millisecond)
	sent := Stamp{Wall: 1_700_000_000_000 * ms, Mono: 500 * ms}
	late := sent.Add(30 * ms)
	for _, c := range []struct {
		name              string
		read              Stamp
		departed, arrived int64
		rtt               int64
		ok                bool
	}{
		{"both stamps", late, sent.Wall + 2*ms, sent.Wall + 20*ms, 18 * ms, true},
		{"no departure", late, 0, sent.Wall + 20*ms, 0, false},
		{"departed before it was sent", late, sent.Wall - 2*ms, sent.Wall + 20*ms, 0, false},
		{"departed at once, the clocks read apart", late, sent.Wall - ms/2, sent.Wall + 20*ms, 20*ms + ms/2, true},
		{"arrived before it departed", late, sent.Wall + 21*ms, sent.Wall + 20*ms, 0, false},
		{"clock set between", Stamp{late.Wall + 1e9*ms, late.Mono}, sent.Wall + 2*ms, sent.Wall + 1e9*ms, 0, false},
	} {
		rtt, ok := wireRoundTrip(sent, c.read, c.departed, c.arrived)
		if ok != c.ok || ok && rtt != c.rtt {
			t.Errorf("%s: got %v, %v, want %v, %v", c.name, time.Duration(rtt), ok, time.Duration(c.rtt), c.ok)
		}
	}
}

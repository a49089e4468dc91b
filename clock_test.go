package ping

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestRoundTrip(t *testing.T) {
	const ms = int64(time.Millisecond)
	sent := stamp{wall: 1_700_000_000_000 * ms, mono: 500 * ms}
	at := func(d int64) stamp { return sent.add(d) }
	for _, c := range []struct {
		name    string
		read    stamp
		arrived int64
		rtt     int64
		clock   Clock
	}{
		{"stamped", at(21 * ms), sent.wall + 20*ms, 20 * ms, ClockKernel},
		{"read long after", at(5000 * ms), sent.wall + 20*ms, 20 * ms, ClockKernel},
		{"no stamp", at(21 * ms), 0, 21 * ms, ClockUser},
		{"arrived before it was sent", at(21 * ms), sent.wall - 1, 21 * ms, ClockUser},
		{"arrived after it was read", at(21 * ms), sent.wall + 30*ms, 21 * ms, ClockUser},
		{"stamp a moment after the reading", at(20 * ms), sent.wall + 20*ms + 500, 20 * ms, ClockKernel},
		{"clock set forward an hour", stamp{sent.wall + 3_600_021*ms, sent.mono + 21*ms}, sent.wall + 3_600_020*ms, 21 * ms, ClockUser},
		{"clock set back an hour", stamp{sent.wall - 3_599_979*ms, sent.mono + 21*ms}, sent.wall - 3_599_980*ms, 21 * ms, ClockUser},
		{"clock set back, within the RTT", stamp{sent.wall + 11*ms, sent.mono + 21*ms}, sent.wall + 10*ms, 21 * ms, ClockUser},
		{"clock set forward after the arrival", stamp{sent.wall + 3_600_021*ms, sent.mono + 21*ms}, sent.wall + 20*ms, 21 * ms, ClockUser},
		{"clock slewed at 500 ppm", stamp{sent.wall + 10_005*ms, sent.mono + 10_000*ms}, sent.wall + 10_004*ms, 10_000 * ms, ClockKernel},
		{"read before it was sent", stamp{sent.wall - ms, sent.mono - ms}, sent.wall, 0, ClockKernel},
	} {
		rtt, clock := roundTrip(sent, c.read, c.arrived)
		if rtt != c.rtt || clock != c.clock {
			t.Errorf("%s: got %v by the %v clock, want %v by the %v clock", c.name,
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
		rtt, _ := roundTrip(stamp{sentWall, sentMono}, stamp{readWall, readMono}, arrived)
		if rtt < 0 || rtt > max(readMono-sentMono, 0) {
			t.Errorf("RTT %d is not within 0 to %d", rtt, readMono-sentMono)
		}
	})
}

func TestWireRoundTrip(t *testing.T) {
	const ms = int64(time.Millisecond)
	sent := stamp{wall: 1_700_000_000_000 * ms, mono: 500 * ms}
	for _, c := range []struct {
		name              string
		read              stamp
		departed, arrived int64
		rtt               int64
		ok                bool
	}{
		{"both stamps", sent.add(30 * ms), sent.wall + 2*ms, sent.wall + 20*ms, 18 * ms, true},
		{"no departure", sent.add(30 * ms), 0, sent.wall + 20*ms, 0, false},
		{"departed before it was sent", sent.add(30 * ms), sent.wall - 2*ms, sent.wall + 20*ms, 0, false},
		{"departed at once, the clocks read apart", sent.add(30 * ms), sent.wall - ms/2, sent.wall + 20*ms, 20*ms + ms/2, true},
		{"arrived before it departed", sent.add(30 * ms), sent.wall + 21*ms, sent.wall + 20*ms, 0, false},
		{"clock set between", stamp{sent.wall + 3_600_030*ms, sent.mono + 30*ms}, sent.wall + 2*ms, sent.wall + 3_600_020*ms, 0, false},
	} {
		rtt, ok := wireRoundTrip(sent, c.read, c.departed, c.arrived)
		if ok != c.ok || ok && rtt != c.rtt {
			t.Errorf("%s: got %v, %v, want %v, %v", c.name, time.Duration(rtt), ok, time.Duration(c.rtt), c.ok)
		}
	}
}

// A thread that loses its processor while it reads the clocks is not taken for a clock that was set.
func TestSteady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := New(WithTransport(newMute()))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		c := p.lines[0].Load().conn
		c.mu.Lock()
		defer c.mu.Unlock()
		true1 := c.steady(c.now())
		torn := true1.add(int64(10 * ms))
		torn.mono += int64(5 * ms)
		if got := c.steady(torn); got.mono != torn.mono || got.wall-got.mono != true1.wall-true1.mono {
			t.Errorf("torn: %+v became %+v", torn, got)
		}
		near := true1.add(int64(20 * ms))
		near.wall += int64(ms / 2)
		if got := c.steady(near); got != near {
			t.Errorf("slewed: %+v became %+v", near, got)
		}
		c.offset += int64(time.Hour) // as if the clock had been set since
		if got := c.steady(true1); got != true1 {
			t.Errorf("after a step: %+v became %+v", true1, got)
		}
	})
}

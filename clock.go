package ping

import (
	"fmt"
	"time"
)

// Clock says which clocks measured a [Reply].
type Clock uint8

const (
	// ClockUser: both instants were read by this program, so the RTT contains the time the program took
	// to get round to reading the reply. It stands in where the kernel gave no stamp (other systems than
	// Linux), and where the wall clock was stepped between the two.
	ClockUser Clock = iota
	// ClockKernel: the kernel stamped the reply's arrival; the program read its clock on the line before the
	// system call that sent the request.
	ClockKernel
	// ClockWire: the kernel stamped both the request's departure and the reply's arrival (WithWireTimestamps).
	ClockWire
)

// String returns "user", "kernel" or "wire".
func (c Clock) String() string {
	switch c {
	case ClockUser:
		return "user"
	case ClockKernel:
		return "kernel"
	case ClockWire:
		return "wire"
	}
	return fmt.Sprintf("Clock(%d)", uint8(c))
}

// MarshalText returns the clock's name.
func (c Clock) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// A stamp is one instant on both clocks, in nanoseconds: the wall clock's, in which the kernel stamps packets
// and which may be stepped, and the monotonic one's, from an epoch that a conn chose.
type stamp struct{ wall, mono int64 }

func stampOf(t, epoch time.Time) stamp {
	return stamp{wall: t.UnixNano(), mono: int64(t.Sub(epoch))}
}

// isReading reports whether t is a reading of the program's own clock, as opposed to a stamp of the kernel's, which
// has no monotonic part.
func isReading(t time.Time) bool { return t != t.Round(0) }

func (s stamp) add(d int64) stamp { return stamp{s.wall + d, s.mono + d} }

// stepTolerance is how far the two clocks may drift apart before that is called a step: adjtimex slews by at
// most 500 ppm (Linux, kernel/time/ntp.c MAXFREQ), and reading the two clocks takes two moments.
const stepTolerance = int64(time.Millisecond)

// roundTrip is the time from sent to arrived, the kernel's wall-clock stamp of a message that was read at read; 0
// where there is none. Where the stamp cannot be believed, the monotonic time from sent to read, an upper bound,
// stands in.
func roundTrip(sent, read stamp, arrived int64) (rtt int64, clock Clock) {
	if rtt, ok := kernelTime(sent, read, sent.wall, arrived); ok {
		return rtt, ClockKernel
	}
	return max(read.mono-sent.mono, 0), ClockUser
}

// wireRoundTrip is the time from departed to arrived, both the kernel's wall-clock stamps, of a message that the
// program sent no earlier than sent. It reports false if the stamps cannot be believed.
func wireRoundTrip(sent, read stamp, departed, arrived int64) (rtt int64, ok bool) {
	// So far off may be what sent says of the wall clock.
	if departed == 0 || departed < sent.wall-stepTolerance {
		return 0, false
	}
	return kernelTime(sent, read, departed, arrived)
}

// kernelTime is the time between two stamps on the wall clock, the latter 0 for none. It is believed if it is no
// longer than the time from sent to read on the monotonic clock, and the two clocks went alike in that time: the wall
// clock was not set.
func kernelTime(sent, read stamp, from, to int64) (time int64, ok bool) {
	bound := max(read.mono-sent.mono, 0)
	step := (read.wall - sent.wall) - (read.mono - sent.mono)
	tolerance := stepTolerance + bound/1000
	time = to - from
	if to == 0 || time < 0 || time > bound+tolerance || step < -tolerance || step > tolerance {
		return 0, false
	}
	return min(time, bound), true
}

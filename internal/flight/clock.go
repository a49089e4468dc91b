package flight

import "time"

// A Clock says which clocks measured an RTT. The values are those of the public type.
type Clock uint8

const (
	// User: the program read both instants, so that the RTT contains the time it took to get round to reading the
	// reply.
	User Clock = iota
	// Kernel: the kernel stamped the arrival; the program read its clock before the system call that sent.
	Kernel
	// Wire: the kernel stamped both the departure and the arrival.
	Wire
)

// A Stamp is one instant on both clocks, in nanoseconds: the wall clock's, in which the kernel stamps packets
// and which may be stepped, and the monotonic one's, from an epoch that the owner of the Table chose.
type Stamp struct{ Wall, Mono int64 }

// StampOf is the Stamp of t, which time.Now returned, as epoch did.
func StampOf(t, epoch time.Time) Stamp {
	return Stamp{Wall: t.UnixNano(), Mono: int64(t.Sub(epoch))}
}

// Add is the instant d nanoseconds later.
func (s Stamp) Add(d int64) Stamp { return Stamp{s.Wall + d, s.Mono + d} }

// IsReading reports whether t is a reading of the program's own clock, as opposed to a stamp of the kernel's, which
// has no monotonic part.
func IsReading(t time.Time) bool { return t != t.Round(0) }

// StepTolerance is how far the two clocks may drift apart, in nanoseconds, before that is called a step: adjtimex
// slews by at most 500 ppm (Linux, kernel/time/ntp.c MAXFREQ), and reading the two clocks takes two moments.
const StepTolerance = int64(time.Millisecond)

// roundTrip is the time from sent to arrived, the kernel's wall-clock stamp of a message that was read at read; 0
// where there is none. Where the stamp cannot be believed, the monotonic time from sent to read, an upper bound,
// stands in.
func roundTrip(sent, read Stamp, arrived int64) (rtt int64, clock Clock) {
	if rtt, ok := kernelTime(sent, read, sent.Wall, arrived); ok {
		return rtt, Kernel
	}
	return max(read.Mono-sent.Mono, 0), User
}

// wireRoundTrip is the time from departed to arrived, both the kernel's wall-clock stamps, of a message that the
// program sent no earlier than sent. It reports false if the stamps cannot be believed.
func wireRoundTrip(sent, read Stamp, departed, arrived int64) (rtt int64, ok bool) {
	// So far off may be what sent says of the wall clock.
	if departed == 0 || departed < sent.Wall-StepTolerance {
		return 0, false
	}
	return kernelTime(sent, read, departed, arrived)
}

// kernelTime is the time between two stamps on the wall clock, the latter 0 for none. It is believed if it is no
// longer than the time from sent to read on the monotonic clock, and the two clocks went alike in that time: the wall
// clock was not set.
func kernelTime(sent, read Stamp, from, to int64) (time int64, ok bool) {
	bound := max(read.Mono-sent.Mono, 0)
	step := (read.Wall - sent.Wall) - (read.Mono - sent.Mono)
	tolerance := StepTolerance + bound/1000
	time = to - from
	if to == 0 || time < 0 || time > bound+tolerance || step < -tolerance || step > tolerance {
		return 0, false
	}
	return min(time, bound), true
}

package ping

import "fmt"

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

package monitor

import (
	"fmt"
	"strconv"
	"strings"
)

// A State says whether a target can be reached.
type State uint8

const (
	// Unknown: there is not enough evidence yet, or none any more; or the name has no address.
	Unknown State = iota
	// Up: the target answers.
	Up
	// Down: the target does not answer, and has been asked again.
	Down
)

// String returns "unknown", "up" or "down".
func (s State) String() string {
	switch s {
	case Unknown:
		return "unknown"
	case Up:
		return "up"
	case Down:
		return "down"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// MarshalText returns the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes what MarshalText returns. The error names what it is given, and all that it takes.
func (s *State) UnmarshalText(text []byte) error { return fromText(s, Down, text) }

// fromText sets v to the value, of those up to last, that has a text.
func fromText[T interface {
	~uint8
	fmt.Stringer
}](v *T, last T, text []byte) error {
	var all []string
	for one := T(0); one <= last; one++ {
		if one.String() == string(text) {
			*v = one
			return nil
		}
		all = append(all, strconv.Quote(one.String()))
	}
	return fmt.Errorf("%q: want %s or %s", text, strings.Join(all[:last], ", "), all[last])
}

// A Reason says why a target is not up, or is suspected not to be.
type Reason uint8

const (
	// ReasonNone: the target is up, or nothing is known yet.
	ReasonNone Reason = iota
	// ReasonTimeout: no answer came.
	ReasonTimeout
	// ReasonLate: answers come, but after the timeout.
	ReasonLate
	// ReasonRefused: ICMP errors came, such as "destination host unreachable".
	ReasonRefused
	// ReasonNotSent: the probes could not be sent, while those to others could.
	ReasonNotSent
	// ReasonLocal: this host lost so many messages itself that nothing is known of the target.
	ReasonLocal
	// ReasonName: the name has no address.
	ReasonName
)

// String says it in a word or two, such as "timeout" or "not sent".
func (r Reason) String() string {
	switch r {
	case ReasonNone:
		return ""
	case ReasonTimeout:
		return "timeout"
	case ReasonLate:
		return "late"
	case ReasonRefused:
		return "refused"
	case ReasonNotSent:
		return "not sent"
	case ReasonLocal:
		return "local drops"
	case ReasonName:
		return "no address"
	}
	return fmt.Sprintf("Reason(%d)", uint8(r))
}

// MarshalText returns what String does.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText takes what MarshalText returns. The error names what it is given, and all that it takes.
func (r *Reason) UnmarshalText(text []byte) error { return fromText(r, ReasonName, text) }

// evidence is what a probe tells of its target: a Reason why it was not answered, or one of these.
type evidence = Reason

const (
	answered = ReasonNone
	blind    = ReasonLocal // nothing
)

// blindLimit is after how many probes in a row that tell nothing the state is Unknown.
const blindLimit = 10

// asking says how an address is asked beside its schedule, under the other identifier.
type asking uint8

const (
	askNot     asking = iota
	askQuickly        // to confirm that it is down, or up again
	askSlowly         // whether it is down under that too
)

// rules are what a machine goes by.
type rules struct {
	rise, fall int32
	apart      bool // it is another identifier under which an address is asked beside its schedule
	alone      bool // for the moment it cannot be asked beside its schedule
}

// A machine tells the state of one address from the evidence. It is told of each probe in the order in which they are
// settled, and does no more than that: no I/O, and no clock.
type machine struct {
	state   State
	suspect bool
	ignored bool   // answers come under the other identifier alone
	reason  Reason // of being suspect or down
	asking  asking

	blind  int32 // probes in a row that told nothing
	rises  int32 // answers in a row while it is not up, of those on the schedule
	others int32 // the same of those beside it
	missed int32 // of the probes on the schedule, how many in a row were not answered
	lost   int32 // since it is suspect, of those beside it; or of those on it, while there are no others
}

// scheduled takes the evidence of a probe on the schedule. free says that it counts if a probe could not be sent:
// those to other addresses can.
func (m *machine) scheduled(e evidence, r rules, free bool) {
	switch {
	case e == blind:
		m.isBlind()
		return
	case e == answered:
		m.blind, m.missed, m.ignored, m.suspect = 0, 0, false, false
		m.rises++
		if m.state == Up || m.rises >= r.rise {
			m.rise()
		} else if m.state == Unknown {
			m.asking = askNot
		}
		return
	}
	m.blind, m.rises = 0, 0
	m.missed++
	m.blame(e)
	if m.state == Down {
		return
	}
	counts := free || e != ReasonNotSent
	switch {
	case !m.suspect:
		m.suspect, m.lost, m.asking = true, 0, askQuickly
	case r.alone && counts:
		m.lost++
	}
	if counts && m.lost >= r.fall-1 {
		m.fall()
	}
}

// confirmed takes the evidence of a probe beside the schedule.
func (m *machine) confirmed(e evidence, r rules, free bool) {
	switch {
	case m.asking == askNot:
	case e == blind:
		m.isBlind()
	case e == answered && m.state == Down:
		m.blind, m.asking = 0, askQuickly
		if m.others++; m.others >= r.rise {
			m.missed = 0 // it may be that those on the schedule are about to be answered too
			m.rise()
		}
	case e == answered:
		m.blind, m.suspect, m.reason, m.asking = 0, false, ReasonNone, askNot
		if m.missed < r.fall || !r.apart {
			break
		}
		m.ignored = true
		if m.others++; m.state == Up || m.others >= r.rise {
			m.rise()
		}
	case m.state == Down:
		m.blind, m.others, m.asking = 0, 0, askSlowly
	case free || e != ReasonNotSent:
		m.blind = 0
		m.blame(e)
		if m.lost++; m.lost >= r.fall-1 {
			m.fall()
		}
	}
}

// blame takes note of why a probe was not answered. That an answer came late is known after that it did not come.
func (m *machine) blame(e evidence) {
	if e != ReasonTimeout || m.reason != ReasonLate {
		m.reason = e
	}
}

// calm reports whether another answer on the schedule changes nothing.
func (m *machine) calm() bool {
	return m.state == Up && !m.suspect && !m.ignored && m.missed == 0 && m.blind == 0 && m.asking == askNot
}

// late takes note of an answer that came too late.
func (m *machine) late() {
	if m.reason == ReasonTimeout {
		m.reason = ReasonLate
	}
}

// fall makes the address down.
func (m *machine) fall() {
	m.state, m.suspect, m.ignored, m.asking = Down, false, false, askSlowly
	m.rises, m.others = 0, 0
}

// rise makes the address up.
func (m *machine) rise() {
	m.state, m.suspect, m.reason, m.asking = Up, false, ReasonNone, askNot
	m.rises, m.others = 0, 0
}

// isBlind takes note of a probe that tells nothing.
func (m *machine) isBlind() {
	if m.blind++; m.blind >= blindLimit {
		*m = machine{reason: ReasonLocal, blind: m.blind}
	}
}

// acquit ends a suspicion of which nothing is known any more.
func (m *machine) acquit() {
	if m.suspect {
		m.suspect, m.reason, m.asking, m.missed = false, ReasonNone, askNot, 0
	}
}

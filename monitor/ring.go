package monitor

import (
	"math/bits"
	"slices"
	"time"
)

// A code is what became of a probe, in two bytes: one of those below, or an RTT. RTTs are kept as floating-point
// numbers of 12 significant bits: exact to the nanosecond under 4.096 us, with an error of 1/4096 (0.025 %) at most up
// to 73 minutes, which stand for all that is longer. Greater RTTs never have smaller codes, so codes are sorted as
// RTTs are.
type code uint16

const (
	codeNone    code = iota // no probe, or one that is not settled
	codeLost                // no answer in time
	codeLate                // an answer, but not in time
	codeRefused             // an ICMP error
	codeDropped             // no answer, and this host dropped messages
	codeNotSent             // it never left this host

	firstRTT code = 8 // the code of 0 ns

	mantissa = 11 // bits after the leading one
	octave   = 1 << mantissa
)

// codeOf returns the code of an RTT.
func codeOf(rtt time.Duration) code {
	v := uint64(max(rtt, 0))
	if v < 2*octave {
		return firstRTT + code(v)
	}
	shift := bits.Len64(v) - mantissa - 1
	v = (v + 1<<(shift-1)) >> shift // from one octave, up to the first of the next
	return firstRTT + code(min(uint64(shift)*octave+v, uint64(1<<16-1-firstRTT)))
}

// answered reports whether the code is an RTT.
func (c code) answered() bool { return c >= firstRTT }

// rtt returns the RTT of a code that is one.
func (c code) rtt() time.Duration {
	v := uint64(c - firstRTT)
	if v < 2*octave {
		return time.Duration(v)
	}
	return time.Duration((octave + v%octave) << (v/octave - 1))
}

// missed reports whether the code counts towards an outage.
func (c code) missed() bool { return c != codeNone && c != codeDropped && !c.answered() }

// A ring holds the codes of the last probes of one address, one for each instant of its schedule, which are numbered.
type ring struct {
	codes []code // made when there is something to keep
	size  int
	end   int64 // the number after the last that is kept
}

// put takes note of what became of the probe of an instant. Where another has that place already, since one of them
// left late, it takes the one after or before that; if there is none, the worse of both is kept.
func (r *ring) put(n int64, c code) {
	if r.codes == nil {
		r.codes, r.end = make([]code, r.size), max(n, 0)
	}
	for _, m := range [...]int64{n, n + 1, n - 1} {
		if at := r.place(m); at != nil && *at == codeNone {
			*at = c
			return
		}
	}
	if at := r.place(n); at != nil && at.answered() {
		*at = c
	}
}

// amend changes the code of the probe of an instant, or of one next to it, from one to another, and reports whether
// it had that.
func (r *ring) amend(n int64, from, to code) bool {
	for _, m := range [...]int64{n, n + 1, n - 1} {
		if m >= r.end {
			continue
		}
		if at := r.place(m); at != nil && *at == from {
			*at = to
			return true
		}
	}
	return false
}

// place is where the code of an instant is kept, nil if that is past. An instant after the end moves that.
func (r *ring) place(n int64) *code {
	size := int64(len(r.codes))
	if n < 0 || n < r.end-size || size == 0 {
		return nil
	}
	if n >= r.end+size {
		clear(r.codes)
	} else {
		for m := r.end; m < n; m++ {
			r.codes[m%size] = codeNone
		}
	}
	if n >= r.end {
		r.codes[n%size] = codeNone
		r.end = n + 1
	}
	return &r.codes[n%size]
}

// appendLast appends to list the codes of the instants from the number from on, as far as they are kept, in order.
func (r *ring) appendLast(list []code, from int64) []code {
	size := int64(len(r.codes))
	from = max(from, r.end-size, 0)
	if from >= r.end {
		return list
	}
	list = slices.Grow(list, int(r.end-from))
	a, b := from%size, (r.end-1)%size+1
	if a < b {
		return append(list, r.codes[a:b]...)
	}
	return append(append(list, r.codes[a:]...), r.codes[:b]...)
}

package ping

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/icmpsock/ping/internal/plan"
	"github.com/icmpsock/ping/internal/wire"
)

// A Hop is what a [Pinger.Trace] met at one distance.
type Hop struct {
	// Distance is how many hops away it is: the TTL or hop limit of the probes. The first router is at 1.
	Distance int `json:"distance"`
	// Replies are what became of the probes, in order of Seq, from 0. From is the router that answered, and TTL
	// what its answer arrived with. Err is an *[ICMPError], mostly "time to live exceeded", with the router's
	// MPLS labels where it tells them; [ErrTimeout] for silence; nil where the target itself answered.
	Replies []Reply `json:"replies"`
	// End says why this is the last hop of the way; "" for the others.
	End TraceEnd `json:"end,omitempty"`
}

// A TraceEnd says in a word why a [Pinger.Trace] came to its end.
type TraceEnd string

const (
	// EndReached: the target answered.
	EndReached TraceEnd = "reached"
	// EndRefused: an ICMP error said that the packet goes no farther, and nothing answered from there or beyond.
	EndRefused TraceEnd = "refused"
	// EndGap: as many hops in a row as WithGapLimit says were silent.
	EndGap TraceEnd = "gap_limit"
	// EndMaxHops: the distance of WithMaxHops was tried.
	EndMaxHops TraceEnd = "max_hops"
)

var traceEnds = [...]TraceEnd{
	plan.AtTarget: EndReached, plan.AtRefusal: EndRefused, plan.AtGap: EndGap, plan.AtMost: EndMaxHops,
}

// cut says of the probes that are in flight that err has ended the wait for them.
func (h Hop) cut(err error) {
	for i := range h.Replies {
		if r := &h.Replies[i]; r.Err == nil && !r.From.IsValid() {
			r.Err = err
		}
	}
}

// Reached reports whether the target itself answered.
func (h Hop) Reached() bool {
	return slices.ContainsFunc(h.Replies, func(r Reply) bool { return r.Err == nil })
}

// Addrs returns who answered, each once, in order of Seq. It is empty for silence. More than one mostly means that a
// router on the way sends packet for packet another way.
func (h Hop) Addrs() (list []netip.Addr) {
	for _, r := range h.Replies {
		if r.From.IsValid() && !slices.Contains(list, r.From) {
			list = append(list, r.From)
		}
	}
	return list
}

// String is a line as traceroute(8) prints it, without names: the distance, then for each probe who answered, unless
// it is the one before, and the RTT in milliseconds, or * for silence. After it !H, !N, !P, !X and so on mark an
// error that ends the path, as they do there; MPLS labels are in <>. (NAT: for 10.0.0.5), or (NAT), is after who shows
// that addresses are translated on the way: see ICMPError.NAT.
func (h Hop) String() string {
	b := fmt.Appendf(nil, "%2d", h.Distance)
	var last netip.Addr
	for _, r := range h.Replies {
		if !r.From.IsValid() {
			b = append(b, "  *"...)
			continue
		}
		var refused *ICMPError
		errors.As(r.Err, &refused)
		if r.From != last {
			last = r.From
			b = append(b, "  "+r.From.String()...)
			b = append(b, refused.labels()...)
			b = append(b, refused.nat()...)
		}
		b = fmt.Appendf(b, "  %.3f ms", milliseconds(r.RTT))
		b = append(b, refused.mark()...)
	}
	return string(b)
}

// labels is the MPLS label stack as traceroute -e prints it.
func (e *ICMPError) labels() string {
	if e == nil || len(e.MPLS) == 0 {
		return ""
	}
	var list []string
	for i, l := range e.MPLS {
		bottom := 0
		if i == len(e.MPLS)-1 {
			bottom = 1
		}
		list = append(list, fmt.Sprintf("L=%d,E=%d,S=%d,T=%d", l.Label, l.TrafficClass, bottom, l.TTL))
	}
	return " <MPLS:" + strings.Join(list, "/") + ">"
}

// nat is what the error shows of a NAT, in a word.
func (e *ICMPError) nat() string {
	switch {
	case e == nil || !e.NAT:
		return ""
	case e.Quoted.IsValid():
		return " (NAT: for " + e.Quoted.String() + ")"
	}
	return " (NAT)"
}

var marks4 = map[int]string{
	0: " !N", 1: " !H", 2: " !P", 5: " !S", 6: " !N", 7: " !H", 8: " !N", 9: " !X", 10: " !X", 11: " !N", 12: " !H",
	13: " !X", 14: " !V", 15: " !C",
}

var marks6 = map[int]string{0: " !N", 1: " !X", 2: " !S", 3: " !H"}

// mark is traceroute's for an error that ends the path, "" for one that does not.
func (e *ICMPError) mark() string {
	if e == nil || e.wire().InTransit() {
		return ""
	}
	if e.wire().TooBig() {
		if e.MTU == 0 {
			return " !F"
		}
		return " !F-" + strconv.Itoa(e.MTU)
	}
	unreachable := wire.Unreachable4
	if e.From.Is6() {
		unreachable = wire.Unreachable6
	}
	if e.Type != unreachable {
		return fmt.Sprintf(" !<%d-%d>", e.Type, e.Code)
	}
	marks := marks4
	if e.From.Is6() {
		marks = marks6
	}
	if m := marks[e.Code]; m != "" {
		return m
	}
	return fmt.Sprintf(" !<%d>", e.Code)
}

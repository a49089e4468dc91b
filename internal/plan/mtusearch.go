package plan

import "slices"

// The smallest and the largest packet that a path may be found to carry, in bytes, with the headers of IP and ICMP.
// Every IPv4 link carries 68 (RFC 791 section 3.2), every IPv6 link 1,280 (RFC 8200 section 5). The largest is what the
// length field of IPv4 holds (RFC 791 section 3.1), and for IPv6, where the header of 40 does not count, that of the
// payload (RFC 8200 section 3).
const (
	MinPacket4 = 68
	MinPacket6 = 1280
	MaxPacket4 = 65535
	MaxPacket6 = 40 + 65535
)

// plateaus are the sizes that paths are likely to carry, the largest first: the most that an IPv4 packet can hold, the
// device MTU of loopback, jumbo frames, Ethernet, PPPoE, IPv6 in IPv4, common clouds and tunnels (VXLAN, WireGuard),
// and what every IPv6 link (RFC 8200 section 5) and every IPv4 host (RFC 791) takes. RFC 1191 section 7 has the idea.
var plateaus = []int{65536, 65535, 9000, 1500, 1492, 1480, 1460, 1450, 1420, 1400, 1280, 576}

const (
	jumbo = 9000 // what is larger is tried only where this passes
	// mtuSections is how many sizes are tried together where nothing better is known: they cut the range that is
	// left into as many parts.
	mtuSections = 8
	// mtuHints is how many of the MTUs that are named are believed until they have proved wrong, so that a router that
	// names a little less each time cannot keep a search busy for ever.
	mtuHints = 8
)

// An mtuSearch finds the largest size that passes. It is told what was seen, and says which sizes to try next. What
// passed is certain; that something did not may be a mistake, and is forgotten where something larger passes.
//
// It does no I/O and knows no time.
type mtuSearch struct {
	least, most int // the sizes to choose from
	low         int // the largest that passed; below least: none yet
	high        int // the smallest above low that did not; above most: none yet
	refused     []int
	hint        int // the MTU that a router, or this host, named last; 0: none
	hints       int // how many of those have been followed
	begun       bool
	limited     bool // most is what is likely to pass
	sections    int  // mtuSections, or another number
}

func newMTUSearch(v6 bool) mtuSearch {
	least, most := MinPacket4, MaxPacket4
	if v6 {
		least, most = MinPacket6, MaxPacket6
	}
	return mtuSearch{least: least, most: most, low: least - 1, high: most + 1, sections: mtuSections}
}

// limit says that nothing larger than most can pass, and that most is likely to.
func (s *mtuSearch) limit(most int) {
	s.most, s.high, s.limited = most, most+1, true
}

// passed says that a packet of this size arrived.
func (s *mtuSearch) passed(size int) {
	if size <= s.low {
		return
	}
	s.low, s.high = size, s.most+1
	s.refused = slices.DeleteFunc(s.refused, func(n int) bool { return n <= size })
	for _, n := range s.refused {
		s.high = min(s.high, n)
	}
}

// failed says that packets of this size do not pass, and which MTU was named for the reason; 0 for none. An MTU
// that makes no sense, because it does not refuse what was refused, or no link has it, is no hint.
func (s *mtuSearch) failed(size, mtu int) {
	if size > s.low && !slices.Contains(s.refused, size) {
		s.refused = append(s.refused, size)
		s.high = min(s.high, size)
	}
	if mtu >= s.least && mtu < size {
		s.hint = mtu
	}
}

// retreat says that the largest size that passed passes no more, and which MTU was named for the reason. Of the smaller
// ones only the least is taken for certain.
func (s *mtuSearch) retreat(mtu int) {
	size := s.low
	s.low, s.hints = s.least, 0
	s.failed(size, mtu)
	s.begun = s.low <= s.hint && s.hint < s.high // else the usual sizes come first again
}

// reopen forgets that the smallest size that did not pass did not.
func (s *mtuSearch) reopen() {
	size := s.high
	s.high = s.most + 1
	s.refused = slices.DeleteFunc(s.refused, func(n int) bool { return n == size })
	for _, n := range s.refused {
		s.high = min(s.high, n)
	}
}

// open reports whether it is not known whether a size passes.
func (s *mtuSearch) open(size int) bool { return s.low < size && size < s.high }

// next returns the sizes to try now, in that order; none when the search has ended.
func (s *mtuSearch) next() (sizes []int) {
	add := func(size int) {
		if s.open(size) && !slices.Contains(sizes, size) {
			sizes = append(sizes, size)
		}
	}
	addPlateaus := func(most int) {
		for _, size := range plateaus {
			if size <= most {
				add(size)
			}
		}
	}
	switch {
	case s.low < s.least:
		// Whether the target answers at all costs a small packet, and none of the large ones.
		add(s.least)
	case !s.begun:
		s.begun = true
		if s.limited {
			add(s.most)
		}
		addPlateaus(jumbo)
	case s.hint != 0 && s.low <= s.hint && s.hint < s.high && s.hints < mtuHints:
		s.hints++
		add(s.hint)
		add(s.hint + 1)
	case s.high > s.most:
		add(s.most)
		addPlateaus(s.most)
		add(s.low + 1)
	default:
		add(s.low + 1)
		width := s.high - s.low
		for i := s.sections - 1; i > 0; i-- {
			add(s.low + max(i*width/s.sections, 1))
		}
		if width <= s.sections {
			for size := s.high - 1; size > s.low; size-- {
				add(size)
			}
		}
	}
	return sizes
}

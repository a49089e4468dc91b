package pingtest

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/icmpsock/ping"
)

// An Interface is one of a host's network interfaces. See [AnswersAbout].
type Interface struct {
	Name   string       // "": it has none
	Index  int          // 0: it has none
	Addrs  []netip.Addr // of either IP version
	Active bool
}

// AnswersAbout has the host answer ping.Pinger.AskInterface, as Linux does with net.ipv4.icmp_echo_enable_probe: with
// the state of these interfaces, of which it tells IPv4 or IPv6 if they have such an address. Without the setting, the
// default, or with an empty list, the host is silent.
func AnswersAbout(list ...Interface) Setting {
	list = slices.Clone(list)
	for i := range list {
		list[i].Addrs = slices.Clone(list[i].Addrs)
		for j, addr := range list[i].Addrs {
			list[i].Addrs[j] = addr.Unmap()
		}
	}
	return func(s *settings) { s.own = list }
}

// Neighbours has the host answer what ping.Pinger.AskInterface asks of its neighbours: these, by address, each in the
// state told. nil, the default, has it be silent, as Linux is.
func Neighbours(states map[netip.Addr]ping.NeighbourState) Setting {
	own := make(map[netip.Addr]ping.NeighbourState)
	for addr, state := range states {
		if state < ping.NeighbourIncomplete || state > ping.NeighbourFailed {
			panic(fmt.Sprintf("pingtest: Neighbours(%v: %d): want a state that has a name", addr, state))
		}
		own[addr.Unmap()] = state
	}
	if states == nil {
		own = nil
	}
	return func(s *settings) { s.neighbours = own }
}

// A question is what an extended echo request asks (RFC 8335 section 2).
type question struct {
	ping.InterfaceID
	malformed bool
}

// The types of extended echo messages (RFC 8335 sections 2 and 3).
const (
	extendedRequest4 = 42
	extendedRequest6 = 160
)

// understand reads the request, as far as it has to be understood. It reports false if the host does not answer the
// like.
func (j *journey) understand() (answers bool) {
	data := j.request.Data
	j.payload = headerLen
	if j.extended = data[0] == extendedRequest4 || data[0] == extendedRequest6; !j.extended {
		return true
	}
	var q question
	q, j.payload = parseQuestion(data)
	j.code, j.status, answers = j.target.explain(q)
	return answers
}

// parseQuestion reads an extended echo request, and says where its payload begins.
func parseQuestion(data []byte) (q question, payload int) {
	const extension, object = headerLen + 4, headerLen + 8 // where the first object begins, and what is in it
	q.malformed = true
	if len(data) < object || data[headerLen]>>4 != 2 {
		return q, len(data)
	}
	end := extension + int(binary.BigEndian.Uint16(data[extension:]))
	if end < object || end > len(data) || data[extension+2] != 3 {
		return q, len(data)
	}
	payload = min(end+4, len(data)) // in an object of its own
	of := data[object:end]
	switch data[extension+3] {
	case 1:
		q.Name = strings.TrimRight(string(of), "\x00")
		q.malformed = q.Name == ""
	case 2:
		if q.malformed = len(of) != 4; !q.malformed {
			q.Index = int(binary.BigEndian.Uint32(of))
		}
	case 3:
		if len(of) >= 4 && len(of) >= 4+int(of[2]) {
			q.Addr, _ = netip.AddrFromSlice(of[4 : 4+int(of[2])])
			q.malformed = !q.Addr.IsValid()
		}
	}
	q.Neighbour = data[7]&1 == 0
	return q, payload
}

// explain is the answer to a question: the code and the status of an extended echo reply. It reports false if the host
// is silent.
func (s *settings) explain(q question) (code, status byte, answers bool) {
	if q.Neighbour && s.neighbours == nil || !q.Neighbour && len(s.own) == 0 {
		return 0, 0, false
	}
	refuse := func(e ping.InterfaceError) (byte, byte, bool) { return byte(e), 0, true }
	if q.malformed || q.Neighbour && !q.Addr.IsValid() {
		return refuse(ping.ErrMalformedQuery)
	}
	if q.Neighbour {
		state, ok := s.neighbours[q.Addr]
		if !ok {
			return refuse(ping.ErrNoSuchEntry)
		}
		return 0, byte(state) << 5, true
	}
	switch found := s.find(q); len(found) {
	case 0:
		return refuse(ping.ErrNoSuchInterface)
	case 1:
		return 0, found[0].status(), true
	}
	return refuse(ping.ErrManyInterfaces)
}

// find lists the interfaces that a question is about.
func (s *settings) find(q question) (list []Interface) {
	for _, i := range s.own {
		if q.Name != "" && i.Name == q.Name || q.Index != 0 && i.Index == q.Index || slices.Contains(i.Addrs, q.Addr) {
			list = append(list, i)
		}
	}
	return list
}

// status is A, 4 and 6 of an extended echo reply (RFC 8335 section 3).
func (i *Interface) status() (status byte) {
	if i.Active {
		status |= 4
	}
	for _, addr := range i.Addrs {
		if addr.Is4() {
			status |= 2
		} else {
			status |= 1
		}
	}
	return status
}

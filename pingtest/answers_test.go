package pingtest_test

import (
	"errors"
	"testing"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// A host that truncates sends back the beginning; what else goes wrong with it still does.
func TestTruncation(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		h := n.Host(addr, pingtest.Truncation(8), pingtest.Duplicates(1))
		p := n.Pinger(t)
		for size, want := range map[int]int{0: 0, 7: 7, 8: 8, 9: 8, 1000: 8} {
			r, err := p.Ping(t.Context(), addr, ping.WithSize(size))
			if err != nil || r.Size != want+8 || r.Truncated != (size > want) {
				t.Errorf("%d bytes: %+v, %v", size, r, err)
			}
		}
		h.Set(pingtest.Corruption(1))
		if s, err := p.PingN(t.Context(), addr, 2); err != nil || s.Corrupted < 2 || s.Received != 0 {
			t.Errorf("and corrupts: %+v, %v", s, err)
		}
		h.Set(pingtest.Corruption(0), pingtest.Truncation(0))
		if r, err := p.Ping(t.Context(), addr); err != nil || r.Size != 64 || r.Truncated {
			t.Errorf("no more: %+v, %v", r, err)
		}
	})
}

// A host that answers from another address does so with all its echo replies, and the record says so. Its ICMP errors
// are its own.
func TestAnswersFrom(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		h := n.Host(addr)
		other := h.Addr().Next()
		h.Set(pingtest.AnswersFrom(other.String()), pingtest.Duplicates(1), pingtest.Forgeries(1))
		p := n.Pinger(t)
		s, err := p.PingN(t.Context(), addr, 2)
		if err != nil || s.Sent != 2 || h.Counts().Answered != 2 {
			t.Errorf("%+v, %v, %+v", s, err, h.Counts())
		}
		if h.Addr().Is6() {
			if s.Received != 2 || s.Replies[0].From != other || s.Stray != 2 || s.Duplicates == 0 {
				t.Errorf("%+v", s)
			}
		} else if e := (*ping.ElsewhereError)(nil); s.Lost != 2 || !errors.As(s.Replies[0].Err, &e) || e.From != other {
			t.Errorf("%+v", s)
		}
		for _, a := range h.Records()[0].Answers {
			if a.From != other {
				t.Errorf("recorded as from %v", a.From)
			}
		}
		h.Set(pingtest.Refuse(ping.ICMPError{Type: 3, Code: 1}))
		if r, _ := p.Ping(t.Context(), addr); r.From != h.Addr() {
			t.Errorf("refused: %+v", r)
		}
		h.Set(pingtest.Up(), pingtest.AnswersFrom(""))
		if r, err := p.Ping(t.Context(), addr); err != nil || r.From != h.Addr() {
			t.Errorf("no more: %+v, %v", r, err)
		}
	})
}

//go:build linux

package netlab

import (
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRefuseEchoes(t *testing.T) {
	ns := Self(t)
	for _, tt := range []struct {
		refused, other string
		want           error
	}{
		{"127.0.1.1/16", "127.1.0.1", unix.EPERM},
		{"127.0.1.1/32", "127.0.1.2", unix.EPERM},
		{"::1/128", "127.0.0.1", nil}, // IPv6's ping sockets don't tell
	} {
		prefix, other := netip.MustParsePrefix(tt.refused), netip.MustParseAddr(tt.other)
		s := newPinger(t, prefix.Addr())
		for how, name := range []string{Drop: "drop", Reject: "reject"} {
			t.Run(tt.refused+" "+name, func(t *testing.T) {
				f := ns.RefuseEchoes(t, prefix, Refusal(how))
				if err := s.send(prefix.Addr(), 1, nil); !errors.Is(err, tt.want) {
					t.Errorf("send: %v, want %v", err, tt.want)
				}
				if n := f.Count(); n != 1 {
					t.Errorf("%d were refused, want 1", n)
				}
				if o := newPinger(t, other); o.send(other, 2, nil) != nil || o.receive().seq != 2 {
					t.Errorf("no answer from %v", other)
				}
				if Refusal(how) == Reject {
					if got := s.receiveError(); got.seq != 1 {
						t.Errorf("an error about %d, want 1", got.seq)
					}
				}
				if n := f.Count(); n != 1 {
					t.Errorf("%d were refused, want 1 still", n)
				}
				f.Undo()
				if err := s.send(prefix.Addr(), 3, nil); err != nil {
					t.Errorf("send after undo: %v", err)
				}
				if got := s.receive(); got.seq != 3 {
					t.Errorf("reply %d, want the last only", got.seq)
				}
			})
		}
	}
}

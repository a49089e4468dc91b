package wire

import (
	"net/netip"
	"testing"
)

// What an error means for its probe is what the documents say of its type and code, by its IP version, and no other
// type or code means it.
func TestErrorKinds(t *testing.T) {
	four, six := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	type kind struct{ advice, tooBig, inTransit bool }
	type key struct {
		v6        bool
		typ, code int
	}
	kinds := map[key]kind{
		{false, 3, 4}:  {tooBig: true},    // RFC 792, fragmentation needed and DF set
		{false, 11, 0}: {inTransit: true}, // RFC 792, time to live exceeded in transit
		{true, 3, 0}:   {inTransit: true}, // RFC 4443 section 3.3, hop limit exceeded in transit
	}
	for code := range 256 {
		kinds[key{false, 4, code}] = kind{advice: true} // RFC 792, source quench
		kinds[key{false, 5, code}] = kind{advice: true} // RFC 792, redirect
		kinds[key{true, 2, code}] = kind{tooBig: true}  // RFC 4443 section 3.2: the code is not looked at
	}
	for _, v6 := range []bool{false, true} {
		for typ := range 256 {
			for code := range 256 {
				e := &Error{Type: typ, Code: code, From: four}
				if v6 {
					e.From = six
				}
				if got, want := (kind{e.Advice(), e.TooBig(), e.InTransit()}), kinds[key{v6, typ, code}]; got != want {
					t.Errorf("IPv6 %v, type %d code %d: %+v, want %+v", v6, typ, code, got, want)
				}
			}
		}
	}
}

// The bytes of a message are read, and an error looked at, without allocation.
func TestNoAllocs(t *testing.T) {
	reply := AppendEcho(nil, testTemplate, 1, 2)
	reply[0] = EchoReply4
	room := make([]byte, 0, len(reply))
	e := &Error{Type: TimeExceeded4, From: netip.MustParseAddr("192.0.2.1")}
	if n := testing.AllocsPerRun(100, func() {
		cookie := Balance(3, 1, 2)
		AppendEcho(room, testTemplate, 1, cookie)
		echo, ok := ParseEcho(reply)
		if !ok || !echo.IsReply(false) || !echo.HasCookie(2, 56) || !echo.Intact(56) || e.Advice() || !e.InTransit() {
			t.Error("not as it was sent")
		}
		e.SplitQuote(reply, 0, 20)
		Checksum(reply)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

package wire

import "testing"

// Whatever the secret, one flow has one checksum, and another flow another.
func FuzzFlow(f *testing.F) {
	f.Add(uint64(0), uint16(0), uint16(1), uint16(2))
	f.Add(^uint64(0), uint16(0xffff), uint16(0xffff), uint16(1))
	f.Add(uint64(0x0123456789abcdef), uint16(77), uint16(0x8000), uint16(0x7fff))
	f.Fuzz(func(t *testing.T, secret uint64, seq, flow, other uint16) {
		if flow == 0 || other == 0 {
			t.Skip("no flows")
		}
		sum := func(secret uint64, seq, flow uint16) uint16 {
			cookie := Balance(secret, seq, flow)
			if cookie>>16 != secret>>16 {
				t.Errorf("the secret %x became %x", secret, cookie)
			}
			b := AppendEcho(nil, testTemplate, seq, cookie)
			b[2], b[3] = 0, 0
			return Checksum(b)
		}
		want := sum(1, 2, flow)
		if got := sum(secret, seq, flow); got != want {
			t.Errorf("flow %d: checksums %x and %x", flow, got, want)
		}
		if got := sum(secret, seq, other); (got == want) != (flow == other) {
			t.Errorf("flows %d and %d: checksums %x and %x", flow, other, want, got)
		}
	})
}

// Each flow has an IPv6 flow label of its own. No flow has none, and IPv4 knows none.
func TestFlowLabel(t *testing.T) {
	seen := map[int]int{}
	for flow := range 1 << 16 {
		label := FlowLabel(true, uint16(flow))
		if other, ok := seen[label]; ok || label < 0 || label > 0xfffff || (label == 0) != (flow == 0) {
			t.Fatalf("flow %d has the label %#x, which flow %d has (%v)", flow, label, other, ok)
		}
		seen[label] = flow
		if label := FlowLabel(false, uint16(flow)); label != 0 {
			t.Fatalf("with IPv4, flow %d has the label %#x", flow, label)
		}
	}
}

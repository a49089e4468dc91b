//go:build linux

package netlab

import (
	"bytes"
	"slices"
	"testing"
)

func TestReassembly(t *testing.T) {
	for _, w := range worlds {
		packet := Packet{Src: w.host, Dst: w.other, TTL: 3, Payload: bytes.Repeat([]byte("0123456789"), 510)}
		whole := packet.Marshal()
		pieces := fragments(whole, 1280, 7)
		if len(pieces) != 5 {
			t.Fatalf("%d pieces, want 5", len(pieces))
		}
		for _, piece := range pieces {
			if len(piece) > 1280 {
				t.Errorf("a piece of %d bytes, want at most 1280", len(piece))
			}
		}

		for name, tt := range map[string]struct {
			pieces [][]byte
			want   bool
		}{
			"in order":     {pieces, true},
			"again":        {append(pieces[:2:2], pieces...), true},
			"one missing":  {slices.Delete(slices.Clone(pieces), 1, 2), false},
			"first last":   {append(pieces[1:5:5], pieces[0]), false},
			"interleaved":  {slices.Concat(pieces[:2], fragments(whole, 1280, 8)[:3], pieces[2:]), true},
			"no fragments": {[][]byte{whole}, true},
		} {
			var r reassembler
			var got Packet
			for _, piece := range tt.pieces {
				if b := r.add(piece); b != nil {
					got, _ = parse(b)
				}
			}
			if tt.want != bytes.Equal(got.Payload, packet.Payload) {
				t.Errorf("%s: a payload of %d bytes, want %t", name, len(got.Payload), tt.want)
			}
		}
	}
}

func TestReassemblyIsBounded(t *testing.T) {
	var r reassembler
	packet := Packet{Src: worlds[0].host, Dst: worlds[0].other, Payload: make([]byte, 2000)}
	for id := range uint32(10 * maxPartial) {
		r.add(fragments(packet.Marshal(), 1500, id)[0])
		if len(r.partial) > maxPartial {
			t.Fatalf("%d packets in reassembly, want at most %d", len(r.partial), maxPartial)
		}
	}
}

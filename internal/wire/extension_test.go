package wire

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
)

// extended is an extension with the objects in it, and the right checksum.
func extended(objects ...[]byte) []byte {
	b := slices.Concat([]byte{2 << 4, 0, 0, 0}, slices.Concat(objects...))
	binary.BigEndian.PutUint16(b[2:], Checksum(b))
	return b
}

// object is one of an extension.
func object(class, typ byte, payload ...byte) []byte {
	return append([]byte{0, byte(objectHeaderLen + len(payload)), class, typ}, payload...)
}

func TestExtensions(t *testing.T) {
	quote := bytes.Repeat([]byte{0x55}, 108) // 128 less an IPv4 header
	stack := object(1, 1, 0x00, 0x06, 0x42, 0x01, 0x12, 0x34, 0x5f, 0xff)
	labels := []Label{{Label: 100, TrafficClass: 1, TTL: 1}, {Label: 0x12345, TrafficClass: 7, TTL: 255}}
	spoil := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at] ^= 0x10
		return b
	}
	unsummed := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[2], b[3] = 0, 0
		return b
	}
	reserved := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[1] = 1
		return b
	}
	for _, c := range []struct {
		name      string
		extension []byte
		offset    int
		cut       bool
		want      []Label
	}{
		{"none", nil, 0, false, nil},
		{"two labels", extended(stack), 108, true, labels},
		{"where it mostly is", extended(stack), 0, true, labels},
		{"after another object", extended(object(2, 1, 1, 2, 3, 4), stack), 108, true, labels},
		{"the first of two stacks", extended(stack, object(1, 1, 0, 0, 0x11, 1)), 108, true, labels},
		{"bytes after the bottom", extended(object(1, 1, 0, 6, 0x43, 1, 9, 9, 9, 9)), 108, true, labels[:1]},
		{"no bottom", extended(object(1, 1, 0, 6, 0x42, 1)), 108, true, labels[:1]},
		{"no checksum", unsummed(extended(stack)), 108, true, labels},
		{"no checksum, where it mostly is", unsummed(extended(stack)), 0, true, labels},
		{"no checksum, and reserved bits", unsummed(reserved(extended(stack))), 0, false, nil},
		{"no checksum, and bytes after it", append(unsummed(extended(stack)), 0, 0), 0, false, nil},
		{"further on", slices.Concat(quote[:20], extended(stack)), 0, true, labels},
		{"further on, no checksum", slices.Concat(quote[:20], unsummed(extended(stack))), 0, false, nil},
		{"further on, a wrong checksum", slices.Concat(quote[:20], spoil(extended(stack), 9)), 0, false, nil},
		{"not where it is told", extended(stack), 64, true, labels},
		{"another type", extended(object(1, 2, 0, 6, 0x43, 1)), 108, true, nil},
		{"another class only", extended(object(3, 1, 0, 6, 0x43, 1)), 108, true, nil},
		{"version 3", spoil(extended(stack), 0), 108, true, nil},
		{"a wrong checksum", spoil(extended(stack), 9), 108, true, nil},
		{"a wrong checksum, and a guess", spoil(extended(stack), 9), 0, false, nil},
		{"an empty stack", extended(object(1, 1)), 108, true, nil},
		{"half a label", extended(object(1, 1, 0, 6)), 108, true, nil},
		{"an object of length 0", extended([]byte{0, 0, 1, 1, 0, 6, 0x43, 1}), 108, true, nil},
		{"an object that is too long", extended([]byte{0, 12, 1, 1, 0, 6, 0x43, 1}), 108, true, nil},
		{"half an object", extended([]byte{0, 8}), 108, false, nil},
		{"an offset beyond the end", extended(stack), 500, true, labels},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := slices.Concat(quote, c.extension)
			want := data
			if c.cut {
				want = data[:len(data)-len(bytes.TrimLeft(c.extension, "U"))] // U, 0x55, is the quotation
			}
			var e Error
			if got := e.SplitQuote(data, c.offset, 20); !bytes.Equal(got, want) {
				t.Errorf("left %d bytes, want %d", len(got), len(want))
			}
			if !slices.Equal(e.MPLS, c.want) {
				t.Errorf("got %v, want %v", e.MPLS, c.want)
			}
		})
	}
}

// FuzzExtensions: nothing makes it panic or invent bytes, and what it reads golang.org/x/net/icmp reads too.
func FuzzExtensions(f *testing.F) {
	quote := bytes.Repeat([]byte{0x55}, 108)
	for _, x := range [][]byte{
		nil,
		extended(object(1, 1, 0, 6, 0x43, 1)),
		extended(object(1, 1, 0, 6, 0x42, 1, 0x12, 0x34, 0x5f, 0xff)),
		extended(object(2, 1, 1, 2, 3, 4), object(1, 1, 0, 6, 0x43, 1)),
		extended([]byte{0, 12, 1, 1, 0, 6, 0x43, 1}),
		extended(object(1, 1)),
	} {
		f.Add(slices.Concat(quote, x), uint16(108))
		f.Add(slices.Concat(quote, x), uint16(0))
		f.Add(slices.Concat(quote, quote[:4], x), uint16(112))
	}
	f.Fuzz(func(t *testing.T, data []byte, offset uint16) {
		var e Error
		got := e.SplitQuote(data, int(offset), 20)
		if !bytes.HasPrefix(data, got) {
			t.Fatalf("%x is no part of %x", got, data)
		}
		for _, l := range e.MPLS {
			if l.Label < 0 || l.Label > 1<<20-1 || l.TrafficClass < 0 || l.TrafficClass > 7 || l.TTL < 0 || l.TTL > 255 {
				t.Errorf("%+v", l)
			}
		}
		length := 20 + len(got)
		if e.MPLS == nil || length%4 != 0 || length > 255*4 || length < quotationLen {
			return
		}
		message := slices.Concat([]byte{TimeExceeded4, 0, 0, 0, 0, byte(length / 4), 0, 0}, make([]byte, 20), data)
		parsed, err := icmp.ParseMessage(ipv4.ICMPTypeTimeExceeded.Protocol(), message)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range parsed.Body.(*icmp.TimeExceeded).Extensions {
			stack, ok := x.(*icmp.MPLSLabelStack)
			if !ok || stack.Type != typeIncoming {
				continue
			}
			for i, l := range e.MPLS {
				if i >= len(stack.Labels) || (Label{stack.Labels[i].Label, stack.Labels[i].TC, stack.Labels[i].TTL}) != l {
					t.Errorf("got %v, want %v", e.MPLS, stack.Labels)
				}
			}
			return
		}
	})
}

// A hostile packet has no more of it kept than any router sends.
func TestHostileExtension(t *testing.T) {
	for _, size := range []int{4, 8, 1200, 60_000} {
		var b []byte
		for len(b) < 64_000 {
			o := make([]byte, size)
			binary.BigEndian.PutUint16(o, uint16(size))
			o[2], o[3] = classMPLS, typeIncoming
			b = append(b, o...)
		}
		var e Error
		e.takeObjects(b)
		kept := 0
		for _, o := range e.Objects {
			kept += objectHeaderLen + len(o.Data)
		}
		if len(e.MPLS) > MaxLabels || len(e.Objects) > MaxObjects || kept > maxObjectBytes {
			t.Errorf("of objects of %d bytes: %d labels, %d objects of %d bytes", size, len(e.MPLS), len(e.Objects), kept)
		}
	}
}

// No echo request that NewTemplate makes, whole or cut, and padded or not, is taken for an extension.
func TestNoExtension(t *testing.T) {
	template, err := NewTemplate(false, 2000)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(template) {
		for _, header := range []int{20, 40, 60} {
			for _, data := range [][]byte{template[:n:n], append(template[:n:n], make([]byte, 128)...)} {
				var e Error
				if got := e.SplitQuote(data, 0, header); len(got) != len(data) || e.Objects != nil {
					t.Fatalf("%d bytes after a header of %d: cut to %d, %v", len(data), header, len(got), e.Objects)
				}
			}
		}
	}
}

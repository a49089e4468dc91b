//go:build linux

package netlab

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// maxPartial bounds the packets in reassembly. The rest of a packet that isn't
// complete by the time so many others have begun is not coming.
const maxPartial = 64

// A reassembler puts fragments together. They must arrive in order, as they do
// over a veth pair.
type reassembler struct {
	partial map[fragmentKey][]byte
}

type fragmentKey struct {
	src, dst netip.Addr
	id       uint32
}

// add returns packet itself if it is whole, the packet that it completes, or nil.
func (r *reassembler) add(packet []byte) []byte {
	switch {
	case len(packet) >= ipv4HeaderLen && packet[0]>>4 == 4:
		if binary.BigEndian.Uint16(packet[6:])&(moreFragments|offsetMask) != 0 {
			return r.add4(packet)
		}
	case len(packet) >= ipv6HeaderLen+fragmentHeaderLen && packet[0]>>4 == 6:
		if packet[6] == unix.IPPROTO_FRAGMENT {
			return r.add6(packet)
		}
	}
	return packet
}

func (r *reassembler) add4(packet []byte) []byte {
	header, total := int(packet[0]&0xf)*4, int(binary.BigEndian.Uint16(packet[2:]))
	if header < ipv4HeaderLen || total < header || total > len(packet) {
		return nil
	}
	field := binary.BigEndian.Uint16(packet[6:])
	whole := r.join(fragmentKey{
		src: netip.AddrFrom4([4]byte(packet[12:16])),
		dst: netip.AddrFrom4([4]byte(packet[16:20])),
		id:  uint32(binary.BigEndian.Uint16(packet[4:])),
	}, packet[:header], packet[header:total], int(field&offsetMask)*8, field&moreFragments != 0)
	if whole == nil {
		return nil
	}
	binary.BigEndian.PutUint16(whole[2:], uint16(len(whole)))
	binary.BigEndian.PutUint16(whole[6:], field&dontFragment)
	setIPv4Checksum(whole)
	return whole
}

func (r *reassembler) add6(packet []byte) []byte {
	length := int(binary.BigEndian.Uint16(packet[4:]))
	if length < fragmentHeaderLen || length > len(packet)-ipv6HeaderLen {
		return nil
	}
	fragment := packet[ipv6HeaderLen : ipv6HeaderLen+length]
	field := binary.BigEndian.Uint16(fragment[2:])
	whole := r.join(fragmentKey{
		src: netip.AddrFrom16([16]byte(packet[8:24])),
		dst: netip.AddrFrom16([16]byte(packet[24:40])),
		id:  binary.BigEndian.Uint32(fragment[4:]),
	}, packet[:ipv6HeaderLen], fragment[fragmentHeaderLen:], int(field&^7), field&1 != 0)
	if whole == nil {
		return nil
	}
	binary.BigEndian.PutUint16(whole[4:], uint16(len(whole)-ipv6HeaderLen))
	whole[6] = fragment[0]
	return whole
}

// join adds data, which belongs at offset, to the packet begun under key. It
// returns the packet, behind the header of its first fragment, if there is no
// more to come.
func (r *reassembler) join(key fragmentKey, header, data []byte, offset int, more bool) []byte {
	whole, ok := r.partial[key]
	if offset == 0 {
		whole, ok = clone(header), true
	}
	if !ok || len(whole)-len(header) != offset {
		delete(r.partial, key)
		return nil
	}
	whole = append(whole, data...)
	if !more {
		delete(r.partial, key)
		return whole
	}
	if r.partial == nil || len(r.partial) >= maxPartial {
		r.partial = make(map[fragmentKey][]byte)
	}
	r.partial[key] = whole
	return nil
}

// fragments cuts a packet into pieces of at most mtu bytes, which share the
// given identification.
func fragments(packet []byte, mtu int, id uint32) [][]byte {
	if len(packet) <= mtu {
		return [][]byte{packet}
	}
	if packet[0]>>4 == 6 {
		return fragments6(packet, mtu, id)
	}
	header := packet[:int(packet[0]&0xf)*4]
	var pieces [][]byte
	cut(packet[len(header):], mtu-len(header), func(offset int, data []byte, more bool) {
		piece := append(clone(header), data...)
		field := uint16(offset / 8)
		if more {
			field |= moreFragments
		}
		binary.BigEndian.PutUint16(piece[2:], uint16(len(piece)))
		binary.BigEndian.PutUint16(piece[4:], uint16(id))
		binary.BigEndian.PutUint16(piece[6:], field)
		setIPv4Checksum(piece)
		pieces = append(pieces, piece)
	})
	return pieces
}

func fragments6(packet []byte, mtu int, id uint32) [][]byte {
	header := packet[:ipv6HeaderLen]
	var pieces [][]byte
	cut(packet[len(header):], mtu-len(header)-fragmentHeaderLen, func(offset int, data []byte, more bool) {
		field := uint16(offset)
		if more {
			field |= 1
		}
		piece := append(clone(header), header[6], 0)
		piece = binary.BigEndian.AppendUint16(piece, field)
		piece = binary.BigEndian.AppendUint32(piece, id)
		piece = append(piece, data...)
		piece[6] = unix.IPPROTO_FRAGMENT
		binary.BigEndian.PutUint16(piece[4:], uint16(len(piece)-ipv6HeaderLen))
		pieces = append(pieces, piece)
	})
	return pieces
}

// cut calls piece for parts of data of at most size bytes. Offsets are multiples
// of eight.
func cut(data []byte, size int, piece func(offset int, data []byte, more bool)) {
	size &^= 7
	for offset := 0; offset < len(data); offset += size {
		end := min(offset+size, len(data))
		piece(offset, data[offset:end], end < len(data))
	}
}

package icmpsock

import (
	"encoding/binary"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/wire"
)

// filterReplies has the kernel keep from a raw socket what are no echo replies with its identifier.
func filterReplies(fd int, v6 bool, id uint16) error {
	program, err := ownReplies(v6, id)
	if err != nil {
		return err
	}
	return attachFilter(fd, program)
}

// attachFilter has the kernel keep from a socket what the program returns 0 for.
func attachFilter(fd int, program []bpf.RawInstruction) error {
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: (*unix.SockFilter)(unsafe.Pointer(&program[0]))}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &filter); err != nil {
		return fmt.Errorf("filter: %w", os.NewSyscallError("setsockopt", err))
	}
	return nil
}

// ownReplies is the program that lets echo replies with our identifier pass, extended or not, and nothing else: IPv4
// raw sockets see the IP header too.
func ownReplies(v6 bool, id uint16) ([]bpf.RawInstruction, error) {
	reply, extended, load := uint32(wire.EchoReply4), uint32(wire.ExtendedReply4), []bpf.Instruction{
		bpf.LoadMemShift{Off: 0}, // X = length of the IP header
		bpf.LoadIndirect{Off: 0, Size: 1},
		bpf.LoadIndirect{Off: 4, Size: 2},
	}
	if v6 {
		reply, extended, load = wire.EchoReply6, wire.ExtendedReply6, []bpf.Instruction{
			bpf.LoadConstant{Dst: bpf.RegX, Val: 0},
			bpf.LoadAbsolute{Off: 0, Size: 1},
			bpf.LoadAbsolute{Off: 4, Size: 2},
		}
	}
	return bpf.Assemble([]bpf.Instruction{
		load[0],
		load[1],
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: reply, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: extended, SkipTrue: 3},
		load[2],
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(id), SkipTrue: 1},
		bpf.RetConstant{Val: 1 << 18},
		bpf.RetConstant{Val: 0},
	})
}

// ours makes of what a raw socket received what a datagram socket would have: it takes off the IPv4 header, looks at
// the ICMP checksum (for IPv6 the kernel has), and reports false for what is not ours, such as the ICMP errors to
// all other programs' echo requests.
func (s *Socket) ours(p *wire.Packet, quoted bool) bool {
	switch {
	case s.id == 0 || p.Departed:
		return true
	case !quoted && !s.v6:
		if len(p.Data) < 20 {
			return false
		}
		n := int(p.Data[0]&0x0f) * 4
		if n < 20 || len(p.Data) < n {
			return false
		}
		if p.Data = p.Data[n:]; wire.Checksum(p.Data) != 0 {
			return false
		}
	}
	reply, extended := byte(wire.EchoReply4), byte(wire.ExtendedReply4)
	if s.v6 {
		reply, extended = wire.EchoReply6, wire.ExtendedReply6
	}
	// The filter does not know the errors, and what came before it was set, if it was.
	return len(p.Data) >= wire.HeaderLen && binary.BigEndian.Uint16(p.Data[4:]) == s.id &&
		(quoted || p.Data[0] == reply || p.Data[0] == extended)
}

package icmpsock

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// FuzzSockaddr: whatever the kernel says of an address, what is read of it can be sent to.
func FuzzSockaddr(f *testing.F) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, family := range []uint16{unix.AF_INET, unix.AF_INET6, unix.AF_UNIX, 0} {
		addr := [16]byte{0: 0xfe, 1: 0x80, 15: byte(r.Uint32())}
		b := native(unix.RawSockaddrInet6{Family: family, Addr: addr, Scope_id: 3})
		f.Add(b, false)
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, v6 bool) {
		var name unix.RawSockaddrInet6
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&name)), unsafe.Sizeof(name)), b)
		addr, ok := address(&name, v6)
		if want := name.Family == unix.AF_INET && !v6 || name.Family == unix.AF_INET6 && v6; ok != want {
			t.Fatalf("%+v, v6 %v: %v", name, v6, ok)
		}
		if !ok {
			return
		}
		if addr.Is6() != v6 {
			t.Fatalf("%v, v6 %v", addr, v6)
		}
		var back unix.RawSockaddrInet6
		setSockaddr(&back, addr, int(name.Scope_id), v6)
		if again, ok := address(&back, v6); !ok || again != addr {
			t.Errorf("%v became %v", addr, again)
		}
	})
}

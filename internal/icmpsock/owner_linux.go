package icmpsock

import (
	"os"

	"golang.org/x/sys/unix"
)

// OwnsNetwork reports whether the calling thread's network namespace belongs to its user namespace, or one below that,
// going by ioctl_ns(2): else no capability that it has there counts for the network. Where that cannot be told, it is
// true.
func OwnsNetwork() bool {
	network, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return true
	}
	defer network.Close()
	owner, err := unix.IoctlRetInt(int(network.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		return err != unix.EPERM
	}
	unix.Close(owner)
	return true
}

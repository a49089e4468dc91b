package icmpsock

import (
	"os"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// hasListener reports whether another socket gets the ICMP errors for one of this config: a raw IPv4 socket that is
// bound to a network interface. The kernel's own errors, such as that a neighbour does not answer, come in over the
// loopback interface, and are not for it (net/ipv4/raw.c, raw_v4_match), though they are for a datagram socket.
func (c *Config) hasListener() bool { return c.Raw && !c.V6 && c.device() != "" }

// openListener opens a raw IPv4 socket that gets all ICMP errors, whichever interface they come in over, and nothing
// else.
func openListener() (*os.File, error) {
	fd, _, err := openDescriptor(Config{Raw: true}, 0)
	if err != nil {
		return nil, err
	}
	if err := attachFilter(fd, []bpf.RawInstruction{{Op: unix.BPF_RET | unix.BPF_K}}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "icmp errors"), nil
}

package ping

import (
	"fmt"
	"os"
	"slices"
)

// notPermitted says what is in the way of an ICMP socket, and the command that mends it.
func notPermitted(kind SocketKind, cause error) error {
	const sysctl = "net.ipv4.ping_group_range"
	value := "unknown"
	if b, err := os.ReadFile("/proc/sys/net/ipv4/ping_group_range"); err == nil {
		var low, high uint32
		if _, err := fmt.Sscan(string(b), &low, &high); err == nil {
			value = fmt.Sprintf(`"%d %d"`, low, high)
		}
	}
	groups, _ := os.Getgroups()
	groups = append(groups, os.Getegid())
	slices.Sort(groups)
	const everyone = sysctl + `="0 2147483647"`
	text := fmt.Sprintf("%s is %s, which has none of this process's groups %v: as root, run sysctl -w %s; "+
		"with Docker, docker run --sysctl %s; with Kubernetes, name it in the pod's securityContext.sysctls",
		sysctl, value, slices.Compact(groups), everyone, everyone)
	const capability = "the program CAP_NET_RAW: setcap cap_net_raw+ep PROGRAM, " +
		"or AmbientCapabilities=CAP_NET_RAW in a systemd unit"
	switch kind {
	case SocketAuto:
		text += "; or give " + capability
	case SocketRaw:
		text = "raw sockets need CAP_NET_RAW: give " + capability
	}
	return fmt.Errorf("%w; %s (%w)", ErrNotPermitted, text, cause)
}

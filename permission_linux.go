package ping

import (
	"fmt"
	"os"
	"slices"
)

// notPermitted says what is in the way of an ICMP socket, and the command that mends it.
func notPermitted(kind SocketKind, cause error) error {
	groups, _ := os.Getgroups()
	groups = append(groups, os.Getegid())
	slices.Sort(groups)
	b, _ := os.ReadFile("/proc/sys/net/ipv4/ping_group_range")
	text := inTheWay(string(b), slices.Compact(groups))
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

// inTheWay says what forbids datagram sockets, going by what the kernel says of the range of groups that may have them.
func inTheWay(value string, groups []int) string {
	const sysctl = "net.ipv4.ping_group_range"
	const everyone = sysctl + `="0 2147483647"`
	const cure = "as root, run sysctl -w " + everyone + "; with Docker, docker run --sysctl " + everyone +
		"; with Kubernetes, name it in the pod's securityContext.sysctls"
	var low, high int64
	if _, err := fmt.Sscan(value, &low, &high); err != nil {
		return fmt.Sprintf("%s, which cannot be read, may have none of this process's groups %v: %s", sysctl, groups, cure)
	}
	if slices.ContainsFunc(groups, func(g int) bool { return low <= int64(g) && int64(g) <= high }) {
		return fmt.Sprintf(`%s is "%d %d", which lets this process's groups %v have them: something else forbids it, `+
			"such as seccomp, SELinux or AppArmor", sysctl, low, high, groups)
	}
	return fmt.Sprintf(`%s is "%d %d", which has none of this process's groups %v: %s`, sysctl, low, high, groups, cure)
}

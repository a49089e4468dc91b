package ping

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/icmpsock/ping/internal/icmpsock"
)

// notPermitted says what is in the way of an ICMP socket, in a line that is complete by itself, and what mends it, in
// a line for each way.
func notPermitted(kind SocketKind, cause error) error {
	p := permit{gidMap: everyGroup, outside: !icmpsock.OwnsNetwork()}
	groups, _ := os.Getgroups()
	for _, group := range append(groups, os.Getegid()) {
		p.groups = append(p.groups, uint32(group)) // an int of 32 bits has those above 2147483647 below 0
	}
	slices.Sort(p.groups)
	p.groups = slices.Compact(p.groups)
	value, _ := os.ReadFile("/proc/sys/net/ipv4/ping_group_range")
	p.value = string(value)
	if gidMap, err := os.ReadFile("/proc/self/gid_map"); err == nil {
		p.gidMap = string(gidMap)
	}
	inTheWay, mended := p.say(kind)
	return fmt.Errorf("%w: %s (%w)%s", ErrNotPermitted, inTheWay, cause, mended)
}

// A permit is what rules whether this process may open ICMP sockets.
type permit struct {
	value   string   // of pingGroupRange, as the kernel shows it
	groups  []uint32 // of this process, in order
	gidMap  string   // of its user namespace: the numbers that groups have there, where they begin outside, and how many
	outside bool     // the network belongs to a user namespace outside of that
}

const (
	pingGroupRange = "net.ipv4.ping_group_range"
	// everyGroup is the gid_map of a user namespace that has all groups.
	everyGroup = "0 0 4294967295"
	// overflowGroup stands for groups that have no number in a user namespace (/proc/sys/kernel/overflowgid).
	overflowGroup = 65534
)

// say says what is in the way of sockets of a kind, and what mends it: each way on a line of its own.
func (p *permit) say(kind SocketKind) (inTheWay, mended string) {
	var ways []string
	inTheWay, shut := p.inTheWay()
	if kind == SocketRaw {
		inTheWay = "raw sockets need CAP_NET_RAW"
		if p.outside {
			inTheWay += " in the user namespace that the network belongs to, which is not this process's"
		}
	} else if shut {
		ways = p.openings()
	}
	switch {
	case kind == SocketDatagram:
	case p.outside:
		ways = append(ways, "outside of this user namespace: run the program there with CAP_NET_RAW")
	default:
		ways = append(ways,
			"give the program CAP_NET_RAW: setcap cap_net_raw+ep PROGRAM",
			"with systemd: AmbientCapabilities=CAP_NET_RAW in the unit",
			"in a container, as root there: docker run --cap-add NET_RAW, or with Kubernetes, "+
				"capabilities.add: [NET_RAW] in the container's securityContext")
	}
	for _, way := range ways {
		mended += "\n\t" + way
	}
	return inTheWay, mended
}

// inTheWay says what forbids datagram sockets, and whether that may be the range of groups.
func (p *permit) inTheWay() (text string, shut bool) {
	var low, high int64
	if _, err := fmt.Sscan(p.value, &low, &high); err != nil {
		return fmt.Sprintf("%s, which cannot be read, may have none of this process's groups %v",
			pingGroupRange, p.groups), true
	}
	is := fmt.Sprintf(`%s is "%d %d"`, pingGroupRange, low, high)
	if !p.hasAll() && (low == overflowGroup || high == overflowGroup) {
		return fmt.Sprintf("%s, where %d may stand for groups that this user namespace does not have; "+
			"this process's groups are %v", is, overflowGroup, p.groups), true
	}
	if slices.ContainsFunc(p.groups, func(g uint32) bool { return low <= int64(g) && int64(g) <= high }) {
		return fmt.Sprintf("%s, which lets this process's groups %v have them: something else forbids it, "+
			"such as seccomp, SELinux or AppArmor", is, p.groups), false
	}
	return fmt.Sprintf("%s, which has none of this process's groups %v", is, p.groups), true
}

// openings are the ways to have the range of groups let this process in.
func (p *permit) openings() []string {
	low, high, ok := p.settable()
	switch assign := fmt.Sprintf(`%s="%d %d"`, pingGroupRange, low, high); {
	case p.outside:
		return []string{"outside of this user namespace, which the network does not belong to, " +
			"as root there: sysctl -w " + pingGroupRange + `="0 2147483647"`}
	case !ok:
		return []string{"map a group of this process into its user namespace: /proc/self/gid_map has none of them"}
	case p.hasAll():
		return waysToSet("as root: ", assign)
	default:
		return waysToSet("as root in this user namespace: ", assign)
	}
}

func waysToSet(who, assign string) []string {
	return []string{
		who + "sysctl -w " + assign,
		"with Docker: docker run --sysctl " + assign,
		"with Kubernetes: the same in the pod's securityContext.sysctls",
	}
}

// settable is a range with one of this process's groups which its user namespace lets be set: the kernel takes two
// groups that are mapped, if they are in order outside as well. So are those of one line of the map. Before Linux 6.4
// it takes none above 2147483647.
func (p *permit) settable() (low, high int64, ok bool) {
	for _, group := range p.groups {
		for line := range strings.Lines(p.gidMap) {
			var first, outside, count int64
			if _, err := fmt.Sscan(line, &first, &outside, &count); err != nil {
				continue
			}
			if g, last := int64(group), first+count-1; first <= g && g <= last {
				return first, max(g, min(last, math.MaxInt32)), true
			}
		}
	}
	return 0, 0, false
}

// hasAll reports whether the user namespace has all groups.
func (p *permit) hasAll() bool {
	return slices.Equal(strings.Fields(p.gidMap), strings.Fields(everyGroup))
}

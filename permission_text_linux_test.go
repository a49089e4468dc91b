package ping_test

import (
	"strings"
	"testing"

	"github.com/icmpsock/ping"
)

// What is in the way is said in one line, for each state that the range of groups can be in and each user namespace;
// and what mends it, with a range that the kernel takes there.
func TestPermitSays(t *testing.T) {
	const (
		all   = "         0          0 4294967295\n"
		kube  = "\twith Kubernetes: the same in the pod's securityContext.sysctls"
		given = "\tgive the program CAP_NET_RAW: setcap cap_net_raw+ep PROGRAM\n" +
			"\twith systemd: AmbientCapabilities=CAP_NET_RAW in the unit\n" +
			"\tin a container, as root there: docker run --cap-add NET_RAW, or with Kubernetes, " +
			"capabilities.add: [NET_RAW] in the container's securityContext"
		unmapped = ", where 65534 may stand for groups that this user namespace does not have; this process's groups are "
	)
	set := func(where, groups string) string {
		assign := `net.ipv4.ping_group_range="` + groups + `"` + "\n"
		return "\tas root" + where + ": sysctl -w " + assign + "\twith Docker: docker run --sysctl " + assign + kube
	}
	const here = " in this user namespace"
	for _, c := range []struct {
		name    string
		kind    ping.SocketKind
		value   string
		groups  []uint32
		gidMap  string
		outside bool
		want    string
	}{
		{
			"nobody, as a kernel begins", ping.SocketDatagram, "1\t0\n", []uint32{0}, all, false,
			`is "1 0", which has none of this process's groups [0]` + "\n" + set("", "0 2147483647"),
		},
		{
			"others", ping.SocketAuto, "100\t200\n", []uint32{99, 201}, all, false,
			`is "100 200", which has none of this process's groups [99 201]` + "\n" + set("", "0 2147483647") + "\n" + given,
		},
		{
			"a group that Linux before 6.4 could not name", ping.SocketDatagram, "0\t2147483647\n",
			[]uint32{3000000000}, all, false,
			`is "0 2147483647", which has none of this process's groups [3000000000]` + "\n" + set("", "0 3000000000"),
		},
		{
			"not the range", ping.SocketDatagram, "100\t200\n", []uint32{7, 200}, all, false,
			`is "100 200", which lets this process's groups [7 200] have them: something else forbids it, ` +
				"such as seccomp, SELinux or AppArmor",
		},
		{
			"not the range, nor raw", ping.SocketAuto, "65534\t65534\n", []uint32{65534}, all, false,
			`is "65534 65534", which lets this process's groups [65534] have them: something else forbids it, ` +
				"such as seccomp, SELinux or AppArmor\n" + given,
		},
		{
			"no /proc", ping.SocketDatagram, "", []uint32{0}, all, false,
			", which cannot be read, may have none of this process's groups [0]\n" + set("", "0 2147483647"),
		},
		{
			"a remapped container", ping.SocketDatagram, "65534\t65534\n", []uint32{0}, "0 100000 65536\n", false,
			`is "65534 65534"` + unmapped + "[0]\n" + set(here, "0 65535"),
		},
		{
			"the same for nobody", ping.SocketDatagram, "65534\t65534\n", []uint32{65534}, "0 100000 65536\n", false,
			`is "65534 65534"` + unmapped + "[65534]\n" + set(here, "0 65535"),
		},
		{
			"root of rootless Podman", ping.SocketDatagram, "65534\t65534\n", []uint32{0}, "0 1000 1\n1 100000 65536\n", false,
			`is "65534 65534"` + unmapped + "[0]\n" + set(here, "0 0"),
		},
		{
			"another of rootless Podman", ping.SocketDatagram, "0\t0\n", []uint32{7, 65534}, "0 1000 1\n1 100000 65536\n", false,
			`is "0 0", which has none of this process's groups [7 65534]` + "\n" + set(here, "1 65536"),
		},
		{
			"mapped out of order", ping.SocketDatagram, "65534\t65534\n", []uint32{12}, "0 200000 10\n10 1000 10\n", false,
			`is "65534 65534"` + unmapped + "[12]\n" + set(here, "10 19"),
		},
		{
			"no group is mapped", ping.SocketDatagram, "65534\t65534\n", []uint32{65534}, "", false,
			`is "65534 65534"` + unmapped + "[65534]\n" +
				"\tmap a group of this process into its user namespace: /proc/self/gid_map has none of them",
		},
		{
			"another's network", ping.SocketAuto, "65534\t65534\n", []uint32{0}, "0 1000 1\n", true,
			`is "65534 65534"` + unmapped + "[0]\n" +
				"\toutside of this user namespace, which the network does not belong to, as root there: " +
				`sysctl -w net.ipv4.ping_group_range="0 2147483647"` + "\n" +
				"\toutside of this user namespace: run the program there with CAP_NET_RAW",
		},
		{"raw", ping.SocketRaw, "1\t0\n", []uint32{0}, all, false, "raw sockets need CAP_NET_RAW\n" + given},
		{
			"raw in another's network", ping.SocketRaw, "1\t0\n", []uint32{0}, "0 1000 1\n", true,
			"raw sockets need CAP_NET_RAW in the user namespace that the network belongs to, which is not this process's\n" +
				"\toutside of this user namespace: run the program there with CAP_NET_RAW",
		},
	} {
		got := ping.PermitSays(c.kind, c.value, c.groups, c.gidMap, c.outside)
		if c.kind != ping.SocketRaw {
			got = strings.TrimPrefix(strings.TrimPrefix(got, "net.ipv4.ping_group_range"), " ")
		}
		if got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

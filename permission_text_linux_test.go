package ping_test

import (
	"strings"
	"testing"

	"github.com/icmpsock/ping"
)

// What is in the way of datagram sockets is said for each state that the range of groups can be in.
func TestInTheWay(t *testing.T) {
	for _, c := range []struct {
		value  string
		groups []int
		want   string
	}{
		{"1\t0\n", []int{0}, `is "1 0", which has none of this process's groups [0]: as root, run sysctl -w`},
		{"100\t200\n", []int{99, 201}, `is "100 200", which has none of this process's groups [99 201]: as root`},
		{"0\t2147483647\n", []int{0, 1000}, `is "0 2147483647", which lets this process's groups [0 1000] have them: something else`},
		{"100\t200\n", []int{7, 200}, `lets this process's groups [7 200] have them`},
		{"", []int{0}, "cannot be read, may have none of this process's groups [0]: as root"},
	} {
		if got := ping.InTheWay(c.value, c.groups); !strings.Contains(got, c.want) {
			t.Errorf("%q, %v: %q, want %q in it", c.value, c.groups, got, c.want)
		}
	}
}

package ping_test

import (
	"net/netip"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/skipped"
)

// Where a chain of Linux routers narrows is found, and who says so, as tracepath(8) does.
func TestTraceMTURouters(t *testing.T) {
	_, hosts := mtuPath(t, 1500, 1500, 1400, 1400, 1300)
	want := map[string][]string{
		hosts[0]: {
			"0 1500", "1 10.77.0.2 1500", "2 10.77.1.2 1500", "3 10.77.2.2 1400 by 10.77.1.2", "4 10.77.3.2 1400",
			"5 10.77.4.2 1300 by 10.77.3.2 reached",
		},
		hosts[1]: {
			"0 1500", "1 2001:db8:100::2 1500", "2 2001:db8:101::2 1500", "3 2001:db8:102::2 1400 by 2001:db8:101::2",
			"4 2001:db8:103::2 1400", "5 2001:db8:104::2 1300 by 2001:db8:103::2 reached",
		},
	}
	// This first: it asks the kernel what it has learned of the path.
	t.Run("beside tracepath", func(t *testing.T) {
		for _, host := range hosts {
			tracepath(t, host, want[host])
		}
	})
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		for host, hops := range want {
			if got := mtuHops(t, p, host); !slices.Equal(got, hops) {
				t.Errorf("got  %q\nwant %q", got, hops)
			}
		}
	})
}

// tracepath checks that tracepath(8), if it is here, finds the same narrowings.
func tracepath(t *testing.T, host string, hops []string) {
	t.Helper()
	path, err := exec.LookPath("tracepath")
	if err != nil {
		skipped.Test(t, "no tracepath")
	}
	out, err := exec.Command(path, "-n", host).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, m := range regexp.MustCompile(`(?m)^ *\d+\??: +(\S+) .*pmtu (\d+)`).FindAllStringSubmatch(string(out), -1) {
		if a, err := netip.ParseAddr(m[1]); err == nil {
			got = append(got, m[2]+" by "+a.String())
		} else {
			got = append(got, m[2])
		}
	}
	narrowing := regexp.MustCompile(` (\d+ by \S+)`)
	for i, h := range hops {
		if i == 0 {
			want = append(want, strconv.Itoa(1500))
		} else if m := narrowing.FindStringSubmatch(h); m != nil {
			want = append(want, m[1])
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("tracepath has %q, want %q:\n%s", got, want, out)
	}
}

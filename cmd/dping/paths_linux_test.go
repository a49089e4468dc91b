package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/paths"
)

// A way through Linux's routers is watched, and is the only one.
func TestWatchAndPaths(t *testing.T) {
	netlab.Require(t)
	threeHops(t)
	const stats = ` +0\.0%     3( +\d+\.\d{3}){5}\n`
	for _, host := range []string{"10.66.2.2", "2001:db8:662::2"} {
		near, far := "10.66.0.2", "10.66.1.2"
		if strings.Contains(host, ":") {
			near, far = "2001:db8:660::2", "2001:db8:661::2"
		}
		wantRun(t, "-watch -n -c 3 -i 20ms "+host, 0,
			`WATCH `+host+` \(`+host+`\) +loss +sent .*\n 1  `+near+stats+` 2  `+far+stats+` 3  `+host+stats, ``)
		wantRun(t, "-paths -c 3 -i 10ms "+host, 0,
			`PATHS `+host+` \(`+host+`\): 1 path, 2 routers, 3 links, with a probability of 0\.05 .*\n`+
				`1  flow 1  loss 0\.0% of 3  rtt min/median/max \S+ ms\n    `+near+`  `+far+`  `+host+`\n`, ``)
		wantRun(t, "-paths -dot "+host, 0, `digraph paths {\n(.|\n)*\there -> n0\n\tn0 -> n1\n\tn1 -> n2\n}\n`, ``)
	}

	status, stdout, _ := dping(t, "-paths", "-json", "10.66.2.2")
	var got struct {
		Host  string
		Paths paths.Graph
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || status != 0 {
		t.Fatalf("%v, exit status %d: %s", err, status, stdout)
	}
	if g := got.Paths; got.Host != "10.66.2.2" || len(g.Nodes) != 3 || len(g.Paths) != 1 || !g.Paths[0].Reached {
		t.Errorf("got %s", stdout)
	}

	status, stdout, _ = dping(t, "-watch", "-json", "-n", "-c", "2", "-i", "20ms", "10.66.2.2")
	if status != 0 || strings.Count(stdout, `"hop":{"distance":`) != 3 {
		t.Errorf("exit status %d: %s", status, stdout)
	}
}

// What is not reached is exit status 1, what cannot be sent 2.
func TestPathsErrors(t *testing.T) {
	netlab.Require(t)
	wantRun(t, "-paths "+far, 2, ``, `dping: .*network is unreachable\n`)
	const noRoute = `dping: 203\.0\.113\.9: .*network is unreachable\n`
	wantRun(t, "-watch -c 2 -i 10ms "+far, 2, `WATCH .*\n 1  \* .*\n`, noRoute)
	wantRun(t, "-trace -c 100 -i 1h "+far, 2, ``, noRoute)
	wantRun(t, "-trace -c 100 -i 1h -json "+far, 2, `{"host":"203\.0\.113\.9","kind":"not_sent","error":".*"}\n`, noRoute)
	wantRun(t, "-watch -c 1 -m 1 -W 10ms nobody.invalid", 2, ``, `dping: nobody\.invalid: .*\n`)
}

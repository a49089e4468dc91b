//go:build linux

package main

import "fmt"

// The rows about packets that are too big, and about targets that are refused.

func pathMTUCalls() row {
	const one, big = "PathMTU", "Ping, 1,501 bytes"
	calls := []string{"sendmsg", "sendmmsg", "sendto", "recvmsg", "recvmmsg", "recvfrom", "getsockopt"}
	watched := func(name string, j job) contender {
		c := setting{counted: true}.job(name, j)
		c.lacks = cannotCount()
		return c
	}
	limit := atMost(24)
	r := row{
		name:  "path-mtu-calls",
		title: fmt.Sprintf("system calls over a link of %s bytes", number(linkMTU)),
		contenders: []contender{
			watched(one, job{Work: "path-mtu", Targets: 1}),
			watched(big, job{Work: "too-big", Echoes: 1}),
		},
		figures: []figure{{name: "together", of: func(s sample) float64 { return s.calls(calls...) },
			targets: map[string]target{one: limit, big: limit}, checked: true}},
		around: link,
	}
	for _, call := range calls {
		r.figures = append(r.figures, figure{name: call, of: func(s sample) float64 { return s.calls(call) }})
	}
	return r
}

func pathMTUs() row {
	const targets = 100
	const together = "100 PathMTUs at once"
	return row{
		name:  "path-mtu",
		title: fmt.Sprintf("over a link of %s bytes", number(linkMTU)),
		contenders: []contender{
			setting{}.job("PathMTU", job{Work: "path-mtu", Targets: 1}),
			setting{}.job(together, job{Work: "path-mtu", Targets: targets}),
		},
		figures: []figure{
			{name: "seconds", of: sample.seconds, targets: map[string]target{together: atMost(1)}},
			{name: "CPU, ms", of: sample.cpuMillis},
		},
		around: link,
	}
}

func refused(z size) row {
	const alone, beside = "Ping", "Ping beside refused"
	return row{
		name:  "refused",
		title: "a healthy host beside 20 Streams that a local firewall rejects",
		contenders: []contender{
			setting{}.job(alone, job{Work: "healthy", Length: z.healthy}),
			setting{}.job(beside, job{Work: "healthy", Targets: 20, Length: z.healthy}),
		},
		figures: []figure{
			{name: "p99 beyond RTT, ms", of: func(s sample) float64 { return s.rtt(0.99) / 1000 }},
			{name: "max beyond RTT, ms", of: func(s sample) float64 { return s.rtt(1) / 1000 }},
			{name: "added, ms", of: func(s sample) float64 { return s.rtt(1) / 1000 }, against: alone, relate: difference,
				targets: map[string]target{beside: atMost(1)}},
		},
		around: refuse,
	}
}

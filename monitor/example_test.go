package monitor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"net/netip"
	"text/tabwriter"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
)

// networkOf is a network in memory, a Pinger over it, and the option by which a Monitor finds its names. A program has
// ping.New() instead, and needs no option.
func networkOf(names ...string) (*pingtest.Network, *ping.Pinger, monitor.Option) {
	n := pingtest.NewNetwork()
	for i, name := range names {
		n.Host(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}).String(), pingtest.Names(name))
	}
	p, err := ping.New(n.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	return n, p, monitor.WithResolver(n)
}

// start has a Monitor run; stop ends that.
func start(m *monitor.Monitor) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			log.Fatal(err)
		}
	}
}

// A target is watched, until the first change.
func Example() {
	n, pinger, names := networkOf("db1.example")
	n.Host("192.0.2.1", pingtest.RTT(3*time.Millisecond))
	defer pinger.Close()
	m := monitor.New(pinger, names)
	if err := m.Add(monitor.Target{Name: "db1", Host: "db1.example", Interval: 20 * time.Millisecond}); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	changes := m.Changes(ctx)
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	for c := range changes {
		fmt.Println(c)
		break
	}
	s, _ := m.Get("db1")
	fmt.Println(s.State, s.Addr, s.Loss(time.Minute), s.Percentile(time.Minute, 0.5) >= 3*time.Millisecond)
	cancel()
	fmt.Println(<-ended)
	// Output:
	// db1: unknown -> up
	// up 192.0.2.1 0 true
	// <nil>
}

// A service that is ready while its three peers can be reached: http.Handle("/readyz", m.Handler()).
func ExampleMonitor_Handler() {
	_, pinger, names := networkOf("db.example", "cache.example", "queue.example")
	defer pinger.Close()
	m := monitor.New(pinger, names)
	for _, host := range []string{"db.example", "cache.example", "queue.example"} {
		if err := m.Add(monitor.Target{Host: host, Interval: 20 * time.Millisecond}); err != nil {
			log.Fatal(err)
		}
	}
	readyz := m.Handler()
	answer := func() int {
		w := httptest.NewRecorder()
		readyz.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		return w.Code
	}
	fmt.Println(answer())

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	changes := m.Changes(ctx)
	defer start(m)()
	up := 0
	for c := range changes {
		if c.To == monitor.Up {
			up++
		}
		if up == 3 {
			break
		}
	}
	fmt.Println(answer(), m.Ready("db.example", "queue.example")(ctx))
	// Output:
	// 503
	// 200 <nil>
}

// A fail-over: what goes to the primary goes to the other one while that is down.
func ExampleWithOnChange() {
	n, pinger, names := networkOf("primary.example", "standby.example")
	defer pinger.Close()
	moves := make(chan string, 10)
	m := monitor.New(pinger, names, monitor.WithOnChange(func(c monitor.Change) {
		if c.Kind == monitor.StateChanged && c.Target.Labels["role"] == "primary" {
			switch c.To {
			case monitor.Up:
				moves <- "to the primary"
			case monitor.Down:
				moves <- "to the standby: " + c.Reason.String()
			}
		}
	}))
	defer start(m)()
	err := m.Add(monitor.Target{
		Host:     "primary.example",
		Labels:   map[string]string{"role": "primary"},
		Interval: 20 * time.Millisecond,
		Timeout:  100 * time.Millisecond,
		Fall:     3,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-moves)
	n.Host("192.0.2.1", pingtest.Down())
	fmt.Println(<-moves)
	n.Host("192.0.2.1", pingtest.Up())
	fmt.Println(<-moves)
	// Output:
	// to the primary
	// to the standby: timeout
	// to the primary
}

// A table of 500 targets, each second.
func ExampleMonitor_All() {
	n, pinger, names := networkOf()
	defer pinger.Close()
	var screen io.Writer = io.Discard // os.Stdout, in a program

	m := monitor.New(pinger, names)
	for i := range 500 {
		host := fmt.Sprintf("10.0.%d.%d", i/250, i%250+1)
		n.Host(host)
		if err := m.Add(monitor.Target{Host: host, Interval: 50 * time.Millisecond}); err != nil {
			log.Fatal(err)
		}
	}
	defer start(m)()
	for up := 0; up < 500; time.Sleep(100 * time.Millisecond) { // a program goes on
		up = 0
		table := tabwriter.NewWriter(screen, 0, 0, 2, ' ', 0)
		for s := range m.All() {
			fmt.Fprintf(table, "%s\t%v\t%.1f%%\t%v\t%s\n", s.Target.Name, s.State, 100*s.Loss(time.Minute),
				s.Percentile(time.Minute, 0.99), s.Sparkline(5*time.Minute, 20))
			if s.State == monitor.Up {
				up++
			}
		}
		table.Flush()
	}
	fmt.Println("all are up")
	// Output: all are up
}

// A cluster is up while two of its three members are.
func ExampleMonitor_AddGroup() {
	_, pinger, names := networkOf("a.example", "b.example", "c.example")
	defer pinger.Close()
	m := monitor.New(pinger, names)
	members := []string{"a.example", "b.example", "c.example"}
	for _, host := range members {
		if err := m.Add(monitor.Target{Host: host, Interval: 20 * time.Millisecond}); err != nil {
			log.Fatal(err)
		}
	}
	if err := m.AddGroup(monitor.Group{Name: "cluster", Members: members, Need: 2}); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	changes := m.Changes(ctx)
	defer start(m)()
	for c := range changes {
		if c.Kind == monitor.GroupChanged {
			fmt.Println(c)
			break
		}
	}
	fmt.Println(m.Ready("cluster")(ctx))
	// Output:
	// group cluster: unknown -> up
	// <nil>
}

// Statuses is what an exporter of metrics reads: counters and a histogram for each target, without the windows.
func ExampleMonitor_Statuses() {
	_, pinger, names := networkOf("a.example")
	defer pinger.Close()
	m := monitor.New(pinger, names)
	if err := m.Add(monitor.Target{Host: "a.example"}); err != nil {
		log.Fatal(err)
	}
	for s := range m.Statuses() {
		sum := uint64(0)
		for i, n := range s.Counts.RTTs {
			sum += n // of those of RTTBound(i) seconds at most
			_ = monitor.RTTBound(i)
		}
		fmt.Println(s.Target.Name, s.State, s.Counts.Sent, sum == s.Counts.Received)
	}
	// Output: a.example unknown 0 true
}

// Targets come from a file of a program's configuration; durations are in nanoseconds.
func ExampleTarget() {
	const file = `[{"host": "a.example", "interval_ns": 500000000, "addresses": "each", "labels": {"site": "fra"}}]`
	var targets []monitor.Target
	if err := json.Unmarshal([]byte(file), &targets); err != nil {
		log.Fatal(err)
	}
	for _, t := range targets {
		fmt.Println(t.Host, t.Interval, t.Addresses, t.Labels["site"])
	}
	err := json.Unmarshal([]byte(`{"addresses": "all"}`), new(monitor.Target))
	fmt.Println(err)
	// Output:
	// a.example 500ms each fra
	// "all": want "first", "any" or "each"
}

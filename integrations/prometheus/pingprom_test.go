package pingprom_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	pingprom "github.com/icmpsock/ping/integrations/prometheus"
	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

const ms = time.Millisecond

// several returns a Monitor of several targets, each of which does otherwise.
func several(t *testing.T) *monitor.Monitor {
	n := pingtest.NewNetwork()
	n.Host("192.0.2.1", pingtest.RTT(3*ms), pingtest.Names("db.example"))
	n.Host("192.0.2.2", pingtest.Silent())
	n.Host("192.0.2.3", pingtest.Behind(n.Host("198.51.100.1")), pingtest.Unreachable("198.51.100.1"))
	n.Host("192.0.2.4", pingtest.SendError(syscall.EPERM))
	m := running(t, n,
		monitor.Target{Name: "db", Host: "db.example", Labels: map[string]string{"site": "a\n\"b\"", "rack": "r1"}},
		monitor.Target{Name: "gone", Host: "192.0.2.2", Labels: map[string]string{"rack": "r2\xff"}},
		monitor.Target{Name: "refused", Host: "192.0.2.3"},
		monitor.Target{Name: "barred", Host: "192.0.2.4"},
		monitor.Target{Name: "nameless", Host: "nowhere.example"},
	)
	if err := m.AddGroup(monitor.Group{Name: "all", Members: []string{"db", "gone", "absent"}, Need: 1}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10*time.Second + 500*ms)
	return m
}

// The text is what Prometheus reads.
func TestText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := pingprom.NewGatherer(several(t), pingprom.WithLabels("site", "rack"),
			pingprom.WithHistogram(pingprom.ClassicHistogram))
		if err != nil {
			t.Fatal(err)
		}
		got := text(t, g)
		for _, want := range []string{
			`# TYPE ping_probes_total counter
ping_probes_total{rack="",result="answered",site="",target="barred"} 0
ping_probes_total{rack="",result="timeout",site="",target="barred"} 0
ping_probes_total{rack="",result="refused",site="",target="barred"} 0
ping_probes_total{rack="",result="local_drop",site="",target="barred"} 0
ping_probes_total{rack="",result="not_sent",site="",target="barred"} 10
ping_probes_total{rack="r1",result="answered",site="a\n\"b\"",target="db"} 10
ping_probes_total{rack="r1",result="timeout",site="a\n\"b\"",target="db"} 0
`,
			"ping_probes_total{rack=\"r2\uFFFD\",result=\"timeout\",site=\"\",target=\"gone\"} 9\n",
			"ping_probes_total{rack=\"\",result=\"refused\",site=\"\",target=\"refused\"} 10\n",
			`ping_rtt_seconds_bucket{rack="r1",site="a\n\"b\"",target="db",le="0.001953125"} 0
ping_rtt_seconds_bucket{rack="r1",site="a\n\"b\"",target="db",le="0.00390625"} 10
`,
			`ping_rtt_seconds_bucket{rack="r1",site="a\n\"b\"",target="db",le="4"} 10
ping_rtt_seconds_bucket{rack="r1",site="a\n\"b\"",target="db",le="+Inf"} 10
ping_rtt_seconds_sum{rack="r1",site="a\n\"b\"",target="db"} 0.03
ping_rtt_seconds_count{rack="r1",site="a\n\"b\"",target="db"} 10
`,
			`# TYPE ping_target_info gauge
ping_target_info{address="192.0.2.4",host="192.0.2.4",rack="",site="",target="barred"} 1
ping_target_info{address="192.0.2.1",host="db.example",rack="r1",site="a\n\"b\"",target="db"} 1
`,
			`ping_target_info{address="",host="nowhere.example",rack="",site="",target="nameless"} 1
`,
			"ping_target_downs_total{rack=\"r2\uFFFD\",site=\"\",target=\"gone\"} 1\n",
			`# TYPE ping_target_up gauge
ping_target_up{rack="",site="",target="barred"} 0
ping_target_up{rack="r1",site="a\n\"b\"",target="db"} 1
`,
			`# TYPE ping_group_members gauge
ping_group_members{group="all",state="down"} 1
ping_group_members{group="all",state="unknown"} 1
ping_group_members{group="all",state="up"} 1
# HELP`,
			"ping_group_needed_members{group=\"all\"} 1\n",
			"ping_group_up{group=\"all\"} 1\n",
			`ping_monitor_targets{state="unknown"} 1
ping_monitor_targets{state="up"} 1
ping_monitor_targets{state="down"} 3
`,
			"ping_monitor_cut_off 0\n",
			"ping_monitor_suspicions_total 3\n",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("the text lacks\n%s", want)
			}
		}
		if strings.Contains(got, `ping_target_up{rack="",site="",target="nameless"}`) {
			t.Error("a target of which nothing is known is up or down")
		}
		if t.Failed() {
			t.Log(got)
		}
	})
}

// In whichever form, the metrics are as Prometheus's own checks want them, and a Collector's are a Gatherer's.
func TestForms(t *testing.T) {
	for h := pingprom.NativeHistogram; h <= pingprom.NoHistogram; h++ {
		t.Run(h.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := several(t)
				c, err := pingprom.NewCollector(m, pingprom.WithHistogram(h), pingprom.WithLabels("site", "rack"))
				if err != nil {
					t.Fatal(err)
				}
				g, err := pingprom.NewGatherer(m, pingprom.WithHistogram(h), pingprom.WithLabels("site", "rack"))
				if err != nil {
					t.Fatal(err)
				}
				r := prometheus.NewPedanticRegistry()
				r.MustRegister(c)
				problems, err := testutil.GatherAndLint(r)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range problems {
					t.Errorf("%s: %s", p.Metric, p.Text)
				}
				a, b := text(t, prometheus.ToTransactionalGatherer(r)), text(t, g)
				if sorted(a) != sorted(b) {
					t.Errorf("the Collector tells\n%s\nand the Gatherer\n%s", a, b)
				}
				told, done, _ := g.Gather()
				defer done()
				if !slices.IsSortedFunc(told, func(a, b *metricFamily) int {
					return strings.Compare(a.GetName(), b.GetName())
				}) {
					t.Error("the metrics are not in order of their names")
				}
				for _, f := range told {
					for _, metric := range f.Metric {
						if !slices.IsSortedFunc(metric.Label, func(a, b *labelPair) int {
							return strings.Compare(a.GetName(), b.GetName())
						}) {
							t.Errorf("%s: the labels are not in order: %v", f.GetName(), metric.Label)
						}
					}
				}
			})
		})
	}
}

func sorted(text string) string {
	lines := strings.SplitAfter(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// What was removed is gone from the next scrape, and what was changed has its labels as they are now.
func TestChangedTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		n.Host("192.0.2.1", pingtest.Names("moves.example"))
		n.Host("192.0.2.2")
		n.Host("192.0.2.3")
		m := running(t, n, monitor.Target{Name: "a", Host: "moves.example"}, monitor.Target{Name: "b", Host: "192.0.2.2"})
		g, err := pingprom.NewGatherer(m, pingprom.WithLabels("site"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		want := func(want string) {
			t.Helper()
			got := text(t, g, "ping_target_info", "ping_target_up")
			if got != want {
				t.Errorf("told\n%s\nwant\n%s", got, want)
			}
		}
		want(`ping_target_info{address="192.0.2.1",host="moves.example",site="",target="a"} 1
ping_target_info{address="192.0.2.2",host="192.0.2.2",site="",target="b"} 1
ping_target_up{site="",target="a"} 1
ping_target_up{site="",target="b"} 1
`)
		m.Remove("b")
		add(t, m, monitor.Target{Name: "a", Host: "moves.example", Labels: map[string]string{"site": "x", "rack": "y"}})
		want(`ping_target_info{address="192.0.2.1",host="moves.example",site="x",target="a"} 1
ping_target_up{site="x",target="a"} 1
`)
		if strings.Contains(text(t, g), `"b"`) || g.Kept() != 1 {
			t.Errorf("of a target that was removed something is left: the metrics of %d targets", g.Kept())
		}
		n.Host("192.0.2.1", pingtest.Names(), pingtest.Down())
		n.Host("192.0.2.3", pingtest.Names("moves.example"))
		time.Sleep(2 * time.Minute)
		want(`ping_target_info{address="192.0.2.3",host="moves.example",site="x",target="a"} 1
ping_target_up{site="x",target="a"} 1
`)
		add(t, m, monitor.Target{Name: "a", Host: "192.0.2.3", Labels: map[string]string{"site": "x"}})
		want(`ping_target_info{address="192.0.2.3",host="192.0.2.3",site="x",target="a"} 1
`)
	})
}

// A counter only grows: an answer that comes late is counted beside the timeout, and does not take it away.
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		n.Host("192.0.2.1", pingtest.RTT(1500*ms))
		m := running(t, n, monitor.Target{Name: "slow", Host: "192.0.2.1"})
		g, err := pingprom.NewGatherer(m)
		if err != nil {
			t.Fatal(err)
		}
		last := map[string]float64{}
		for range 100 {
			time.Sleep(100 * ms)
			told, done, _ := g.Gather()
			for _, f := range told {
				for _, metric := range f.Metric {
					if metric.Counter == nil {
						continue
					}
					name := fmt.Sprint(f.GetName(), metric.Label)
					if metric.Counter.GetValue() < last[name] {
						t.Errorf("%s fell from %v to %v", name, last[name], metric.Counter.GetValue())
					}
					last[name] = metric.Counter.GetValue()
				}
			}
			done()
		}
		const want = `ping_anomalies_total{kind="late",target="slow"} 9
ping_probes_total{result="timeout",target="slow"} 9
`
		if got := text(t, g, `ping_anomalies_total{kind="late"`, `ping_probes_total{result="timeout"`); got != want {
			t.Errorf("told\n%s\nwant\n%s", got, want)
		}
	})
}

func TestBadOptions(t *testing.T) {
	m := monitor.New(pingtest.NewNetwork().Pinger(t))
	for _, test := range []struct {
		monitor *monitor.Monitor
		option  pingprom.Option
		want    string
	}{
		{nil, pingprom.WithLabels(), "pingprom: want a Monitor, not nil"},
		{m, nil, "pingprom: option 0 is nil"},
		{m, pingprom.WithHistogram(9), "pingprom: WithHistogram(Histogram(9)): want NativeHistogram, ClassicHistogram, " +
			"BothHistograms or NoHistogram"},
		{m, pingprom.WithLabels("site", "my-site"), `pingprom: WithLabels("my-site"): no name of a label: want letters, ` +
			`digits and _, with no digit first`},
		{m, pingprom.WithLabels("9"), `pingprom: WithLabels("9"): no name of a label: want letters, digits and _, ` +
			`with no digit first`},
		{m, pingprom.WithLabels("höhe"), `pingprom: WithLabels("höhe"): no name of a label: want letters, digits and _, ` +
			`with no digit first`},
		{m, pingprom.WithLabels(""), `pingprom: WithLabels(""): no name of a label: want letters, digits and _, ` +
			`with no digit first`},
		{m, pingprom.WithLabels("__name__"), `pingprom: WithLabels("__name__"): Prometheus keeps names that begin with ` +
			`__ to itself`},
		{m, pingprom.WithLabels("host"), `pingprom: WithLabels("host"): the metrics have a label of that name: want ` +
			`another than address, host, kind, le, quantile, result, target`},
		{m, pingprom.WithLabels("site", "rack", "site"), `pingprom: WithLabels("site"): named twice`},
	} {
		_, first := pingprom.NewGatherer(test.monitor, test.option)
		_, second := pingprom.NewCollector(test.monitor, test.option)
		if first == nil || first.Error() != test.want || second == nil || second.Error() != test.want {
			t.Errorf("%v, and %v, want %s", first, second, test.want)
		}
	}
	if _, err := pingprom.NewGatherer(m, pingprom.WithLabels("site", "Z9_"), pingprom.WithLabels("rack")); err != nil {
		t.Error(err)
	}
	for h, want := range []string{"native", "classic", "both", "none", "Histogram(4)"} {
		if got := pingprom.Histogram(h).String(); got != want {
			t.Errorf("Histogram %d is %q, want %q", h, got, want)
		}
	}
}

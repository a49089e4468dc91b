package pingotel_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	pingotel "github.com/icmpsock/ping/integrations/otel"
	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

const ms = time.Millisecond

// several returns a Monitor of several targets, each of which does otherwise.
func several(t *testing.T) *monitor.Monitor {
	n := pingtest.NewNetwork()
	n.Host("192.0.2.1", pingtest.RTT(3*ms), pingtest.Names("db.example"))
	n.Host("192.0.2.2", pingtest.RTT(1500*ms))
	n.Host("192.0.2.3", pingtest.Behind(n.Host("198.51.100.1")), pingtest.Unreachable("198.51.100.1"))
	n.Host("192.0.2.4", pingtest.SendError(syscall.EPERM))
	m := running(t, n,
		monitor.Target{Name: "db", Host: "db.example", Labels: map[string]string{"site": "a", "rack": "\xff"}},
		monitor.Target{Name: "slow", Host: "192.0.2.2", Labels: map[string]string{"rack": "r2"}},
		monitor.Target{Name: "refused", Host: "192.0.2.3"},
		monitor.Target{Name: "barred", Host: "192.0.2.4"},
		monitor.Target{Name: "nameless", Host: "nowhere.example"},
	)
	if err := m.AddGroup(monitor.Group{Name: "all", Members: []string{"db", "slow", "absent"}, Need: 1}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10*time.Second + 500*ms)
	return m
}

// byProducer returns a reader of a Producer, and byInstruments one of Register's instruments.
func byProducer(t testing.TB, m *monitor.Monitor, opts ...pingotel.Option) metric.Reader {
	t.Helper()
	p, err := pingotel.NewProducer(m, opts...)
	if err != nil {
		t.Fatal(err)
	}
	r := metric.NewManualReader(metric.WithProducer(p))
	metric.NewMeterProvider(metric.WithReader(r))
	return r
}

func byInstruments(t testing.TB, m *monitor.Monitor, opts ...pingotel.Option) (metric.Reader, func() error) {
	t.Helper()
	r := metric.NewManualReader()
	registration, err := pingotel.Register(
		metric.NewMeterProvider(metric.WithReader(r), metric.WithCardinalityLimit(0)), m, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return r, registration.Unregister
}

// Both ways tell the same.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := several(t)
		labels := pingotel.WithLabels("site", "rack")
		reader, unregister := byInstruments(t, m, labels)
		told := collected(t, reader)
		got := text(told)
		for _, want := range []string{
			"counter {probe} ping.probes{ping.target=db,rack=\uFFFD,server.address=db.example,site=a} 10\n",
			"counter {probe} ping.probes{error.type=timeout,ping.target=slow,rack=r2,server.address=192.0.2.2} 10\n",
			"counter {answer} ping.anomalies{ping.anomaly=late,ping.target=slow,rack=r2,server.address=192.0.2.2} 9\n",
			"counter {answer} ping.anomalies{ping.anomaly=stray,ping.target=slow,rack=r2,server.address=192.0.2.2} 0\n",
			"counter {probe} ping.probes{error.type=refused,ping.target=refused,server.address=192.0.2.3} 10\n",
			"counter {probe} ping.probes{error.type=timeout,ping.target=refused,server.address=192.0.2.3} 0\n",
			"counter {probe} ping.probes{error.type=not_sent,ping.target=barred,server.address=192.0.2.4} 10\n",
			"counter {down} ping.target.downs{ping.target=slow,rack=r2,server.address=192.0.2.2} 1\n",
			"gauge {target} ping.target.up{ping.target=slow,rack=r2,server.address=192.0.2.2} 0\n",
			"gauge {target} ping.target.up{ping.target=db,rack=\uFFFD,server.address=db.example,site=a} 1\n",
			"gauge {target} ping.group.members{ping.group=all,ping.state=unknown} 1\n",
			"gauge {target} ping.group.needed_members{ping.group=all} 1\n",
			"gauge {group} ping.group.up{ping.group=all} 1\n",
			"gauge {target} ping.monitor.targets{ping.state=down} 3\n",
			"gauge {host} ping.monitor.cut_off{} 0\n",
			"counter {event} ping.monitor.suspicions{} 3\n",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("what is told lacks %s", want)
			}
		}
		if strings.Contains(got, "ping.target.up{ping.target=nameless") {
			t.Error("a target of which nothing is known is up or down")
		}
		if other := text(collected(t, byProducer(t, m, labels))); other != got {
			t.Errorf("the Producer tells\n%s", other)
		}
		if t.Failed() {
			t.Log(got)
		}
		sum := 0.
		for _, p := range find[metricdata.Sum[float64]](t, told, "ping.rtt_sum").DataPoints {
			sum += p.Value
		}
		if sum != 0.03 {
			t.Errorf("the sum of the RTTs is %v, want 0.03", sum)
		}
		if err := unregister(); err != nil {
			t.Error(err)
		}
		var none metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &none); err != nil || len(none.ScopeMetrics) > 0 {
			t.Errorf("what is not registered any more tells %v, %v", none.ScopeMetrics, err)
		}
	})
}

// The buckets are those that the SDK puts the same RTTs in; the shortest are in the zero bucket.
func TestHistogram(t *testing.T) {
	reader := metric.NewManualReader()
	own, err := metric.NewMeterProvider(metric.WithReader(reader), metric.WithView(metric.NewView(
		metric.Instrument{Name: "own"},
		metric.Stream{Aggregation: metric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 1}},
	))).Meter("github.com/icmpsock/ping/integrations/otel").Float64Histogram("own")
	if err != nil {
		t.Fatal(err)
	}
	var rtts []time.Duration
	short := uint64(0)
	for exponent := -16.; exponent < 2.5; exponent += 0.25 {
		bound := time.Duration(1e9 * math.Exp2(exponent))
		for range 1 + len(rtts)%3 {
			rtts = append(rtts, bound-1, bound, bound+1)
		}
	}
	sum := 0.
	for _, rtt := range rtts {
		if sum += rtt.Seconds(); rtt.Seconds() <= math.Exp2(-15) {
			short++
		} else {
			own.Record(t.Context(), rtt.Seconds())
		}
	}
	want := find[metricdata.ExponentialHistogram[float64]](t, collected(t, reader), "own").DataPoints[0]
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		next := 0
		n.Host("192.0.2.1", pingtest.RTTFrom(func(*rand.Rand) time.Duration {
			if next == len(rtts) {
				return time.Hour
			}
			next++
			return rtts[next-1]
		}))
		const interval = 10 * time.Second
		m := running(t, n, monitor.Target{Host: "192.0.2.1", Interval: interval, Timeout: interval})
		time.Sleep(time.Duration(len(rtts)+1) * interval)
		got := find[metricdata.ExponentialHistogram[float64]](t, collected(t, byProducer(t, m)), "ping.rtt").DataPoints[0]
		if got.ZeroCount != short || got.ZeroThreshold != math.Exp2(-15) || got.Count != want.Count+short ||
			math.Abs(got.Sum-sum) > 1e-6 || got.Scale != want.Scale {
			t.Errorf("%+v, want %d in the zero bucket, and %+v", got, short, want)
		}
		a, b := spread(got.PositiveBucket), spread(want.PositiveBucket)
		for i := int32(-40); i < 40; i++ {
			if a[i] != b[i] {
				t.Errorf("bucket %d, from %v s, has %d, want %d", i, math.Exp2(float64(i)/2), a[i], b[i])
			}
		}
		if len(a) != 35 {
			t.Errorf("%d buckets", len(a))
		}
	})
}

func spread(b metricdata.ExponentialBucket) map[int32]uint64 {
	buckets := make(map[int32]uint64)
	for i, n := range b.Counts {
		buckets[b.Offset+int32(i)] = n
	}
	return buckets
}

// What was removed is gone from the next collection, what was changed has its attributes as they are now, and a
// counter that begins anew says so.
func TestChangedTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		n.Host("192.0.2.1")
		n.Host("192.0.2.2")
		m := running(t, n, monitor.Target{Name: "a", Host: "192.0.2.1"}, monitor.Target{Name: "b", Host: "192.0.2.2"})
		begun := time.Now()
		time.Sleep(5 * time.Second) // what has been counted by then has been counted since begun
		labels := pingotel.WithLabels("site")
		producer := byProducer(t, m, labels)
		instruments, _ := byInstruments(t, m, labels)
		want := func(want string, starts ...time.Duration) {
			t.Helper()
			for _, r := range []metric.Reader{producer, instruments} {
				var lines strings.Builder
				for line := range strings.Lines(text(collected(t, r))) {
					if strings.Contains(line, "ping.target.up") {
						lines.WriteString(line)
					}
				}
				if got := lines.String(); got != want {
					t.Errorf("told\n%s\nwant\n%s", got, want)
				}
			}
			told := collected(t, producer)
			if p := find[metricdata.Sum[int64]](t, told, "ping.monitor.lookups").DataPoints[0]; p.StartTime != begun {
				t.Errorf("the Monitor counts since %v, want %v", p.StartTime, begun)
			}
			downs := find[metricdata.Sum[int64]](t, told, "ping.target.downs").DataPoints
			if len(downs) != len(starts) {
				t.Fatalf("%d points, want %d", len(downs), len(starts))
			}
			for i, p := range downs {
				if got := p.StartTime.Sub(begun); got != starts[i] || p.Time != time.Now() {
					t.Errorf("point %d is from %v, want %v, to %v", i, got, starts[i], p.Time)
				}
			}
		}
		time.Sleep(5 * time.Second)
		want(`gauge {target} ping.target.up{ping.target=a,server.address=192.0.2.1} 1
gauge {target} ping.target.up{ping.target=b,server.address=192.0.2.2} 1
`, 0, 0)
		m.Remove("b")
		add(t, m, monitor.Target{Name: "a", Host: "192.0.2.1", Labels: map[string]string{"site": "x", "rack": "y"}})
		time.Sleep(10 * time.Second)
		want(`gauge {target} ping.target.up{ping.target=a,server.address=192.0.2.1,site=x} 1
`, 0)
		m.Remove("a")
		add(t, m, monitor.Target{Name: "a", Host: "192.0.2.1", Labels: map[string]string{"site": "x"}})
		time.Sleep(5 * time.Second)
		want(`gauge {target} ping.target.up{ping.target=a,server.address=192.0.2.1,site=x} 1
`, 20*time.Second)
	})
}

// Of what was removed nothing is kept, and what is told is valid UTF-8, whatever hosts and Labels are.
func TestKept(t *testing.T) {
	m := monitor.New(pingtest.NewNetwork().Pinger(t))
	const bad = "\xff"
	add(t, m, monitor.Target{Host: "192.0.2.1"},
		monitor.Target{Name: "bad", Host: bad, Labels: map[string]string{"site": bad}})
	p, err := pingotel.NewProducer(m, pingotel.WithLabels("site"))
	if err != nil {
		t.Fatal(err)
	}
	told, err := p.Produce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, metric := range told[0].Metrics {
		if data, ok := metric.Data.(metricdata.Gauge[int64]); ok {
			for _, p := range data.DataPoints {
				for _, a := range p.Attributes.ToSlice() {
					if !utf8.ValidString(a.Value.AsString()) {
						t.Errorf("%s: %s is not valid UTF-8", metric.Name, a.Key)
					}
				}
			}
		}
	}
	m.Remove("192.0.2.1")
	if _, err := p.Produce(t.Context()); err != nil || p.Kept() != 1 {
		t.Errorf("something is kept of %d targets, want 1; %v", p.Kept(), err)
	}
}

// A Producer has no limit of targets.
func TestManyTargets(t *testing.T) {
	const targets = 3000
	m := monitor.New(pingtest.NewNetwork().Pinger(t))
	for i := range targets {
		add(t, m, monitor.Target{Host: address(i)})
	}
	told := collected(t, byProducer(t, m))
	if n := len(find[metricdata.Sum[int64]](t, told, "ping.probes").DataPoints); n != 5*targets {
		t.Errorf("%d points, want %d", n, 5*targets)
	}
	if strings.Contains(text(told), "overflow") {
		t.Error("the attributes overflow")
	}
}

// Collections at the same time, while targets come and go. The race detector looks on.
func TestConcurrentCollections(t *testing.T) {
	m := monitor.New(pingtest.NewNetwork().Pinger(t))
	for i := range 20 {
		add(t, m, monitor.Target{Host: address(i)})
	}
	producer := byProducer(t, m)
	instruments, _ := byInstruments(t, m)
	var wg sync.WaitGroup
	for _, r := range []metric.Reader{producer, producer, instruments, instruments} {
		wg.Go(func() {
			for i := range 20 {
				collected(t, r)
				if i%2 == 0 {
					m.Remove(address(i))
				} else {
					add(t, m, monitor.Target{Host: address(i)})
				}
			}
		})
	}
	wg.Wait()
}

func TestBadOptions(t *testing.T) {
	m := monitor.New(pingtest.NewNetwork().Pinger(t))
	for _, test := range []struct {
		monitor *monitor.Monitor
		option  pingotel.Option
		want    string
	}{
		{nil, pingotel.WithLabels(), "pingotel: want a Monitor, not nil"},
		{m, nil, "pingotel: option 0 is nil"},
		{m, pingotel.WithLabels(""), `pingotel: WithLabels(""): no name of an attribute: want valid UTF-8, not empty`},
		{m, pingotel.WithLabels("a\xff"), `pingotel: WithLabels("a\xff"): no name of an attribute: want valid UTF-8, ` +
			`not empty`},
		{m, pingotel.WithLabels("otel.scope"), `pingotel: WithLabels("otel.scope"): OpenTelemetry keeps names that begin ` +
			`with otel. to itself`},
		{m, pingotel.WithLabels("error.type"), `pingotel: WithLabels("error.type"): the metrics have an attribute of ` +
			`that name: want another than error.type, ping.anomaly, ping.target, server.address`},
		{m, pingotel.WithLabels("site", "rack", "site"), `pingotel: WithLabels("site"): named twice`},
	} {
		_, first := pingotel.NewProducer(test.monitor, test.option)
		_, second := pingotel.Register(metric.NewMeterProvider(), test.monitor, test.option)
		if first == nil || first.Error() != test.want || second == nil || second.Error() != test.want {
			t.Errorf("%v, and %v, want %s", first, second, test.want)
		}
	}
	if _, err := pingotel.Register(nil, m); err == nil || err.Error() != "pingotel: want a MeterProvider, not nil" {
		t.Error(err)
	}
	p, err := pingotel.NewProducer(m, pingotel.WithLabels("site", "service.name"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Produce(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

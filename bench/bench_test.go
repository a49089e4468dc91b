//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/netlab"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(jobVariable); text != "" {
		os.Exit(code(child(text)))
	}
	os.Exit(netlab.Main(m))
}

func TestWorks(t *testing.T) {
	netlab.Require(t)
	var jobs []job
	for name := range libraries {
		jobs = append(jobs,
			job{Work: "sweep", Library: name, Targets: 100, Echoes: 2},
			job{Work: "serial", Library: name, Echoes: 10},
			job{Work: "stream", Library: name, Echoes: 20, Interval: time.Millisecond},
			job{Work: "monitor", Library: name, Targets: 10, Interval: 20 * time.Millisecond, Length: 200 * time.Millisecond},
			job{Work: "busy", Library: name, Targets: 10, Echoes: 5, Interval: 20 * time.Millisecond, Timeout: 10 * time.Second},
		)
	}
	jobs = append(jobs, job{
		Work: "watch", Library: "ours", Targets: 10, Interval: 20 * time.Millisecond, Length: 200 * time.Millisecond,
	})
	for _, j := range jobs {
		s, err := works[j.Work](j)
		if err != nil || s.Echoes == 0 || s.Lost != 0 || s.Wall <= 0 || s.PeakMemory == 0 {
			t.Errorf("%+v: %+v, %v", j, s, err)
		}
		if want := max(j.Targets, 1) * max(j.Echoes, 1); j.Length == 0 && s.Echoes != want {
			t.Errorf("%+v: %d echoes, want %d", j, s.Echoes, want)
		}
		if j.Work == "busy" && len(s.RTTs) != s.Echoes {
			t.Errorf("%+v: %d RTTs of %d echoes", j, len(s.RTTs), s.Echoes)
		}
	}
}

func TestAddresses(t *testing.T) {
	list := slices.Collect(addresses(70_000))
	for i, want := range map[int]string{0: "127.0.0.1", 254: "127.0.0.255", 255: "127.0.1.0", 69_999: "127.1.17.112"} {
		if list[i] != netip.MustParseAddr(want) {
			t.Errorf("address %d is %v, want %s", i, list[i], want)
		}
	}
}

func TestPercentile(t *testing.T) {
	list := []float64{5, 1, 4, 2, 3}
	for q, want := range map[float64]float64{0: 1, 0.2: 1, 0.21: 2, 0.5: 3, 0.99: 5, 1: 5} {
		if got := percentile(list, q); got != want {
			t.Errorf("percentile %v of %v is %v, want %v", q, list, got, want)
		}
	}
	if got := percentile[int](nil, 0.5); got != 0 {
		t.Errorf("percentile of nothing is %v", got)
	}
}

func TestNumber(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0", 0.0004: "0.000", 0.95: "0.950", 1.5: "1.50", 15: "15", 99.44: "99.4", 100.4: "100",
		1000: "1,000", 65_536: "65,536", 1_234_567.8: "1,234,568", -0.25: "-0.250", -1500: "-1500",
	} {
		if got := number(x); got != want {
			t.Errorf("number(%v) is %q, want %q", x, got, want)
		}
	}
}

// exampleRow compares two contenders, of which the second should be half as good as the first, and lacks a third.
func exampleRow() (row, map[string][]sample) {
	r := row{
		name:       "example",
		title:      "two contenders",
		contenders: []contender{{name: "limit"}, {name: "own"}, {name: "other", lacks: errors.New("not here")}},
		figures: []figure{
			echoRate,
			{name: "of the limit", of: sample.rate, against: "limit", relate: ratio,
				targets: map[string]target{"own": atLeast(0.5)}},
			{name: "lost", of: sample.lost, targets: map[string]target{"own": atMost(0)}},
		},
	}
	run := func(echoes, lost int) sample { return sample{Echoes: echoes, Lost: lost, Wall: time.Second} }
	return r, map[string][]sample{
		"limit": {run(1000, 0), run(2000, 0), run(3000, 0)},
		"own":   {run(600, 1), run(1600, 0), run(900, 3)},
	}
}

func TestTable(t *testing.T) {
	r, samples := exampleRow()
	var b bytes.Buffer
	table{&b}.row(&r, r.results(samples))
	const want = `
example: two contenders
  echoes/s             limit                       2,000  1,000 – 3,000
                       own                           900  600 – 1,600
  of the limit         own                         0.600  0.300 – 0.800          ≥ 0.500    met
  lost                 limit                           0  0 – 0
                       own                             1  0 – 3                  ≤ 0        missed
  other: left out: not here
`
	if b.String() != want {
		t.Errorf("printed:%swant:%s", &b, want)
	}
	r.figures[2].checked = true
	b.Reset()
	table{&b}.row(&r, r.results(samples))
	if got := strings.Replace(b.String(), "MISSED", "missed", 1); got != want || b.String() == want {
		t.Errorf("printed, of a figure that is checked:%s", &b)
	}
}

func TestJSON(t *testing.T) {
	r, samples := exampleRow()
	var b bytes.Buffer
	if err := writeJSON(&b, environment{Kernel: "6.18"}, r.results(samples)); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Environment struct{ Kernel string }
		Results     []result
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Environment.Kernel != "6.18" || len(got.Results) != 5 {
		t.Fatalf("got %+v", got)
	}
	x := got.Results[2]
	if x.Row != "example" || x.Figure != "of the limit" || x.Contender != "own" ||
		x.Median != 0.6 || x.Min != 0.3 || x.Max != 0.8 ||
		x.Target != "≥ 0.500" || x.Met == nil || !*x.Met || !slices.Equal(x.Runs, []float64{0.6, 0.8, 0.3}) {
		t.Errorf("got %+v", x)
	}
}

func TestParseFping(t *testing.T) {
	const output = `127.0.0.1 : xmt/rcv/%loss = 1/1/0%, min/avg/max = 0.020/0.020/0.020

   65000 targets
   64998 alive
       2 unreachable
       0 unknown addresses

       2 timeouts (waiting for response)
   65000 ICMP Echos sent
   64998 ICMP Echo Replies received
       0 other ICMP received

 0.004 ms (min round trip time)
 0.008 ms (avg round trip time)
 0.020 ms (max round trip time)
        0.802 sec (elapsed real time)
`
	s, err := parseFping(output)
	if err != nil || s.Echoes != 65_000 || s.Lost != 2 || s.Wall != 802*time.Millisecond {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := parseFping("fping: can't create socket (must run as root?)"); err == nil {
		t.Error("no error where there is no summary")
	}
}

func TestParsePing(t *testing.T) {
	const output = `PING 127.0.0.1 (127.0.0.1) 56(84) bytes of data.

--- 127.0.0.1 ping statistics ---
50000 packets transmitted, 49999 received, 0.002% packet loss, time 386ms
rtt min/avg/max/mdev = 0.003/0.003/0.095/0.002 ms, ipg/ewma 0.007/0.004 ms
`
	s, err := parsePing(output)
	if err != nil || s.Echoes != 50_000 || s.Lost != 1 || s.Wall != 386*time.Millisecond {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := parsePing("ping: socket: Operation not permitted"); err == nil {
		t.Error("no error where there is no summary")
	}
}

func TestPictures(t *testing.T) {
	dir := t.TempDir()
	rtts := sample{Echoes: 3, Wall: time.Second, CPU: time.Second, RTTs: []time.Duration{1000, 2000, 3000}}
	scales := make(map[string][]sample)
	for _, c := range scale(quick).contenders {
		scales[c.name] = []sample{rtts}
	}
	err := drawPictures(dir, map[string]map[string][]sample{
		"rtt-error": {receive: {rtts}, wire: {rtts}, proBingOne: {rtts}},
		"scale":     scales,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"rtt-error.svg", "scale.svg"} {
		if b, err := os.ReadFile(dir + "/" + name); err != nil || !bytes.Contains(b, []byte("</svg>")) {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
}

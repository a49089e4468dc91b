package monitor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping/internal/skipped"
	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
)

// A callback and a loop that never end delay no probe; what finds no room is counted, and said with the next change.
func TestSlowSubscribers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		called := 0
		var last monitor.Change
		r := newRig(t, monitor.WithOnChange(func(c monitor.Change) {
			called++
			last = c
			if called == 1 {
				<-block
			}
		}))
		const targets = 600
		for i := range targets {
			h := r.network.Host(address(i))
			for k := 20 * time.Second; k < time.Minute; k += 20 * time.Second {
				h.At(k, pingtest.Down()).At(k+10*time.Second, pingtest.Up())
			}
			r.add(monitor.Target{Host: address(i), Fall: 1})
		}
		time.Sleep(70 * time.Second)
		for s := range r.All() {
			if s.Counts.Sent < 69 || s.Counts.Downs != 2 || s.State != monitor.Up {
				t.Fatalf("%+v", s.Status)
			}
		}
		c := r.Counters()
		if c.Changes != 5*targets || c.Missed != 5*targets-1024-1 {
			t.Errorf("%+v", c)
		}
		close(block)
		time.Sleep(time.Second)
		r.Remove(address(0))
		r.network.Host(address(1), pingtest.Down())
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if called != 1026 || last.Missed != int(c.Missed) || last.Target.Name != address(1) {
			t.Errorf("%d calls, the last with %+v", called, last)
		}
		r.network.Host(address(1), pingtest.Up())
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if called != 1027 || last.Missed != 0 {
			t.Errorf("%d calls, the last with %+v", called, last)
		}
		r.stop()
		if len(r.changes) != 5*targets+2 {
			t.Errorf("another subscriber got %d", len(r.changes))
		}
	})
}

// A loop over Changes that breaks may be taken up again; it ends with its context, whether the Monitor runs or not.
func TestChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		changes := r.Changes(ctx)
		for i := range 5 {
			r.network.Host(address(i))
			r.add(monitor.Target{Host: address(i)})
		}
		time.Sleep(10 * time.Second)
		n := 0
		for range changes {
			if n++; n == 2 {
				break
			}
		}
		r.stop()
		cancel()
		for range changes {
			n++
		}
		for range changes {
			n++
		}
		if n != 5 {
			t.Errorf("%d changes of 5", n)
		}
	})
}

// A group is up while enough of its members are, and down while so many cannot be.
func TestGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		group := func(want monitor.State, up, down int) {
			t.Helper()
			if g, ok := r.Group("quorum"); !ok || g.State != want || g.Up != up || g.Down != down {
				t.Errorf("after %v: %+v, want %v", time.Since(r.start), g, want)
			}
		}
		if err := r.AddGroup(monitor.Group{Name: "quorum", Members: []string{"a", "b", "c"}, Need: 2}); err != nil {
			t.Fatal(err)
		}
		group(monitor.Unknown, 0, 0)
		for i, name := range []string{"a", "b", "c"} {
			r.network.Host(address(i)).At(time.Duration(20+10*i)*time.Second, pingtest.Down())
			r.add(monitor.Target{Name: name, Host: address(i)})
		}
		time.Sleep(15 * time.Second)
		group(monitor.Up, 3, 0)
		time.Sleep(10 * time.Second)
		group(monitor.Up, 2, 1)
		time.Sleep(10 * time.Second)
		group(monitor.Down, 1, 2)
		r.Remove("a")
		group(monitor.Unknown, 1, 1)
		r.network.Host(address(0), pingtest.Up())
		r.add(monitor.Target{Name: "a", Host: address(0)})
		time.Sleep(4 * time.Second)
		group(monitor.Up, 2, 1)
		if err := r.AddGroup(monitor.Group{Name: "quorum", Members: []string{"b"}}); err != nil {
			t.Fatal(err)
		}
		group(monitor.Down, 0, 1)
		if err := r.AddGroup(monitor.Group{Name: "quorum", Members: []string{"b", "c"}}); err != nil { // down as well
			t.Fatal(err)
		}
		r.RemoveGroup("quorum")
		r.RemoveGroup("quorum")
		if _, ok := r.Group("quorum"); ok {
			t.Error("it is still there")
		}
		for want, g := range map[string]monitor.Group{
			"Name is empty":       {Members: []string{"a"}},
			"Need is 3":           {Name: "g", Members: []string{"a", "b"}, Need: 3},
			"Members is empty":    {Name: "g"},
			`group "\xff": Name`:  {Name: "\xff", Members: []string{"a"}},
			"Need is -1":          {Name: "g", Members: []string{"a"}, Need: -1},
			`Members names "a" t`: {Name: "g", Members: []string{"a", "b", "a"}},
		} {
			if err := r.AddGroup(g); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v, want %q", g, err, want)
			}
		}
		if got := r.story(); strings.Count(got, "group quorum: up -> down") != 2 || strings.Count(got, "quorum") != 5 {
			t.Error(got)
		}
	})
}

// Ready and Handler say what is up, what is not, and why.
func TestReadyAndHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.network.Host("192.0.2.1", pingtest.RTT(20*ms))
		r.network.Host("192.0.2.2").At(20*time.Second, pingtest.Down())
		r.add(monitor.Target{Name: "a", Host: "192.0.2.1"}, monitor.Target{Name: "b", Host: "192.0.2.2"})
		for name, need := range map[string]int{"one": 1, "both": 2} {
			if err := r.AddGroup(monitor.Group{Name: name, Members: []string{"a", "b"}, Need: need}); err != nil {
				t.Fatal(err)
			}
		}
		check := func(what string, names []string, want string) {
			t.Helper()
			err := r.Ready(names...)(t.Context())
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: Ready(%q) is %v, want %q", what, names, err, want)
			}
			w := httptest.NewRecorder()
			r.Handler(names...).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			var body struct {
				OK      bool
				Targets []struct {
					Name, State, Reason string
					Loss                float64 `json:"loss_1m"`
					Median              float64 `json:"rtt_median_1m_seconds"`
				}
			}
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
				t.Fatal(err)
			}
			status := map[bool]int{true: http.StatusOK, false: http.StatusServiceUnavailable}[want == ""]
			if w.Code != status || body.OK != (want == "") || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s: Handler(%q) answers %d, %s", what, names, w.Code, w.Body)
			}
			for _, one := range body.Targets {
				if one.Name == "a" && one.State == "up" && (one.Median < 0.0199 || one.Median > 0.0201 || one.Loss > 0.2) {
					t.Errorf("%s: %+v", what, one)
				}
			}
		}
		check("at first", nil, "a is unknown")
		time.Sleep(10 * time.Second)
		check("up", nil, "")
		check("up", []string{"a", "b", "one", "both"}, "")
		check("up", []string{"a", "x"}, "x: no target or group")
		time.Sleep(20 * time.Second)
		check("one is down", nil, "b is down: no reply in time")
		if err := r.AddGroup(monitor.Group{Name: "a", Members: []string{"b"}}); err != nil {
			t.Fatal(err)
		}
		check("a target and a group of one name", []string{"a"}, "a is down: 0 of 1 are up")
		r.RemoveGroup("a")
		check("one is down", []string{"a", "one"}, "")
		check("one is down", []string{"both"}, "both is down: 1 of 2 are up, and 2 must be")
		for _, a := range []string{"192.0.2.1", "192.0.2.2"} {
			r.network.Host(a, pingtest.SendError(syscall.ENETUNREACH))
		}
		time.Sleep(5 * time.Second)
		check("cut off", []string{"a"}, "this host can send nothing since")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Ready()(ctx); err != context.Canceled {
			t.Errorf("%v", err)
		}
	})
}

// An RTT that comes to another level is told once.
func TestRTTShift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		around := func(rtt time.Duration) pingtest.Setting {
			return pingtest.RTTFrom(func(r *rand.Rand) time.Duration {
				return rtt + time.Duration(r.ExpFloat64()*float64(rtt)/5)
			})
		}
		for i := range skipped.AtLength(t, 10, 100) {
			h := r.network.Host(address(i), around(20*ms), pingtest.Loss(0.02))
			if i == 7 {
				h.At(20*time.Minute, around(30*ms)).At(50*time.Minute, around(20*ms))
			}
			r.add(monitor.Target{Host: address(i)})
		}
		time.Sleep(80 * time.Minute)
		r.stop()
		var shifts []monitor.Change
		for _, c := range r.changes {
			if c.Kind == monitor.RTTShifted {
				shifts = append(shifts, c)
			}
		}
		if len(shifts) != 2 {
			t.Fatalf("%v", shifts)
		}
		for i, c := range shifts {
			at := c.Time.Sub(r.start) - time.Duration(20+30*i)*time.Minute
			if c.Target.Name != address(7) || at < 0 || at > 3*time.Minute || (c.After > c.Before) != (i == 0) {
				t.Errorf("%v, after %v", c, at)
			}
		}
	})
}

// What is wrong with this host is told to the logger.
func TestLogger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		r := newRig(t, monitor.WithLogger(slog.New(slog.NewTextHandler(&text, nil))))
		for i := range 3 {
			r.network.Host(address(i)).At(10*time.Second, pingtest.SendError(syscall.ENETUNREACH)).
				At(20*time.Second, pingtest.SendError(nil))
			r.add(monitor.Target{Host: address(i)})
		}
		time.Sleep(30 * time.Second)
		r.stop()
		for _, want := range []string{"nothing can be sent", "network is unreachable", "probes leave again"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, text.String())
			}
		}
	})
}

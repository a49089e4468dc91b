package leak

import (
	"net"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"testing"
)

type tests func() int

func (f tests) Run() int { return f() }

// leave starts a goroutine that goes on until end is closed.
func leave(end chan struct{}) {
	started := make(chan struct{})
	go stuck(started, end)
	<-started
}

func stuck(started, end chan struct{}) {
	close(started)
	<-end
}

// What is left behind is listed; what the system keeps for good, what was there before, and what ends by itself is not.
func TestMainLists(t *testing.T) {
	end := make(chan struct{})
	defer close(end)
	leave(end)
	for _, c := range []struct {
		name string
		run  func() int
		code int
		want []string
	}{
		{"nothing", func() int { return 0 }, 0, nil},
		{"what failed", func() int { leave(end); return 3 }, 3, nil},
		{"signals and the poller", func() int {
			c := make(chan os.Signal, 1)
			signal.Notify(c, os.Interrupt)
			signal.Stop(c)
			p, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Error(err)
				return 0
			}
			p.Close()
			return 0
		}, 0, nil},
		{"a goroutine", func() int { leave(end); return 0 }, 1, []string{"leak.stuck(", "created by", "leak_test.go:"}},
	} {
		var report strings.Builder
		if code := run(tests(c.run), &report, 0); c.code != 0 && code != c.code {
			t.Errorf("%s: exit code %d, want %d", c.name, code, c.code)
		}
		if c.code == 0 { // with all the patience that it takes
			if code := run(tests(c.run), &report, patience); code != 0 {
				t.Errorf("%s: exit code %d, %s", c.name, code, report.String())
			}
		}
		for _, want := range c.want {
			if !strings.Contains(report.String(), want) {
				t.Errorf("%s: %q is not in %q", c.name, want, report.String())
			}
		}
	}
}

func TestMainListsFiles(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no way to list the open files of a process on", runtime.GOOS)
	}
	var left []*os.File
	var report strings.Builder
	code := run(tests(func() int {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Error(err)
		}
		left = append(left, f)
		return 0
	}), &report, 0)
	if want := ": " + os.DevNull; code != 1 || !strings.Contains(report.String(), want) {
		t.Errorf("exit code %d, %q, want %q in it", code, report.String(), want)
	}
	for _, f := range left {
		f.Close()
	}
}

package ping

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/netlab"
)

// Where the process has no file descriptors left, New says so and leaves nothing open; with a few it does what it can.
func TestNoDescriptors(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Option) {
		newPinger(t, kind).Close() // what the runtime opens once is open
		files := openFiles(t) - 1  // but for the directory's own
		var was unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
			t.Fatal(err)
		}
		defer unix.Setrlimit(unix.RLIMIT_NOFILE, &was)
		// The limit is for the numbers of descriptors, and those at hand may have gaps.
		var fillers []*os.File
		defer func() {
			for _, f := range fillers {
				f.Close()
			}
		}()
		limit := unix.Rlimit{Cur: uint64(files + 64), Max: was.Max}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		for {
			f, err := os.Open(os.DevNull)
			if err != nil {
				break
			}
			fillers = append(fillers, f)
		}
		opened := 0
		for free := 0; free <= 6 && opened < 2; free++ {
			p, err := New(kind)
			if err != nil {
				if !errors.Is(err, unix.EMFILE) || errors.Is(err, ErrNotPermitted) {
					t.Errorf("with %d descriptors: %v", free, err)
				}
			} else {
				opened++
				for _, host := range []string{"127.0.0.1", "::1"} {
					if _, err := p.Ping(t.Context(), host); err != nil && !errors.Is(err, unix.EMFILE) {
						t.Errorf("with %d descriptors: %v", free, err)
					}
				}
				p.Close()
			}
			// As many can be opened as before.
			var again []*os.File
			for {
				f, err := os.Open(os.DevNull)
				if err != nil {
					break
				}
				again = append(again, f)
			}
			if len(again) != free {
				t.Errorf("%d descriptors of %d are left", len(again), free)
			}
			for _, f := range again {
				f.Close()
			}
			fillers[len(fillers)-1].Close()
			fillers = fillers[:len(fillers)-1]
		}
		if opened == 0 {
			t.Error("six descriptors are too few")
		}
	})
}

// A program that closes descriptors that are not its own hits the Pinger's too. Its calls end, and Reopen mends it.
func TestDescriptorTaken(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Option) {
		newResponder(t, func(*netlab.Request) []netlab.Answer { return nil })
		p := newPinger(t, kind)
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		var wg sync.WaitGroup
		for _, host := range []string{far4, far6} {
			wg.Go(func() {
				_, err := p.Ping(t.Context(), host, WithTimeout(500*ms))
				if !errors.Is(err, ErrTimeout) && !errors.Is(err, net.ErrClosed) { // by who notices first
					t.Errorf("%s, in flight: %v", host, err)
				}
			})
		}
		await(t, "both are in flight", func() bool { return p.Counters().Sent == 2 })
		for i := range p.lines {
			p.lines[i].Load().conn.transport.(*socket).raw.Control(func(fd uintptr) {
				if err := unix.Dup3(int(null.Fd()), int(fd), unix.O_CLOEXEC); err != nil {
					t.Error(err)
				}
			})
		}
		for _, host := range []string{far4, far6} {
			if _, err := p.Ping(t.Context(), host, WithTimeout(time.Minute)); !errors.Is(err, unix.ENOTSOCK) && !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s, without a socket: %v", host, err)
			}
		}
		wg.Wait()
		if err := p.Reopen(); err != nil {
			t.Fatal(err)
		}
		for _, host := range []string{"127.0.0.1", "::1"} {
			if _, err := p.Ping(t.Context(), host); err != nil {
				t.Errorf("%s, after Reopen: %v", host, err)
			}
		}
	})
}

// stoppedVariable makes TestStoppedChild ping the address that it names.
const stoppedVariable = "PING_TEST_STOPPED"

// TestStoppedChild is the process that TestStopped stops.
func TestStoppedChild(t *testing.T) {
	host := os.Getenv(stoppedVariable)
	if host == "" {
		t.Skip("for TestStopped alone")
	}
	p := newPinger(t)
	r, err := p.Ping(t.Context(), host, WithTimeout(time.Second))
	out := stoppedReply{RTT: r.RTT, Clock: r.Clock.String(), Counters: p.Counters()}
	if err != nil {
		out.Err = err.Error()
	}
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("\n%s\n", b)
}

type stoppedReply struct {
	RTT      time.Duration
	Clock    string
	Err      string
	Counters Counters
}

// A process that is stopped for three seconds, while a reply comes in time, has not lost it, and knows when it came.
func TestStopped(t *testing.T) {
	if testing.Short() {
		t.Skip("takes three seconds")
	}
	asked := make(chan struct{}, 1)
	responder := newResponder(t, func(r *netlab.Request) []netlab.Answer {
		asked <- struct{}{}
		return []netlab.Answer{r.Echo().Later(300 * ms)}
	})
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(executable, "-test.run=^TestStoppedChild$", "-test.v")
	cmd.Env = append(os.Environ(), stoppedVariable+"="+far4)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	<-asked
	if err := cmd.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second) // the time that is to pass, not a wait for something
	if err := cmd.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	var got stoppedReply
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if json.Unmarshal(lines.Bytes(), &got) == nil {
			break
		}
	}
	records := responder.Records()
	record := records[len(records)-1]
	if late := record.Sent[0].Sub(record.Received) > time.Second; late {
		t.Skip("the responder was held up too")
	}
	if got.Err != "" || got.Clock != "kernel" || got.RTT < 300*ms || got.RTT > time.Second || got.Counters.Received != 1 {
		t.Errorf("got %+v", got)
	}
}

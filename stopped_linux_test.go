package ping_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// stoppedVariable makes TestStoppedChild ping the address that it names, with the timeout that follows.
const stoppedVariable = "PING_TEST_STOPPED"

// TestStoppedChild is the process that TestStopped stops.
func TestStoppedChild(t *testing.T) {
	host, value, ok := strings.Cut(os.Getenv(stoppedVariable), " ")
	if !ok {
		t.Skip("for TestStopped alone")
	}
	timeout, err := time.ParseDuration(value)
	if err != nil {
		t.Fatal(err)
	}
	p := openPinger(t)
	r, err := p.Ping(t.Context(), host, ping.WithTimeout(timeout))
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
	Counters ping.Counters
}

// A process that is stopped for longer than its timeout, while a reply comes in time, has not lost it, and knows when
// it came.
func TestStopped(t *testing.T) {
	stop := skipped.AtLength(t, 600*ms, 3*time.Second)
	timeout, answer := stop/3, stop/10
	asked := make(chan struct{}, 1)
	responder := newResponder(t, func(r *netlab.Request) []netlab.Answer {
		asked <- struct{}{}
		return []netlab.Answer{r.Echo().Later(answer)}
	})
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(executable, "-test.run=^TestStoppedChild$", "-test.v")
	cmd.Env = append(os.Environ(), stoppedVariable+"="+far4+" "+timeout.String())
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
	told := make(chan stoppedReply, 1)
	go func() {
		defer close(told)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var r stoppedReply
			if json.Unmarshal(lines.Bytes(), &r) == nil {
				told <- r
				return
			}
		}
	}()
	select {
	case <-asked:
	case r := <-told:
		t.Fatalf("the far end was not asked: %+v", r)
	}
	if err := cmd.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(stop) // the time that is to pass, not a wait for something
	if err := cmd.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	got := <-told
	records := responder.Records()
	record := records[len(records)-1]
	if late := record.Sent[0].Sub(record.Received) > timeout; late {
		skipped.Test(t, "the responder was held up too")
	}
	if got.Err != "" || got.Clock != "kernel" || got.RTT < answer || got.RTT > timeout || got.Counters.Received != 1 {
		t.Errorf("got %+v", got)
	}
}

package ping_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// A Pinger in another network namespace: New runs on a thread that has entered it, the calls on any.
func ExampleNew_namespace() {
	p, err := newIn("/proc/self/ns/net") // or /run/netns/blue, /proc/1234/ns/net
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	reply, err := p.Ping(context.Background(), "127.0.0.1")
	fmt.Println(reply.From, err)
}

// newIn returns a Pinger in the network namespace that the file stands for.
func newIn(file string) (p *ping.Pinger, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err = enter(file); err == nil {
			p, err = ping.New(ping.WithAllSockets(true))
		}
	}()
	<-done
	return p, err
}

func enter(file string) error {
	ns, err := os.Open(file)
	if err != nil {
		return err
	}
	defer ns.Close()
	return unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
}

// All sockets are there before the program gives up the right to open them.
func ExampleWithAllSockets() {
	p, err := ping.New(ping.WithAllSockets(true))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	// Here it drops its privileges.

	mtu, err := p.PathMTU(context.Background(), "127.0.0.1")
	fmt.Println(mtu, err)
}

func TestExamplesOfPlaces(t *testing.T) {
	netlab.Require(t)
	for _, test := range []struct {
		name string
		run  func()
		want string
	}{
		{"New", ExampleNew_namespace, "127.0.0.1 <nil>\n"},
		{"WithAllSockets", ExampleWithAllSockets, "65535 <nil>\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := stdout(t, test.run); got != test.want {
				t.Errorf("printed %q, want %q", got, test.want)
			}
		})
	}
}

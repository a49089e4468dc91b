package ping

import (
	"net/netip"
	"sync"
	"testing"

	"github.com/icmpsock/ping/internal/netlab"
)

// When a message that is too big for the device has been refused, nothing of it is left that would speak against
// another message: neither in the error queue, nor in what a reader beside has seen there.
func TestTooBigLeavesNothing(t *testing.T) {
	netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		MTU:   1500,
		Addrs: []netip.Prefix{netip.MustParsePrefix(near4 + "/24"), netip.MustParsePrefix(near6 + "/64")},
		Quiet: true,
	})
	transport, err := openSocket(false, socketConfig{kind: SocketDatagram, dontFragment: true})
	if err != nil {
		t.Fatal(err)
	}
	defer transport.Close()
	s := transport.(*socket)
	read := func(messages []Message) {
		for i := range messages {
			messages[i] = Message{Data: make([]byte, usualMessage)}
		}
		if _, _, err := s.tryReceive(messages, true); err != nil {
			t.Error(err)
		}
	}
	stop := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for messages := make([]Message, batchSize); ; {
			select {
			case <-stop:
				return
			default:
				read(messages)
			}
		}
	})
	template, err := newTemplate(false, 1800)
	if err != nil {
		t.Fatal(err)
	}
	request := func(addr string) Message {
		return Message{Addr: netip.MustParseAddr(addr), Data: appendEcho(nil, template, 1, 2)}
	}
	left := 0
	own := make([]Message, batchSize)
	for range 3000 {
		if n, err := s.Send([]Message{request("127.0.0.1"), request(far4)}); n != 1 || err == nil {
			t.Fatal(n, err)
		}
		read(own)
		s.receive.Lock()
		left += s.receive.tooBig
		s.receive.tooBig = 0
		s.receive.Unlock()
	}
	close(stop)
	reader.Wait()
	if left > 0 {
		t.Errorf("%d items were left", left)
	}
}

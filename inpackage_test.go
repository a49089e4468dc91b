package ping

import (
	"bytes"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"
)

// What the tests within the package have in common.

const (
	ms = time.Millisecond
	// target is an address that nobody has (RFC 5737).
	target = "192.0.2.1"
)

// A mute transport sends everything, and nothing comes back.
type mute struct {
	done  chan struct{}
	close sync.Once
}

func newMute() *mute { return &mute{done: make(chan struct{})} }

func (m *mute) Send(messages []Message) (int, error) {
	for i := range messages {
		messages[i].Time = time.Now()
	}
	return len(messages), nil
}

func (m *mute) Receive([]Message) (int, error) {
	<-m.done
	return 0, net.ErrClosed
}

func (m *mute) Close() error {
	m.close.Do(func() { close(m.done) })
	return nil
}

// echoed is the reply to a request.
func echoed(m Message) Message {
	m.Data = bytes.Clone(m.Data)
	m.Data[0] = icmpEchoReply
	if m.Addr.Is6() {
		m.Data[0] = icmp6EchoReply
	}
	m.TTL = 64
	return m
}

// refusal is the ICMP error that quotes a request.
func refusal(m Message, from string, typ, code int) Message {
	e := &ICMPError{Type: typ, Code: code, From: netip.MustParseAddr(from)}
	return Message{Addr: m.Addr, Data: m.Data, TTL: 63, Err: e}
}

// await returns when what it waits for is so; or fails the test.
func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

package ping_test

import (
	"bytes"
	"net"
	"sync"
	"time"

	"github.com/icmpsock/ping"
)

// A line is a Transport whose far end answers every request after the same time.
type line struct {
	delay  time.Duration
	refuse func(ping.Message) error // if not nil: the error of sending, or nil
	sent   func(ping.Message)       // if not nil: is told what leaves

	answers chan answer
	done    chan struct{}
	close   sync.Once
}

// An answer is a reply on its way.
type answer struct {
	due time.Time
	ping.Message
}

func newLine(delay time.Duration) *line {
	return &line{delay: delay, answers: make(chan answer, 1<<16), done: make(chan struct{})}
}

func (l *line) Send(messages []ping.Message) (int, error) {
	for i, m := range messages {
		if l.refuse != nil {
			if err := l.refuse(m); err != nil {
				return i, err
			}
		}
		messages[i].Time = time.Now()
		if l.sent != nil {
			l.sent(m)
		}
		m.Data = bytes.Clone(m.Data)
		m.Data[0] = 0 // an echo reply
		select {
		case l.answers <- answer{time.Now().Add(l.delay), m}:
		case <-l.done:
			return i, net.ErrClosed
		}
	}
	return len(messages), nil
}

func (l *line) Receive(messages []ping.Message) (int, error) {
	var a answer
	select {
	case a = <-l.answers:
	case <-l.done:
		return 0, net.ErrClosed
	}
	wait := time.NewTimer(time.Until(a.due))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-l.done:
		return 0, net.ErrClosed
	}
	messages[0] = ping.Message{Addr: a.Addr, Data: messages[0].Data[:copy(messages[0].Data, a.Data)], Time: time.Now()}
	return 1, nil
}

func (l *line) Close() error {
	l.close.Do(func() { close(l.done) })
	return nil
}

package ping

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"
)

// Before a probe is given up, all is read that came by then in both queues, though there is something newer in one.
func TestPollReadsBothQueues(t *testing.T) {
	for _, wire := range []bool{false, true} {
		q := &twoQueues{mute: newMute(), wire: wire}
		p, err := New(WithTransport(q), WithTimeout(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		c := p.lines[0].Load().conn
		c.in.Lock() // nobody reads
		const before = 40
		var calls sync.WaitGroup
		for range before + 1 {
			calls.Go(func() { p.Ping(t.Context(), target) })
		}
		var sent []Message
		await(t, "all are sent", func() bool {
			q.mu.Lock()
			defer q.mu.Unlock()
			sent = q.requests
			return len(sent) == before+1
		})
		now := time.Now()
		for i, m := range sent {
			at := now.Add(-time.Millisecond).Round(0)
			if i == before {
				at = now.Add(time.Hour).Round(0)
			}
			answer := echoed(m)
			answer.Time = at
			switch {
			case wire: // the reports come in one queue, the replies in the other
				q.reports = append(q.reports, Message{departed: true, key: m.key, Time: at})
				q.replies = append(q.replies, answer)
			case i == before:
				q.replies = append(q.replies, answer)
			default:
				answer = refusal(m, "192.0.2.254", 3, 1)
				answer.Time = at
				q.reports = append(q.reports, answer)
			}
		}
		if wire { // a newer probe's report is the first there
			last := len(q.reports) - 1
			q.reports[0], q.reports[last] = q.reports[last], q.reports[0]
		}
		c.poll(c.in.messages, true, tickBatches, now.UnixNano())
		c.in.Unlock()
		if n := p.Counters().InFlight; n > 1 {
			t.Errorf("wire: %v: %d probes wait, of %d that were answered", wire, n, before)
		}
		p.Close()
		calls.Wait()
	}
}

// twoQueues is a poller over what a test puts into it.
type twoQueues struct {
	*mute
	wire             bool
	mu               sync.Mutex
	requests         []Message
	replies, reports []Message
}

func (q *twoQueues) stampsDepartures() bool { return q.wire }

func (q *twoQueues) Send(messages []Message) (int, error) {
	q.mu.Lock()
	for _, m := range messages {
		m.Data = bytes.Clone(m.Data)
		q.requests = append(q.requests, m)
	}
	q.mu.Unlock()
	return q.mute.Send(messages)
}

func (q *twoQueues) wait() error {
	<-q.done
	return net.ErrClosed
}

func (q *twoQueues) tryReceive(messages []Message, all bool) (n int, more backlog, err error) {
	take := func(queue *[]Message, limit int) bool {
		for ; n < limit && len(*queue) > 0; n++ {
			m := (*queue)[0]
			m.Data = messages[n].Data[:copy(messages[n].Data, m.Data)]
			messages[n] = m
			*queue = (*queue)[1:]
		}
		return n == limit
	}
	more.reports = take(&q.reports, len(messages)/2)
	more.replies = take(&q.replies, len(messages))
	return n, more, nil
}

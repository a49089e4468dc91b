package ping

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// What stamps a reply decides the clock and the RTT: each reply here is stamped 2 ms after its request, and read after
// 5 ms or more. A bubble of synctest has no monotonic readings.
func TestTransportStamps(t *testing.T) {
	for _, c := range []struct {
		name  string
		stamp func(came time.Time) time.Time
		rtt   time.Duration // -1: that of reading
		clock Clock
	}{
		{"the kernel's", func(came time.Time) time.Time { return came.Round(0) }, 2 * ms, ClockKernel},
		{"the program's", func(came time.Time) time.Time { return came }, 2 * ms, ClockUser},
		{"the program's, of a time to come", func(came time.Time) time.Time { return came.Add(time.Hour) }, -1, ClockUser},
		{"the program's, before the request", func(came time.Time) time.Time { return came.Add(-time.Hour) }, 0, ClockUser},
		{"none", func(time.Time) time.Time { return time.Time{} }, -1, ClockUser},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := New(WithTransport(&stamper{newFake(echoAfter(5 * ms)), c.stamp}), WithTimeout(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			start := time.Now()
			r, err := p.Ping(t.Context(), target)
			low, high := c.rtt, c.rtt
			switch {
			case c.rtt < 0:
				low, high = 5*ms, time.Since(start)
			case c.clock == ClockKernel: // the two clocks are read one after the other
				low, high = c.rtt-ms, c.rtt+ms
			}
			if err != nil || r.RTT < low || r.RTT > high || r.Clock != c.clock {
				t.Errorf("got %+v, %v, want an RTT of %v to %v by the clock %v", r, err, low, high, c.clock)
			}
		})
	}
}

// What came in time counts, though the timekeeper and the receiver both get round to it late: here the one is held up in
// Send, and the reply is handed over 4 ms after that.
func TestTransportLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow = "192.0.2.99"
		f := newFake(func(_ int, m Message) []delayed {
			if m.Addr.String() == slow {
				return nil
			}
			reply := echoed(m)
			reply.Time = time.Now().Add(300 * ms)
			return []delayed{{1505 * ms, reply}}
		})
		refused := false
		f.refuse = func(_ int, m Message) error {
			switch {
			case m.Addr.String() != slow:
			case !refused:
				refused = true
				return ErrNoRoom
			default: // tried again by the timekeeper
				time.Sleep(1500 * ms)
			}
			return nil
		}
		p := newFakePinger(t, f)
		var running sync.WaitGroup
		running.Go(func() {
			if r, err := p.Ping(t.Context(), target); err != nil || r.RTT != 300*ms {
				t.Errorf("%+v, %v", r, err)
			}
		})
		synctest.Wait()
		start := time.Now()
		if _, err := p.Ping(t.Context(), slow); !errors.Is(err, ErrTimeout) || time.Since(start) != 1001*ms+1500*ms {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		running.Wait()
	})
}

// Before a probe is given up, all is read that came by then in both queues, though there is something newer in one.
func TestPollReadsBothQueues(t *testing.T) {
	for _, wire := range []bool{false, true} {
		q := &twoQueues{fake: newFake(nil), wire: wire}
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
	*fake
	wire             bool
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
	return q.fake.Send(messages)
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

// What a transport says that cannot be is not believed, and hangs nothing.
func TestTransportMistaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name string
			took func(m []Message) int // what Send says, of one message
			at   time.Duration         // how far off the time of departure is
			want error
		}{
			{"none is wrong", func(m []Message) int { return len(m) }, 0, ErrTimeout},
			{"departed long ago", func(m []Message) int { return len(m) }, -time.Hour, ErrTimeout},
			{"departs later", func(m []Message) int { return len(m) }, time.Hour, ErrTimeout},
			{"took too many", func(m []Message) int { return len(m) + 1 }, 0, nil},
			{"took less than none", func(m []Message) int { return -1 }, 0, nil},
		} {
			f := &mistaken{newFake(nil), c.took, c.at}
			p, err := New(WithTransport(f))
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			_, err = p.Ping(t.Context(), target)
			if c.want != nil && (!errors.Is(err, c.want) || time.Since(start) != time.Second) || err == nil {
				t.Errorf("%s: %v after %v", c.name, err, time.Since(start))
			}
			if s := p.Counters(); s.InFlight != 0 {
				t.Errorf("%s: %+v", c.name, s)
			}
			p.Close()
		}
	})
}

type mistaken struct {
	*fake
	took func([]Message) int
	at   time.Duration
}

func (m *mistaken) Send(messages []Message) (int, error) {
	_, err := m.fake.Send(messages)
	for i := range messages {
		messages[i].Time = messages[i].Time.Add(m.at)
	}
	return m.took(messages), err
}

// A Receive that returns more than it was given ends the transport, with a word about it.
func TestTransportReceivesTooMany(t *testing.T) {
	p, err := New(WithTransport(tooMany{newFake(nil)}))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for err == nil || !errors.Is(err, net.ErrClosed) { // once it has noticed
		_, err = p.Ping(t.Context(), target, WithTimeout(ms))
	}
	if !strings.Contains(err.Error(), "received 99 messages") {
		t.Error(err)
	}
}

type tooMany struct{ *fake }

func (tooMany) Receive([]Message) (int, error) { return 99, nil }

// A stamper has stamp choose what the replies to its messages are stamped with: 2 ms after they left, or another time.
type stamper struct {
	*fake
	stamp func(came time.Time) time.Time
}

func (s *stamper) Send(messages []Message) (int, error) {
	n, err := s.fake.Send(messages)
	s.mu.Lock()
	for i := range s.pending { // there is but one
		s.pending[i].Time = s.stamp(messages[0].Time.Add(2 * ms))
	}
	s.mu.Unlock()
	return n, err
}

// A transport that comes to its end delivers what it still has, is closed, and ends everything with its reason.
func TestTransportEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := errors.New("the cable was cut")
		f := newFake(echoAfter(20 * ms))
		dying := &mortal{fake: f, cause: end}
		p, err := New(WithTransport(dying))
		if err != nil {
			t.Fatal(err)
		}
		errs := make(chan error, 1)
		go func() {
			time.Sleep(10 * ms)
			_, err := p.Ping(t.Context(), target) // in flight at the end
			errs <- err
		}()
		if _, err := p.Ping(t.Context(), target); err != nil {
			t.Errorf("the last message: %v", err)
		}
		for _, err := range []error{<-errs, func() error { _, err := p.Ping(t.Context(), target); return err }()} {
			if !errors.Is(err, end) || !errors.Is(err, net.ErrClosed) {
				t.Errorf("got %v", err)
			}
		}
		if err := p.Close(); !errors.Is(err, errClosing) || dying.closed.Load() != 1 {
			t.Errorf("closed %d times, %v", dying.closed.Load(), err)
		}
		if err := p.Close(); err != nil {
			t.Errorf("closing again: %v", err)
		}
	})
}

// A mortal transport ends with the first message.
type mortal struct {
	*fake
	cause  error
	closed atomic.Int32
}

func (m *mortal) Receive(messages []Message) (int, error) {
	n, err := m.fake.Receive(messages)
	if err == nil {
		err = m.cause
	}
	return n, err
}

func (m *mortal) Close() error {
	m.closed.Add(1)
	m.fake.Close()
	return errClosing
}

var errClosing = errors.New("the plug is stuck")

// Each message to receive comes empty, with room for the longest.
func TestTransportRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &roomy{fake: newFake(echoAfter(ms)), t: t}
		p, err := New(WithTransport(r))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		for range 3 {
			if _, err := p.Ping(t.Context(), "2001:db8::1", WithSize(maxPayload6)); err != nil {
				t.Error(err)
			}
		}
		if n := r.calls.Load(); n < 3 {
			t.Errorf("%d calls of Receive", n)
		}
	})
}

type roomy struct {
	*fake
	t     *testing.T
	calls atomic.Int32
}

func (r *roomy) Receive(messages []Message) (int, error) {
	r.calls.Add(1)
	for _, m := range messages {
		if len(m.Data) < 65535 || m.Addr.IsValid() || m.TTL != 0 || m.Err != nil || !m.Time.IsZero() {
			r.t.Errorf("a message comes with %d bytes, as %+v", len(m.Data), m)
		}
	}
	return r.fake.Receive(messages)
}

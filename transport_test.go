package ping_test

import (
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// A transport that breaks its contract breaks nothing else.
func TestLazyTransport(t *testing.T) {
	p, err := ping.New(ping.WithTransport(lazy{newFake(nil)}))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	const want = "the transport did not take the message, and gave no error"
	if _, err := p.Ping(t.Context(), target); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

type lazy struct{ *fake }

func (lazy) Send([]ping.Message) (int, error) { return 0, nil }

// What a transport says that cannot be is not believed, and hangs nothing.
func TestTransportMistaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name string
			took func(m []ping.Message) int // what Send says, of one message
			at   time.Duration              // how far off the time of departure is
			want error
		}{
			{"none is wrong", func(m []ping.Message) int { return len(m) }, 0, ping.ErrTimeout},
			{"departed long ago", func(m []ping.Message) int { return len(m) }, -time.Hour, ping.ErrTimeout},
			{"departs later", func(m []ping.Message) int { return len(m) }, time.Hour, ping.ErrTimeout},
			{"took too many", func(m []ping.Message) int { return len(m) + 1 }, 0, nil},
			{"took less than none", func(m []ping.Message) int { return -1 }, 0, nil},
		} {
			f := &mistaken{newFake(nil), c.took, c.at}
			p, err := ping.New(ping.WithTransport(f))
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
	took func([]ping.Message) int
	at   time.Duration
}

func (m *mistaken) Send(messages []ping.Message) (int, error) {
	_, err := m.fake.Send(messages)
	for i := range messages {
		messages[i].Time = messages[i].Time.Add(m.at)
	}
	return m.took(messages), err
}

// A Receive that returns more than it was given ends the transport, with a word about it.
func TestTransportReceivesTooMany(t *testing.T) {
	p, err := ping.New(ping.WithTransport(tooMany{newFake(nil)}))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for err == nil || !errors.Is(err, net.ErrClosed) { // once it has noticed
		_, err = p.Ping(t.Context(), target, ping.WithTimeout(ms))
	}
	if !strings.Contains(err.Error(), "received 99 messages") {
		t.Error(err)
	}
}

type tooMany struct{ *fake }

func (tooMany) Receive([]ping.Message) (int, error) { return 99, nil }

// A Receive that returns with nothing, and no error, keeps no processor busy, and time goes on.
func TestTransportReceivesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &nothing{fake: newFake(nil)}
		p := mustNew(t, ping.WithTransport(f))
		if _, err := p.Ping(t.Context(), target); !errors.Is(err, ping.ErrTimeout) {
			t.Error(err)
		}
		if n := f.calls.Load(); n > 2000 {
			t.Errorf("Receive was called %d times in a second", n)
		}
	})
}

type nothing struct {
	*fake
	calls atomic.Int64
}

func (n *nothing) Receive([]ping.Message) (int, error) {
	if n.fake.closed() || n.calls.Add(1) == 100_000 { // else time would never go on
		return 0, net.ErrClosed
	}
	return 0, nil
}

// A transport that comes to its end delivers what it still has, is closed, and ends everything with its reason.
func TestTransportEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := errors.New("the cable was cut")
		f := newFake(echoAfter(20 * ms))
		dying := &mortal{fake: f, cause: end}
		p, err := ping.New(ping.WithTransport(dying))
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

func (m *mortal) Receive(messages []ping.Message) (int, error) {
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
		p, err := ping.New(ping.WithTransport(r))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		for range 3 {
			if _, err := p.Ping(t.Context(), "2001:db8::1", ping.WithSize(65527)); err != nil {
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

func (r *roomy) Receive(messages []ping.Message) (int, error) {
	r.calls.Add(1)
	for _, m := range messages {
		if len(m.Data) < 65535 || m.Addr.IsValid() || m.TTL != 0 || m.Err != nil || !m.Time.IsZero() {
			r.t.Errorf("a message comes with %d bytes, as %+v", len(m.Data), m)
		}
	}
	return r.fake.Receive(messages)
}

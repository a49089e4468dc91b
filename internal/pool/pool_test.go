package pool

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping/internal/engine"
)

// What cannot be opened is tried again a second later at the earliest, whichever key it is of, and however often it is
// asked for.
func TestRetries(t *testing.T) {
	for name, k := range map[string]Key{"first": {V6: true}, "whole": {DontFragment: true}, "lane": {Lane: 3}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var o opener
				p := o.pool(t, Options{})
				if (k == Key{V6: true}) { // it is open, and ends
					time.Sleep(RetryAfter)
					o.links[1].end <- errRefused
					synctest.Wait()
				}
				o.err = errRefused
				before := o.tries
				for range 100 {
					if c, err := p.Conn(k); c != nil || !errors.Is(err, errRefused) {
						t.Fatalf("%v, %v", c, err)
					}
					time.Sleep(RetryAfter / 25)
				}
				if n := o.tries - before; n != 4 {
					t.Errorf("tried %d times in 4 s", n)
				}
				o.err = nil
				time.Sleep(RetryAfter)
				if _, err := p.Conn(k); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A link that has ended is replaced by one in the same network namespace, though not in its first second, and what it
// has counted stays.
func TestEnded(t *testing.T) {
	for name, k := range map[string]Key{"first": {}, "lane": {Lane: 1}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var o opener
				p := o.pool(t, Options{})
				p.lines[1][0][0].Store(nil) // no IPv6: the only link that there is may be the one that has ended
				defer o.links[1].Close()
				lose(t, p, k) // for a second
				first, _ := p.Conn(k)
				end := func(link int) {
					o.links[link].end <- errRefused
					synctest.Wait()
				}
				last := func() int { return len(o.links) - 1 }
				if k.Lane == 0 {
					end(0)
				} else {
					end(last())
				}
				if c, err := p.Conn(k); err != nil || c == first {
					t.Fatal(c, err)
				}
				end(last())
				if c, err := p.Conn(k); c != nil || !errors.Is(err, errRefused) {
					t.Errorf("in its first second: %v, %v", c, err)
				}
				errNow := errors.New("not now")
				o.err = errNow
				time.Sleep(RetryAfter)
				if c, err := p.Conn(k); c != nil || err != errNow {
					t.Errorf("%v, %v", c, err)
				}
				o.err = nil
				time.Sleep(RetryAfter)
				if _, err := p.Conn(k); err != nil {
					t.Error(err)
				}
				if o.beside[last()] == nil {
					t.Error("opened in the calling thread's namespace")
				}
				if c := p.Counts(); c.Sent != 1 || c.Lost != 1 {
					t.Errorf("%+v", c)
				}
			})
		})
	}
}

// While it is counted what has ended, no lock is held that others need: a link may take its time to say what it has
// dropped.
func TestCountingHoldsNoLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o opener
		p := o.pool(t, Options{})
		o.links[0].drops = func() uint64 {
			if !p.mu.TryLock() {
				t.Error("mu is held")
			} else {
				p.mu.Unlock()
			}
			return 0
		}
		for range 2 { // the second forgets what the first has replaced
			if err := p.Reopen(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if n := len(p.old); n != 2 {
			t.Errorf("%d are kept, want those of the last Reopen", n)
		}
	})
}

// Reopen replaces all that there is, or nothing.
func TestReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o opener
		p := o.pool(t, Options{Lanes: 2})
		if len(o.links) != 8 {
			t.Fatalf("%d links", len(o.links))
		}
		o.except = errRefused
		if err := p.Reopen(); !errors.Is(err, errRefused) {
			t.Error(err)
		}
		for i, l := range o.links {
			if l.isClosed() != (i >= 8) {
				t.Errorf("link %d: closed %v", i, l.isClosed())
			}
		}
		o.except = nil
		before := len(o.links)
		if err := p.Reopen(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		for i, l := range o.links {
			if l.isClosed() != (i < before) {
				t.Errorf("link %d: closed %v", i, l.isClosed())
			}
		}
		if c, err := p.Conn(Key{Lane: 2}); c != nil || err != errAllOpen {
			t.Errorf("%v, %v", c, err)
		}
	})
}

// Without any link there is no Pool; the error is that of the IP version that the Pool is for.
func TestNothingOpens(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		p := New(Options{MainlyV6: v6, Open: func(k Key, _ engine.Link) Opened {
			if k.V6 == v6 {
				return Opened{Err: errRefused}
			}
			return Opened{Err: errors.ErrUnsupported}
		}})
		if err := p.Reopen(); err != errRefused {
			t.Error(err)
		}
	}
}

// A Pool that is closed opens nothing, and keeps nothing open that was being opened.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, open := range map[string]func(p *Pool) error{
			"Reopen": (*Pool).Reopen,
			"Conn":   func(p *Pool) error { _, err := p.Conn(Key{Lane: 1}); return err },
		} {
			var o opener
			p := o.pool(t, Options{})
			p.options.Open = func(k Key, beside engine.Link) Opened {
				p.Close()
				return o.open(k, beside)
			}
			for range 2 {
				if err := open(p); err != net.ErrClosed {
					t.Errorf("%s: %v", name, err)
				}
			}
			synctest.Wait()
			for i, l := range o.links {
				if !l.isClosed() {
					t.Errorf("%s: link %d stays open", name, i)
				}
			}
		}
	})
}

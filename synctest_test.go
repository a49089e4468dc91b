package ping_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// foreign checks that err tells of a Pinger in the wrong world.
func foreign(t *testing.T, name string, err error) {
	t.Helper()
	if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "testing/synctest") {
		t.Errorf("%s: got %v, want %q and a word about testing/synctest", name, err, errors.ErrUnsupported)
	}
}

// tried calls c and turns a panic into an error.
func tried(ctx context.Context, c call, p *ping.Pinger) (err error) {
	defer func() {
		if what := recover(); what != nil {
			err = errors.Join(err, errors.New("it panicked"))
		}
	}()
	return c.do(ctx, p, "192.0.2.1")
}

// A Pinger made outside of a bubble has other clocks and timers than those who call it from within: they are told so.
// At home it goes on.
func TestOutsidersPingerInBubble(t *testing.T) {
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			p := mustNew(t, ping.WithTransport(newPort(answering)))
			for range 2 {
				if err := tried(t.Context(), c, p); err != nil {
					t.Errorf("at home: %v", err)
				}
				synctest.Test(t, func(t *testing.T) { foreign(t, c.name, tried(t.Context(), c, p)) })
			}
			if err := tried(t.Context(), c, p); err != nil {
				t.Errorf("at home again: %v", err)
			}
		})
	}
}

// So are those who call a Pinger from outside of the bubble in which it was made, while that goes on, and later.
func TestBubblesPingerOutside(t *testing.T) {
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			pinger, told := make(chan *ping.Pinger), make(chan struct{})
			var after *ping.Pinger
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			go func() {
				defer close(told)
				foreign(t, c.name, tried(ctx, c, <-pinger))
			}()
			synctest.Test(t, func(t *testing.T) {
				p := mustNew(t, ping.WithTransport(newPort(answering)))
				if err := tried(t.Context(), c, p); err != nil {
					t.Errorf("at home: %v", err)
				}
				pinger <- p
				<-told // from outside: the bubble's time stands still
				if err := tried(t.Context(), c, p); err != nil {
					t.Errorf("at home again: %v", err)
				}
				after = p
			})
			if err := tried(ctx, c, after); err == nil {
				t.Error("a call succeeded after the bubble's end")
			} else if strings.Contains(err.Error(), "panicked") {
				t.Errorf("after the bubble's end: %v", err)
			}
		})
	}
}

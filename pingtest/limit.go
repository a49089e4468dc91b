package pingtest

import (
	"fmt"
	"time"
)

// A limit is how many of something a host sends: a burst at once, and then one every so often. The zero value is none.
type limit struct {
	burst int
	every time.Duration
}

// ErrorLimit limits the ICMP errors that the host sends as a router: burst of them, 1 or more, and then one more every
// so often; requests beyond are swallowed. Those about an MTU, and redirects, are not limited. Linux's routers have
// ErrorLimit(6, time.Second) for each address that they send to (icmp_ratelimit, icmp(7)). The default,
// ErrorLimit(0, 0), is no limit.
func ErrorLimit(burst int, every time.Duration) Setting {
	l := checkLimit("ErrorLimit", burst, every)
	return func(s *settings) { s.errorLimit = l }
}

// ReplyLimit limits the host's echo replies as [ErrorLimit] does the errors of a router. Linux has no such limit, but
// many a packet filter.
func ReplyLimit(burst int, every time.Duration) Setting {
	l := checkLimit("ReplyLimit", burst, every)
	return func(s *settings) { s.replyLimit = l }
}

func checkLimit(name string, burst int, every time.Duration) limit {
	if (burst != 0 || every != 0) && (burst < 1 || every <= 0) {
		panic(fmt.Sprintf("pingtest: %s(%d, %v): want 1 or more, and more than 0; or 0 and 0", name, burst, every))
	}
	return limit{burst, every}
}

// A bucket is what is left of a limit.
type bucket struct {
	full time.Time // when all of the burst will be there again
}

// take reports whether there is one more now, and takes it.
func (b *bucket) take(l limit, now time.Time) bool {
	if l.burst == 0 {
		return true
	}
	if b.full.Before(now) {
		b.full = now
	}
	if b.full.Sub(now) > time.Duration(l.burst-1)*l.every {
		return false
	}
	b.full = b.full.Add(l.every)
	return true
}

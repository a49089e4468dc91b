package plan

import "sync"

// A Backlog paces echo requests to hosts on the link, for the sake of what else leaves by a socket: while the system
// asks for a host, it keeps them in the socket's send buffer, also those to a host that it asks for already. It is safe
// for concurrent use.
type Backlog struct {
	mu      sync.Mutex
	most    int
	waiting places // one a byte
}

// NewBacklog has room for so many bytes.
func NewBacklog(most int) *Backlog { return &Backlog{most: most} }

// Next returns when there is room for so many bytes: now, or later. There is when nothing waits.
func (b *Backlog) Next(now int64, size int) (at int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting.pass(now)
	if b.waiting.total == 0 || b.waiting.total+size <= b.most {
		return now
	}
	return b.waiting.next()
}

// Take takes room for so many bytes to a host that is sent to now, and returns when that comes free.
func (b *Backlog) Take(now int64, size int) (until int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting.pass(now)
	until = now + int64(MissingFor)
	b.waiting.add(until, size)
	return until
}

// Answered says that the host answers for which so many bytes have room until then, so that they wait no more.
func (b *Backlog) Answered(until int64, size int) {
	b.mu.Lock()
	b.waiting.free(until, size)
	b.mu.Unlock()
}

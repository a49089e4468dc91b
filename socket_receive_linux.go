package ping

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Receive implements [Transport].
func (s *socket) Receive(messages []Message) (int, error) {
	for {
		if err := s.wait(); err != nil {
			return 0, err
		}
		if n, _, err := s.tryReceive(messages, false); n > 0 || err != nil {
			return n, err
		}
	}
}

// wait implements poller.
func (s *socket) wait() error {
	reports, err := s.waiter.wait()
	if reports {
		s.errors.Store(true)
	}
	return err
}

// tryReceive implements poller.
func (s *socket) tryReceive(messages []Message, all bool) (got int, more backlog, err error) {
	s.receive.Lock()
	defer s.receive.Unlock()
	if len(s.receive.found) > 0 {
		got = s.takeFound(messages)
		if more.reports = len(s.receive.found) > 0; more.reports || got == len(messages) {
			return got, backlog{true, true}, nil
		}
	}
	if s.wire {
		// A report of departure is there before the answer is.
		n := 0
		if n, more.reports, err = s.read(messages[got:got+(len(messages)-got+1)/2], unix.MSG_ERRQUEUE); err != nil {
			return got, more, err
		}
		got += n
	}
	n, moreReplies, err := s.read(messages[got:], 0)
	got, more.replies = got+n, moreReplies
	if err == nil && (all || s.errors.Load()) {
		s.errors.Store(false) // before reading: what comes meanwhile wakes the one that waits
		if n, more.reports, err = s.read(messages[got:], unix.MSG_ERRQUEUE); more.reports {
			s.errors.Store(true)
		}
		got += n
	}
	return got, more, err
}

// takeFound hands over what a send has found in the error queue. The caller holds receive's lock.
func (s *socket) takeFound(messages []Message) int {
	r := &s.receive
	n := min(len(messages), len(r.found))
	for i := range n {
		buffer := messages[i].Data
		messages[i] = r.found[i]
		messages[i].Data = append(buffer[:0], r.found[i].Data...)
	}
	r.found = append(r.found[:0], r.found[n:]...)
	return n
}

// read reads one of the socket's two queues, and says whether there may be more in it. The caller holds receive's lock.
func (s *socket) read(messages []Message, queue int) (got int, more bool, err error) {
	if s.closed {
		return 0, false, net.ErrClosed
	}
	b := &s.receive.batch
	b.prepare(messages, queue)
	for failed := 0; b.count > 0; failed++ {
		if b.recv(s.fd); b.n > 0 || b.errno == unix.EAGAIN {
			break
		}
		// A pending error, which is gone by being reported, and of which the error queue tells more; or EINTR.
		s.errors.Store(true)
		if failed == pendingErrors || b.errno == unix.EBADF || b.errno == unix.ENOTSOCK {
			return 0, false, fmt.Errorf("%w: %w", errEnded, os.NewSyscallError("recvmmsg", b.errno))
		}
	}
	for i := range b.n {
		m := &messages[i]
		if b.get(i, m, s.v6, queue != 0) && s.ours(m, queue != 0) {
			if got < i {
				messages[got], *m = *m, messages[got]
			}
			got++
		} else if m.tooBig {
			s.receive.tooBig++
		}
	}
	return got, b.n == b.count, nil
}

// pendingErrors is how many errors in a row may be pending ones: more than there can be packets under way.
const pendingErrors = 1 << 16

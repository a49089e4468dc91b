package ping

import "net"

// What the tests need beside what users see.

// CloseShared closes the Pinger that all of the program shares, which is open for good in a program.
func CloseShared() {
	shared.Lock()
	defer shared.Unlock()
	if shared.pinger != nil {
		shared.pinger.Close()
	}
}

// ReopenOver does over t what [Pinger.Reopen] does over the kernel's sockets: what is in flight settles over the
// transport that the Pinger has had, which is closed then, and what leaves next leaves by t.
func ReopenOver(p *Pinger, t Transport) error {
	if p.closed.Load() {
		return net.ErrClosed
	}
	c, old := p.newConn(newLink(t)), p.lines[0].Load().conn
	p.mu.Lock()
	p.lines[0].Store(&line{conn: c})
	p.lines[1].Store(&line{conn: c})
	p.old = append(p.old, old)
	p.mu.Unlock()
	old.Retire()
	return nil
}

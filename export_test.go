package ping

// What the tests need beside what users see.

// ErrTooBig is syscall.EMSGSIZE, where the system has that.
var ErrTooBig error = errTooBig

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
	p.config.transport, p.config.reopens = func() (Transport, error) { return t, nil }, true
	return p.Reopen()
}

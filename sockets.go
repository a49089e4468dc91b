package ping

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/icmpsock/ping/internal/engine"
)

// A lineKey names the lines that are opened on first use: those with DF set, and more of the same for Sweep to put
// other processors to use.
type lineKey struct {
	family       int
	dontFragment bool
	lane         int
}

// A line is a conn of one family, or why there is none.
type line struct {
	conn  *engine.Conn
	link  engine.Link // of conn
	err   error
	deaf  error     // why no ICMP errors come; nil: they do
	tried time.Time // when it was opened, or could not be
}

// A linkInfo is what there is to tell of a link.
type linkInfo struct {
	about slog.Value // which kind it is
	deaf  error      // as of a line
	lacks []lack
}

// A lack is something that the system has refused to a socket.
type lack struct {
	name, cost string
	err        error
}

// renewAfter is how long after a socket could not be opened that is tried again at the earliest.
const renewAfter = time.Second

// family is the index of an address in a Pinger's arrays.
func family(v6 bool) int {
	if v6 {
		return 1
	}
	return 0
}

// Reopen replaces the Pinger's sockets by new ones, with other identifiers, for all calls, those that are running too:
// they go on over the new sockets as soon as what they have in flight is settled. It is a way out where a firewall
// on the way has lost or spoiled its record of an identifier, so that a host seems down that is not. If a socket
// cannot be opened anew, the old ones stay. With [WithTransport] it is errors.ErrUnsupported; with [WithTransportFunc]
// another Transport is opened.
func (p *Pinger) Reopen() error {
	if p.config.transport != nil && !p.config.reopens {
		return fmt.Errorf("ping: Reopen with WithTransport: %w", errors.ErrUnsupported)
	}
	p.opening.Lock()
	defer p.opened()
	if p.closed.Load() {
		return net.ErrClosed
	}
	p.tidy()
	var lines [2]line
	if p.config.transport != nil {
		lines[0] = p.openTransport()
		lines[1] = lines[0] // of both families
	} else {
		lines = [2]line{p.open(0, false), p.open(1, false)}
	}
	var more map[lineKey]*engine.Conn
	var err error
	for i := range lines {
		if lines[i].conn == nil && p.lines[i].Load().conn != nil {
			err = lines[i].err
		}
	}
	if err == nil {
		more, err = p.openAll(lines)
	}
	if err != nil {
		for i := range lines {
			if c := lines[i].conn; c != nil {
				c.Close()
			}
		}
		return err
	}
	p.mu.Lock()
	var retired []*engine.Conn
	for i := range lines {
		if c := p.lines[i].Swap(&lines[i]).conn; c != nil && !slices.Contains(retired, c) {
			retired = append(retired, c)
		}
	}
	for _, c := range p.more {
		retired = append(retired, c)
	}
	p.more = more
	p.old = append(p.old, retired...)
	p.mu.Unlock()
	for _, c := range retired {
		c.Retire()
	}
	return p.checkClosed()
}

// tidy forgets those old conns that have ended. The caller holds p.opening.
func (p *Pinger) tidy() {
	var ended []*engine.Conn
	p.mu.Lock()
	p.old = slices.DeleteFunc(p.old, func(c *engine.Conn) bool {
		if !c.Final() {
			return false
		}
		p.past.add(Counters(c.Counts()))
		ended = append(ended, c)
		return true
	})
	p.mu.Unlock()
	for _, c := range ended {
		c.Close() // its goroutines have ended, or will at once
	}
}

// checkClosed closes what has been opened while Close was under way. The caller holds p.opening.
func (p *Pinger) checkClosed() error {
	if !p.closed.Load() {
		return nil
	}
	for _, c := range p.conns() {
		c.Close()
	}
	return net.ErrClosed
}

// open opens a line of one family. The caller holds p.opening.
func (p *Pinger) open(family int, dontFragment bool) line {
	if err := p.config.checkFamily(family == 1); err != nil {
		return line{err: err, tried: time.Now()}
	}
	link, info, err := openLink(p.config.socket(family == 1, dontFragment, p.present()))
	if err != nil {
		p.note("ping: no socket", "ipv6", family == 1, "error", err)
		return line{err: err, tried: time.Now()}
	}
	p.note("ping: opened", "ipv6", family == 1, "socket", info.about)
	for _, l := range info.lacks {
		p.note("ping: the system refuses", "ipv6", family == 1, "what", l.name, "cost", l.cost, "error", l.err)
	}
	return line{conn: p.newConn(link), link: link, deaf: info.deaf, tried: time.Now()}
}

// present is a link that the Pinger has, nil if it has none yet: others are opened in the network namespace of that.
func (p *Pinger) present() engine.Link {
	link := p.beside
	for i := range p.lines {
		if l := p.lines[i].Load(); l != nil && l.conn != nil && (link == nil || !l.conn.Ended()) {
			link = l.link
		}
	}
	return link
}

// openTransport opens the line of both families over a Transport. The caller holds p.opening.
func (p *Pinger) openTransport() line {
	t, err := p.config.transport()
	if err != nil {
		return line{err: err, tried: time.Now()}
	}
	return line{conn: p.newConn(newLink(t)), tried: time.Now()}
}

// note has the logger told when p.opening, which the caller holds, is free again: its handler may call the Pinger.
func (p *Pinger) note(message string, args ...any) {
	p.notes = append(p.notes, func() { p.config.log.Debug(message, args...) })
}

// opened lets others open sockets, and tells the logger what has been noted.
func (p *Pinger) opened() {
	notes := p.notes
	p.notes = nil
	p.opening.Unlock()
	for _, tell := range notes {
		tell()
	}
}

func (p *Pinger) newConn(l engine.Link) *engine.Conn {
	return engine.NewConn(l, p.epoch, p.limiter, func(cause error) {
		p.config.log.Error("ping: transport ended", "error", cause)
	})
}

// conn returns the conn for a probe, on the given lane: 0, or another for more of the same. A socket that has ended by
// itself is replaced.
func (p *Pinger) conn(v6, dontFragment bool, lane int) (*engine.Conn, error) {
	i := family(v6)
	if !dontFragment && lane == 0 || p.config.transport != nil {
		l := p.lines[i].Load()
		if l.conn != nil && !l.conn.Ended() || p.config.transport != nil || p.closed.Load() {
			return l.conn, l.err
		}
		return p.renew(i)
	}
	key := lineKey{i, dontFragment, lane}
	if c, _ := p.further(key); c != nil {
		return c, nil
	}
	p.opening.Lock()
	defer p.opened()
	if p.closed.Load() {
		return nil, net.ErrClosed
	}
	switch c, ended := p.further(key); {
	case c != nil: // another call has opened it
		return c, nil
	case p.config.allSockets && !ended:
		return nil, errAllOpen
	}
	l := p.open(i, dontFragment)
	if l.conn == nil {
		return nil, l.err // which may pass
	}
	p.mu.Lock()
	if p.more == nil {
		p.more = make(map[lineKey]*engine.Conn)
	}
	if ended := p.more[key]; ended != nil {
		p.old = append(p.old, ended)
	}
	p.more[key] = l.conn
	p.mu.Unlock()
	p.tidy()
	return l.conn, p.checkClosed()
}

// further is the conn that has been opened under a key, nil for none that is in use: for none, or one that has ended.
func (p *Pinger) further(key lineKey) (c *engine.Conn, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c = p.more[key]
	if c != nil && c.Ended() {
		return nil, true
	}
	return c, false
}

// renew opens a line anew that could not be opened, or has ended by itself.
func (p *Pinger) renew(family int) (*engine.Conn, error) {
	p.opening.Lock()
	defer p.opened()
	l := p.lines[family].Load()
	if l.conn != nil && !l.conn.Ended() || p.closed.Load() || time.Since(l.tried) < renewAfter ||
		l.conn == nil && p.config.allSockets {
		return l.conn, l.err
	}
	next := p.open(family, false)
	if next.conn == nil && l.conn != nil {
		next.conn, next.link = l.conn, l.link // which tells why it has ended
	}
	p.mu.Lock()
	p.lines[family].Store(&next)
	if l.conn != nil && l.conn != next.conn {
		p.old = append(p.old, l.conn)
	}
	p.mu.Unlock()
	p.tidy()
	if err := p.checkClosed(); err != nil {
		return nil, err
	}
	return next.conn, next.err
}

// roomy is conn for a call with one target: where the table of the first lane is crowded, one that has room.
func (p *Pinger) roomy(v6, dontFragment bool) (*engine.Conn, error) {
	first, err := p.conn(v6, dontFragment, 0)
	if err != nil || !first.Crowded() || p.config.transport != nil {
		return first, err
	}
	if last := p.noFurther.Load(); last != 0 && time.Since(p.epoch)-time.Duration(last) < renewAfter {
		return first, nil
	}
	for lane := 1; lane < maxLanes; lane++ {
		c, err := p.conn(v6, dontFragment, lane)
		if err != nil {
			p.noFurther.Store(int64(time.Since(p.epoch)))
			break
		}
		if !c.Crowded() {
			return c, nil
		}
	}
	return first, nil
}

// conns lists what is open, and what has been.
func (p *Pinger) conns() []*engine.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.list()
}

// list is conns. The caller holds p.mu.
func (p *Pinger) list() (list []*engine.Conn) {
	four, six := p.lines[0].Load().conn, p.lines[1].Load().conn
	if four != nil {
		list = append(list, four)
	}
	if six != nil && six != four {
		list = append(list, six)
	}
	for _, c := range p.more {
		list = append(list, c)
	}
	return append(list, p.old...)
}

// socketConfig is what a socket of the kernel is opened with.
type socketConfig struct {
	v6           bool
	kind         SocketKind
	source       netip.Addr // invalid: any
	device       string     // "": any
	mark         int
	hasMark      bool
	dontFragment bool
	wire         bool        // transmit stamps
	beside       engine.Link // whose network namespace it is to be in; nil: that of the calling thread
}

// socket is what a Pinger's socket of one IP version is opened with.
func (c *config) socket(v6, dontFragment bool, beside engine.Link) socketConfig {
	source := c.source4
	if v6 {
		source = c.source6
	}
	return socketConfig{
		v6:           v6,
		kind:         c.kind,
		source:       source,
		device:       c.device,
		mark:         c.mark,
		hasMark:      c.hasMark,
		dontFragment: dontFragment,
		wire:         c.wire,
		beside:       beside,
	}
}

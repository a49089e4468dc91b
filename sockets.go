package ping

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"

	"github.com/icmpsock/ping/internal/engine"
	"github.com/icmpsock/ping/internal/icmpsock"
	"github.com/icmpsock/ping/internal/pool"
)

// A linkInfo is what there is to tell of a link.
type linkInfo struct {
	about slog.Value // which kind it is
	deaf  error      // why it is told of no ICMP errors; nil: it is
	lacks []lack
}

// A lack is something that the system has refused to a socket.
type lack struct {
	name, cost string
	err        error
}

// family is the index of an IP version in arrays.
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
	return p.sockets.Reopen()
}

// newPool returns the pool of the Pinger's sockets, which are opened in the network namespace of a link, or if that is
// nil in the calling thread's.
func (p *Pinger) newPool(beside engine.Link) *pool.Pool {
	o := pool.Options{
		Open:     p.open,
		Beside:   beside,
		MainlyV6: p.config.source6.IsValid() && !p.config.source4.IsValid(),
		Epoch:    p.epoch,
		Limiter:  p.limiter,
		Ended: func(cause error) {
			p.config.log.Error("ping: transport ended", "error", cause)
		},
	}
	if p.config.transport != nil {
		o.Open, o.Single = p.openTransport, true
	} else if p.config.allSockets {
		o.Lanes = min(max(runtime.GOMAXPROCS(0), minLanes), pool.MaxLanes)
	}
	return pool.New(o)
}

// open opens a socket of the kernel, and has the logger told of it.
func (p *Pinger) open(k pool.Key, beside engine.Link) pool.Opened {
	if err := p.config.checkFamily(k.V6); err != nil {
		return pool.Opened{Err: err}
	}
	link, info, err := openLink(p.config.socket(k.V6, k.DontFragment, beside))
	if err != nil {
		return pool.Opened{Err: err, Tell: func() {
			p.config.log.Debug("ping: no socket", "ipv6", k.V6, "error", err)
		}}
	}
	return pool.Opened{Link: link, Deaf: info.deaf, Tell: func() {
		p.config.log.Debug("ping: opened", "ipv6", k.V6, "socket", info.about)
		for _, l := range info.lacks {
			p.config.log.Debug("ping: the system refuses",
				"ipv6", k.V6, "what", l.name, "cost", l.cost, "error", l.err)
		}
	}}
}

// openTransport opens the link of both IP versions over a Transport.
func (p *Pinger) openTransport(pool.Key, engine.Link) pool.Opened {
	t, err := p.config.transport()
	if err != nil {
		return pool.Opened{Err: err}
	}
	return pool.Opened{Link: newLink(t)}
}

// A socketConfig is what a socket of the kernel is opened with.
type socketConfig struct {
	icmpsock.Config // Raw is up to the kind
	kind            SocketKind
	beside          engine.Link // whose network namespace it is to be in; nil: that of the calling thread
}

// socket is what a Pinger's socket of one IP version is opened with.
func (c *config) socket(v6, dontFragment bool, beside engine.Link) socketConfig {
	s := socketConfig{icmpsock.Config{
		V6:           v6,
		Source:       c.source4,
		Device:       c.device,
		Mark:         c.mark,
		HasMark:      c.hasMark,
		DontFragment: dontFragment,
		Departures:   c.wire,
	}, c.kind, beside}
	if v6 {
		s.Source = c.source6
	}
	return s
}

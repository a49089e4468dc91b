package ping

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/icmpsock/ping/internal/engine"
)

// WithAllSockets has New open all sockets that any call may use, for programs that give up the right to open them
// later: for each IP version as many as a Sweep may put to use, which is GOMAXPROCS, but 2 to 16, and as many
// again for WithDontFragment. Where one of them cannot be opened, New fails. No others are opened later, but in the place of
// one of these: by Reopen, which opens all of them anew; where a socket has come to its end; and where its network
// interface was made anew, unless the process has CAP_NET_RAW. The default is false: sockets are opened on first use.
func WithAllSockets(on bool) Option {
	return option(func(c *config) error {
		c.allSockets = on
		return nil
	})
}

// errAllOpen says that there is no socket for what is asked, and will be none.
var errAllOpen = errors.New("WithAllSockets: New has opened no such socket, and no others are opened later")

// openAll opens what WithAllSockets asks for beside the first line of each family: over a Transport, nothing. The caller
// holds p.opening.
func (p *Pinger) openAll(first [2]line) (map[lineKey]*engine.Conn, error) {
	if !p.config.allSockets || p.config.transport != nil {
		return nil, nil
	}
	more := make(map[lineKey]*engine.Conn)
	for lane := range min(max(runtime.GOMAXPROCS(0), minLanes), maxLanes) {
		for _, key := range []lineKey{{0, false, lane}, {1, false, lane}, {0, true, lane}, {1, true, lane}} {
			if first[key.family].conn == nil || !key.dontFragment && lane == 0 {
				continue
			}
			l := p.open(key.family, key.dontFragment)
			switch {
			case l.conn != nil:
				more[key] = l.conn
			case !errors.Is(l.err, errors.ErrUnsupported): // as WithDontFragment is on other systems than Linux
				for _, c := range more {
					c.Close()
				}
				return nil, fmt.Errorf("WithAllSockets: %w", l.err)
			}
		}
	}
	return more, nil
}

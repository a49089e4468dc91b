// Dping sends ICMP echo requests to one or many hosts, without root and through one socket for each family, and
// reports as ping(8) does:
//
//	dping [-c n] [-i interval] [-W timeout] [-s size] [-t ttl] [-flow n] [-4|-6] [-q] [-json] host...
//	dping -trace [-c n [-i interval]] [-m hops] [-n] [-W timeout] [-s size] [-flow n] [-4|-6] [-json] host...
//	dping -watch [-c n] [-i interval] [-m hops] [-n] [-W timeout] [-s size] [-flow n] [-4|-6] [-json] host
//	dping -paths [-c n [-i interval]] [-dot] [-m hops] [-W timeout] [-s size] [-4|-6] [-json] host...
//	dping -mtu [-c n] [-W timeout] [-t ttl] [-flow n] [-4|-6] [-json] host...
//	dping -mtu -v [-c n] [-m hops] [-W timeout] [-flow n] [-4|-6] [-json] host...
//	dping -probe interface [-W timeout] [-s size] [-t ttl] [-4|-6] [-json] host...
//
// There is a line for each probe, once it is answered, refused or given up; with several hosts it begins with the
// host's name. It ends with "(truncated)" where the host sent back less than it was sent, which is an answer all the
// same, and with "(answered from ...)" where another address than the host's answered, which over IPv4 is none. A probe
// that could not be sent is told of on stderr (with -q, the first one of each host). What else comes for a probe, until
// the last one has ended, has a line that ends in (DUP!) for a duplicate, (late), (corrupted), (DIFFERENT ADDRESS!) or,
// without the probe's secret in it, (stray).
//
// The statistics of each host follow at the end: after n probes, or on the first SIGINT or SIGTERM (a second one ends
// the program at once). SIGQUIT shows them meanwhile. What could not be sent counts as lost. What was in flight when a
// signal came is pending: it has been transmitted, and is neither received nor lost.
//
// With -json each line is one object: {"host":..., "reply":{...}} for how a probe ended, {"host":..., "anomaly":{...}}
// for what came beside that, {"host":..., "statistics":{...}} for the statistics. There seq counts from 0, whereas
// icmp_seq counts from 1. The median is not measured, and left out. What ends all for a host, such as a name that is
// not known, is {"host":..., "kind":"name", "error":...}; the kinds are those of the library's ErrorKind.
//
// With -trace it shows the routers on the way, a line for each, as traceroute(8) does: who answered each of three
// probes and after how long; * for silence; !H, !N, !X and the like for an ICMP error that ends the way; MPLS labels
// in <>; (NAT: for 10.0.0.5), or (NAT), where an ICMP error shows that addresses are translated on the way. With -c as
// well it prints a table instead, as mtr(8) does in its report: there are n rounds, an interval apart and 10 ms at
// least, with a probe to each hop, and of those loss, number sent, and the last, mean, best and worst RTT and its
// standard deviation, in milliseconds; SIGINT and SIGQUIT show it once the way is known. The table grows and shrinks as
// the way does. Each router has a line of its own, and so has the target, for each distance where it has answered, the
// latest first; where the target does not answer, the last line is of the silence beyond the last router, or of who
// refuses to let the probes go farther. Names are looked up, unless -n is given. With -json there is one object
// {"host":..., "hop":{...}} a hop, or a line of the table; without -c, the last one says why the way ended, as its
// "end".
//
// With -watch it goes on along the way to one host, an interval for each round: on a terminal it shows the table after
// each, else a line for each change (longer, shorter, another router, another reply TTL), and the table in the end, or
// when SIGQUIT comes. With -json a change is {"host":..., "change":{...}}. What cannot be sent counts as lost, and
// stderr tells why, once for each reason.
//
// With -paths it finds the routers on all paths that flows take, with two lines for each path: with -c, the loss and
// the RTT of n probes by it, and the addresses on it. With -dot that is a graph for Graphviz; with -json, {"host":...,
// "paths":{...}}. Routers of Linux show but one path of several over IPv4, for they look at nothing of ICMP there.
//
// With -flow all probes take the same of several paths, and those of another flow perhaps another one, for pings,
// -trace and -mtu alike. The latter two do so without it.
//
// With -mtu it finds the largest packet, in bytes with the headers, that reaches a host unfragmented. With -json that
// is {"host":..., "target":..., "mtu":...}. With -v as well there is a line for each hop before that, as tracepath(8)
// has it: who answered and after how long, the largest packet that gets there, and, where that is less than before,
// which router says so; {"host":..., "hop":{...}} with -json.
//
// With -probe it asks each host for the state of one of its interfaces (PROBE, RFC 8335), which few hosts answer: by
// name (eth0), number (2) or address (192.0.2.1), or for that of a neighbour (neighbour:192.0.2.9). With -json that is
// {"host":..., "interface":..., "status":{...}}.
//
// The exit status is that of ping(8): 0 if each host answered at least once (with -mtu, if the path MTU of each was
// found; with -probe, if each told the state), whatever else was lost or could not be sent; 1 if one did not; and 2 for
// any other error, such as a bad argument, a name that is not known, a host to which nothing could be sent, or a system
// that permits no ICMP sockets.
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/icmpsock/ping"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal finds the system's own handler
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, notifyQuit()))
}

// run is the command: it works until all is done or ctx ends, shows the statistics on each signal from quit, and
// returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, quit <-chan os.Signal) int {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		complain(stderr, err)
		return 2
	}
	pinger, err := ping.New(c.options...)
	if err != nil {
		complain(stderr, err)
		return 2
	}
	defer pinger.Close()

	out := &output{config: c, stop: stop, stdout: stdout, stderr: stderr}
	switch {
	case c.trace, c.watch:
		names := newNames(ctx, net.DefaultResolver.LookupAddr)
		defer names.close()
		return out.each(ctx, func(host string) (bool, error) {
			if c.trace && c.count == 0 {
				return out.trace(ctx, pinger, names, host)
			}
			return out.follow(ctx, pinger, names, host, quit)
		})
	case c.ask:
		return out.probeAll(ctx, pinger)
	case c.paths:
		return out.each(ctx, func(host string) (bool, error) { return out.pathsTo(ctx, pinger, host) })
	case c.mtu:
		return out.mtuAll(ctx, pinger)
	}
	return out.pingAll(ctx, pinger, quit)
}

// pingAll pings the hosts, and returns the exit status.
func (out *output) pingAll(ctx context.Context, pinger *ping.Pinger, quit <-chan os.Signal) int {
	var running sync.WaitGroup
	targets := make([]*target, len(out.config.hosts))
	for i, host := range out.config.hosts {
		t := &target{host: host}
		targets[i] = t
		running.Go(func() {
			if err := t.ping(ctx, pinger, out); err != nil && ctx.Err() == nil {
				out.fail(t, err)
			}
		})
	}
	await(&running, quit, func() { out.summarize(targets) })
	return out.status(targets)
}

// await waits for what is running, shows how it stands whenever that is asked for, and at the end.
func await(running *sync.WaitGroup, quit <-chan os.Signal, show func()) {
	done := make(chan struct{})
	go func() {
		running.Wait()
		close(done)
	}()
	for {
		select {
		case <-quit:
			show()
		case <-done:
			show()
			return
		}
	}
}

// A target is one of the hosts.
type target struct {
	host       string
	statistics ping.Statistics // guarded by output.mu; Target is valid while there is something to tell
}

// ping pings the target until an error, such as ctx's, or the count asked for ends it.
func (t *target) ping(ctx context.Context, p *ping.Pinger, out *output) error {
	addr, err := p.Resolve(ctx, t.host)
	if err != nil {
		return err
	}
	out.begin(t, addr)
	for r, err := range p.Stream(ctx, addr.String(), ping.WithAnomalies(true)) {
		if err != nil {
			if ctx.Err() != nil {
				out.cutShort(t, err)
			}
			return err
		}
		out.settle(t, r)
	}
	return nil
}

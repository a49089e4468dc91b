// Package pingtest is a network for tests: hosts and routers that exist in memory only, for programs that use
// [github.com/icmpsock/ping]. A test needs no root, no network and no patience:
//
//	func TestGateway(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			n := pingtest.NewNetwork()
//			gateway := n.Host("192.0.2.1", pingtest.RTT(20*time.Millisecond))
//			p := n.Pinger(t)
//
//			reply, err := p.Ping(t.Context(), "192.0.2.1") // reply.RTT is 20 ms, err is nil
//			gateway.Set(pingtest.Down())
//			reply, err = p.Ping(t.Context(), "192.0.2.1") // err is ping.ErrTimeout, a second of simulated time later
//		})
//	}
//
// A [Host] is an address that answers. Settings say how: after which [RTT], how many requests get lost ([Loss]), what
// else goes wrong ([Duplicates], [Reordering], [Corruption], [Truncation], [Forgeries], [AnswersFrom]), whether it is
// [Down] or refuses ([Unreachable], [Refuse]). A host that others are [Behind] is their router: it reports requests
// whose TTL runs out, and those that are too big ([MTU]). Settings are given to Host, changed at any time by
// [Host.Set], and put down beforehand by [Host.At]. An address that no host has is silent.
//
// The network starts no goroutines. All that it waits for are channels and timers, so that it can be used within
// testing/synctest, where time passes as fast as the program allows; outside of it, everything happens in real time.
// A request meets the network as it is at the instant at which it is sent, and its answer comes
// then for certain, whatever is changed while it is on its way.
//
// Chance is drawn from a generator of each host's own, which [Network.Seed] sets: the same requests in the same order
// get the same answers in every run. Answers that are due at the same instant come in the order of their requests.
//
// What several goroutines do at one instant, they do in an order that differs from run to run, within testing/synctest
// too. So a change that is to come at the instant of a request is put down beforehand with [Host.At], or made by
// [Host.Set] after synctest.Wait. Two calls that ping one host at the same instants share its draws in no fixed order.
// A Pinger spreads the probes of more than 8 Streams in the order in which they start (see ping.WithInterval): where
// that matters, start them one by one, with synctest.Wait between. An RTT that is just the timeout is a tie that either
// may win.
//
// Names are looked up in no time. [ping.Ping] and [ping.PingN] use the kernel's sockets always: a program that is to be
// tested has a Pinger of its own.
package pingtest

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
// [Down] or refuses ([Unreachable], [Refuse]), and how often it answers ([ReplyLimit]). Settings are given to Host,
// changed at any time by [Host.Set], and put down beforehand by [Host.At]. An address that no host has is silent.
//
// A host that others are [Behind] is their router: it reports requests whose TTL runs out ([ErrorLimit], [MPLS],
// [Interfaces]), and those that are too big ([MTU]), and may lose what passes ([LossBehind]). Several routers before
// one host are several ways to it, one for each flow.
//
// The host that pings has a device ([Network.LinkMTU]), which may not take a request ([SendError]) and has no room for
// an answer ([LocalDrops]), sockets that cannot be opened ([Network.OpenError]), and names that are not found
// ([LookupError]). Its kernel is like that of Linux: it remembers the MTU of an IPv6 path, asks a neighbour that is
// missing for its address for 3 s, and wants a zone with an IPv6 link-local address.
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

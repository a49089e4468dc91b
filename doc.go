// Package ping measures reachability and round-trip time with ICMP echo, over Linux's datagram ICMP sockets: no
// root, no raw socket, no helper program.
//
//	p, err := ping.New()
//	if err != nil {
//		return err // ping.ErrNotPermitted tells what to change
//	}
//	defer p.Close()
//	reply, err := p.Ping(ctx, "192.0.2.1")
//	if err == nil {
//		fmt.Println(reply.RTT)
//	}
//
// One [Pinger] serves a whole program: it holds one socket for each family, however many targets and goroutines there
// are. [Pinger.Ping] sends one echo request, [Pinger.PingN] several, with statistics, [Pinger.Stream] goes on for
// ever, [Pinger.Reachable] only asks whether a host is up, and [Pinger.Sweep] pings any number of addresses at the
// speed of the kernel. A [Watcher] pings any number of targets again and again, each on a schedule of its own, and
// yields all replies in one loop. [Pinger.Trace] finds the routers on the way, hop by hop, [Pinger.PathMTU] the
// largest packet that gets there in one piece, and [Pinger.TraceMTU] where on the way larger ones no longer fit.
// [Pinger.AskInterface] asks a host for the state of one of its interfaces.
//
// # What the numbers mean
//
// The RTT is the difference between two stamps that do not depend on how busy the program is: its clock is read on
// the line before the system call that sends, and the kernel stamps the reply when it arrives. A reply counts as in
// time by that stamp too, however late the program gets round to reading it. Nothing is taken from the peer's bytes.
// Where the wall clock was stepped meanwhile, which the monotonic clock shows, that one stands in, and
// [Reply.Clock] says so. [WithWireTimestamps] has the kernel stamp departures too.
//
// A reply must come from the target, with the sequence number, the contents and the secret cookie that its probe was
// sent with. Two things are answers all the same, if the whole cookie is in them, for which the payload must be 8 bytes
// or more: a reply with only the beginning of the payload (Reply.Truncated), and over IPv6 one from another address
// (Reply.From), since anycast addresses are answered from others. Answers that fall short of that, come late or come
// twice are counted as what they are, and told to those who ask [WithAnomalies]; and an ICMP error ends exactly the
// probe that it quotes, as an [*ICMPError]. What this host itself dropped, for want of room in the socket's buffer, is
// no loss of the network's: [ErrLocalDrop].
//
// Where more than 8 calls of PingN, Stream and Reachable run at a time, each further one shifts its second probe by up
// to half an interval, so that calls that start together spread out, and sends on whole milliseconds.
//
// # What it needs
//
// On Linux, the sysctl net.ipv4.ping_group_range must cover a group of the process, for IPv6 too (icmp(7));
// otherwise raw sockets are used where the process has CAP_NET_RAW. An error that wraps [ErrNotPermitted] says
// what is missing. On macOS it works through the like sockets, on Windows and the BSDs through raw ones that need
// privilege, in both cases with the program's own clock, without TTLs of replies and without WithDontFragment,
// WithInterface and WithMark. Those systems are built and vetted, but not run, by our tests.
//
// # More
//
// There is a page on each of these: [permissions], [namespaces], old [kernels] and sandboxes, the [calls], [many]
// targets, the [path] to a host, what the [numbers] mean, [errors], [options], [testing] without a network,
// [measurements], [limits] and other systems, and the command [dping]. Package monitor tells which of many hosts are up
// or down, and modules of their own export that to [Prometheus] and [OpenTelemetry].
//
// [permissions]: https://github.com/icmpsock/ping/blob/main/docs/permissions.md
// [namespaces]: https://github.com/icmpsock/ping/blob/main/docs/namespaces.md
// [kernels]: https://github.com/icmpsock/ping/blob/main/docs/kernels.md
// [calls]: https://github.com/icmpsock/ping/blob/main/docs/calls.md
// [many]: https://github.com/icmpsock/ping/blob/main/docs/many.md
// [path]: https://github.com/icmpsock/ping/blob/main/docs/path.md
// [numbers]: https://github.com/icmpsock/ping/blob/main/docs/numbers.md
// [errors]: https://github.com/icmpsock/ping/blob/main/docs/errors.md
// [options]: https://github.com/icmpsock/ping/blob/main/docs/options.md
// [testing]: https://github.com/icmpsock/ping/blob/main/docs/testing.md
// [measurements]: https://github.com/icmpsock/ping/blob/main/docs/measurements.md
// [limits]: https://github.com/icmpsock/ping/blob/main/docs/limits.md
// [dping]: https://github.com/icmpsock/ping/blob/main/docs/dping.md
// [Prometheus]: https://github.com/icmpsock/ping/blob/main/docs/prometheus.md
// [OpenTelemetry]: https://github.com/icmpsock/ping/blob/main/docs/otel.md
package ping

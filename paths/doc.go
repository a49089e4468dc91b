// Package paths watches the way to a host, and finds all ways there are, on top of a [ping.Pinger]: without privilege,
// and through its sockets.
//
// [Watch] goes on round after round, as mtr(8) does: who answers at each distance, with statistics of each router, and
// what changes. [Enumerate] finds the routers and the links of all paths that flows take, with the probability said of
// missing one, and [Graph.Measure] the loss and the RTT of each path.
//
// # What a flow is, and who tells flows apart
//
// Routers with several next hops that are equally good keep the packets of one flow on one of them (RFC 2992). All
// probes of one [ping.WithFlow] are one flow, over IPv4 by their ICMP checksum and identifier, over IPv6 by their flow
// label too (RFC 6438). Not all routers look at these. Linux hashes nothing of ICMP over IPv4: its policies look at the
// addresses, and at the ports of TCP and UDP (net/ipv4/route.c, fib_multipath_hash), so that one host pings another by
// one of several paths, whatever the flow, and the others stay unseen. Over IPv6 it hashes the flow label, with
// net.ipv6.fib_multipath_hash_policy 0, the default.
//
// A router that shares packets out one by one, whatever their flow, keeps no flow on a path. Watch shows that as
// several Routers at a distance. Enumerate takes what two probes of one flow met for neighbours, and shows links that
// there are not.
//
// # Limits
//
// Routers limit the ICMP errors that they send. Linux sends a prober a burst of six, and then one a second
// (net.ipv4.icmp_ratelimit, net.ipv6.icmp.ratelimit). Watch asks each distance once a round, by default once a second,
// and Enumerate keeps to that burst and rate for each router that it knows. Several calls at a time from one host share
// these limits.
package paths

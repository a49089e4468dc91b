// Bench measures package ping beside the least that a C program and the kernel can do, beside the library pro-bing,
// and beside the programs fping and ping where they are installed. From the root of the repository:
//
//	go run -C bench .                        # all rows, some 5 minutes
//	go run -C bench . -quick                 # smaller and rougher, for a glance, less than a minute
//	go run -C bench . -check                 # all rows, and fails where a ratio or a count misses its target
//	go run -C bench . -run 'sweep|serial'    # the rows whose names match
//	go run -C bench . -json                  # the same figures, and those of each run, as JSON
//	go run -C bench . -docs ../docs          # also draws rtt-error.svg and scale.svg there: a minute more
//
// It runs on Linux, as root or as an ordinary user, whatever net.ipv4.ping_group_range says: it moves into a user and
// network namespace of its own first, and all that it sends goes to 127.0.0.0/8 in there, or over a link to another
// namespace that it makes. Every run of a contender is a process of its own. The contenders of a row take turns, and a
// figure is the median of its runs, with the least and the greatest of them. A ratio is of two runs in the same turn.
// Where a figure has a target it is printed beside it.
//
// "bare loop" is always bare/bare.c, a program of system calls alone, over a socket with the same options as the
// library's. It is compiled anew for each call of bench; where there is no C compiler, what is compared with it is
// left out. CPU time and context switches, voluntary or not, are those of the echoes alone, of the whole process.
//
// With -check the exit code is 1 where a ratio or a count misses its target (MISSED), or could not be measured.
// Figures that depend on the machine, as seconds and bytes do, have targets too, but fail nothing (missed). It is for
// use before a release, on a machine that has nothing else to do: another program's load is in the figures, and ratios
// of short runs suffer most.
//
// The rows:
//
//   - sweep-1core: one echo to each of 200,000 addresses by one Sweep, on one processor with GOMAXPROCS=1. The bare
//     loop calls sendmmsg(2) and recvmmsg(2) with 8 messages at a time and does nothing but count. pro-bing has 256
//     Pingers at a time, each for one echo, over fewer addresses; ping -f pings one address; fping is given fewer
//     addresses, too, and its CPU time and ping's include their start. Context switches are put as those of 500,000
//     echoes.
//   - sweep-2core: the same Sweep, free to run on two processors, with GOMAXPROCS=2 and 1; and what the machine gives
//     two bare loops at that time, with a thread and a socket each.
//   - allocations: heap allocations for each echo, once warm, of all goroutines.
//   - ping-serial: one echo after another to one address. The bare loop calls sendmsg(2), poll(2) and recvmsg(2).
//     pro-bing makes a Pinger for each echo.
//   - monitor: 10,000 targets pinged once a second, by one Watcher, by one Monitor of package monitor, and by a Stream
//     for each. The bare loop does the same: each millisecond it sends what is due, and takes each answer before the
//     next. The goroutines counted are those beside the callers' own: one, and 10,000.
//   - sweep-million: one Sweep of 1,000,000 addresses beside as many echoes by Sweeps of 10,000 each: the rate, and
//     the difference of their peak memory.
//   - silent: a Sweep of 65,536 addresses that do not answer, with a timeout of 500 ms.
//   - no-loss: a Sweep of 200,000 addresses at full speed: what was lost, and what this host's socket dropped.
//   - rtt-error: the RTT of 100 targets pinged every 20 ms, in a process where 4 goroutines compute and allocate. The
//     kernel answers within some 5 us, so that what is above is error. Receive stamps are the library's default, wire
//     stamps are WithWireTimestamps.
//   - path-mtu-calls: the system calls of one PathMTU over a link of 1,500 bytes whose far end answers, and of one
//     Ping with a packet of 1,501 bytes that must not be fragmented. The kernel's seccomp(2) has another process count
//     them.
//   - path-mtu: PathMTU over that link, of one host and of 100 at once.
//   - refused: a host that answers is pinged each millisecond, beside Streams to 20 that a firewall of this machine
//     rejects once a second. The figure is how much longer the calls take than the round trip, and the longest of them
//     against the longest without the Streams.
//   - scale, with -docs only: one echo to each of 1 to 100,000 targets, and again.
package main

// Package monitor watches any number of hosts, and tells all the time which of them can be reached and how well, in
// constant memory and with a constant number of goroutines.
//
//	m := monitor.New(pinger, monitor.WithOnChange(func(c monitor.Change) { log.Print(c) }))
//	m.Add(monitor.Target{Name: "db1", Host: "db1.example.com"})
//	go m.Run(ctx)
//	if s, ok := m.Get("db1"); ok && s.State == monitor.Up {
//		fmt.Println(s.Loss(5*time.Minute), s.Percentile(5*time.Minute, 0.99))
//	}
//
// Targets are added, changed and removed while it runs; a change touches nothing but what it changes.
//
// # States
//
// A target is Up after Rise answers in a row, 2 by default. One probe without an answer makes it suspect, no more: it
// is then asked again every 200 ms, and comes down only if Fall probes in a row, 6 by default, have not been answered.
// Three losses in a row happen three times an hour to each target that loses one packet in ten; six, of which five are
// not on the schedule, are another matter: in a simulated hour of 1,000 such targets none came down. With an interval
// and a timeout of 1 s it takes 3.8 s at most from the beginning of an outage until the target is down.
//
// The probes that confirm go out over a second Pinger, with another identifier. Firewalls and address translators on
// the way keep an entry for each identifier, and one that is stale or spoilt has a host seem down until the program is
// started anew. A target that answers the second Pinger and not the first is up. That is counted, and told as
// IdentifierIgnored, once the first has missed Fall answers; the first Pinger's sockets are then opened anew
// ([ping.Pinger.Reopen]), once a minute at the most. Targets that are down are asked by the second Pinger every 10 s,
// or at their interval if that is longer.
//
// Why a target is down is its Reason: no answer, an answer too late, an ICMP error, or that its probes could not be
// sent. What this host drops for want of room is no evidence of anything; ten such probes in a row make a target
// Unknown. When the probes to most targets, and to two at least, cannot be sent, and none has left since the first of
// them, this host is cut off: that is told once, as CutOff and later as Restored, and no state changes meanwhile. A
// single target that cannot be sent to is down.
//
// # Windows
//
// What became of each probe is kept for 15 minutes ([WithWindow]) in two bytes: 1.8 kB for a target at 1 Hz. RTTs are
// within 0.025 % of what was measured. A [Snapshot] has the loss, percentiles and more over any part of that, and
// [Counts] since the target was added, with a histogram.
//
// Once a minute each target's RTTs of the last minute, or of the last 30 probes, are compared with those before, and
// where the level has shifted that is told as RTTShifted. The method: the confidence intervals of both medians, by the
// ranks that a binomial distribution gives them at 99.9 %, are apart, and the medians differ by a quarter and by 1 ms
// at least. After that the new level is what is compared with. It takes 20 answers before and after.
//
// # Names
//
// Names are looked up again every minute, and sooner if that fails or the target is down, while probing goes on. A
// name that has no address yet leaves its target Unknown, with the error; one that had an address keeps it while
// lookups fail.
//
// # When probes leave
//
// A target's probes leave at the instants of the wall clock that a hash of its name, and of a seed, gives: targets
// spread evenly over their interval, a program that starts anew keeps to its instants, and those on two hosts differ.
// The wall clock is asked when the target is added and when Run begins.
//
// # Cost
//
// Over loopback 10,000 targets at 1 Hz take 55 MB and 12 goroutines, with windows of 15 minutes. [Monitor.Handler]
// brings net/http into the program: 1.5 MB more, for one that does not use it anyway. Package ping does not need it.
package monitor

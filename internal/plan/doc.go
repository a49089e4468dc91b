// Package plan says which probe of a call leaves next, and when.
//
// A planner is told what happened: that the probe it named has left, and what became of each. It does no I/O, starts
// no goroutine and reads no clock: every instant is an argument, an int64 of nanoseconds on one monotonic clock, from
// an epoch that the owner chose, and not negative. An interval is a time.Duration, and is taken as 73 years at most.
//
// All planners are driven alike:
//
//	Next     names the next probe and when it is due: at once if that is past; ok is false if nothing is due before
//	         another probe is settled, or ever
//	Sent     says that the probe that Next named last has left
//	Settled  says what became of a probe that has left
//	Done     reports that all has been sent and settled
//
// Between Next and Sent the owner may wait, for a turn of the rate or for room. It then asks Next again, because what
// was settled meanwhile may change which probe is next.
//
// A [Limiter] and [Neighbours] are safe for concurrent use. Whoever owns a [Series], a [Sweep], a [Trace], an [MTU], an
// [MTUTrace] or a [Watch] sees to it that one goroutine at a time uses it.
package plan

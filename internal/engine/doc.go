// Package engine sends and receives echo messages over links, for any number of calls.
//
// A [Conn] is one link with the table of the probes in flight over it. It has two goroutines: one waits for what
// comes, and one, the timekeeper, for what falls due. A [Call] is one caller's part: its [Source] says which probe is
// to leave next, and when; the caller's own goroutine or the timekeeper sends it; and what becomes of it is delivered
// to the caller. All calls, from a single echo to a loop over thousands of targets, go through the one loop of
// [Run].
package engine

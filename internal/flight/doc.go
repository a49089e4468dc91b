// Package flight is the table of the probes in flight over one link: it gives each echo request its sequence number
// and its cookie, finds the probe that an answer belongs to, measures its RTT, and gives up what is not answered in
// time.
//
// It does no I/O, reads no clock, starts no goroutine and takes no lock: the owner of a [Table] guards it and all
// that belongs to it, the inboxes included, with one lock, and tells it what time it is. Times are nanoseconds: on
// the wall clock since 1970, on the monotonic clock since an epoch that the owner has chosen.
package flight

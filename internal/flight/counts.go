package flight

// Counts is what a Table has seen since it was new. Its fields are those of the public ping.Counters, in the same
// order.
type Counts struct {
	// Sent = Received + Lost + Abandoned + InFlight, at any moment.
	Sent      uint64 // echo requests that left
	Received  uint64 // answered by an echo reply in time
	Lost      uint64 // not answered so; includes Errors, and those of Late that were not abandoned
	Abandoned uint64 // whose inbox was released, or whose link ended, before they were settled
	InFlight  uint64 // not settled yet

	SendErrors uint64 // echo requests that could not be sent
	Errors     uint64 // probes that an ICMP error ended
	Late       uint64 // replies to a probe already given up, or ended by an ICMP error
	Duplicates uint64 // replies to a probe already answered
	LateErrors uint64 // ICMP errors about a probe already settled
	Corrupted  uint64 // replies with another payload, length or code than asked for
	Stray      uint64 // messages that answer no probe
	Advice     uint64 // redirects and source quenches, which end no probe
	LocalDrops uint64 // messages that the link dropped for want of room
}

// Counts returns what the table has seen.
func (t *Table) Counts() Counts {
	c := t.counts
	c.InFlight = c.Sent - c.Received - c.Lost - c.Abandoned
	c.LocalDrops = t.drops
	return c
}

// Plus is the sum of both.
func (c Counts) Plus(d Counts) Counts {
	c.Sent += d.Sent
	c.Received += d.Received
	c.Lost += d.Lost
	c.Abandoned += d.Abandoned
	c.InFlight += d.InFlight
	c.SendErrors += d.SendErrors
	c.Errors += d.Errors
	c.Late += d.Late
	c.Duplicates += d.Duplicates
	c.LateErrors += d.LateErrors
	c.Corrupted += d.Corrupted
	c.Stray += d.Stray
	c.Advice += d.Advice
	c.LocalDrops += d.LocalDrops
	return c
}

package ping

// Counters is what a whole [Pinger] has seen since New.
type Counters struct {
	// Sent = Received + Lost + Abandoned + InFlight, at any moment.
	Sent      uint64 `json:"sent"`      // echo requests that left
	Received  uint64 `json:"received"`  // answered by an echo reply in time
	Lost      uint64 `json:"lost"`      // not answered so; includes Errors, and those of Late that were not abandoned
	Abandoned uint64 `json:"abandoned"` // whose call ended before they were settled
	InFlight  uint64 `json:"in_flight"` // not settled yet

	SendErrors uint64 `json:"send_errors"` // echo requests that could not be sent
	Errors     uint64 `json:"icmp_errors"` // probes that an ICMP error ended
	Late       uint64 `json:"late"`        // replies to a probe already given up, or ended by an ICMP error
	Duplicates uint64 `json:"duplicates"`  // replies to a probe already answered
	LateErrors uint64 `json:"late_errors"` // ICMP errors about a probe already settled
	Corrupted  uint64 `json:"corrupted"`   // replies with another payload, length or code than asked for
	Stray      uint64 `json:"stray"`       // messages that answer no probe of ours
	Advice     uint64 `json:"advice"`      // redirects and source quenches, which end no probe
	LocalDrops uint64 `json:"local_drops"` // messages that this host's sockets dropped for want of room
}

package plan

// An Outcome is what became of a probe, as far as a Trace or an MTU needs to know.
type Outcome uint8

const (
	// Silent: no answer came in time.
	Silent Outcome = iota
	// Answered: the target sent an echo reply in time.
	Answered
	// InTransit: a router sent "time exceeded in transit", because the TTL or hop limit ended there.
	InTransit
	// TooBig: a router sent an ICMP error that says that the packet is too big.
	TooBig
	// Refused: another ICMP error came that ends the path, such as "host unreachable".
	Refused
	// TooBigHere: this host would not send it, because it is too big for the link or for what is known of the path
	// (EMSGSIZE).
	TooBigHere
	// NoRoom: it found no room to leave, for a whole timeout.
	NoRoom
	// Unsent: it could not be sent for another reason.
	Unsent
)

package monitor

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"time"
	"unicode/utf8"

	"github.com/icmpsock/ping"
)

// A Target is a host to watch. Only Host must be given. It can be read from JSON, as a configuration has it.
type Target struct {
	// Name is what the Monitor knows the target by: valid UTF-8, as what is told of it must be; Host by default.
	Name string `json:"name"`
	// Host is a name or an address.
	Host string `json:"host"`
	// Interval is the time from one probe to the next: above 0, 1 s by default.
	Interval time.Duration `json:"interval_ns"`
	// Timeout is how long each probe waits for its answer: above 0, 1 s by default.
	Timeout time.Duration `json:"timeout_ns"`
	// Size is the payload in bytes: 1 to 65,507, or to 65,527 over IPv6. 0 is the Pinger's, 56 by default.
	Size int `json:"size,omitempty"`
	// Labels are the user's own. A Monitor keeps a copy; those of a Snapshot or a Change must not be written to.
	Labels map[string]string `json:"labels,omitempty"`

	// Rise is how many answers in a row make the target up: 1 to 1,000, 2 by default.
	Rise int `json:"rise"`
	// Fall is how many probes in a row must stay without an answer to make the target down: 1 to 1,000, 6 by default.
	// They are the first one on the schedule, and those that confirm it, 200 ms apart.
	Fall int `json:"fall"`

	// Network is which addresses of a name are used: "ip", the default, "ip4" or "ip6".
	Network string `json:"network"`
	// Addresses says which of several addresses of a name are watched: the first, by default.
	Addresses Addresses `json:"addresses"`
}

// Addresses says which of several addresses of a name are watched, and what the state of the target is then.
type Addresses uint8

const (
	// FirstAddress: one address is watched, the first that the resolver names, for as long as it names that at all.
	FirstAddress Addresses = iota
	// AnyAddress: all addresses are watched, and the target is up if one of them is.
	AnyAddress
	// EachAddress: all addresses are watched, and the target is up if each of them is, and down if one of them is.
	EachAddress
)

// maxAddresses is how many addresses of a name are watched.
const maxAddresses = 64

// String returns "first", "any" or "each".
func (a Addresses) String() string {
	switch a {
	case FirstAddress:
		return "first"
	case AnyAddress:
		return "any"
	case EachAddress:
		return "each"
	}
	return fmt.Sprintf("Addresses(%d)", uint8(a))
}

// MarshalText returns what String does.
func (a Addresses) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText takes what MarshalText returns. The error names what it is given, and all that it takes.
func (a *Addresses) UnmarshalText(text []byte) error { return fromText(a, EachAddress, text) }

const (
	defaultInterval = time.Second
	defaultTimeout  = time.Second
	defaultRise     = 2
	defaultFall     = 6
	maxRun          = 1000 // of Rise and Fall
	maxRing         = 1 << 22
)

// checked returns the target with its defaults, or what is wrong with it.
func (t Target) checked(window time.Duration) (Target, error) {
	t = t.filled()
	switch {
	case t.Host == "":
		return t, errors.New("field Host is empty: want a name or an address")
	case !utf8.ValidString(t.Name):
		return t, fmt.Errorf("field Name is %q: want valid UTF-8", t.Name)
	case t.Interval < 0:
		return t, fmt.Errorf("field Interval is %v: want more than 0", t.Interval)
	case t.Timeout < 0:
		return t, fmt.Errorf("field Timeout is %v: want more than 0", t.Timeout)
	case t.Size < 0:
		return t, fmt.Errorf("field Size is %d: want 0 to 65527", t.Size)
	case t.Rise < 1 || t.Rise > maxRun:
		return t, fmt.Errorf("field Rise is %d: want 1 to %d", t.Rise, maxRun)
	case t.Fall < 1 || t.Fall > maxRun:
		return t, fmt.Errorf("field Fall is %d: want 1 to %d", t.Fall, maxRun)
	case t.Network != "ip" && t.Network != "ip4" && t.Network != "ip6":
		return t, fmt.Errorf(`field Network is %q: want "ip", "ip4" or "ip6"`, t.Network)
	case t.Addresses > EachAddress:
		return t, fmt.Errorf("field Addresses is %v: want FirstAddress, AnyAddress or EachAddress", t.Addresses)
	case int64(window)/int64(t.Interval) > maxRing:
		return t, fmt.Errorf("field Interval is %v: want %d probes at most in WithWindow(%v)", t.Interval, maxRing, window)
	}
	return t, nil
}

// filled returns the target with its defaults, and Labels of its own.
func (t Target) filled() Target {
	if t.Name == "" {
		t.Name = t.Host
	}
	if t.Interval == 0 {
		t.Interval = defaultInterval
	}
	if t.Timeout == 0 {
		t.Timeout = defaultTimeout
	}
	if t.Rise == 0 {
		t.Rise = defaultRise
	}
	if t.Fall == 0 {
		t.Fall = defaultFall
	}
	if t.Network == "" {
		t.Network = "ip"
	}
	t.Labels = maps.Clone(t.Labels)
	return t
}

// literal returns the address that Host is, if it is one.
func (t *Target) literal() (netip.Addr, bool) {
	addr, err := netip.ParseAddr(t.Host)
	return addr, err == nil
}

// options are those of the target's probes, on its schedule or beside it: all that a Pinger may have another default
// for, but the size.
func (t *Target) options(interval, phase time.Duration) []ping.ProbeOption {
	opts := []ping.ProbeOption{
		ping.WithNetwork(t.Network), ping.WithInterval(interval), ping.WithTimeout(t.Timeout), ping.WithPhase(phase),
	}
	if t.Size > 0 {
		opts = append(opts, ping.WithSize(t.Size))
	}
	return opts
}

// sameProbes reports whether the probes of t are as those of u are.
func (t *Target) sameProbes(u *Target) bool {
	return t.Interval == u.Interval && t.Timeout == u.Timeout && t.Size == u.Size
}

// phase is where in the interval the probes of a target, or of one of several addresses of it, leave: a hash of its
// name, so that targets spread out, and keep their instants when the program starts anew. It is a whole millisecond,
// or up to four, unless the interval is short: probes that leave together share the waking of a processor.
func phase(seed uint64, name string, addr netip.Addr, interval time.Duration) time.Duration {
	h := seed ^ 14695981039346656037 // FNV-1a, 64 bits
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	if addr.IsValid() {
		for _, b := range addr.As16() {
			h = (h ^ uint64(b)) * 1099511628211
		}
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd // the end of MurmurHash3, so that names that are alike part
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	share := time.Duration(float64(interval) * (float64(h>>11) / (1 << 53)))
	if interval < 10*time.Millisecond {
		return share
	}
	return share.Truncate(min(max(interval/(250*time.Millisecond), 1), 4) * time.Millisecond)
}

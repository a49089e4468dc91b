//go:build linux

package netlab

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// farDevice is the name of the responder's end of its link.
const farDevice = "far"

// ResponderConfig says where a Responder is and what it does.
type ResponderConfig struct {
	// Device is the name of the near end of the link. Defaults to "veth0".
	Device string

	// MTU is that of both ends. Defaults to 1500. An answer that is larger
	// goes in fragments.
	MTU int

	// Addrs are the addresses of the near end. The responder answers for
	// every other address of their prefixes.
	Addrs []netip.Prefix

	// Routes are the other prefixes that the responder answers for.
	Routes []netip.Prefix

	// Script returns the answers to an echo request. It is called for each in
	// order of arrival, on a goroutine of the responder, and must leave the
	// request's bytes as they are. If it is nil, every request is echoed at
	// once.
	Script func(*Request) []Answer

	// Quiet keeps no records and reads no time stamps, for tests that send
	// millions of packets.
	Quiet bool

	// Busy says that requests may be missed, for want of time to read them.
	// Otherwise that is an error.
	Busy bool
}

// A Record is what really happened to an echo request.
type Record struct {
	Request

	// Sent has the kernel's stamp of the departure of each answer that the
	// script returned, or of its last fragment. It is zero for an answer that
	// has not left.
	Sent []time.Time
}

// A Responder plays all hosts and routers beyond a link, and keeps the truth.
// Its methods may be called concurrently.
type Responder struct {
	tb       testing.TB
	quiet    bool
	busy     bool
	ring     *ring
	delayed  *schedule
	stopping atomic.Bool
	done     chan struct{}
	closing  sync.WaitGroup // of the sockets, for each of which the kernel takes its time

	fragments reassembler // of the reading goroutine

	mu       sync.Mutex // held from a packet's departure until it is recorded
	transmit *transmitter
	script   func(*Request) []Answer
	records  []*Record
	requests int
	answers  int
}

// NewResponder links ns to a namespace where a new responder answers, until the
// test ends.
func NewResponder(tb testing.TB, ns *Namespace, cfg ResponderConfig) *Responder {
	tb.Helper()
	if cfg.Device == "" {
		cfg.Device = "veth0"
	}
	if cfg.MTU == 0 {
		cfg.MTU = 1500
	}
	r := &Responder{
		tb:     tb,
		quiet:  cfg.Quiet,
		busy:   cfg.Busy,
		script: cfg.Script,
		done:   make(chan struct{}),
	}

	tb.Cleanup(r.closing.Wait) // once the link is deleted, which takes time too
	far := New(tb)
	// The kernel of the far end is to be silent.
	far.Sysctl(tb, "net/ipv6/conf/all/disable_ipv6", "1")
	Link(tb, ns, cfg.Device, far, farDevice)
	ns.SetMTU(tb, cfg.Device, cfg.MTU)
	far.SetMTU(tb, farDevice, cfg.MTU)

	var near *net.Interface
	ns.Do(tb, func() {
		// No neighbour is asked for its address.
		err := setFlags(cfg.Device, unix.IFF_NOARP, unix.IFF_NOARP)
		if err == nil {
			near, err = net.InterfaceByName(cfg.Device)
		}
		if err != nil {
			tb.Fatal("netlab:", err)
		}
	})
	far.Do(tb, func() {
		if err := r.open(near.HardwareAddr, cfg.MTU); err != nil {
			tb.Fatal("netlab: responder:", err)
		}
	})
	r.delayed = newSchedule()
	go r.run()
	tb.Cleanup(r.close)

	for _, prefix := range cfg.Addrs {
		ns.Addr(tb, cfg.Device, prefix)
	}
	for _, prefix := range cfg.Routes {
		ns.Route(tb, prefix, netip.Addr{}, cfg.Device)
	}
	return r
}

// open opens the sockets in the calling thread's namespace.
func (r *Responder) open(near net.HardwareAddr, mtu int) error {
	ifi, err := net.InterfaceByName(farDevice)
	if err != nil {
		return err
	}
	if r.transmit, err = newTransmitter(ifi.Index, ifi.HardwareAddr, near, mtu, !r.quiet); err != nil {
		return err
	}
	if r.ring, err = newRing(ifi.Index, mtu); err != nil {
		r.transmit.close()
		return err
	}
	return nil
}

// close ends the responder. Answers that are still delayed are not sent.
func (r *Responder) close() {
	if n, err := r.ring.dropped(); err != nil || n > 0 && !r.busy {
		r.tb.Errorf("netlab: the responder missed %d packets: %v", n, err)
	}
	r.stopping.Store(true)
	r.ring.close()
	<-r.done
	r.delayed.stop()
	for _, end := range []func() error{r.ring.unmap, r.transmit.close} {
		r.closing.Go(func() {
			if err := end(); err != nil {
				r.tb.Error("netlab:", err)
			}
		})
	}
}

// run answers requests until the responder is closed.
func (r *Responder) run() {
	defer close(r.done)
	err := r.ring.read(r.receive, r.idle, r.stopping.Load)
	if err != nil && !r.stopping.Load() {
		r.tb.Error("netlab: responder:", err)
	}
}

// idle sends what was held back while there was more to read.
func (r *Responder) idle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.check(r.transmit.flush())
}

// receive answers a packet, if it is or completes an echo request.
func (r *Responder) receive(packet []byte, stamp time.Time) {
	packet = r.fragments.add(packet)
	p, ok := parse(packet)
	if !ok || !p.isRequest() {
		return
	}

	r.mu.Lock()
	script := r.script
	n := r.requests
	r.requests++
	if script == nil && r.quiet {
		reply := p.echoed()
		r.answers++
		r.check(r.transmit.enqueue(&reply))
		r.mu.Unlock()
		return
	}
	record := &Record{Request: *newRequest(clone(packet), stamp, n)}
	if !r.quiet {
		r.records = append(r.records, record)
	}
	r.mu.Unlock()

	if script == nil {
		script = echo
	}
	request := record.Request
	r.answer(record, script(&request))
}

// echo is the script of an honest host.
func echo(r *Request) []Answer { return []Answer{r.Echo()} }

// answer sends the answers to a request, or has them sent later.
func (r *Responder) answer(record *Record, answers []Answer) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	record.Sent = make([]time.Time, len(answers))
	for i, a := range answers {
		switch {
		case a.Packet == nil:
		case a.After <= 0:
			record.Sent[i] = r.send(a.Packet)
		default:
			r.delayed.add(now.Add(a.After), func() {
				r.mu.Lock()
				defer r.mu.Unlock()
				record.Sent[i] = r.send(a.Packet)
			})
		}
	}
}

// send sends a packet and returns its stamp. The lock must be held.
func (r *Responder) send(packet []byte) time.Time {
	stamp, err := r.transmit.send(packet)
	r.check(err)
	r.answers++
	return stamp
}

func (r *Responder) check(err error) {
	if err != nil {
		r.tb.Error("netlab: responder:", err)
	}
}

// Send sends a packet that nobody asked for.
func (r *Responder) Send(packet []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.send(packet)
}

// SetScript replaces the script for the requests that arrive from now on. With
// nil, they are echoed.
func (r *Responder) SetScript(script func(*Request) []Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.script = script
}

// Records returns what happened so far, in order of arrival. The stamps of an
// answer are there before anyone can have received it.
func (r *Responder) Records() []Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	records := make([]Record, len(r.records))
	for i, record := range r.records {
		records[i] = *record
		records[i].Sent = slices.Clone(record.Sent)
	}
	return records
}

// Count returns how many requests have arrived, and how many answers have been
// sent.
func (r *Responder) Count() (requests, answers int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests, r.answers
}

// Reset forgets the records and counts so far. Answers that are still delayed
// are sent all the same.
func (r *Responder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records, r.requests, r.answers = nil, 0, 0
}

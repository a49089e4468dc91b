package plan

import (
	"math/bits"
	"time"
)

// A Watch is any number of targets, each with a series of probes of its own, and says which is due next. Each target
// keeps to a grid as a [Series] does, which begins where the target's id puts it, so that the targets do not all send
// together.
//
// The zero value is a Watch without targets. A Watch is not safe for concurrent use. A target costs 80 to 100 bytes
// beside its Value: 40 in a block of 64 that does not move, and the rest in the heap and in the map of ids. The memory
// of targets that have been removed is kept for others.
type Watch[T any] struct {
	heap   watchHeap
	byID   map[int64]*Target[T]
	blocks []*[blockSize]Target[T]
	slots  uint32   // of the blocks, how many have been in use
	free   []uint32 // those of them that are not in use
	due    *Target[T]
}

// A Target is one target of a [Watch], which owns it: it must not be used after it has been removed or replaced.
type Target[T any] struct {
	ID    int64
	Value T // the owner's

	interval   int64
	seq        int // of the next probe
	slot       uint32
	generation uint32 // keeps a reused slot from matching the probes of its target before
}

// A tag is a slot, its generation, and the low bits of the probe's number, which is the target's last one with those
// bits. A sequence number of ICMP echo has 16 bits, so no more of a target's probes can be in flight over one socket.
const (
	seqBits        = 19
	generationBits = 20
	slotBits       = 63 - generationBits - seqBits

	blockSize = 64
)

// MaxTargets is how many targets a [Watch] can have: 16,777,216, some 1.6 GB.
const MaxTargets = 1 << slotBits

// Tag names the target's next probe to [Watch.Find]. It is not negative.
func (t *Target[T]) Tag() int64 {
	return int64(t.slot)<<(generationBits+seqBits) | int64(t.generation)<<seqBits | int64(t.seq)&(1<<seqBits-1)
}

// Add adds a target, or replaces the one with this id: the probes of that one are not found any more, and the new one's
// count from 0. The interval is above 0. It reports false, and adds nothing, where there are MaxTargets.
//
// The first probe is due after a share of the interval, which depends on the id alone: whatever the ids are, they
// spread evenly over it. The instant is a whole millisecond, or up to four, where the interval is 10 ms or more.
func (w *Watch[T]) Add(id int64, interval time.Duration, now int64, v T) bool {
	return w.AddAt(id, interval, now+share(id, min(int64(interval), maxInterval), now), v)
}

// AddAt is Add of a target whose first probe is due at first.
func (w *Watch[T]) AddAt(id int64, interval time.Duration, first int64, v T) bool {
	w.Remove(id)
	t := w.slotFor(id)
	if t == nil {
		return false
	}
	t.ID, t.Value, t.seq, t.interval = id, v, 0, min(int64(interval), maxInterval)
	w.heap.push(t.slot, first)
	return true
}

// slotFor finds room for a target; nil if there is none.
func (w *Watch[T]) slotFor(id int64) *Target[T] {
	if w.byID == nil {
		w.byID = make(map[int64]*Target[T])
	}
	var slot uint32
	switch n := len(w.free); {
	case n > 0:
		slot = w.free[n-1]
		w.free = w.free[:n-1]
	case w.slots == MaxTargets:
		return nil
	default:
		slot = w.slots
		w.slots++
		if slot%blockSize == 0 {
			w.blocks = append(w.blocks, new([blockSize]Target[T]))
		}
	}
	t := w.target(slot)
	t.slot = slot
	w.byID[id] = t
	return t
}

// target is the target in a slot, or the memory for one.
func (w *Watch[T]) target(slot uint32) *Target[T] { return &w.blocks[slot/blockSize][slot%blockSize] }

// share is how long after now the first probe of the target with an id is due.
func share(id, interval, now int64) int64 {
	high, _ := bits.Mul64(mix(uint64(id)), uint64(interval))
	coarse := coarseness(interval)
	wait := int64(high)
	wait -= (now + wait) % coarse
	if wait < 0 {
		wait += coarse
	}
	return wait
}

// mix makes of numbers that are alike some that are not: the output function of SplitMix64 (Steele, Lea, Flood: Fast
// Splittable Pseudorandom Number Generators, 2014, variant 13 of Stafford's).
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Remove removes the target with this id, and reports whether there was one. Its probes are not found any more.
func (w *Watch[T]) Remove(id int64) bool {
	t := w.byID[id]
	if t == nil {
		return false
	}
	delete(w.byID, id)
	w.heap.remove(t.slot)
	var none T
	t.Value = none
	t.generation = (t.generation + 1) % (1 << generationBits)
	w.free = append(w.free, t.slot)
	if w.due == t {
		w.due = nil
	}
	return true
}

// Next returns the target whose probe is to leave next, and when it is due. It returns false if there are no targets.
func (w *Watch[T]) Next() (t *Target[T], at int64, ok bool) {
	if len(w.heap.entries) == 0 {
		return nil, 0, false
	}
	first := w.heap.entries[0]
	w.due = w.target(first.slot)
	return w.due, first.at, true
}

// Sent says that the probe of the target that Next returned last leaves now. If that has been removed since, it does
// nothing.
func (w *Watch[T]) Sent(now int64) {
	t := w.due
	if t == nil {
		return
	}
	w.due = nil
	t.seq++
	g := grid{interval: t.interval, next: w.heap.at(t.slot)}
	g.pass(now)
	w.heap.postpone(t.slot, g.next)
}

// Find returns the target one of whose probes had this tag, and the number of that probe, from 0. It returns false if
// the target has been removed or replaced since, or for a tag that no probe had.
func (w *Watch[T]) Find(tag int64) (t *Target[T], seq int, ok bool) {
	slot := uint64(tag) >> (generationBits + seqBits)
	if slot >= uint64(w.slots) {
		return nil, 0, false
	}
	t = w.target(uint32(slot))
	last := t.seq - 1
	seq = last - int((int64(last)-tag)&(1<<seqBits-1))
	generation := uint32(tag>>seqBits) % (1 << generationBits)
	if !w.heap.holds(t.slot) || t.generation != generation || seq < 0 {
		return nil, 0, false
	}
	return t, seq, true
}

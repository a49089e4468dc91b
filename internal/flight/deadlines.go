package flight

// A deadline is when the probe with a sequence number is given up, on the monotonic clock.
type deadline struct {
	at  int64
	seq uint16
}

// deadlines is a binary heap, earliest first, that knows where each probe's deadline stands in it, so that any can be
// removed. Probes of one timeout come in order, which costs a push one comparison. (container/heap would allocate for
// each.)
type deadlines struct {
	heap      []deadline
	positions []uint16 // in heap, by sequence number modulo their number, as Table.slots
}

func (d *deadlines) len() int { return len(d.heap) }

// first is the earliest deadline. There must be one.
func (d *deadlines) first() deadline { return d.heap[0] }

// at is the deadline of a probe that has one.
func (d *deadlines) at(seq uint16) int64 { return d.heap[*d.position(seq)].at }

func (d *deadlines) push(e deadline) {
	d.heap = append(d.heap, e)
	d.up(len(d.heap)-1, e)
}

func (d *deadlines) remove(seq uint16) {
	i := int(*d.position(seq))
	last := len(d.heap) - 1
	moved := d.heap[last]
	d.heap = d.heap[:last]
	switch {
	case i == last:
	case i > 0 && moved.at < d.heap[(i-1)/2].at:
		d.up(i, moved)
	default:
		d.down(i, moved)
	}
}

// resize makes room for the positions of n sequence numbers.
func (d *deadlines) resize(n int) {
	d.positions = make([]uint16, n)
	for i, e := range d.heap {
		*d.position(e.seq) = uint16(i)
	}
}

// up puts e where i is, or nearer to the top.
func (d *deadlines) up(i int, e deadline) {
	for i > 0 {
		parent := (i - 1) / 2
		if d.heap[parent].at <= e.at {
			break
		}
		d.set(i, d.heap[parent])
		i = parent
	}
	d.set(i, e)
}

// down puts e where i is, or farther from the top.
func (d *deadlines) down(i int, e deadline) {
	h := d.heap
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if right := child + 1; right < len(h) && h[right].at < h[child].at {
			child = right
		}
		if e.at <= h[child].at {
			break
		}
		d.set(i, h[child])
		i = child
	}
	d.set(i, e)
}

func (d *deadlines) set(i int, e deadline) {
	d.heap[i] = e
	*d.position(e.seq) = uint16(i)
}

func (d *deadlines) position(seq uint16) *uint16 { return &d.positions[int(seq)&(len(d.positions)-1)] }

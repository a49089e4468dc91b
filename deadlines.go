package ping

// A deadline is when the probe with a sequence number is given up, on the monotonic clock.
type deadline struct {
	at  int64
	seq uint16
}

// deadlines is a binary heap, earliest first, that keeps in each slot where its deadline stands, so that any
// can be removed. Probes of one timeout come in order, which costs a push one comparison. (container/heap
// would allocate for each.)
type deadlines []deadline

func (f *flight) pushDeadline(d deadline) {
	f.deadlines = append(f.deadlines, d)
	f.up(len(f.deadlines) - 1)
}

func (f *flight) removeDeadline(i int) {
	h := f.deadlines
	last := len(h) - 1
	moved := h[last]
	f.deadlines = h[:last]
	if i == last {
		return
	}
	f.deadlines[i] = moved
	f.at(moved.seq).deadline = int32(i)
	if !f.down(i) {
		f.up(i)
	}
}

func (f *flight) up(i int) {
	h := f.deadlines
	d := h[i]
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].at <= d.at {
			break
		}
		f.place(i, h[parent])
		i = parent
	}
	f.place(i, d)
}

func (f *flight) down(i int) (moved bool) {
	h := f.deadlines
	d := h[i]
	start := i
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if right := child + 1; right < len(h) && h[right].at < h[child].at {
			child = right
		}
		if d.at <= h[child].at {
			break
		}
		f.place(i, h[child])
		i = child
	}
	f.place(i, d)
	return i > start
}

func (f *flight) place(i int, d deadline) {
	f.deadlines[i] = d
	f.at(d.seq).deadline = int32(i)
}

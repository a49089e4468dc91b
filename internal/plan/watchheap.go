package plan

// A watchHeap is the targets of a Watch, the earliest first. Each has up to four below it and not two, which are
// beside one another in memory: fewer levels, and so fewer targets to tell their new place.
type watchHeap[T any] []watchEntry[T]

// A watchEntry has the instant beside the target, because the targets are not in the processor's cache.
type watchEntry[T any] struct {
	at     int64 // when the target's next probe is due
	target *Target[T]
}

// heapWidth is how many entries are below one.
const heapWidth = 4

func (h *watchHeap[T]) push(t *Target[T], at int64) {
	*h = append(*h, watchEntry[T]{at, t})
	h.up(len(*h) - 1)
}

// remove takes a target out, and says so in its place.
func (h *watchHeap[T]) remove(t *Target[T]) {
	i, last := int(t.place), len(*h)-1
	moved := (*h)[last]
	(*h)[last] = watchEntry[T]{}
	*h = (*h)[:last]
	t.place = -1
	if i == last {
		return
	}
	(*h)[i] = moved
	h.up(i)
	h.down(int(moved.target.place))
}

// postpone gives a target a later instant.
func (h watchHeap[T]) postpone(t *Target[T], at int64) {
	h[t.place].at = at
	h.down(int(t.place))
}

// up moves the entry at i to the front, as far as it is earlier.
func (h watchHeap[T]) up(i int) {
	e := h[i]
	for i > 0 {
		above := (i - 1) / heapWidth
		if h[above].at <= e.at {
			break
		}
		h.put(i, h[above])
		i = above
	}
	h.put(i, e)
}

// down moves the entry at i to the back, as far as it is later.
func (h watchHeap[T]) down(i int) {
	e := h[i]
	for {
		below := heapWidth*i + 1
		if below >= len(h) {
			break
		}
		first := below
		for k := below + 1; k < min(below+heapWidth, len(h)); k++ {
			if h[k].at < h[first].at {
				first = k
			}
		}
		if e.at <= h[first].at {
			break
		}
		h.put(i, h[first])
		i = first
	}
	h.put(i, e)
}

func (h watchHeap[T]) put(i int, e watchEntry[T]) {
	h[i] = e
	e.target.place = int32(i)
}

package plan

// A watchHeap is the slots of a Watch that have targets, the earliest first. Each has up to four below it and not two,
// which are beside one another in memory: fewer levels, and so fewer slots to note the new place of.
type watchHeap struct {
	entries []watchEntry
	places  []int32 // by slot, the index into entries; -1: the slot has no target
}

// A watchEntry is a slot, and when its target's next probe is due. The targets themselves, and where each stands
// here, are kept apart: of many targets few are in the processor's cache.
type watchEntry struct {
	at   int64
	slot uint32
}

// heapWidth is how many entries are below one.
const heapWidth = 4

func (h *watchHeap) push(slot uint32, at int64) {
	for int(slot) >= len(h.places) {
		h.places = append(h.places, -1)
	}
	h.entries = append(h.entries, watchEntry{at, slot})
	h.up(len(h.entries) - 1)
}

// holds reports whether the slot has a target.
func (h *watchHeap) holds(slot uint32) bool { return h.places[slot] >= 0 }

// at is when the slot's target is due.
func (h *watchHeap) at(slot uint32) int64 { return h.entries[h.places[slot]].at }

// remove takes a slot out.
func (h *watchHeap) remove(slot uint32) {
	i, last := int(h.places[slot]), len(h.entries)-1
	moved := h.entries[last]
	h.entries = h.entries[:last]
	h.places[slot] = -1
	if i == last {
		return
	}
	h.entries[i] = moved
	h.up(i)
	h.down(int(h.places[moved.slot]))
}

// postpone gives a slot a later instant.
func (h *watchHeap) postpone(slot uint32, at int64) {
	i := int(h.places[slot])
	h.entries[i].at = at
	h.down(i)
}

// up moves the entry at i to the front, as far as it is earlier.
func (h *watchHeap) up(i int) {
	e := h.entries[i]
	for i > 0 {
		above := (i - 1) / heapWidth
		if h.entries[above].at <= e.at {
			break
		}
		h.put(i, h.entries[above])
		i = above
	}
	h.put(i, e)
}

// down moves the entry at i to the back, as far as it is later.
func (h *watchHeap) down(i int) {
	e := h.entries[i]
	for {
		below := heapWidth*i + 1
		if below >= len(h.entries) {
			break
		}
		first := below
		for k := below + 1; k < min(below+heapWidth, len(h.entries)); k++ {
			if h.entries[k].at < h.entries[first].at {
				first = k
			}
		}
		if e.at <= h.entries[first].at {
			break
		}
		h.put(i, h.entries[first])
		i = first
	}
	h.put(i, e)
}

func (h *watchHeap) put(i int, e watchEntry) {
	h.entries[i] = e
	h.places[e.slot] = int32(i)
}

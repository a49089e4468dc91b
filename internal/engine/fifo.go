package engine

// A fifo is a queue whose items are taken in the order in which they came, at a cost that does not depend on how many
// wait.
type fifo[T any] struct {
	items []T
	taken int // of items, from the front
}

func (q *fifo[T]) len() int { return len(q.items) - q.taken }

func (q *fifo[T]) push(items ...T) {
	if q.taken > len(q.items)/2 { // the rest moves less often than it is taken
		n := copy(q.items, q.items[q.taken:])
		clear(q.items[n:])
		q.items, q.taken = q.items[:n], 0
	}
	q.items = append(q.items, items...)
}

// pop moves as many items to list as it has room for, and returns their number.
func (q *fifo[T]) pop(list []T) int {
	n := copy(list, q.items[q.taken:])
	clear(q.items[q.taken : q.taken+n])
	if q.taken += n; q.taken == len(q.items) {
		q.items, q.taken = q.items[:0], 0
		if cap(q.items) > maxIdle {
			q.items = nil
		}
	}
	return n
}

// maxIdle is how many items an empty fifo keeps the memory of at most.
const maxIdle = 1 << 10

package flight

import (
	"math"
	"time"
)

// NextDeadline is when the next probe is to be given up, on the monotonic clock. It reports false if none waits.
func (t *Table) NextDeadline() (at int64, ok bool) {
	if t.deadlines.len() == 0 {
		return 0, false
	}
	return t.deadlines.first().at, true
}

// Expire gives up the probes whose deadline has passed at now, on the monotonic clock. One whose answer has come, and
// waits for the report of its departure, need wait no longer.
func (t *Table) Expire(now int64) {
	t.settleUnstamped(func(seq uint16) bool {
		return t.at(seq).state == waiting && t.deadlines.at(seq) <= now
	})
	for t.deadlines.len() > 0 && t.deadlines.first().at <= now {
		s := t.at(t.deadlines.first().seq)
		t.counts.Lost++
		r := t.conclude(s, expired).add()
		r.Tag, r.Kind, r.Sent, r.From = s.tag, TimedOut, s.left().Wall, t.elsewhere[s.seq]
		if t.uncharged > 0 && s.sent.Mono <= t.dropsAt {
			t.uncharged--
			r.Kind = Dropped
		}
	}
}

// Shorten has the probes of an inbox that are in flight wait for their answers, from when they leave, no longer than
// wait says, above 0, by their tags. It makes no wait longer.
func (t *Table) Shorten(in *Inbox, wait func(tag int64) time.Duration) {
	seq := in.newest
	for range in.pending {
		s := t.at(seq)
		switch most := int64(wait(s.tag)); {
		case s.state == sending:
			s.sent.Mono = most
		case s.left().Mono+min(most, math.MaxInt64-s.left().Mono) < t.deadlines.at(seq):
			t.deadlines.remove(seq)
			t.deadlines.push(deadline{s.left().Mono + most, seq})
		}
		seq = t.owners.claim(seq).older
	}
}

// Drain ends every probe that waits, for the reason err.
func (t *Table) Drain(err error) {
	for t.deadlines.len() > 0 {
		s := t.at(t.deadlines.first().seq)
		t.counts.Abandoned++
		*t.conclude(s, expired).add() = Result{Tag: s.tag, Kind: Ended, Err: err}
	}
}

// NoteDrops says how many messages the link has dropped in all, as of now on the monotonic clock. Each may have been
// the answer to one probe that is in flight now, and to none that is sent later.
func (t *Table) NoteDrops(drops uint64, now int64) {
	t.window.dropped(drops > t.drops)
	if drops > t.drops {
		t.uncharged += drops - t.drops
		t.drops, t.dropsAt = drops, now
	}
	if t.unsent() > 0 {
		return // what one of them was answered may be among the drops already
	}
	if t.deadlines.len() == 0 || t.at(t.deadlines.first().seq).sent.Mono > t.dropsAt {
		t.uncharged = 0
	}
}

// Drained says that all has been read that had come by at, on the monotonic clock: the receive buffer has been empty
// since.
func (t *Table) Drained(at int64) { t.window.drained(at) }

// NextRoom is when Drained makes room in the receive buffer at the soonest, on the monotonic clock; the largest
// int64: never.
func (t *Table) NextRoom() int64 { return t.window.next() }

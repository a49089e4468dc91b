package flight

import (
	"cmp"
	"slices"
)

// check holds the table against the model.
func (m *model) check() {
	f := m.table
	var flying, wait, early, unstamped, total int
	var slices [windowSlices]int
	for _, p := range m.probes {
		if p.state == sending {
			early += len(p.held)
		} else {
			unstamped += len(p.held)
		}
		if !p.vacated && m.slice-p.slice < windowSlices {
			cost := MessageCost(p.Shape.Size())
			if f.reports {
				cost += MessageCost(0)
			}
			total += cost
			slices[p.slice%windowSlices] += cost
		}
		if p.state != sending && p.state != waiting {
			continue
		}
		flying++
		s := f.at(p.Seq)
		if s.state != p.state || s.cookie != p.Cookie || s.tag != p.Tag {
			m.Fatalf("probe %d is %d, the table has %+v", p.Tag, p.state, s)
		}
		if p.state == waiting {
			wait++
			if d := f.deadlines.heap[*f.deadlines.position(p.Seq)]; d.seq != p.Seq || d.at != p.deadline {
				m.Errorf("probe %d: deadline %+v, want number %d at %d", p.Tag, d, p.Seq, p.deadline)
			}
		}
	}
	if f.inFlight != flying || f.deadlines.len() != wait || len(f.early) != early || len(f.unstamped) != unstamped {
		m.Errorf("%d in flight, %d deadlines, %d early, %d unstamped; want %d, %d, %d, %d", f.inFlight, f.deadlines.len(),
			len(f.early), len(f.unstamped), flying, wait, early, unstamped)
	}
	for i := 1; i < f.deadlines.len(); i++ {
		if f.deadlines.heap[i].at < f.deadlines.heap[(i-1)/2].at {
			m.Errorf("deadline %d is before that above it", i)
		}
	}
	if f.window.now != m.slice || f.window.total != total || f.window.slices != slices {
		m.Errorf("window %+v, want %d in all, %v, at %d", f.window, total, slices, m.slice)
	}
	c := m.counts
	if f.counts != c {
		m.Errorf("counted %+v, want %+v", f.counts, c)
	}
	if c.Sent != c.Received+c.Lost+c.Abandoned+uint64(wait) {
		m.Errorf("sent is not the sum of the rest: %+v, %d in flight", c, wait)
	}
	all := c.Received + c.Errors + c.Late + c.Duplicates + c.LateErrors + c.Corrupted + c.Stray + c.Advice + m.dropped
	if all+uint64(early+unstamped) != m.offered {
		m.Errorf("%d messages offered, %d accounted for, %d held back: %+v", m.offered, all, early+unstamped, c)
	}
	for _, in := range m.inboxes {
		m.checkInbox(in)
	}
}

// checkInbox sees that each probe of an inbox has told how it ended, once, that anomalies are told if they are asked
// for, and that the inbox still knows the probes that are in flight.
func (m *model) checkInbox(in *modelInbox) {
	m.checkDrops(in)
	var settling, anomalies []Result
	for _, r := range in.results {
		if r.Kind.Settles() {
			settling = append(settling, r)
		} else {
			anomalies = append(anomalies, r)
		}
	}
	byTag := func(a, b Result) int { return cmp.Compare(a.Tag, b.Tag) }
	slices.SortFunc(settling, byTag)
	slices.SortFunc(in.settling, byTag)
	if !slices.Equal(settling, in.settling) {
		m.Errorf("results %+v, want %+v", settling, in.settling)
	}
	want := slices.Clone(in.anomalies)
	for _, r := range anomalies {
		i := slices.Index(want, r)
		if i < 0 {
			m.Errorf("anomaly %+v, want one of %+v", r, want)
			break
		}
		want = slices.Delete(want, i, i+1)
	}
	if n := min(len(in.anomalies), maxAnomalies); len(anomalies) != n || in.Inbox.anomalies != n {
		m.Errorf("%d anomalies delivered, %d counted, want %d", len(anomalies), in.Inbox.anomalies, n)
	}
	if len(anomalies) == maxAnomalies {
		in.full = true
		in.anomalies = append(in.anomalies[:0], anomalies...)
	}
	if in.Oddities() != in.met {
		m.Errorf("oddities %+v, want %+v", in.Oddities(), in.met)
	}
	m.checkRing(in)
}

// checkDrops sees which probes are charged with drops, and has them count as timed out from then on.
func (m *model) checkDrops(in *modelInbox) {
	charged := uint64(0)
	for i := range in.results {
		if r := &in.results[i]; r.Kind == Dropped {
			if m.probes[r.Tag].launched.Mono > m.dropsAt {
				m.Errorf("probe %d, sent after the last drop, is charged with it", r.Tag)
			}
			charged++
			r.Kind = TimedOut
		}
	}
	if charged > m.uncharged || m.uncharged-charged < m.table.uncharged {
		m.Errorf("%d probes charged with %d drops, %d left", charged, m.uncharged, m.table.uncharged)
	}
	m.uncharged -= charged
}

// checkRing sees that an inbox has its probes that are in flight in its ring, and no others.
func (m *model) checkRing(in *modelInbox) {
	o := &m.table.owners
	linked := map[uint16]bool{}
	for seq := in.newest; len(linked) < in.pending; seq = o.claim(seq).older {
		if linked[seq] || o.claim(o.claim(seq).older).newer != seq || o.of(seq) != in.Inbox {
			m.Fatalf("the ring of an inbox is broken at number %d", seq)
		}
		linked[seq] = true
	}
	for _, p := range m.probes {
		if p.owner == in && (p.state == sending || p.state == waiting) {
			if !linked[p.Seq] {
				m.Errorf("probe %d is not in its inbox's ring", p.Tag)
			}
			delete(linked, p.Seq)
		}
	}
	if len(linked) > 0 {
		m.Errorf("numbers %v are in the ring of an inbox to which they do not belong", linked)
	}
}

// collect takes what is in the inboxes.
func (m *model) collect() {
	for _, in := range m.inboxes {
		m.checkInbox(in)
		if got := in.Swap(in.results); len(got) != len(in.settling)+min(len(in.anomalies), maxAnomalies) {
			m.Errorf("%d results collected", len(got))
		}
		in.settling, in.anomalies, in.full = in.settling[:0], in.anomalies[:0], false
	}
}

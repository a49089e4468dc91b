package monitor

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// A machine's way, step by step. Upper case is evidence of a probe on the schedule, lower case of one beside it: A is
// an answer, T a timeout, R a refusal, N that it could not be sent, F the same while others can be sent to, B nothing.
// After each comes what the machine has become: + up, - down, ? unknown; ! suspect; i ignored; and q or s for how it
// is asked.
func TestMachine(t *testing.T) {
	usual := rules{rise: 2, fall: 3, apart: true}
	single := rules{rise: 1, fall: 1, apart: true}
	same := rules{rise: 2, fall: 3}
	alone := rules{rise: 2, fall: 3, alone: true}
	for _, c := range []struct {
		name  string
		rules rules
		way   string
		why   Reason
	}{
		{"two answers", usual, "A? A+", ReasonNone},
		{"not in a row", usual, "A? T?!q t?!q a? A? A+", ReasonNone},
		{"one answer", single, "A+", ReasonNone},
		{"confirmed", usual, "A? A+ T+!q t+!q t-s", ReasonTimeout},
		{"confirmed by others alone", usual, "A? A+ T+!q T+!q T+!q T+!q t+!q t-s", ReasonTimeout},
		{"nobody to confirm", alone, "A? A+ T+!q T+!q T-s", ReasonTimeout},
		{"not confirmed", usual, "A? A+ T+!q t+!q a+", ReasonNone},
		{"acquitted by the next", usual, "A? A+ T+!q t+!q A+ t+", ReasonNone},
		{"at once", single, "A+ T-s A+", ReasonNone},
		{"refused", usual, "A? A+ R+!q r+!q r-s", ReasonRefused},
		{"by others' refusals", usual, "A? A+ T+!q t+!q r-s", ReasonRefused},
		{"from the start", usual, "T?!q t?!q t-s", ReasonTimeout},
		{"back", usual, "T?!q t?!q t-s T-s A-s A+", ReasonNone},
		{"back, not in a row", usual, "T?!q t?!q t-s A-s T-s A-s A+", ReasonNone},
		{"back by the other", usual, "T?!q t?!q t-s a-q a+ A+", ReasonNone},
		{"not back by the other", usual, "T?!q t?!q t-s a-q t-s a-q a+", ReasonNone},
		{"ignored", usual, "A? A+ T+!q a+ T+!q a+ T+!q a+i T+!iq a+i T+!iq t+!iq a+i A+", ReasonNone},
		{"ignored, then down", usual, "A? A+ T+!q a+ T+!q a+ T+!q a+i T+!iq t+!iq t-s", ReasonTimeout},
		{"ignored from the start", usual, "T?!q a? T?!q a? T?!q a?i T?!iq a+i", ReasonNone},
		{"ignored, back from down", usual, "T?!q t?!q t-s a-q a+ T+!q a+ T+!q a+ T+!q a+i", ReasonNone},
		{"the same identifier", same, "A? A+ T+!q a+ T+!q a+ T+!q a+ T+!q a+", ReasonNone},
		{"not sent, nor others", usual, "A? A+ N+!q n+!q n+!q N+!q n+!q n+!q", ReasonNotSent},
		{"not sent, but others", usual, "A? A+ N+!q f+!q f-s", ReasonNotSent},
		{"not sent at once", single, "A+ N+!q n+!q f-s", ReasonNotSent},
		{"lost, then not sent", usual, "A? A+ T+!q t+!q n+!q n+!q", ReasonTimeout},
		{"a drop is no loss", usual, "A? A+ B+ B+ T+!q b+!q b+!q t+!q t-s", ReasonTimeout},
		{"drops are no answers", usual, "T?!q t?!q t-s B-s b-s", ReasonTimeout},
		{"nothing is known any more", single, "A+" + strings.Repeat(" B+", blindLimit-1) + " B? B? A+", ReasonNone},
		{"nor of what is down", single, "T-s" + strings.Repeat(" B-s", blindLimit-1) + " B?", ReasonLocal},
		{"told too late", usual, "A? A+ T+!q a+ t+ t+ t+", ReasonNone},
	} {
		var m machine
		for i, step := range strings.Fields(c.way) {
			e := map[byte]evidence{'A': answered, 'T': ReasonTimeout, 'R': ReasonRefused, 'N': ReasonNotSent,
				'F': ReasonNotSent, 'B': blind}[strings.ToUpper(step)[0]]
			free := strings.ToUpper(step)[0] == 'F'
			if strings.ToUpper(step)[0] == step[0] {
				m.scheduled(e, c.rules, free)
			} else {
				m.confirmed(e, c.rules, free)
			}
			if got := m.sketch(); got != step[1:] {
				t.Errorf("%s: step %d of %q: %s", c.name, i+1, c.way, got)
				break
			}
		}
		if m.reason != c.why {
			t.Errorf("%s: the reason is %q, want %q", c.name, m.reason, c.why)
		}
	}
}

// sketch is what a machine has become, in a few characters.
func (m *machine) sketch() string {
	text := string("?+-"[m.state])
	if m.suspect {
		text += "!"
	}
	if m.ignored {
		text += "i"
	}
	return text + []string{"", "q", "s"}[m.asking]
}

// An answer after the timeout makes the reason another, and no more.
func TestMachineLate(t *testing.T) {
	var m machine
	r := rules{rise: 1, fall: 2, apart: true}
	m.scheduled(ReasonTimeout, r, true)
	m.late()
	if !m.suspect || m.reason != ReasonLate {
		t.Errorf("%+v", m)
	}
	if m.confirmed(ReasonTimeout, r, true); m.state != Down || m.reason != ReasonLate {
		t.Errorf("%+v", m)
	}
	if m.scheduled(ReasonRefused, r, true); m.reason != ReasonRefused {
		t.Errorf("%+v", m)
	}
}

// Whatever comes, a machine is never at odds with itself, comes down by no fewer unanswered probes in a row than Fall,
// and up by no fewer answers than Rise.
func TestMachineHolds(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 0))
		r := rules{rise: 1 + random.Int32N(4), fall: 1 + random.Int32N(6), apart: random.IntN(3) > 0}
		loss := random.Float64()
		var m machine
		losses := int32(0)          // in a row
		answers := map[bool]int32{} // in a row, of those on the schedule, and of those beside it
		for step := range 2000 {
			e, free := evidence(answered), random.IntN(2) == 0
			if random.Float64() < loss {
				e = []evidence{ReasonTimeout, ReasonRefused, ReasonNotSent, blind}[random.IntN(4)]
			}
			was, calm := m, m.calm()
			r.alone = m.asking == askQuickly && random.IntN(10) == 0
			scheduled := m.asking == askNot || random.IntN(2) == 0
			switch e {
			case answered:
				losses = 0
				answers[scheduled]++
			case blind:
			default:
				losses++
				answers[scheduled] = 0
			}
			if scheduled {
				m.scheduled(e, r, free)
			} else {
				m.confirmed(e, r, free)
			}
			switch {
			case calm && scheduled && e == answered && m.missed+m.blind == 0 && m.sketch() != was.sketch():
				t.Fatalf("seed %d, step %d: %+v was calm, and is %+v", seed, step, was, m)
			case m.suspect && (m.state == Down || m.asking != askQuickly || m.reason == ReasonNone),
				m.state == Down && (m.asking == askNot || m.reason == ReasonNone || m.ignored),
				m.state == Up && !m.suspect && (m.asking != askNot || m.reason != ReasonNone),
				m.ignored && !r.apart:
				t.Fatalf("seed %d, step %d: %+v, and before %+v", seed, step, m, was)
			case m.state == Down && was.state != Down && losses < r.fall:
				t.Fatalf("seed %d, step %d: down after %d losses, want %d: %+v", seed, step, losses, r.fall, was)
			case m.state == Up && was.state == Down && answers[scheduled] < r.rise:
				t.Fatalf("seed %d, step %d: up after %d answers, want %d: %+v", seed, step, answers[scheduled], r.rise, was)
			}
		}
	}
}

package paths

// stops are the numbers of probes after which one may stop to look for further next hops of a router: stops[k] where k
// of them have been found. They bound the probability of stopping too early.
//
// A router with K next hops shares flows out evenly: a flow that passes it takes one of the k that are known with
// probability k/K, and another one otherwise. If n_k flows have found k and no more, the rule says that K is k. It is
// wrong for a router of K next hops if that happens for any k below K; the probability of this is kept at or below the
// bound, for every K, by the least n_k that do: n_1 for K = 2, given that n_2 for K = 3, and so on.
//
// The rule is that of Augustin, Friedman, Teixeira: "Multipath tracing with Paris traceroute", E2EMON 2007, whose n_k
// bound each k by itself; the bound over all of them is that of Veitch, Augustin, Teixeira, Friedman: "Failure control
// in multipath route tracing", INFOCOM 2009. For 0.05 and for 0.01:
//
//	k       1  2  3  4  5  6  7  8  9 10 11 12  13  14  15  16
//	0.05    6 11 16 21 27 33 39 45 51 57 63 70  76  83  90  96
//	0.01    8 15 21 28 36 43 51 58 66 74 82 90  98 106 115 123
type stops struct {
	bound float64
	n     []int // n[k], as far as has been asked for; n[0] is 0
}

// after returns n_k. Where nothing has been found yet that is n_1.
func (s *stops) after(k int) int {
	if s.n == nil {
		s.n = []int{0}
	}
	for len(s.n) <= max(k, 1) {
		s.n = append(s.n, s.following())
	}
	return s.n[max(k, 1)]
}

// following returns the n_k after those that there are.
func (s *stops) following() int {
	k := len(s.n)
	d := newDraw(k + 1)
	for n := 1; ; n++ {
		d.add()
		for j := 1; j < k; j++ {
			d.stop(j, n == s.n[j])
		}
		if n > s.n[k-1] && d.wrong+d.found[k] <= s.bound {
			return n
		}
	}
}

// miss is the probability that the rule stops too early at a router of so many next hops.
func (s *stops) miss(hops int) float64 {
	d := newDraw(hops)
	for n := 1; n <= s.after(hops-1); n++ {
		d.add()
		for j := 1; j < hops; j++ {
			d.stop(j, n == s.after(j))
		}
	}
	return d.wrong
}

// A draw is what may have become of a number of flows through a router of some next hops.
type draw struct {
	found []float64 // the probability that so many next hops have been found, and the rule has not stopped too early
	wrong float64   // that it has
}

func newDraw(hops int) *draw {
	d := &draw{found: make([]float64, hops+1)}
	d.found[0] = 1
	return d
}

// add adds a flow.
func (d *draw) add() {
	hops := len(d.found) - 1
	for j := hops; j >= 0; j-- {
		d.found[j] *= float64(j) / float64(hops)
		if j > 0 {
			d.found[j] += d.found[j-1] * float64(hops-j+1) / float64(hops)
		}
	}
}

// stop has the rule stop, or not, where so many next hops have been found.
func (d *draw) stop(found int, stop bool) {
	if stop {
		d.wrong += d.found[found]
		d.found[found] = 0
	}
}

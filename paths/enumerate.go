package paths

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/icmpsock/ping"
)

// Enumerate finds the routers and the links of all paths that flows take to host, by the multipath detection algorithm:
// flows that pass a router are sent one hop farther, until there are so many that, with those next hops that were
// found, another one is unlikely; after 6 flows that all met one, after 11 that met two, after 96 that met sixteen.
// The chance of missing a next hop of a router is WithMiss at most, by default 0.05, if flows are shared out evenly and
// independently of each other; [Graph] has it for the whole. Then it finds flows that together take each link.
//
// The algorithm is that of Augustin, Friedman, Teixeira: "Multipath tracing with Paris traceroute", E2EMON 2007; the
// bound over all numbers of next hops is that of Veitch, Augustin, Teixeira, Friedman: "Failure control in multipath
// route tracing", INFOCOM 2009.
//
// It keeps to the limits of routers, see the package's description: a burst of six to each router that is known, then
// one a second. A single path takes 6 probes for each hop, and some round trips; a fork of sixteen some 300 probes, and
// some ten seconds. A probe that is not answered is sent again after 1.1 s, up to four times where others were answered
// at that distance. One that is refused is, up to twice, where others got as far, or where it is too big: a refusal in
// passing ends no path. A path that ends in silence is followed as far as the target is on others; where the target
// answers on none, eight hops beyond the last router.
//
// What cannot be sent at all is an error, and so are ctx's end, Close, a bad option and a name that is not known. What
// was found until then is lost.
func Enumerate(ctx context.Context, p *ping.Pinger, host string, opts ...Option) (*Graph, error) {
	c, err := newConfig(enumerating, opts)
	if err != nil {
		return nil, err
	}
	b, err := newProber(ctx, p, host, c.probe)
	if err != nil {
		return nil, err
	}
	s := newSearch(c)
	if err := cmp.Or(b.run(ctx, s), s.err); err != nil {
		return nil, err
	}
	g := s.graph()
	g.Target, g.probe = b.target, b.probe
	return g, nil
}

// graph is what was found.
func (s *search) graph() *Graph {
	g := &Graph{Bound: s.stops.bound, Probes: s.probes, Uneven: s.uneven}
	index := map[*node]int{}
	var nodes []*node
	for i := range s.routes {
		r := &s.routes[i]
		for len(r.nodes) > 0 && r.nodes[len(r.nodes)-1].silent() {
			r.nodes = r.nodes[:len(r.nodes)-1]
		}
		for _, n := range r.nodes {
			if _, ok := index[n]; !ok {
				index[n] = 0
				nodes = append(nodes, n)
			}
		}
	}
	slices.SortFunc(nodes, func(a, b *node) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), a.addr.Compare(b.addr))
	})
	for i, n := range nodes {
		index[n] = i
		g.Nodes = append(g.Nodes, Node{
			Distance: n.distance, Addr: n.addr, Target: n.target, RTT: n.rtt, Labels: n.labels, NAT: n.nat, Quoted: n.quoted,
			Refusal: n.refusal,
		})
	}
	for _, r := range s.routes {
		path := Path{Flow: r.flow, Nodes: []int{}}
		from := Here
		for _, n := range r.nodes {
			to := index[n]
			path.Nodes = append(path.Nodes, to)
			path.Reached = n.target
			if l := (Link{from, to}); !slices.Contains(g.Links, l) {
				g.Links = append(g.Links, l)
			}
			from = to
		}
		if !slices.ContainsFunc(g.Paths, func(o Path) bool { return slices.Equal(o.Nodes, path.Nodes) }) {
			g.Paths = append(g.Paths, path)
		}
	}
	slices.SortFunc(g.Links, func(a, b Link) int { return cmp.Or(a.From-b.From, a.To-b.To) })
	slices.SortFunc(g.Paths, func(a, b Path) int { return slices.Compare(a.Nodes, b.Nodes) })
	g.Miss = s.missed(g)
	return g
}

// missed is how likely it is to miss a link of a graph like that.
func (s *search) missed(g *Graph) float64 {
	whole := 1.0
	for from := Here; from < len(g.Nodes); from++ {
		next := 0
		for _, l := range g.Links {
			if l.From == from {
				next++
			}
		}
		if next > 1 {
			whole *= 1 - s.stops.miss(next)
		}
	}
	return 1 - whole
}

// Measure sends n echo requests by each path, all paths at once and on each [ping.WithInterval] apart, and sets the
// Statistics of the paths. They are the whole way there and back: a link that loses a share of the packets shows in the
// paths that take it. The options are those of [ping.Pinger.PingN], and come after those of WithProbe. Statistics of
// what was settled are set where ctx ends it early. It is not safe for concurrent use.
func (g *Graph) Measure(ctx context.Context, p *ping.Pinger, n int, opts ...ping.ProbeOption) error {
	errs := make([]error, len(g.Paths))
	var running sync.WaitGroup
	for i := range g.Paths {
		path := &g.Paths[i]
		own := slices.Concat(g.probe, opts, []ping.ProbeOption{ping.WithFlow(path.Flow)})
		running.Go(func() { path.Statistics, errs[i] = p.PingN(ctx, g.Target.String(), n, own...) })
	}
	running.Wait()
	return cmp.Or(errs...)
}

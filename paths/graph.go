package paths

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/icmpsock/ping"
)

// A Graph is the paths to a host, as [Enumerate] found them.
type Graph struct {
	Target netip.Addr `json:"target"`
	// Nodes are the routers and the target, by distance and address. One that is met at several distances is one for each.
	Nodes []Node `json:"nodes"`
	Links []Link `json:"links"`
	// Paths together take all links. Where one fork comes after another, there are more combinations than that.
	Paths []Path `json:"paths"`
	// Bound is how likely it was, at most, to miss one of the next hops of a router: that of WithMiss. Miss is how likely
	// it is to miss a link of a graph like this one: 1 less the product, over the nodes with several next hops, of the
	// chance to find them all; a graph without such a node has 0. Both hold where flows are shared out evenly.
	Bound float64 `json:"bound"`
	Miss  float64 `json:"miss"`
	// Probes is how many echo requests it took.
	Probes int `json:"probes"`
	// Uneven says that too few flows pass some router to find its next hops with that certainty: flows are not shared out
	// evenly, or the way changed meanwhile.
	Uneven bool `json:"uneven,omitempty"`

	probe []ping.ProbeOption
}

// Here is the index of this host in a Link, which is none of the Nodes.
const Here = -1

// A Node is who answers at some distance on one or more paths.
type Node struct {
	Distance int              `json:"distance"`
	Addr     netip.Addr       `json:"addr,omitzero"`     // invalid: silence
	Target   bool             `json:"target,omitempty"`  // it is the target: an echo reply came
	RTT      time.Duration    `json:"rtt_ns,omitempty"`  // the least
	Labels   []ping.MPLSLabel `json:"mpls,omitempty"`    // RFC 4950
	NAT      bool             `json:"nat,omitempty"`     // of its last answer, as in a ping.ICMPError
	Quoted   netip.Addr       `json:"quoted,omitzero"`   // of that, as there
	Refusal  *ping.ICMPError  `json:"refusal,omitempty"` // with which the path ends
}

// A Link leads from one of the Nodes, or from [Here], to another, by index.
type Link struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// A Path is the way that some flows take.
type Path struct {
	// Flow takes it: see [ping.WithFlow]. Reopen of the Pinger makes it another one, for its probes have another
	// identifier then.
	Flow int `json:"flow"`
	// Nodes are the indexes of those on it, by distance from 1, the last that answers being the last.
	Nodes   []int `json:"nodes"`
	Reached bool  `json:"reached"` // the last is the target
	// Statistics are those of Graph.Measure; nil before.
	Statistics *ping.Statistics `json:"statistics,omitempty"`
}

// String is a line for all, and then two lines for each path: its flow, with loss and RTT if it was measured, and the
// addresses on it, * for silence.
func (g *Graph) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %s, with a probability of %.2g to miss a next hop of a router",
		many(len(g.Paths), "path"), many(g.routers(), "router"), many(len(g.Links), "link"), g.Bound)
	if g.Uneven {
		b.WriteString(", but flows are not shared out evenly")
	}
	for i, p := range g.Paths {
		fmt.Fprintf(&b, "\n%d  flow %d", i+1, p.Flow)
		if s := p.Statistics; s != nil {
			fmt.Fprintf(&b, "  loss %.1f%% of %d", 100*s.Loss(), s.Sent)
			if s.Received > 0 {
				fmt.Fprintf(&b, "  rtt min/median/max %.3f/%.3f/%.3f ms", ms(s.Min), ms(s.Median), ms(s.Max))
			}
		}
		b.WriteString("\n  ")
		for _, n := range p.Nodes {
			fmt.Fprintf(&b, "  %s", g.Nodes[n].label())
		}
		if !p.Reached {
			b.WriteString("  and no farther")
		}
	}
	return b.String()
}

// many is such as "1 path" or "2 paths".
func many(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// routers is how many of the nodes are neither the target nor silence.
func (g *Graph) routers() (count int) {
	for _, n := range g.Nodes {
		if !n.Target && n.Addr.IsValid() {
			count++
		}
	}
	return count
}

// label is a node in a word or two.
func (n *Node) label() string {
	switch {
	case !n.Addr.IsValid():
		return "*"
	case n.Refusal != nil:
		return n.Addr.String() + " (" + n.Refusal.Reason() + ")"
	}
	return n.Addr.String()
}

// DOT is the graph in the language of Graphviz, such as "dot -Tsvg" draws. A link of measured paths has their loss, as
// low as the best of them: it loses no more than that.
func (g *Graph) DOT() string {
	var b strings.Builder
	b.WriteString("digraph paths {\n\trankdir=LR\n\tnode [shape=box]\n\there [shape=ellipse]\n")
	for i := range g.Nodes {
		n := &g.Nodes[i]
		text := n.label()
		if n.Addr.IsValid() {
			text += fmt.Sprintf("\n%.3f ms", ms(n.RTT))
		}
		shape := ""
		if n.Target {
			shape = " shape=ellipse"
		}
		fmt.Fprintf(&b, "\tn%d [label=%q%s]\n", i, text, shape)
	}
	for _, l := range g.Links {
		from := "here"
		if l.From != Here {
			from = fmt.Sprintf("n%d", l.From)
		}
		fmt.Fprintf(&b, "\t%s -> n%d%s\n", from, l.To, g.lossOf(l))
	}
	b.WriteString("}\n")
	return b.String()
}

// lossOf is the attribute for the loss of a link, if it is known to lose or not to.
func (g *Graph) lossOf(l Link) string {
	const none = 2.0 // no loss is more than 1
	least := none
	for _, p := range g.Paths {
		from := Here
		for _, to := range p.Nodes {
			if (Link{from, to}) == l && p.Statistics != nil {
				least = min(least, p.Statistics.Loss())
			}
			from = to
		}
	}
	switch {
	case least == none:
		return ""
	case least > 0:
		return fmt.Sprintf(" [label=\"%.1f%%\" color=red]", 100*least)
	}
	return " [label=\"0%\"]"
}

package pingotel

import (
	"strings"

	"github.com/icmpsock/ping/monitor"
	"go.opentelemetry.io/otel/attribute"
)

// The attributes.
const (
	errorType     = "error.type"
	anomalyKind   = "ping.anomaly"
	groupName     = "ping.group"
	stateName     = "ping.state"
	targetName    = "ping.target"
	serverAddress = "server.address"
)

// A series is one metric: a counter, or else a gauge.
type series struct {
	name, unit, description string
	counter                 bool
}

// The series of whole numbers, by their place in all.
const (
	anomalies = iota
	groupMembers
	groupNeed
	groupUp
	changes
	changesMissed
	confirming
	cutOff
	cutOffs
	lookups
	lookupErrors
	reopened
	suspicions
	targets
	probes
	downs
	ignored
	up
	count
)

var all = [count]series{
	anomalies: {"ping.anomalies", "{answer}", "Answers that are none, or not the first of their probe.", true},
	groupMembers: {"ping.group.members", "{target}", "Members of the group.",
		false},
	groupNeed:     {"ping.group.needed_members", "{target}", "Members that must be up for the group to be up.", false},
	groupUp:       {"ping.group.up", "{group}", "Whether the group is up (1) or down (0).", false},
	changes:       {"ping.monitor.changes", "{change}", "Changes that were told.", true},
	changesMissed: {"ping.monitor.changes_missed", "{change}", "Changes that found no room in a queue.", true},
	confirming:    {"ping.monitor.confirming_probes", "{probe}", "Probes beside the schedule that are settled.", true},
	cutOff:        {"ping.monitor.cut_off", "{host}", "Whether this host can send to nobody (1) or can (0).", false},
	cutOffs:       {"ping.monitor.cut_offs", "{event}", "How often this host could send to nobody.", true},
	lookups:       {"ping.monitor.lookups", "{lookup}", "Lookups of names.", true},
	lookupErrors:  {"ping.monitor.lookup_errors", "{lookup}", "Lookups of names that failed.", true},
	reopened: {"ping.monitor.sockets_reopened", "{event}",
		"How often the sockets were opened anew for an identifier that was ignored.", true},
	suspicions: {"ping.monitor.suspicions", "{event}", "How often an address became suspect.", true},
	targets:    {"ping.monitor.targets", "{target}", "Targets.", false},
	probes:     {"ping.probes", "{probe}", "Probes on the target's schedule.", true},
	downs:      {"ping.target.downs", "{down}", "How often the target came down.", true},
	ignored: {"ping.target.identifier_ignored", "{event}",
		"How often the target was found to answer another identifier alone.", true},
	up: {"ping.target.up", "{target}", "Whether the target is up (1) or down (0).", false},
}

// The two that tell of RTTs.
var (
	rtts   = series{"ping.rtt", "s", "RTTs of the probes that were answered.", false}
	rttSum = series{"ping.rtt_sum", "s", "Sum of the RTTs of the probes that were answered.", true}
)

// errorTypes are the reasons why probes are not answered. Each such probe has one, for good: a late answer does not
// change it.
var errorTypes = [...]string{"timeout", "refused", "local_drop", "not_sent"}

// kinds are those of anomalies.
var kinds = [...]string{"late", "duplicate", "corrupted", "stray"}

// A row is what is kept of a target from one collection to the next: its attributes, which are dear to make.
type row struct {
	collection uint64 // the last that told of it
	host       string
	values     []string // of the labels

	plain     attribute.Set
	failed    [len(errorTypes)]attribute.Set
	anomalies [len(kinds)]attribute.Set
}

func newRow(s *monitor.Status, labels []string) *row {
	r := &row{host: s.Target.Host, values: make([]string, len(labels))}
	attributes := []attribute.KeyValue{attribute.String(targetName, s.Target.Name), text(serverAddress, r.host)}
	for i, name := range labels {
		r.values[i] = s.Target.Labels[name]
		if r.values[i] != "" {
			attributes = append(attributes, text(name, r.values[i]))
		}
	}
	with := func(key, value string) attribute.Set {
		return attribute.NewSet(append([]attribute.KeyValue{attribute.String(key, value)}, attributes...)...)
	}
	for i, reason := range errorTypes {
		r.failed[i] = with(errorType, reason)
	}
	for i, kind := range kinds {
		r.anomalies[i] = with(anomalyKind, kind)
	}
	r.plain = attribute.NewSet(attributes...)
	return r
}

// is reports whether the attributes of the row are still those of the target.
func (r *row) is(s *monitor.Status, labels []string) bool {
	for i, name := range labels {
		if r.values[i] != s.Target.Labels[name] {
			return false
		}
	}
	return r.host == s.Target.Host
}

// text returns an attribute, whose value is made valid UTF-8: an exporter may refuse everything for one that is not.
func text(name, value string) attribute.KeyValue {
	return attribute.String(name, strings.ToValidUTF8(value, "\uFFFD"))
}

package pingprom

import dto "github.com/prometheus/client_model/go"

// A family is the description of a metric.
type family struct {
	name, help string
	kind       dto.MetricType
	labels     []string
	target     bool // one of each target, whose labels it has too
}

// The families, by their place in families.
const (
	anomalies = iota
	groupMembers
	groupNeed
	groupUp
	changesMissed
	changes
	confirming
	cutOff
	cutOffs
	lookupErrors
	lookups
	reopened
	suspicions
	targets
	probes
	rtts
	downs
	ignored
	info
	up
)

const (
	counter = dto.MetricType_COUNTER
	gauge   = dto.MetricType_GAUGE
)

// families are all metrics, in order of their names. The kind of the RTTs is that of the histogram.
var families = []family{
	anomalies: {"ping_anomalies_total", "Answers that are none, or not the first of their probe, by kind: late, " +
		"duplicate, corrupted, stray.", counter, []string{"kind"}, true},
	groupMembers: {"ping_group_members", "Members of the group, by state: up, down, unknown.",
		gauge, []string{"group", "state"}, false},
	groupNeed: {"ping_group_needed_members", "Members that must be up for the group to be up.",
		gauge, []string{"group"}, false},
	groupUp: {"ping_group_up", "Whether the group is up (1) or down (0); none while that is unknown.",
		gauge, []string{"group"}, false},
	changesMissed: {"ping_monitor_changes_missed_total", "Changes that found no room in a queue.", counter, nil, false},
	changes:       {"ping_monitor_changes_total", "Changes that were told.", counter, nil, false},
	confirming: {"ping_monitor_confirming_probes_total", "Probes beside the schedule that are settled.",
		counter, nil, false},
	cutOff: {"ping_monitor_cut_off", "Whether this host can send to nobody (1) or can (0).", gauge, nil, false},
	cutOffs: {"ping_monitor_cut_offs_total", "How often this host could send to nobody.",
		counter, nil, false},
	lookupErrors: {"ping_monitor_lookup_errors_total", "Lookups of names that failed.", counter, nil, false},
	lookups:      {"ping_monitor_lookups_total", "Lookups of names.", counter, nil, false},
	reopened: {"ping_monitor_sockets_reopened_total", "How often the sockets were opened anew for an identifier " +
		"that was ignored.", counter, nil, false},
	suspicions: {"ping_monitor_suspicions_total", "How often an address became suspect.", counter, nil, false},
	targets:    {"ping_monitor_targets", "Targets, by state: up, down, unknown.", gauge, []string{"state"}, false},
	probes: {"ping_probes_total", "Probes on the target's schedule, by result: answered, timeout, refused, " +
		"local_drop, not_sent.", counter, []string{"result"}, true},
	rtts:  {"ping_rtt_seconds", "RTTs of the probes that were answered.", dto.MetricType_HISTOGRAM, nil, true},
	downs: {"ping_target_downs_total", "How often the target came down.", counter, nil, true},
	ignored: {"ping_target_identifier_ignored_total", "How often the target was found to answer another identifier alone.",
		counter, nil, true},
	info: {"ping_target_info", "The target's host, and the address that is watched.",
		gauge, []string{"address", "host"}, true},
	up: {"ping_target_up", "Whether the target is up (1) or down (0); none while that is unknown.", gauge, nil, true},
}

// kindOf returns the type of a family.
func (c *config) kindOf(f *family) dto.MetricType {
	if f == &families[rtts] && c.histogram == NoHistogram {
		return dto.MetricType_SUMMARY
	}
	return f.kind
}

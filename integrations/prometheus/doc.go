// Package pingprom exports what a [monitor.Monitor] knows to Prometheus. It is named so because a program that
// imports it has another package prometheus already.
//
// A [Collector] is registered beside a program's other metrics:
//
//	c, err := pingprom.NewCollector(m)
//	...
//	prometheus.MustRegister(c)
//
// A Registry makes and checks each metric anew for each scrape. For more than some hundred targets there is a
// [Gatherer], which keeps them:
//
//	g, err := pingprom.NewGatherer(m, pingprom.WithLabels("site"))
//	...
//	both := prometheus.NewMultiTRegistry(g, prometheus.ToTransactionalGatherer(prometheus.DefaultGatherer))
//	http.Handle("/metrics", promhttp.HandlerForTransactional(both, promhttp.HandlerOpts{}))
//
// # Metrics
//
// Of each target, with its name as the label target, and those of its Labels that [WithLabels] names:
//
//	ping_target_up                        1: up, 0: down; no sample while the state is unknown
//	ping_target_info                      always 1, with the labels host and address
//	ping_target_downs_total               how often it came down
//	ping_target_identifier_ignored_total  how often it was found to answer another identifier alone
//	ping_probes_total                     probes on its schedule, by result: answered, timeout, refused (by an ICMP
//	                                      error), local_drop (while this host dropped messages), not_sent
//	ping_rtt_seconds                      RTTs of the probes that were answered: see WithHistogram
//	ping_anomalies_total                  answers by kind: late, duplicate, corrupted, stray; a late one's probe has
//	                                      the result timeout
//
// Each group, with its name as the label group, has ping_group_up, ping_group_members by state, and
// ping_group_needed_members. What begins with ping_monitor_ is of the whole Monitor: see [monitor.Counters].
//
// The loss over 5 minutes, as [monitor.Window] has it, leaves out what this host dropped:
//
//	1 - sum by (target) (rate(ping_probes_total{result="answered"}[5m]))
//	  / sum by (target) (rate(ping_probes_total{result!="local_drop"}[5m]))
//
// A target that is removed has no samples any more from the next scrape on.
package pingprom

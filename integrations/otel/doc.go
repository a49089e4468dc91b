// Package pingotel exports what a [monitor.Monitor] knows to OpenTelemetry. It is named so because a program that
// imports it has another package otel already.
//
// [Register] has a MeterProvider ask the Monitor, by asynchronous instruments:
//
//	r, err := pingotel.Register(otel.GetMeterProvider(), m)
//	...
//	defer r.Unregister()
//
// OpenTelemetry has no asynchronous histogram, so that these tell of the RTTs by their sum alone; and its SDK keeps
// 2,000 sets of attributes of an instrument, unless it is told otherwise, which 400 targets fill. A [Producer], which
// a Reader of the SDK asks, has the histogram, and any number of targets:
//
//	p, err := pingotel.NewProducer(m, pingotel.WithLabels("site"))
//	...
//	reader := metric.NewPeriodicReader(exporter, metric.WithProducer(p))
//
// A program needs one of the two, not both.
//
// # Metrics
//
// Of each target, with the attributes ping.target, its name, and server.address, its host, and those of its Labels
// that [WithLabels] names:
//
//	ping.target.up                  {target}  gauge: 1 up, 0 down; nothing while the state is unknown
//	ping.target.downs               {down}    counter: how often it came down
//	ping.target.identifier_ignored  {event}   counter: how often it was found to answer another identifier alone
//	ping.probes                     {probe}   counter: probes on its schedule; those that were not answered have
//	                                          error.type: timeout, refused (by an ICMP error), local_drop (while this
//	                                          host dropped messages), not_sent
//	ping.anomalies                  {answer}  counter: answers by ping.anomaly: late, duplicate, corrupted, stray; the
//	                                          probe of a late one has error.type timeout
//	ping.rtt                        s         exponential histogram of the RTTs; of a Producer alone
//	ping.rtt_sum                    s         counter: their sum; of Register alone
//
// Each group, with the attribute ping.group, has ping.group.up, ping.group.members by ping.state, and
// ping.group.needed_members. What begins with ping.monitor is of the whole Monitor: see [monitor.Counters].
//
// The names of the attributes server.address and error.type are those of the semantic conventions
// (https://opentelemetry.io/docs/specs/semconv/), which have none for ICMP. An exporter to Prometheus makes of the
// counters and of ping.rtt the names that package pingprom gives them.
package pingotel

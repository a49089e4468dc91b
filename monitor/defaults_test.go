package monitor_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
)

// What a Pinger has for its calls decides nothing that a Target or the Monitor itself does.
func TestDefaultsOfThePinger(t *testing.T) {
	const down = 13*time.Second + 660*ms // the sixth probe that was not answered
	for name, option := range map[string]ping.Option{
		"none":      ping.WithCount(1),
		"interval":  ping.WithInterval(0),
		"timeout":   ping.WithTimeout(time.Millisecond),
		"network":   ping.WithNetwork("ip4"),
		"anomalies": ping.WithAnomalies(true),
		"phase":     ping.WithPhase(time.Millisecond),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := pingtest.NewNetwork().KeepRecords(0)
				r := newRigOver(t, n, n.Pinger(t, option), n.Pinger(t, option))
				n.Host("192.0.2.1", pingtest.RTT(ms)).At(10*time.Second, pingtest.RTT(1300*ms))
				n.Host("2001:db8::1", pingtest.Names("six.example"))
				r.add(monitor.Target{Host: "192.0.2.1"}, monitor.Target{Host: "2001:db8::1"}, monitor.Target{Host: "six.example"})
				time.Sleep(20 * time.Second)
				r.want("192.0.2.1", monitor.Down)
				r.want("2001:db8::1", monitor.Up)
				r.want("six.example", monitor.Up)
				r.stop()
				if got := r.changes[len(r.changes)-1].Time.Sub(r.start).Truncate(ms); got != down {
					t.Errorf("down after %v, want %v", got, down)
				}
			})
		})
	}
}

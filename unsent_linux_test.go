package ping_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// What the routes of this host refuse is told as loss, however the Statistics are read: where there never was a route,
// and where it goes while probes are sent.
func TestUnsentIsLoss(t *testing.T) {
	for _, c := range []struct{ near, beyond, route string }{
		{"198.51.100.1/24", "203.0.113.9", "203.0.113.0/24"},
		{"2001:db8:1::1/64", "2001:db8:2::9", "2001:db8:2::/64"},
	} {
		t.Run(c.beyond, func(t *testing.T) {
			p := openPinger(t, ping.WithInterval(0), ping.WithTimeout(time.Minute))
			s, err := p.PingN(t.Context(), c.beyond, 4)
			if err != nil || s.Sent != 0 || s.SendErrors != 4 {
				t.Errorf("without a route: %+v, %v", s, err)
			}
			readsAs(t, *s, 1, "0 packets transmitted, 0 received, +4 not sent, 100% packet loss")

			route := netip.MustParsePrefix(c.route)
			netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
				Addrs:  []netip.Prefix{netip.MustParsePrefix(c.near)},
				Routes: []netip.Prefix{route},
				Script: func(r *netlab.Request) []netlab.Answer { return []netlab.Answer{r.Echo()} },
			})
			s = new(ping.Statistics)
			for r, err := range p.Stream(t.Context(), c.beyond, ping.WithCount(8)) {
				if err != nil {
					t.Fatal(err)
				}
				s.Add(r)
				if unsent := r.Seq > 5; unsent != errors.Is(r.Err, syscall.ENETUNREACH) || !unsent && r.Err != nil {
					t.Errorf("probe %d: %v", r.Seq, r.Err)
				}
				if r.Seq == 5 {
					netlab.Self(t).DelRoute(t, route)
				}
			}
			readsAs(t, *s, 0.25, "6 packets transmitted, 6 received, +2 not sent, 25% packet loss\n")
		})
	}
}

// readsAs wants one loss of statistics as a person, a log and a program read them.
func readsAs(t *testing.T, s ping.Statistics, loss float64, text string) {
	t.Helper()
	if s.Loss() != loss || !strings.HasPrefix(s.String(), text) {
		t.Errorf("loss %v, %q, want %v, %q", s.Loss(), s.String(), loss, text)
	}
	data, err := json.Marshal(s)
	var decoded struct {
		Loss       float64
		SendErrors int `json:"send_errors"`
	}
	if err != nil || json.Unmarshal(data, &decoded) != nil || decoded.Loss != loss || decoded.SendErrors != s.SendErrors {
		t.Errorf("JSON %s, %v, want a loss of %v", data, err, loss)
	}
	logged := map[string]any{}
	for _, a := range s.LogValue().Group() {
		logged[a.Key] = a.Value.Resolve().Any()
	}
	if logged["loss"] != loss || logged["send_errors"] != int64(s.SendErrors) {
		t.Errorf("log %v, want a loss of %v", logged, loss)
	}
}

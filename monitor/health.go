package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"
)

// Ready returns a check for a health library: nil if all of the targets and groups with those names are up, and
// otherwise an error that says for each which is not, and why. A target and a group may have one name: both count.
// Without names that is all targets. It looks at what is
// known, and waits for nothing.
func (m *Monitor) Ready(names ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return m.ready(names)
	}
}

func (m *Monitor) ready(names []string) error {
	var errs []error
	if since, cut := m.CutOff(); cut {
		errs = append(errs, fmt.Errorf("this host can send nothing since %v", since.Format(time.RFC3339)))
	}
	if len(names) == 0 {
		for s := range m.Statuses() {
			errs = append(errs, s.notUp())
		}
	}
	for _, name := range names {
		errs = append(errs, m.notUp(name))
	}
	return errors.Join(errs...)
}

// notUp is why the target or group with a name is not up; nil if it is.
func (m *Monitor) notUp(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, g := m.targets[name], m.groups[name]
	if t == nil && g == nil {
		return fmt.Errorf("%s: no target or group has this name", name)
	}
	if t != nil && t.state != Up {
		s := m.status(t)
		return s.notUp()
	}
	if g != nil && g.State != Up {
		return fmt.Errorf("%s is %v: %d of %d are up, and %d must be", name, g.State, g.Up, len(g.Group.Members),
			g.Group.Need)
	}
	return nil
}

// notUp is why the target is not up; nil if it is.
func (s *Status) notUp() error {
	switch {
	case s.State == Up:
		return nil
	case s.Err != nil:
		return fmt.Errorf("%s is %v: %w", s.Target.Name, s.State, s.Err)
	case s.Reason != ReasonNone:
		return fmt.Errorf("%s is %v: %v", s.Target.Name, s.State, s.Reason)
	}
	return fmt.Errorf("%s is %v", s.Target.Name, s.State)
}

// A report is what Handler answers.
type report struct {
	OK      bool           `json:"ok"`
	CutOff  time.Time      `json:"cut_off_since,omitzero"`
	Missing []string       `json:"missing,omitempty"`
	Targets []targetReport `json:"targets,omitempty"`
	Groups  []GroupStatus  `json:"groups,omitempty"`
}

type targetReport struct {
	Name    string            `json:"name"`
	Host    string            `json:"host"`
	Labels  map[string]string `json:"labels,omitempty"`
	Addr    netip.Addr        `json:"addr,omitzero"`
	Addrs   []AddrStatus      `json:"addrs,omitempty"`
	State   State             `json:"state"`
	Since   time.Time         `json:"since"`
	Suspect bool              `json:"suspect,omitempty"`
	Reason  string            `json:"reason,omitempty"`
	Err     string            `json:"error,omitempty"`
	Loss    float64           `json:"loss_1m"`
	Median  float64           `json:"rtt_median_1m_seconds,omitempty"`
}

// Handler returns a handler that answers with the present state as JSON, and with the status 200 (OK) if Ready with
// the same names returns nil, and otherwise 503 (Service Unavailable). Without names it is about all targets and
// groups, and the targets alone decide.
func (m *Monitor) Handler(names ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		r := m.report(names)
		body, err := json.Marshal(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if !r.OK {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		w.Write(append(body, '\n')) // whoever asked may be gone
	})
}

func (m *Monitor) report(names []string) report {
	since, cut := m.CutOff()
	r := report{OK: !cut, CutOff: since}
	add := func(s Snapshot) {
		r.OK = r.OK && s.State == Up
		r.Targets = append(r.Targets, s.report())
	}
	if len(names) == 0 {
		for s := range m.All() {
			add(s)
		}
		for g := range m.Groups() {
			r.Groups = append(r.Groups, g)
		}
		return r
	}
	for _, name := range names {
		s, isTarget := m.Get(name)
		if isTarget {
			add(s)
		}
		g, isGroup := m.Group(name)
		if isGroup {
			r.OK = r.OK && g.State == Up
			r.Groups = append(r.Groups, g)
		}
		if !isTarget && !isGroup {
			r.OK = false
			r.Missing = append(r.Missing, name)
		}
	}
	return r
}

func (s Snapshot) report() targetReport {
	w := s.Window(time.Minute)
	r := targetReport{
		Name:    s.Target.Name,
		Host:    s.Target.Host,
		Labels:  s.Target.Labels,
		Addr:    s.Addr,
		Addrs:   s.Addrs,
		State:   s.State,
		Since:   s.Since,
		Suspect: s.Suspect,
		Reason:  s.Reason.String(),
		Loss:    w.Loss(),
		Median:  w.Percentile(0.5).Seconds(),
	}
	if s.Err != nil {
		r.Err = s.Err.Error()
	}
	return r
}

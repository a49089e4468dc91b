package monitor

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// A Group is a number of targets that are up together if enough of them are.
type Group struct {
	// Name is what the Monitor knows the group by: valid UTF-8, not empty.
	Name string `json:"name"`
	// Members are the names of its targets, one at least, each once. They may be added later; until then their state
	// is Unknown.
	Members []string `json:"members"`
	// Need is how many of them must be up: 1 to all of them, which is the default. The group is down where so many
	// are down that it cannot be up.
	Need int `json:"need"`
}

// A GroupStatus is how a group is.
type GroupStatus struct {
	Group Group     `json:"group"`
	State State     `json:"state"`
	Since time.Time `json:"since"`
	Up    int       `json:"up"`   // how many members are up
	Down  int       `json:"down"` // how many are down
}

// A group is what a Monitor keeps of one.
type group struct{ GroupStatus }

// count counts a member in or out, by its state.
func (g *group) count(s State, n int) {
	switch s {
	case Up:
		g.Up += n
	case Down:
		g.Down += n
	}
}

// AddGroup adds a group, or replaces the one with its name. The error names a field that is wrong.
func (m *Monitor) AddGroup(g Group) error {
	if m.err != nil {
		return m.err
	}
	if g.Need == 0 {
		g.Need = len(g.Members)
	}
	g.Members = slices.Clone(g.Members)
	seen := make(map[string]bool, len(g.Members))
	for _, name := range g.Members {
		if seen[name] {
			return fmt.Errorf("monitor: group %q: Members names %q twice", g.Name, name)
		}
		seen[name] = true
	}
	switch {
	case g.Name == "" || !utf8.ValidString(g.Name):
		return fmt.Errorf("monitor: group %q: Name is empty or not valid UTF-8", g.Name)
	case len(g.Members) == 0:
		return fmt.Errorf("monitor: group %q: Members is empty: want the names of its targets", g.Name)
	case g.Need < 1 || g.Need > len(g.Members):
		return fmt.Errorf("monitor: group %q: Need is %d: want 1 to %d, the number of Members", g.Name, g.Need,
			len(g.Members))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	one := &group{GroupStatus{Group: g, Since: now}}
	if old := m.groups[g.Name]; old != nil {
		m.dropGroup(old)
		one.State, one.Since = old.State, old.Since
	}
	m.groups[g.Name] = one
	for _, name := range g.Members {
		if t := m.targets[name]; t != nil {
			t.groups = append(t.groups, one)
			one.count(t.state, 1)
		}
	}
	m.judgeGroup(one, now)
	return nil
}

// RemoveGroup removes the group with a name, if there is one. Its members stay.
func (m *Monitor) RemoveGroup(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if g := m.groups[name]; g != nil {
		m.dropGroup(g)
		delete(m.groups, name)
	}
}

// dropGroup takes a group from its members. The caller holds mu, as for all that follows but Group and Groups.
func (m *Monitor) dropGroup(g *group) {
	for _, name := range g.Group.Members {
		if t := m.targets[name]; t != nil {
			t.groups = slices.DeleteFunc(t.groups, func(h *group) bool { return h == g })
		}
	}
}

// enlist makes a new target a member of the groups that name it.
func (m *Monitor) enlist(t *target) {
	for _, g := range m.groups {
		if slices.Contains(g.Group.Members, t.spec.Name) {
			t.groups = append(t.groups, g)
		}
	}
}

// delist takes a target that has been removed out of its groups.
func (m *Monitor) delist(t *target, now time.Time) {
	for _, g := range t.groups {
		g.count(t.state, -1)
		m.judgeGroup(g, now)
	}
	t.groups = nil
}

// judgeGroup tells of the group's state, if that is another.
func (m *Monitor) judgeGroup(g *group, now time.Time) {
	state := vote(g.Up, g.Down, len(g.Group.Members), g.Group.Need)
	if state == g.State {
		return
	}
	m.tell(Change{Time: now, Kind: GroupChanged, Group: g.Group.Name, From: g.State, To: state})
	g.State, g.Since = state, now
}

// Group returns how the group with a name is, and whether there is one. Its Members must not be written to.
func (m *Monitor) Group(name string) (GroupStatus, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.groups[name]
	if g == nil {
		return GroupStatus{}, false
	}
	return g.GroupStatus, true
}

// Groups yields how each group is, in order of their names. Their Members must not be written to.
func (m *Monitor) Groups() iter.Seq[GroupStatus] {
	return func(yield func(GroupStatus) bool) {
		m.mu.Lock()
		names := slices.Sorted(maps.Keys(m.groups))
		m.mu.Unlock()
		for _, name := range names {
			if g, ok := m.Group(name); ok && !yield(g) {
				return
			}
		}
	}
}

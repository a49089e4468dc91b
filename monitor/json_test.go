package monitor_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/icmpsock/ping/monitor"
)

// What is written as JSON can be read again, and a word that means nothing is refused by name.
func TestJSON(t *testing.T) {
	for _, want := range []any{
		&monitor.Target{Name: "db", Host: "db.example", Interval: time.Second, Addresses: monitor.EachAddress},
		&monitor.AddrStatus{State: monitor.Down, Reason: monitor.ReasonNotSent},
		&monitor.AddrStatus{State: monitor.Up, Reason: monitor.ReasonNone},
		&monitor.GroupStatus{Group: monitor.Group{Name: "g", Members: []string{"a"}, Need: 1}, State: monitor.Up},
		&struct{ Kinds []monitor.Kind }{[]monitor.Kind{monitor.StateChanged, monitor.IdentifierIgnored}},
	} {
		text, err := json.Marshal(want)
		got := reflect.New(reflect.TypeOf(want).Elem()).Interface()
		if err == nil {
			err = json.Unmarshal(text, got)
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s becomes %+v, %v", text, got, err)
		}
	}
	for text, into := range map[string]any{
		`"all": want "first", "any" or "each"`:      new(monitor.Addresses),
		`"gone": want "unknown", "up" or "down"`:    new(monitor.State),
		`"why": want "", "timeout"`:                 new(monitor.Reason),
		`"what": want "state", "group", "cut off",`: new(monitor.Kind),
	} {
		word, _, _ := strings.Cut(text, ":")
		if err := json.Unmarshal([]byte(word), into); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

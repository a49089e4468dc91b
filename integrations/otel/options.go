package pingotel

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/icmpsock/ping/monitor"
)

// An Option configures [Register] or [NewProducer].
type Option func(*config) error

type config struct {
	labels []string
}

// WithLabels names the Labels of targets that become attributes of their metrics: none by default. A target without
// one of them, or with an empty one, lacks that attribute. What is not named is left out, so that no target that is
// added later brings attributes that nobody expects.
//
// A name is not empty, and valid UTF-8. It may not begin with "otel.", nor be one that the metrics have already:
// error.type, ping.anomaly, ping.target, server.address.
func WithLabels(names ...string) Option {
	return func(c *config) error {
		for _, name := range names {
			switch {
			case name == "" || !utf8.ValidString(name):
				return fmt.Errorf("WithLabels(%q): no name of an attribute: want valid UTF-8, not empty", name)
			case strings.HasPrefix(name, "otel."):
				return fmt.Errorf("WithLabels(%q): OpenTelemetry keeps names that begin with otel. to itself", name)
			case slices.Contains(ownAttributes, name):
				return fmt.Errorf("WithLabels(%q): the metrics have an attribute of that name: want another than %s",
					name, strings.Join(ownAttributes, ", "))
			case slices.Contains(c.labels, name):
				return fmt.Errorf("WithLabels(%q): named twice", name)
			}
			c.labels = append(c.labels, name)
		}
		return nil
	}
}

// ownAttributes are those of the metrics of targets.
var ownAttributes = []string{errorType, anomalyKind, targetName, serverAddress}

// configured returns the configuration, or what is wrong with it.
func configured(m *monitor.Monitor, opts []Option) (config, error) {
	var c config
	if m == nil {
		return c, errors.New("pingotel: want a Monitor, not nil")
	}
	for i, o := range opts {
		if o == nil {
			return c, fmt.Errorf("pingotel: option %d is nil", i)
		}
		if err := o(&c); err != nil {
			return c, fmt.Errorf("pingotel: %w", err)
		}
	}
	return c, nil
}

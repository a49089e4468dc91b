package ping_test

import (
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// What others' packages look for in ours, by a type assertion that would silently fail.
var (
	_ error                  = (*ping.ICMPError)(nil)
	_ fmt.Stringer           = ping.Clock(0)
	_ encoding.TextMarshaler = ping.Clock(0)
	_ fmt.Stringer           = ping.SocketKind(0)
	_ fmt.Stringer           = ping.Hop{}
	_ fmt.Stringer           = ping.Statistics{}
	_ slog.LogValuer         = ping.Statistics{}
	_ json.Marshaler         = ping.Statistics{}
	_ fmt.Stringer           = ping.Reply{}
	_ slog.LogValuer         = ping.Reply{}
	_ json.Marshaler         = ping.Reply{}
	_ fmt.Stringer           = pingtest.Fate(0)
	_ fmt.Stringer           = (*pingtest.Host)(nil)
)

// What takes the place of ours.
var (
	_ ping.Resolver = (*net.Resolver)(nil)
	_ ping.Resolver = (*pingtest.Network)(nil)
	_ ping.Option   = ping.ProbeOption(nil)
)

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/icmpsock/ping"
)

// config is what the arguments ask for.
type config struct {
	hosts       []string
	network     string
	size        int
	quiet, json bool
	options     []ping.Option
}

// parse reads the arguments. On -h it writes the usage to w, and returns flag.ErrHelp.
func parse(args []string, w io.Writer) (*config, error) {
	c := &config{network: "ip", size: 56}
	add := func(o ping.Option) { c.options = append(c.options, o) }
	var only4, only6 bool
	f := flag.NewFlagSet("dping", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	number(f, "c", "stop after `n` probes to each host (default: when interrupted)", 1, math.MaxInt32,
		func(n int) { add(ping.WithCount(n)) })
	number(f, "s", "send a payload of `size` bytes (default 56)", 0, 65527,
		func(n int) { c.size = n; add(ping.WithSize(n)) })
	number(f, "t", "send with this `ttl` or hop limit (default: the system's)", 1, 255,
		func(n int) { add(ping.WithTTL(n)) })
	seconds(f, "i", "send the next probe after `interval`: seconds, or 200ms, say (default 1);\n"+
		"0: as soon as the one before is settled", "0 or more", 0,
		func(d time.Duration) { add(ping.WithInterval(d)) })
	seconds(f, "W", "give a probe up after `timeout`: seconds, or 200ms, say (default 1)", "more than 0", 1,
		func(d time.Duration) { add(ping.WithTimeout(d)) })
	boolean(f, "4", "use IPv4 only", &only4)
	boolean(f, "6", "use IPv6 only", &only6)
	boolean(f, "q", "quiet: show the first line and the statistics only", &c.quiet)
	boolean(f, "json", "print JSON objects, one a line", &c.json)

	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(w, "usage: dping [options] host...")
			f.SetOutput(w)
			f.PrintDefaults()
		}
		return nil, err
	}
	switch {
	case only4 && only6:
		return nil, errors.New("-4 and -6 exclude each other: want one of them, or neither")
	case only4:
		c.network = "ip4"
	case only6:
		c.network = "ip6"
	}
	c.hosts = f.Args()
	if len(c.hosts) == 0 {
		return nil, errors.New("no host: want one or more names or addresses (-h shows the options)")
	}
	for _, host := range c.hosts {
		if host == "" || strings.HasPrefix(host, "-") {
			return nil, fmt.Errorf("host %q: want a name or an address; options go before the hosts", host)
		}
	}
	return c, nil
}

// number defines a flag for low to high.
func number(f *flag.FlagSet, name, usage string, low, high int, set func(int)) {
	f.Func(name, usage, func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < low || n > high {
			return fmt.Errorf("want %d to %d", low, high)
		}
		set(n)
		return nil
	})
}

// seconds defines a flag for a time of low or more, in seconds as ping(8) takes it or as a time.Duration.
func seconds(f *flag.FlagSet, name, usage, want string, low time.Duration, set func(time.Duration)) {
	f.Func(name, usage, func(s string) error {
		d, err := time.ParseDuration(s)
		if _, e := strconv.ParseFloat(s, 64); e == nil {
			d, err = time.ParseDuration(s + "s")
		}
		if err != nil || d < low {
			return fmt.Errorf("want seconds (0.2) or a duration (200ms), %s", want)
		}
		set(d)
		return nil
	})
}

// boolean defines a flag that is true if it is given.
func boolean(f *flag.FlagSet, name, usage string, p *bool) {
	f.BoolFunc(name, usage, func(s string) error {
		on, err := strconv.ParseBool(s)
		if err != nil {
			return errors.New("want true or false")
		}
		*p = on
		return nil
	})
}

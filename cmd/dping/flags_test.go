package main

import (
	"flag"
	"io"
	"strings"
	"testing"
	"time"
)

func TestArgumentErrors(t *testing.T) {
	const times = "want seconds (0.2) or a duration (200ms), "
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "no host: want one or more names or addresses (-h shows the options)"},
		{[]string{"-c", "1"}, "no host: want one or more names or addresses (-h shows the options)"},
		{[]string{""}, `host "": want a name or an address; options go before the hosts`},
		{[]string{"::1", "-c", "1"}, `host "-c": want a name or an address; options go before the hosts`},
		{[]string{"-4", "-6", "::1"}, "-4 and -6 exclude each other: want one of them, or neither"},
		{[]string{"-c", "0", "::1"}, `invalid value "0" for flag -c: want 1 to 2147483647`},
		{[]string{"-c", "-1", "::1"}, `invalid value "-1" for flag -c: want 1 to 2147483647`},
		{[]string{"-c", "many", "::1"}, `invalid value "many" for flag -c: want 1 to 2147483647`},
		{[]string{"-c", "2147483648", "::1"}, `invalid value "2147483648" for flag -c: want 1 to 2147483647`},
		{[]string{"-s", "-1", "::1"}, `invalid value "-1" for flag -s: want 0 to 65527`},
		{[]string{"-s", "65528", "::1"}, `invalid value "65528" for flag -s: want 0 to 65527`},
		{[]string{"-t", "0", "::1"}, `invalid value "0" for flag -t: want 1 to 255`},
		{[]string{"-t", "256", "::1"}, `invalid value "256" for flag -t: want 1 to 255`},
		{[]string{"-i", "-1", "::1"}, `invalid value "-1" for flag -i: ` + times + "0 or more"},
		{[]string{"-i", "-1ms", "::1"}, `invalid value "-1ms" for flag -i: ` + times + "0 or more"},
		{[]string{"-i", "soon", "::1"}, `invalid value "soon" for flag -i: ` + times + "0 or more"},
		{[]string{"-i", "1h2", "::1"}, `invalid value "1h2" for flag -i: ` + times + "0 or more"},
		{[]string{"-i", "NaN", "::1"}, `invalid value "NaN" for flag -i: ` + times + "0 or more"},
		{[]string{"-i", "1e99", "::1"}, `invalid value "1e99" for flag -i: ` + times + "0 or more"},
		{[]string{"-W", "0", "::1"}, `invalid value "0" for flag -W: ` + times + "more than 0"},
		{[]string{"-W", "0.0000000001", "::1"}, `invalid value "0.0000000001" for flag -W: ` + times + "more than 0"},
		{[]string{"-W", "9999999999", "::1"}, `invalid value "9999999999" for flag -W: ` + times + "more than 0"},
		{[]string{"-W", "", "::1"}, `invalid value "" for flag -W: ` + times + "more than 0"},
		{[]string{"-q=2", "::1"}, `invalid boolean value "2" for -q: want true or false`},
		{[]string{"-json=yes", "::1"}, `invalid boolean value "yes" for -json: want true or false`},
		{[]string{"-4=on", "::1"}, `invalid boolean value "on" for -4: want true or false`},
		{[]string{"-trace=2", "::1"}, `invalid boolean value "2" for -trace: want true or false`},
		{[]string{"-m", "0", "::1"}, `invalid value "0" for flag -m: want 1 to 255`},
		{[]string{"-m", "256", "::1"}, `invalid value "256" for flag -m: want 1 to 255`},
		{[]string{"-flow", "0", "::1"}, `invalid value "0" for flag -flow: want 1 to 65535`},
		{[]string{"-flow", "65536", "::1"}, `invalid value "65536" for flag -flow: want 1 to 65535`},
		{[]string{"-flow", "7", "-s", "7", "::1"}, "-s 7: -flow takes 8 or more"},
		{[]string{"-trace", "-mtu", "::1"}, "-trace and -mtu exclude each other: want one of them, or neither"},
		{[]string{"-m", "5", "::1"}, "-m has no effect without -trace, -watch, -paths or -mtu -v"},
		{[]string{"-trace", "-watch", "::1"}, "-trace and -watch exclude each other: want one of them, or neither"},
		{[]string{"-paths", "-flow", "3", "::1"}, "-flow has no effect with -paths"},
		{[]string{"-paths", "-i", "1", "::1"}, "-i has no effect with -paths unless -c is given"},
		{[]string{"-paths", "-s", "7", "::1"}, "-s 7: -paths takes 8 or more"},
		{[]string{"-dot", "::1"}, "-dot has no effect without -paths"},
		{[]string{"-watch", "-t", "5", "::1"}, "-t has no effect with -watch"},
		{[]string{"-watch", "-i", "0", "::1"}, "-i 0s: -watch takes 10ms or more"},
		{[]string{"-watch", "-s", "7", "::1"}, "-s 7: -watch takes 8 or more"},
		{[]string{"-watch", "::1", "127.0.0.1"}, "-watch takes one host: got 2"},
		{[]string{"-n", "::1"}, "-n has no effect without -trace"},
		{[]string{"-trace", "-t", "5", "::1"}, "-t has no effect with -trace"},
		{[]string{"-trace", "-q", "::1"}, "-q has no effect with -trace"},
		{[]string{"-trace", "-i", "1", "::1"}, "-i has no effect with -trace unless -c is given"},
		{[]string{"-mtu", "-s", "5", "::1"}, "-s has no effect with -mtu"},
		{[]string{"-mtu", "-i", "5", "::1"}, "-i has no effect with -mtu"},
		{[]string{"-mtu", "-n", "::1"}, "-n has no effect with -mtu"},
		{[]string{"-mtu", "-m", "5", "::1"}, "-m has no effect without -trace, -watch, -paths or -mtu -v"},
		{[]string{"-mtu", "-v", "-t", "5", "::1"}, "-t has no effect with -mtu -v"},
		{[]string{"-v", "::1"}, "-v has no effect without -mtu"},
		{[]string{"-trace", "-v", "::1"}, "-v has no effect without -mtu"},
		{[]string{"-probe", "lo", "-mtu", "::1"}, "-mtu and -probe exclude each other: want one of them, or neither"},
		{[]string{"-trace", "-probe", "lo", "::1"}, "-trace and -probe exclude each other: want one of them, or neither"},
		{[]string{"-probe", "lo", "-c", "2", "::1"}, "-c has no effect with -probe"},
		{[]string{"-probe", "", "::1"}, `invalid value "" for flag -probe: ` +
			"want a name of 1 to 63 bytes, a number from 1 to 2147483647, or an address"},
		{[]string{"-probe", "-1", "::1"}, `invalid value "-1" for flag -probe: ` +
			"want a name of 1 to 63 bytes, a number from 1 to 2147483647, or an address"},
		{[]string{"-probe", "neighbour:eth0", "::1"}, `invalid value "neighbour:eth0" for flag -probe: ` +
			"want an address after neighbour:, without a zone"},
		{[]string{"-trace"}, "no host: want one or more names or addresses (-h shows the options)"},
		{[]string{"-x", "::1"}, "flag provided but not defined: -x"},
		{[]string{"-c3", "::1"}, "flag provided but not defined: -c3: want -c 3"},
		{[]string{"-i.2", "::1"}, "flag provided but not defined: -i.2: want -i .2"},
		{[]string{"-nq", "::1"}, "flag provided but not defined: -nq"},
		{[]string{"-x3", "::1"}, "flag provided but not defined: -x3"},
		{[]string{"-c"}, "flag needs an argument: -c"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			status, stdout, stderr := dping(t, test.args...)
			if status != 2 || stdout != "" {
				t.Errorf("exit status %d, stdout %q, want 2 and nothing", status, stdout)
			}
			if want := "dping: " + test.want + "\n"; stderr != want {
				t.Errorf("stderr\n%swant\n%s", stderr, want)
			}
		})
	}
}

func TestSeconds(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0":     0,
		"0.2":   200 * time.Millisecond,
		".5":    500 * time.Millisecond,
		"1":     time.Second,
		"90":    90 * time.Second,
		"200ms": 200 * time.Millisecond,
		"1m30s": 90 * time.Second,
		"1ns":   1,
	} {
		f := flag.NewFlagSet("", flag.ContinueOnError)
		f.SetOutput(io.Discard)
		got := time.Duration(-1)
		seconds(f, "i", "", "", 0, func(d time.Duration) { got = d })
		if err := f.Parse([]string{"-i", text}); err != nil || got != want {
			t.Errorf("-i %s: %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestParse(t *testing.T) {
	for _, test := range []struct {
		args string
		want config // but for the options, whose number is told
		n    int
	}{
		{"a", config{size: 56}, 0},
		{"-4 a", config{size: 56}, 1},
		{"-6 -q a", config{size: 56, quiet: true}, 1},
		{"-c 1 -i 0 -W 1 -s 0 -t 1 -json a", config{json: true}, 5},
		{"-s 65527 -c=2147483647 -t=255 a", config{size: 65527}, 3},
		{"-4=false -- a", config{size: 56}, 0},
		{"-trace=false -mtu=false a", config{size: 56}, 0},
		{"-flow 7 a", config{size: 56, flow: 7}, 1},
		{"-trace a", config{size: 56, trace: true, flow: 1}, 1},
		{"-trace -flow 9 a", config{size: 56, trace: true, flow: 9}, 1},
		{"-trace -n -m 9 -c 5 -i 2 -W 3 -s 8 -6 -json a",
			config{size: 8, trace: true, numeric: true, maxHops: 9, count: 5, json: true, flow: 1}, 7},
		{"-mtu -c 5 -W 3 -t 9 -4 -json a", config{size: 56, mtu: true, count: 5, json: true, flow: 1}, 5},
		{"-mtu -v -m 9 a", config{size: 56, mtu: true, verbose: true, maxHops: 9, flow: 1}, 2},
	} {
		c, err := parse(strings.Fields(test.args), io.Discard)
		if err != nil {
			t.Errorf("%s: %v", test.args, err)
			continue
		}
		if c.size != test.want.size || c.quiet != test.want.quiet ||
			c.json != test.want.json || c.trace != test.want.trace || c.mtu != test.want.mtu ||
			c.numeric != test.want.numeric || c.verbose != test.want.verbose || c.flow != test.want.flow ||
			test.want.trace && c.count != test.want.count ||
			test.want.maxHops != 0 && c.maxHops != test.want.maxHops || len(c.options) != test.n ||
			len(c.hosts) != 1 || c.hosts[0] != "a" {
			t.Errorf("%s: %+v, want %+v, %d options and host a", test.args, *c, test.want, test.n)
		}
	}
}

func TestHelp(t *testing.T) {
	status, stdout, stderr := dping(t, "-h")
	if status != 0 || stderr != "" {
		t.Errorf("exit status %d, stderr %q, want 0 and nothing", status, stderr)
	}
	for _, want := range []string{
		"usage: dping ", "-4", "-6", "-c n", "-i interval", "-W timeout", "-s size", "-t ttl", "-q", "-json",
		"-trace", "-watch", "-paths", "-dot", "-mtu", "-m n", "-n", "-flow flow", "-v",
		"-probe interface",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the usage lacks %q:\n%s", want, stdout)
		}
	}
}

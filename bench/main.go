//go:build linux

package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
)

func main() {
	if text := os.Getenv(jobVariable); text != "" {
		os.Exit(code(child(text)))
	}
	b, z, err := command()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	os.Exit(enter(func() int { return code(b.start(z)) }))
}

// code prints err and returns the exit code that goes with it.
func code(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

// command reads the command line.
func command() (b *bench, z size, err error) {
	b = new(bench)
	isQuick := flag.Bool("quick", false, "do less, more roughly, in less than a minute")
	pattern := flag.String("run", "", "only the rows whose names match the regular `expression`")
	runs := flag.Int("runs", 0, "`number` of runs of each contender (default 5, with -quick 3)")
	flag.BoolVar(&b.json, "json", false, "print JSON")
	flag.StringVar(&b.docs, "docs", "", "write the pictures to the `directory`")
	flag.BoolVar(&b.check, "check", false, "fail where a ratio or a count misses its target")
	flag.Parse()
	if flag.NArg() > 0 {
		return nil, z, fmt.Errorf("unexpected arguments %q", flag.Args())
	}
	if b.run, err = regexp.Compile(*pattern); err != nil {
		return nil, z, err
	}
	z = full
	b.runs = 5
	if *isQuick {
		z = quick
		b.runs = 3
	}
	if *runs > 0 {
		b.runs = *runs
	}
	return b, z, nil
}

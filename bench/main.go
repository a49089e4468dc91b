//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
)

func main() {
	code := 0
	var err error
	switch {
	case os.Getenv(jobVariable) != "":
		err = child(os.Getenv(jobVariable))
	default:
		code, err = command()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func command() (int, error) {
	var b bench
	isQuick := flag.Bool("quick", false, "do less, more roughly, in less than 40 seconds")
	pattern := flag.String("run", "", "only the rows whose names match the regular `expression`")
	runs := flag.Int("runs", 0, "`number` of runs of each contender (default 5, with -quick 3)")
	flag.BoolVar(&b.json, "json", false, "print JSON")
	flag.StringVar(&b.docs, "docs", "", "write the pictures to the `directory`")
	flag.Parse()
	var err error
	if b.run, err = regexp.Compile(*pattern); err != nil || flag.NArg() > 0 {
		return 2, errors.Join(err, usage(flag.Args()))
	}
	z := full
	b.runs = 5
	if *isQuick {
		z = quick
		b.runs = 3
	}
	if *runs > 0 {
		b.runs = *runs
	}
	if os.Getenv(insideVariable) == "" {
		return enter()
	}
	if err := furnish(); err != nil {
		return 1, err
	}
	b.rows = rows(z)
	if b.docs != "" {
		b.rows = append(b.rows, scale(z))
	}
	return 0, b.do()
}

func usage(args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("unexpected arguments %q", args)
}

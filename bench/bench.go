//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"

	"github.com/icmpsock/ping/internal/netlab"
)

// A bench is one call of the program.
type bench struct {
	rows  []row
	runs  int // of each contender
	run   *regexp.Regexp
	json  bool
	check bool
	docs  string
}

// start prepares the rows, and does them.
func (b *bench) start(z size) (err error) {
	restore, err := build(netlab.Require)
	if err != nil {
		return err
	}
	loop, lacks := compileBare()
	defer func() { err = errors.Join(err, loop.remove(), restore()) }()
	b.rows = rows(z, bareContenders{loop, lacks})
	if b.docs != "" {
		b.rows = append(b.rows, scale(z))
	}
	return b.do()
}

// do does the rows, prints them, draws what they hold, and checks them, as far as each is asked for.
func (b *bench) do() error {
	e, err := thisEnvironment()
	if err != nil {
		return err
	}
	t := table{os.Stdout}
	if !b.json {
		t.head(e)
	}
	var all []result
	var unmeasured []string
	samples := make(map[string]map[string][]sample)
	for _, r := range b.rows {
		if !b.run.MatchString(r.name) {
			continue
		}
		if samples[r.name], err = b.measure(&r); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		results := r.results(samples[r.name])
		if !b.json {
			t.row(&r, results)
		}
		all = append(all, results...)
		unmeasured = append(unmeasured, r.unmeasured(results)...)
	}
	if b.json {
		if err := writeJSON(os.Stdout, e, all); err != nil {
			return err
		}
	}
	if b.docs != "" {
		if err := drawPictures(b.docs, samples); err != nil {
			return err
		}
	}
	if b.check {
		return check(all, unmeasured)
	}
	return nil
}

// measure runs the contenders in turns. It returns the samples of each, which are as many; none of those that lack
// something.
func (b *bench) measure(r *row) (samples map[string][]sample, err error) {
	if r.around != nil {
		restore, failed := r.around()
		if lacks := (missing{}); errors.As(failed, &lacks) {
			for i := range r.contenders {
				r.contenders[i].lacks = lacks
			}
			return nil, nil
		}
		if failed != nil {
			return nil, failed
		}
		defer func() { err = errors.Join(err, restore()) }()
	}
	samples = make(map[string][]sample)
	for range b.runs {
		for _, c := range r.contenders {
			if c.lacks != nil {
				continue
			}
			s, err := c.run()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			samples[c.name] = append(samples[c.name], s)
		}
	}
	return samples, nil
}

// results works the row's figures out of its samples.
func (r *row) results(samples map[string][]sample) (list []result) {
	for i := range r.figures {
		f := &r.figures[i]
		for _, c := range r.contenders {
			if f.isFor(c.name) && len(samples[c.name]) > 0 && (f.against == "" || len(samples[f.against]) > 0) {
				list = append(list, newResult(r.name, f, c.name, samples[c.name], samples[f.against]))
			}
		}
	}
	return list
}

package skipped_test

import (
	"flag"
	"strconv"
	"strings"
	"testing"

	"github.com/icmpsock/ping/internal/skipped"
)

func TestReport(t *testing.T) {
	for _, name := range []string{"one", "other"} {
		t.Run(name, func(t *testing.T) {
			skipped.Part(t, "it is late")
			skipped.Part(t, "it is late")
			skipped.Test(t, "no network on", "Mars")
			t.Error("goes on")
		})
	}
	t.Run("third", func(t *testing.T) { skipped.Test(t, "no luck") })
	for _, want := range []string{"shortened 1 test: it is late: TestReport\n" +
		"skipped 1 test: no luck: TestReport/...\n" +
		"skipped 2 tests: no network on Mars: TestReport/...\n", ""} {
		var b strings.Builder
		if skipped.Report(&b); b.String() != want {
			t.Errorf("got\n%s\nwant\n%s", &b, want)
		}
	}
}

func TestAtLength(t *testing.T) {
	before := skipped.Long()
	set := func(long bool) {
		if err := flag.Set("long", strconv.FormatBool(long)); err != nil {
			t.Fatal(err)
		}
	}
	defer set(before)
	for _, c := range []struct {
		long bool
		n    int
		told string
	}{
		{true, 1000, ""},
		{false, 10, "shortened 1 test: " + skipped.LongRuns + ": TestAtLength\n"},
	} {
		set(c.long)
		if n := skipped.AtLength(t, 10, 1000); n != c.n || skipped.Long() != c.long {
			t.Errorf("-long=%t: %d, Long %t", c.long, n, skipped.Long())
		}
		var b strings.Builder
		if skipped.Report(&b); b.String() != c.told {
			t.Errorf("-long=%t: told %q, want %q", c.long, &b, c.told)
		}
	}
}

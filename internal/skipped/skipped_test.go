package skipped_test

import (
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

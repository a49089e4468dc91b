package icmpsock

import (
	"strings"
	"testing"
)

func TestKernel(t *testing.T) {
	r := release{version{5, 18}, "5.18.3-custom"}
	for v, want := range map[version]bool{{4, 19}: true, {5, 9}: true, {5, 18}: true, {5, 19}: false, {6, 0}: false} {
		if r.since(v) != want {
			t.Errorf("5.18 is since %v: want %v", v, want)
		}
	}
	if said := r.lacks(version{6, 1}).Error(); !strings.Contains(said, "Linux 6.1") || !strings.Contains(said, r.name) {
		t.Error(said)
	}
	if k := kernel(); k.major == 0 || k.name == "" {
		t.Errorf("this is %+v", k)
	}
}

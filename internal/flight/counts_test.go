package flight

import (
	"reflect"
	"testing"
)

// Plus adds each count to its own.
func TestCountsPlus(t *testing.T) {
	var a, b Counts
	for i := range reflect.TypeFor[Counts]().NumField() {
		reflect.ValueOf(&a).Elem().Field(i).SetUint(uint64(1 + i))
		reflect.ValueOf(&b).Elem().Field(i).SetUint(uint64(100 * (1 + i)))
	}
	sum := reflect.ValueOf(a.Plus(b))
	for i := range sum.NumField() {
		if n := sum.Field(i).Uint(); n != uint64(101*(1+i)) {
			t.Errorf("%s is %d", sum.Type().Field(i).Name, n)
		}
	}
}

package icmpsock

import (
	"testing"

	"github.com/icmpsock/ping/internal/netlab"
)

// A socket is opened beside another one in the namespace of that, which is told by its cookie, and where there are none
// by the file in /proc. That of a system that tells neither is taken for the same.
func TestBeside(t *testing.T) {
	here, there := netlab.Self(t), netlab.New(t)
	var first *Socket
	there.Do(t, func() { first = open(t, Config{}) })
	whole := first.namespace
	for _, c := range []struct {
		name      string
		namespace namespace
	}{
		{"cookie", namespace{cookie: first.namespace.cookie}}, {"inode", namespace{inode: first.namespace.inode}},
	} {
		if c.namespace == (namespace{}) {
			t.Logf("no %s", c.name)
			continue
		}
		first.namespace = c.namespace
		for _, from := range []*netlab.Namespace{here, there} {
			from.Do(t, func() {
				var second *Socket
				err := first.Beside(func() (err error) {
					second, err = Open(Config{V6: true})
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				second.Close()
				if second.namespace != whole {
					t.Errorf("by its %s: in %v, want %v", c.name, second.namespace, whole)
				}
			})
		}
	}
	if !(namespace{}).is(namespace{}) || (namespace{cookie: 1, inode: 1}).is(namespace{cookie: 2, inode: 1}) ||
		(namespace{inode: 1}).is(namespace{cookie: 1, inode: 2}) {
		t.Error("namespaces are not told apart")
	}
}

// After Close, there is no namespace to enter.
func TestBesideClosed(t *testing.T) {
	var s *Socket
	netlab.New(t).Do(t, func() { s = open(t, Config{}) })
	s.Close()
	if err := s.Beside(func() error { return nil }); err == nil {
		t.Error("no error")
	}
}

package ping_test

import (
	"os"
	"testing"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

func TestMain(m *testing.M) { os.Exit(netlab.Main(tests{m})) }

// tests are the package's. When they have run, the shared Pinger is closed, so that it is not taken for a leak.
type tests struct{ *testing.M }

func (t tests) Run() int {
	code := t.M.Run()
	ping.CloseShared()
	return code
}

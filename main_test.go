package ping

import (
	"os"
	"testing"

	"github.com/icmpsock/ping/internal/netlab"
)

func TestMain(m *testing.M) { os.Exit(netlab.Main(tests{m})) }

// tests are the package's. When they have run, the shared Pinger is closed, which is open for good in a program.
type tests struct{ *testing.M }

func (t tests) Run() int {
	code := t.M.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.pinger != nil {
		shared.pinger.Close()
	}
	return code
}

package monitor_test

import (
	"os"
	"testing"

	"github.com/icmpsock/ping/internal/netlab"
)

func TestMain(m *testing.M) { os.Exit(netlab.Main(m)) }

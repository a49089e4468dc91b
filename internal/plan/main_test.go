package plan

import (
	"os"
	"testing"

	"github.com/icmpsock/ping/internal/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Main(m)) }

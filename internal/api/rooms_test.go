package api

import (
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/icmpsock/ping"

// rooms are the packages with walls, and what each may import beside the standard library. Data goes round one
// circle: the root asks, the engine sends, flight takes note, wire encodes, a socket carries; and back again. No room
// knows of the one before it.
var rooms = map[string]struct {
	may   []string // packages of the module, and other modules
	never []string // of the standard library
}{
	"internal/wire": {
		may:   []string{"golang.org/x/net/icmp", "golang.org/x/net/ipv4", "golang.org/x/net/ipv6"},
		never: []string{"net", "os", "sync", "sync/atomic", "syscall", "context"},
	},
	"internal/flight": {
		may:   []string{"internal/wire"},
		never: []string{"net", "os", "sync", "sync/atomic", "syscall", "context"},
	},
	"internal/plan": {
		never: []string{"net", "net/netip", "os", "sync/atomic", "syscall", "context"},
	},
	"internal/icmpsock": {
		may: []string{"internal/wire", "golang.org/x/net/bpf", "golang.org/x/net/icmp", "golang.org/x/sys/unix"},
	},
	"internal/engine": {
		may:   []string{"internal/flight", "internal/plan", "internal/wire"},
		never: []string{"os", "syscall", "log/slog", "unsafe"},
	},
	"internal/pool": {
		may:   []string{"internal/engine", "internal/flight", "internal/plan"},
		never: []string{"os", "syscall", "log/slog", "unsafe"},
	},
	".": {
		may: []string{"internal/engine", "internal/flight", "internal/icmpsock", "internal/plan", "internal/pool",
			"internal/wire", "golang.org/x/net/icmp"},
		never: []string{"unsafe"},
	},
	"pingtest": { // syscall: for the errors of a Transport that its contract names
		may:   []string{"."},
		never: []string{"os", "unsafe"},
	},
	"monitor": {
		may:   []string{"."},
		never: []string{"syscall", "unsafe"},
	},
	"paths": {
		may:   []string{"."},
		never: []string{"net", "os", "syscall", "unsafe"},
	},
	"cmd/dping": {
		may: []string{".", "paths"},
	},
}

// Each room imports what it may, and nothing else. What planners and tables must not do, ask for the time, shows here
// as well: time.Now is not theirs to call.
func TestRooms(t *testing.T) {
	for room, rule := range rooms {
		files, err := filepath.Glob(filepath.Join("..", "..", room, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files: %v", room, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range parsed.Imports {
				name, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				if name == module {
					name = "."
				}
				name = strings.TrimPrefix(name, module+"/")
				standard := !strings.Contains(name, ".") && !strings.HasPrefix(name, "internal/")
				if standard && slices.Contains(rule.never, name) || !standard && !slices.Contains(rule.may, name) {
					t.Errorf("%s: %s may not import %q", path.Base(file), room, name)
				}
			}
		}
	}
	for _, room := range []string{"internal/wire", "internal/flight", "internal/plan"} {
		checkClockless(t, room)
	}
}

// checkClockless finds readings of the clock, which are the engine's.
func checkClockless(t *testing.T, room string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", room, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(b), "\n") {
			code, _, _ := strings.Cut(line, "//")
			for _, reading := range []string{"time.Now(", "time.Since(", "time.Until(", "time.NewTimer(", "time.After"} {
				if strings.Contains(code, reading) {
					t.Errorf("%s:%d: %s asks for the time", path.Base(file), n+1, room)
				}
			}
		}
	}
}

// Every package of the module that is not a tool of the tests has a rule.
func TestRoomsAreAll(t *testing.T) {
	others := []string{"internal/api", "internal/example", "internal/leak", "internal/netlab", "internal/skipped"}
	err := filepath.WalkDir(filepath.Join("..", ".."), func(dir string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		room, err := filepath.Rel(filepath.Join("..", ".."), dir)
		if err != nil {
			return err
		}
		room = filepath.ToSlash(room)
		_, err = os.Stat(filepath.Join(dir, "go.mod"))
		if room != "." && (err == nil || strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			return err
		}
		if _, ok := rooms[room]; !ok && !slices.Contains(others, room) {
			t.Errorf("%s has no rule", room)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

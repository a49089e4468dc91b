package api

import (
	"flag"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "accept the public surface as it is")

// What the packages export is what the text files here say, each of which is named for its package.
func TestSurface(t *testing.T) {
	surfaces := map[string][]string{} // by the name of the file
	err := filepath.WalkDir("../..", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name := d.Name(); name == "internal" || name == "testdata" || name != ".." && name[0] == '.' {
			return fs.SkipDir
		}
		lines, err := listing(dir)
		if len(lines) > 0 {
			name := "ping"
			if dir != "../.." {
				name = strings.ReplaceAll(strings.TrimPrefix(filepath.ToSlash(dir), "../../"), "/", "-")
			}
			surfaces[name+".txt"] = lines
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(surfaces["ping.txt"]) == 0 {
		t.Fatal("package ping exports nothing")
	}
	kept, err := filepath.Glob("*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range kept {
		if surfaces[file] != nil {
			continue
		}
		if !*update {
			t.Errorf("%s is of no package", file)
		} else if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	}
	for _, file := range slices.Sorted(maps.Keys(surfaces)) {
		if *update {
			if err := os.WriteFile(file, []byte(strings.Join(surfaces[file], "\n")+"\n"), 0o644); err != nil {
				t.Error(err)
			}
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
		}
		was := strings.Split(strings.TrimSpace(string(text)), "\n")
		for _, line := range was {
			if line != "" && !slices.Contains(surfaces[file], line) {
				t.Errorf("%s: gone: %s", file, line)
			}
		}
		for _, line := range surfaces[file] {
			if !slices.Contains(was, line) {
				t.Errorf("%s: new: %s", file, line)
			}
		}
	}
	if t.Failed() {
		t.Log("if that is meant: go test ./internal/api -run TestSurface -update, and a line in CHANGELOG.md")
	}
}

// Each kind of declaration has its lines, and what is not exported has none.
func TestExported(t *testing.T) {
	const source = `package p

const (
	A Kind = iota
	b
	C
)

const D, e = 1 << 3, 2

var (
	F error = g{}
	H = errors.New("h")
	i = 1
)

type Kind int

func (k Kind) String() string { return "" }
func (k *Kind) set(string) {}

type g struct{}

func (g) Error() string { return "" }

type J struct {
	K, l int ` + "`json:\"k\"`" + `
	*Kind
	g
	M func(a ...int) error
}

type N interface {
	O(
		p int,
	) (q string, err error)
	r()
}

type S = map[string]struct{}

type T[U any] []U

func (T[U]) V() {}

func W[X, Y any](x X) (y Y) { return }

func z() {}
`
	const want = `const A Kind = 0
const C Kind = 2
const D = 1 << 3
var F error
var H = an error
type Kind int
func (Kind) String() string
type J struct
type J struct, K int ` + "`json:\"k\"`" + `
type J struct, *Kind
type J struct, M func(a ...int) error
type J struct, and more that is not exported
type N interface
type N interface, O(p int) (q string, err error)
type N interface, and more that is not exported
type S = map[string]struct{}
type T[U any] []U
func (T[U]) V()
func W[X any, Y any](x X) (y Y)`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(exported(file), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

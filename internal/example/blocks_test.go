package backend

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var goBlock = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// What the pages show of Go compiles in a module of its own, as a user's does, and go vet has nothing to say of it:
// files as they are, and declarations with the imports that they name.
func TestBlocksOfGo(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("it takes the go command: ", err)
	}
	module := newModule(t)
	blocks := 0
	for name, text := range documents(t) {
		for i, m := range goBlock.FindAllStringSubmatch(text, -1) {
			dir := filepath.Join(module, fmt.Sprintf("%s-block-%d", strings.ReplaceAll(name, "/", "-"), i+1))
			file := "block.go"
			if strings.Contains(m[1], "*testing.T)") {
				file = "block_test.go"
			}
			if err := os.Mkdir(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, file), whole(m[1]))
			blocks++
		}
	}
	if blocks < 4 {
		t.Errorf("%d blocks of Go in all pages, want 4 or more", blocks)
	}
	vet := exec.Command("go", "vet", "./...")
	vet.Dir = module
	vet.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off")
	if out, err := vet.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// newModule is the directory of a module that uses the library of this tree.
func newModule(t *testing.T) string {
	base, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(base, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(base, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	const library = "github.com/icmpsock/ping"
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), fmt.Sprintf("%s\nrequire %s v0.0.0\n\nreplace %[2]s => %q\n",
		strings.Replace(string(mod), "module "+library, "module example.com/user", 1), library, base))
	write(t, filepath.Join(dir, "go.sum"), string(sum))
	return dir
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// imports are those that a block of declarations need not have.
var imports = []string{
	"context", "errors", "fmt", "log", "net/http", "net/netip", "os", "runtime", "time", "golang.org/x/sys/unix",
	"github.com/icmpsock/ping", "github.com/icmpsock/ping/monitor", "github.com/icmpsock/ping/pingtest",
}

// whole is a block as a file.
func whole(block string) string {
	if strings.HasPrefix(block, "package ") {
		return block
	}
	head := "package block\n\n"
	for _, name := range imports {
		if regexp.MustCompile(`\b` + path.Base(name) + `\.[A-Z]`).MatchString(block) {
			head += fmt.Sprintf("import %q\n", name)
		}
	}
	return head + "\n" + block
}

package backend

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// documents are the README and all other pages, by their path from the root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files: %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			pages[filepath.ToSlash(name)] = string(text)
		}
	}
	return pages
}

// docs/testing.md shows backend_test.go as it is.
func TestShownAsItIs(t *testing.T) {
	source, err := os.ReadFile("backend_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(documents(t)["docs/testing.md"], "```go\n"+string(source)+"```\n") {
		t.Error("docs/testing.md does not contain backend_test.go, as a block of Go, word for word")
	}
}

// The README names the command that .ci/run calls for it.
func TestCommandOfCI(t *testing.T) {
	script, err := os.ReadFile(root + "/.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(script), "\nstep \"tests, as the README has it\"\ntests ./...\n") {
		t.Error(".ci/run does not run the tests as the README has it")
	}
	if !strings.Contains(documents(t)["README.md"], "\n    go test ./...\n") {
		t.Error("README.md does not have the line go test ./...")
	}
}

var (
	linkPattern    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headingPattern = regexp.MustCompile(`(?m)^#+ (.+)$`)
	codePattern    = regexp.MustCompile("(?ms)^```.*?^```$|`[^`\n]*`")
	notInAnchor    = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// Each link within the repository leads somewhere, to a heading too.
func TestLinks(t *testing.T) {
	pages := documents(t)
	for name, text := range pages {
		for _, m := range linkPattern.FindAllStringSubmatch(codePattern.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, heading, _ := strings.Cut(m[1], "#")
			target := name
			if file != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(name), file))
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s: the link to %s: %v", name, m[1], err)
			} else if heading != "" && !slices.Contains(anchors(pages[target]), heading) {
				t.Errorf("%s: %s has no heading for the link to %s", name, target, m[1])
			}
		}
	}
}

// anchors are what a link to a heading of the page may name, as GitHub has it.
func anchors(page string) (list []string) {
	for _, m := range headingPattern.FindAllStringSubmatch(page, -1) {
		list = append(list, strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return list
}

// Who reads the README, or the package's documentation, finds each page.
func TestPagesAreFound(t *testing.T) {
	pages := documents(t)
	source, err := os.ReadFile(root + "/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for name := range pages {
		if !strings.HasPrefix(name, "docs/") {
			continue
		}
		if !strings.Contains(pages["README.md"], "]("+name+")") {
			t.Errorf("README.md has no link to %s", name)
		}
		if !strings.Contains(string(source), "https://github.com/icmpsock/ping/blob/main/"+name+"\n") {
			t.Errorf("doc.go has no link to %s", name)
		}
	}
}

var (
	testCommand  = regexp.MustCompile(`go test\b[^\n|]*`)
	testChoice   = regexp.MustCompile(`-(run|bench|fuzz) (?:'([^']*)'|([\w/$^]+))`)
	testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz|Example)\w*)\(`)
)

// The tests and benchmarks that the pages name are there.
func TestNamedTestsExist(t *testing.T) {
	var functions []string
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		text, err := os.ReadFile(file)
		for _, m := range testFunction.FindAllStringSubmatch(string(text), -1) {
			functions = append(functions, m[1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for name, text := range documents(t) {
		for _, command := range testCommand.FindAllString(strings.ReplaceAll(text, "|", "\x00"), -1) {
			command = strings.ReplaceAll(command, "\x00", "|")
			for _, m := range testChoice.FindAllStringSubmatch(command, -1) {
				if m[2] == "^$" {
					continue
				}
				if problem := without(functions, m[1], m[2]+m[3]); problem != "" {
					t.Errorf("%s: %s: %s", name, command, problem)
				}
				checked++
			}
		}
	}
	if checked == 0 {
		t.Error("no page names a test")
	}
}

// without says which alternative of a -run, -bench or -fuzz pattern no function matches.
func without(functions []string, flag, pattern string) string {
	kind := map[string]string{"run": "Test", "bench": "Benchmark", "fuzz": "Fuzz"}[flag]
	for choice := range strings.SplitSeq(pattern, "|") {
		expression, err := regexp.Compile(choice)
		if err != nil {
			return err.Error()
		}
		if !slices.ContainsFunc(functions, func(f string) bool {
			return strings.HasPrefix(f, kind) && expression.MatchString(f)
		}) {
			return fmt.Sprintf("no function %s... matches %q", kind, choice)
		}
	}
	return ""
}

package backend

import (
	"os"
	"strings"
	"testing"
)

// The README shows backend_test.go as it is.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("backend_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```go\n"+string(source)+"```\n") {
		t.Error("README.md does not contain backend_test.go, as a block of Go, word for word")
	}
}

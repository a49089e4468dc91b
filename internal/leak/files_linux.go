package leak

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// openFiles adds the open files of the process to found. Those that the runtime's poller opens on first use, and
// never closes, it leaves out.
func openFiles(found map[string]string) {
	const directory = "/proc/self/fd"
	entries, err := os.ReadDir(directory)
	if err != nil {
		return // no proc file system: goroutines alone are looked at
	}
	for _, e := range entries {
		file, err := os.Readlink(filepath.Join(directory, e.Name()))
		if err != nil || strings.HasPrefix(file, "anon_inode:[event") { // the directory's own is closed by now
			continue
		}
		name := fmt.Sprintf("file descriptor %s: %s", e.Name(), file)
		found[name] = name
	}
}

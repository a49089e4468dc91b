//go:build linux

package main

import (
	"bytes"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// An environment is where the figures were measured.
type environment struct {
	Go         string `json:"go"`
	ProBing    string `json:"pro_bing"`
	Kernel     string `json:"kernel"`
	Processor  string `json:"processor"`
	Processors int    `json:"processors"`
}

func thisEnvironment() (environment, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return environment{}, os.NewSyscallError("uname", err)
	}
	e := environment{
		Go:         runtime.Version(),
		ProBing:    "pro-bing",
		Kernel:     unix.ByteSliceToString(name.Release[:]),
		Processor:  runtime.GOARCH,
		Processors: runtime.NumCPU(),
	}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(info); m != nil {
			e.Processor = string(bytes.TrimSpace(m[1]))
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/prometheus-community/pro-bing" {
				e.ProBing = "pro-bing " + m.Version
			}
		}
	}
	return e, nil
}

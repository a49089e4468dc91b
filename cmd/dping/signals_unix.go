//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyQuit returns where SIGQUIT arrives from now on.
func notifyQuit() <-chan os.Signal {
	quit := make(chan os.Signal, 1)
	signal.Notify(quit, syscall.SIGQUIT)
	return quit
}

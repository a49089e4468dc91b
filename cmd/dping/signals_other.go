//go:build !unix

package main

import "os"

// notifyQuit returns nil, from which nothing comes: there is no SIGQUIT.
func notifyQuit() <-chan os.Signal { return nil }

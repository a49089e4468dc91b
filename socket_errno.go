//go:build !plan9

package ping

import "syscall"

// errTooBig is what the error of a packet wraps that is larger than may leave in one piece.
const errTooBig = syscall.EMSGSIZE

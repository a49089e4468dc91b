//go:build !plan9

package pingtest

import "syscall"

// errTooBig is that of a packet which is larger than may leave in one piece; see ping.Transport.
const errTooBig = syscall.EMSGSIZE

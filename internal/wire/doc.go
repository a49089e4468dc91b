// Package wire is the bytes of an ICMP message and of what an ICMP error quotes: echo requests are written and echo
// replies read, quotations cut up, checksums made. It knows no sockets, and never asks what time it is.
//
// All its functions are safe to call from any goroutine; its values are plain data, which one goroutine at a time may
// change.
package wire

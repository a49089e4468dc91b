module github.com/icmpsock/ping/netstack

go 1.25.0

replace github.com/icmpsock/ping => ../

require (
	github.com/icmpsock/ping v0.0.0-00010101000000-000000000000
	gvisor.dev/gvisor v0.0.0-20250503011706-39ed1f5ac29c
)

require (
	github.com/google/btree v1.1.2 // indirect
	golang.org/x/net v0.58.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/time v0.7.0 // indirect
)

module github.com/icmpsock/ping/bench

go 1.25.0

replace github.com/icmpsock/ping => ../

package ping_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/icmpsock/ping"
)

// answeredReply and lostReply are how two probes may end.
var (
	answeredReply = ping.Reply{
		Target: netip.MustParseAddr("192.0.2.1"), From: netip.MustParseAddr("192.0.2.1"),
		RTT: 123 * time.Microsecond, TTL: 64, Size: 64,
	}
	lostReply = ping.Reply{Seq: 1, Target: netip.MustParseAddr("192.0.2.1"), Err: ping.ErrTimeout}
)

func ExampleReply_String() {
	fmt.Println(answeredReply)
	fmt.Println(lostReply)
	// Output:
	// 64 bytes from 192.0.2.1: seq=0 ttl=64 time=0.123 ms
	// 192.0.2.1: seq=1 no reply in time
}

// Where the way back is longer than the way there, that may be why a router seems to be slow.
func ExampleReply_HopsBack() {
	hop := ping.Hop{Distance: 4, Replies: []ping.Reply{{TTL: 249}}}
	for _, r := range hop.Replies {
		fmt.Println(hop.Distance, "hops there,", r.HopsBack(), "back")
	}
	// Output: 4 hops there, 7 back
}

func ExampleReply_LogValue() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	logger.Info("probe", "reply", answeredReply)
	logger.Warn("probe", "reply", lostReply)
	// Output:
	// level=INFO msg=probe reply.target=192.0.2.1 reply.seq=0 reply.rtt=123µs reply.ttl=64 reply.size=64
	// level=WARN msg=probe reply.target=192.0.2.1 reply.seq=1 reply.kind=timeout reply.error="no reply in time"
}

// A label for a metric.
func ExampleErrorKind() {
	p, err := ping.New(ping.WithTransport(newWire(refuse)))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	_, err = p.Ping(context.Background(), "192.0.2.1")
	fmt.Println(ping.ErrorKind(err))
	// Output: icmp
}

// What was not measured is left out: of Statistics by Add, the median, and what came beside the outcomes.
func ExampleStatistics_MarshalJSON() {
	var s ping.Statistics
	s.Add(answeredReply)
	s.Add(lostReply)
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(b))
	// Output:
	// {
	//   "target": "192.0.2.1",
	//   "sent": 2,
	//   "send_errors": 0,
	//   "received": 1,
	//   "lost": 1,
	//   "icmp_errors": 0,
	//   "pending": 0,
	//   "reordered": 0,
	//   "local_drops": 0,
	//   "loss": 0.5,
	//   "min_ns": 123000,
	//   "max_ns": 123000,
	//   "mean_ns": 123000,
	//   "stddev_ns": 0
	// }
}

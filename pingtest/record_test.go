package pingtest_test

import (
	"errors"
	"io"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

func TestRecords(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		h := n.Host(addr, pingtest.RTT(20*ms))
		p := n.Pinger(t)
		start := time.Now().Round(0)
		n.Host("192.0.2.7")
		p.Ping(t.Context(), "192.0.2.7")
		start = start.Add(ms)
		refusal := &ping.ICMPError{Type: 3, Code: 13, From: h.Addr()}
		for _, settings := range [][]pingtest.Setting{
			nil,
			{pingtest.Duplicates(1), pingtest.Forgeries(1)},
			{pingtest.Duplicates(0), pingtest.Forgeries(0), pingtest.Corruption(1)},
			{pingtest.LoseNext(1)},
			{pingtest.Refuse(*refusal)},
			{pingtest.Down()},
			{pingtest.SendError(io.EOF)},
		} {
			h.Set(settings...)
			p.Ping(t.Context(), addr, ping.WithTTL(9), ping.WithSize(20), ping.WithTrafficClass(4), ping.WithDontFragment(true))
		}
		reply := func(sent time.Duration) pingtest.Answer {
			return pingtest.Answer{Received: start.Add(sent + 20*ms), From: h.Addr()}
		}
		var want []pingtest.Record
		for _, c := range []struct {
			sent    time.Duration
			fate    pingtest.Fate
			answers []pingtest.Answer
		}{
			{0, pingtest.Answered, []pingtest.Answer{reply(0)}},
			{20 * ms, pingtest.Answered, []pingtest.Answer{reply(20 * ms), reply(20 * ms), reply(20 * ms)}},
			{40 * ms, pingtest.Corrupted, []pingtest.Answer{reply(40 * ms)}},
			{1040 * ms, pingtest.Lost, nil},
			{2040 * ms, pingtest.Refused, []pingtest.Answer{{start.Add(2060 * ms), h.Addr(), refusal}}},
			{2060 * ms, pingtest.Swallowed, nil},
			{3060 * ms, pingtest.NotSent, nil},
		} {
			want = append(want, pingtest.Record{
				Sent: start.Add(c.sent), ID: 1, Seq: uint16(len(want) + 1), To: h.Addr(), Size: 28, TTL: 9, TrafficClass: 4,
				DontFragment: true, Fate: c.fate, Answers: c.answers,
			})
		}
		got := h.Records()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		all := n.Records()
		if len(all) != 8 || all[0].To != netip.MustParseAddr("192.0.2.7") || !reflect.DeepEqual(all[1:], want) {
			t.Errorf("of all hosts: %+v", all)
		}
		all[1].Answers[0].From = netip.Addr{} // belongs to us
		all[5].Answers[0].Err.Code = 99
		if !reflect.DeepEqual(h.Records(), want) {
			t.Error("what was returned was not the caller's")
		}
		wantCounts := pingtest.Counts{
			Requests: 7, Answered: 2, Corrupted: 1, Refused: 1, Lost: 1, Swallowed: 1, NotSent: 1, Duplicates: 1, Forgeries: 1,
		}
		if c := h.Counts(); c != wantCounts {
			t.Errorf("counts %+v, want %+v", c, wantCounts)
		}
		wantCounts.Requests++
		wantCounts.Answered++
		if c := n.Counts(); c != wantCounts {
			t.Errorf("counts of all %+v, want %+v", c, wantCounts)
		}
	})
}

func TestKeepRecords(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		n.Host(addr, pingtest.RTT(0))
		p := n.Pinger(t, ping.WithInterval(0))
		for _, c := range []struct{ limit, requests, want int }{
			{3, 2, 2}, {3, 10, 3}, {0, 5, 0}, {1, 2, 1}, {-1, 1500, 1000},
		} {
			if c.limit >= 0 {
				n.KeepRecords(c.limit)
			} else {
				n, c.limit = pingtest.NewNetwork(), 1000
				n.Host(addr, pingtest.RTT(0))
				p = n.Pinger(t, ping.WithInterval(0))
			}
			s, err := p.PingN(t.Context(), addr, c.requests)
			if err != nil || s.Received != c.requests {
				t.Fatal(s, err)
			}
			records := n.Records()
			if len(records) != c.want {
				t.Errorf("limit %d: %d of %d kept", c.limit, len(records), c.requests)
			}
			for i := 1; i < len(records); i++ {
				if records[i].Seq != records[i-1].Seq+1 || len(records[i].Answers) != 1 {
					t.Errorf("limit %d: %+v after %+v", c.limit, records[i], records[i-1])
				}
			}
		}
	})
}

func TestFate(t *testing.T) {
	for fate, want := range map[pingtest.Fate]string{
		pingtest.Answered: "answered", pingtest.Corrupted: "corrupted", pingtest.Refused: "refused", pingtest.Lost: "lost",
		pingtest.Swallowed: "swallowed", pingtest.NotSent: "not sent", 99: "Fate(99)",
	} {
		if got := fate.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// The transport keeps the contract of ping.Transport where a Pinger does not look.
func TestTransport(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		n.Host(addr, pingtest.RTT(0))
		n.Host("192.0.2.99", pingtest.SendError(io.EOF))
		tr := n.Transport()
		message := func(to string) ping.Message {
			return ping.Message{Addr: netip.MustParseAddr(to), Data: make([]byte, 64)}
		}
		out := []ping.Message{message(addr), message(addr), message("192.0.2.99"), message(addr)}
		if sent, err := tr.Send(out); sent != 2 || !errors.Is(err, io.EOF) {
			t.Errorf("%d sent, %v", sent, err)
		}
		if out[0].Time.IsZero() || out[1].Time.IsZero() || !out[2].Time.IsZero() || !out[3].Time.IsZero() {
			t.Errorf("stamps %v", out)
		}
		short := []ping.Message{{Addr: netip.MustParseAddr(addr), Data: make([]byte, 7)}}
		if sent, err := tr.Send(short); sent != 0 || err == nil {
			t.Errorf("too short: %d sent, %v", sent, err)
		}
		in := []ping.Message{{Data: make([]byte, 100)}, {Data: make([]byte, 10)}, {Data: make([]byte, 100)}}
		got, err := tr.Receive(in)
		if got != 2 || err != nil || len(in[0].Data) != 64 || len(in[1].Data) != 10 || in[0].Addr != out[0].Addr {
			t.Errorf("received %d, %v: %+v", got, err, in)
		}
		const many = 50
		for i := range byte(many) {
			m := message(addr)
			m.Data[7] = i
			tr.Send([]ping.Message{m})
		}
		for i := range byte(many) {
			in[0].Data = in[0].Data[:64]
			if got, err := tr.Receive(in[:1]); got != 1 || err != nil || in[0].Data[7] != i {
				t.Fatalf("received %d, %v, number %d, want %d", got, err, in[0].Data[7], i)
			}
		}
		ended := make(chan error)
		go func() {
			_, err := tr.Receive(in)
			ended <- err
		}()
		for range 2 {
			if err := tr.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := <-ended; err == nil {
			t.Error("Receive returns no error after Close")
		}
		if sent, err := tr.Send(out); sent != 0 || err == nil {
			t.Errorf("after Close: %d sent, %v", sent, err)
		}
	})
}

package ping_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"reflect"
	"testing"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// What an ICMP error carries beside itself comes through a Transport whole, and as JSON with names of its own.
func TestExtensionThroughTransport(t *testing.T) {
	want := ping.ICMPError{
		Type: 3, Code: 1, From: netip.MustParseAddr("192.0.2.254"),
		MPLS: []ping.MPLSLabel{{Label: 16, TrafficClass: 1, TTL: 2}},
		Interfaces: []ping.ICMPInterface{
			{Role: ping.InterfaceSubIncoming, Index: 7, Addr: netip.MustParseAddr("2001:db8::1"), Name: "ae0.1", MTU: 1500},
			{Role: ping.InterfaceNextHop},
		},
		Objects: []ping.ICMPObject{{Class: 5, Type: 2, Data: []byte{1, 2}}},
	}
	n := pingtest.NewNetwork()
	n.Host("192.0.2.1", pingtest.Refuse(want))
	reply, _ := n.Pinger(t).Ping(t.Context(), "192.0.2.1")
	var got *ping.ICMPError
	if !errors.As(reply.Err, &got) {
		t.Fatal(reply.Err)
	}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("got %+v, want %+v", *got, want)
	}
	text, err := json.Marshal(got)
	const wanted = `{"type":3,"code":1,"from":"192.0.2.254","mpls":[{"label":16,"traffic_class":1,"ttl":2}],` +
		`"interfaces":[{"role":"sub-IP incoming","index":7,"address":"2001:db8::1","name":"ae0.1","mtu":1500},` +
		`{"role":"next hop"}],"objects":[{"class":5,"type":2,"data":"AQI="}]}`
	if err != nil || string(text) != wanted {
		t.Errorf("got %s, %v, want %s", text, err, wanted)
	}
	if s := ping.InterfaceRole(4).String(); s != "InterfaceRole(4)" {
		t.Errorf("got %q", s)
	}
}

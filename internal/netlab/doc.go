// Package netlab is a network made for tests: namespaces, links and routes of
// the running kernel, and a scripted far end that knows what it did.
//
// It asks for no privilege, no program and no network of the machine. [Main]
// moves a package's tests into a user and network namespace of their own, where
// they may do as root does; [Require] skips a test where the machine forbids
// that. [Link] and the methods of [Namespace] build topologies of real Linux
// hosts and routers. A [Responder] plays everything beyond a veth pair from a
// script, so that a test can delay, lose, repeat, reorder, corrupt and forge
// answers, and afterwards compare what was measured with the kernel's own
// stamps of each packet.
//
// Every change is undone by the test's Cleanup. The package is for tests that
// run one after another: a test process has one network, and what one test does
// to it any other can see.
//
// On systems other than Linux there is only Main, which runs the tests where
// they are, and Require, which skips them.
package netlab

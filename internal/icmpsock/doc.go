// Package icmpsock is one ICMP socket of Linux: how it is opened and set up, its batches of messages, their control
// messages, its error queue, what it drops, and how it is waited for. It moves packets, and says what the kernel says
// of them. It matches nothing, and knows no timeouts.
//
// On other systems there is but its [Config].
package icmpsock

/*
 * Bare pings loopback addresses by system calls alone, over sockets with the options of package ping's, and does
 * nothing but count:
 *
 *	bare sweep ECHOES SOCKETS    an echo to each of as many addresses, 8 a system call, a thread for each socket
 *	bare serial ECHOES           one echo after another to one address: send, poll, receive
 *	bare monitor ECHOES TARGETS  the same to as many addresses, each once a second: what is due, each millisecond
 *
 * It prints what the loops came to, as the JSON of bench's sample; times are in nanoseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum {
	BATCH = 8,       /* messages a system call */
	REQUEST = 64,    /* bytes of an echo request, 56 of them payload */
	REPLY = 2048,    /* bytes of room for what comes back */
	CONTROL = 256,   /* bytes of room for control messages */
	PATIENCE = 100,  /* ms until an echo that was not answered is lost */
	BUFFER = 1 << 28 /* bytes asked for; the kernel grants what net.core allows */
};

/* A vector is the memory of one sendmmsg(2) or recvmmsg(2). */
struct vector {
	struct mmsghdr headers[BATCH];
	struct sockaddr_in names[BATCH];
	struct iovec iovecs[BATCH];
	char control[BATCH][CONTROL];
	char messages[BATCH][REPLY];
};

struct loop {
	pthread_t thread;
	int fd;
	long echoes, targets, sent, lost;
	struct vector out, in;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void set(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof value) != 0)
		fail("setsockopt");
}

static int open_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP);
	struct sockaddr_in any = {.sin_family = AF_INET};

	if (fd < 0)
		fail("socket");
	set(fd, SOL_SOCKET, SO_REUSEADDR, 0);
	set(fd, SOL_SOCKET, SO_RCVBUF, BUFFER);
	set(fd, SOL_SOCKET, SO_SNDBUF, BUFFER);
	set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	set(fd, IPPROTO_IP, IP_RECVERR, 1);
	set(fd, IPPROTO_IP, IP_RECVTTL, 1);
	set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	if (bind(fd, (struct sockaddr *)&any, sizeof any) != 0)
		fail("bind");
	return fd;
}

static void prepare(struct vector *v, size_t size)
{
	for (int i = 0; i < BATCH; i++) {
		struct msghdr *h = &v->headers[i].msg_hdr;

		v->messages[i][0] = ICMP_ECHO;
		v->names[i].sin_family = AF_INET;
		v->iovecs[i] = (struct iovec){v->messages[i], size};
		h->msg_name = &v->names[i];
		h->msg_namelen = sizeof v->names[i];
		h->msg_iov = &v->iovecs[i];
		h->msg_iovlen = 1;
	}
}

/* address names the echo's target, as bench's function of this name does, and its sequence number. */
static void address(struct vector *v, int i, long target, long echo)
{
	uint16_t seq = htons((uint16_t)echo);

	v->names[i].sin_addr.s_addr = htonl(127u << 24 | (uint32_t)(target + 1));
	memcpy(&v->messages[i][6], &seq, sizeof seq);
}

/* make_room is for the next message: the system call before has said in the header how much it needed. */
static void make_room(struct vector *v, int i)
{
	struct msghdr *h = &v->headers[i].msg_hdr;

	h->msg_namelen = sizeof v->names[i];
	h->msg_control = v->control[i];
	h->msg_controllen = CONTROL;
	h->msg_flags = 0;
}

static int readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int n = poll(&p, 1, PATIENCE);

	if (n < 0 && errno != EINTR)
		fail("poll");
	return n != 0;
}

/* count is what a system call did: n, or nothing where it would have had to wait. */
static int count(int n, const char *what)
{
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		fail(what);
	return n < 0 ? 0 : n;
}

static void *sweep(void *argument)
{
	struct loop *l = argument;
	const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;

	while (l->sent < l->echoes) {
		int n = l->echoes - l->sent < BATCH ? (int)(l->echoes - l->sent) : BATCH;

		for (int i = 0; i < n; i++)
			address(&l->out, i, l->sent + i, l->sent + i);
		for (int i = 0; i < n;)
			i += count(sendmmsg(l->fd, &l->out.headers[i], (unsigned)(n - i), flags), "sendmmsg");
		l->sent += n;
		for (int got = 0; got < n;) {
			for (int i = 0; i < n - got; i++)
				make_room(&l->in, i);
			int more = count(recvmmsg(l->fd, l->in.headers, (unsigned)(n - got), flags, NULL), "recvmmsg");

			if (more == 0 && !readable(l->fd)) {
				l->lost += n - got;
				break;
			}
			got += more;
		}
	}
	return NULL;
}

/* echo sends one echo, waits for its answer and receives it. */
static void echo(struct loop *l, long target)
{
	address(&l->out, 0, target, l->sent);
	if (sendmsg(l->fd, &l->out.headers[0].msg_hdr, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		fail("sendmsg");
	make_room(&l->in, 0);
	if (!readable(l->fd) || recvmsg(l->fd, &l->in.headers[0].msg_hdr, MSG_DONTWAIT) < 0)
		l->lost++;
}

static void *serial(void *argument)
{
	struct loop *l = argument;

	for (; l->sent < l->echoes; l->sent++)
		echo(l, 0);
	return NULL;
}

static void *monitor(void *argument)
{
	const long ms = 1000000, s = 1000000000;
	struct loop *l = argument;
	struct timespec tick;

	clock_gettime(CLOCK_MONOTONIC, &tick);
	for (long ticks = 1; l->sent < l->echoes; ticks++) {
		long due = ticks * l->targets / 1000;

		tick.tv_sec += (tick.tv_nsec + ms) / s;
		tick.tv_nsec = (tick.tv_nsec + ms) % s;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &tick, NULL);
		for (; l->sent < due && l->sent < l->echoes; l->sent++)
			echo(l, l->sent % l->targets);
	}
	return NULL;
}

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* used tells the processor time of the process, and how often it lost a processor or gave one up. */
static long long used(long *switches)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	*switches = u.ru_nvcsw + u.ru_nivcsw;
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000LL + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000LL;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	void *(*run)(void *) = strcmp(what, "serial") == 0 ? serial : strcmp(what, "monitor") == 0 ? monitor : sweep;
	long echoes = argc > 2 ? atol(argv[2]) : 0, sent = 0, lost = 0, switches_before, switches;
	int more = argc > 3 ? atoi(argv[3]) : 1, sockets = run == sweep ? more : 1;
	struct loop *loops = more > 0 ? calloc((size_t)sockets, sizeof *loops) : NULL;

	if (loops == NULL || echoes <= 0) {
		fputs("usage: bare sweep|serial|monitor ECHOES [SOCKETS|TARGETS]\n", stderr);
		return 2;
	}
	for (int i = 0; i < sockets; i++) {
		loops[i].fd = open_socket();
		loops[i].echoes = echoes / sockets;
		loops[i].targets = more;
		prepare(&loops[i].out, REQUEST);
		prepare(&loops[i].in, REPLY);
	}

	long long cpu = used(&switches_before), start = now();

	for (int i = 1; i < sockets; i++)
		if ((errno = pthread_create(&loops[i].thread, NULL, run, &loops[i])) != 0)
			fail("pthread_create");
	run(&loops[0]);
	for (int i = 1; i < sockets; i++)
		pthread_join(loops[i].thread, NULL);

	long long wall = now() - start;

	cpu = used(&switches) - cpu;
	for (int i = 0; i < sockets; i++) {
		sent += loops[i].sent;
		lost += loops[i].lost;
	}
	printf("{\"Echoes\":%ld,\"Lost\":%ld,\"Wall\":%lld,\"CPU\":%lld,\"Switches\":%ld}\n", sent, lost, wall, cpu,
		switches - switches_before);
	return 0;
}

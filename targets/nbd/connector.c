// SPDX-License-Identifier: GPL-2.0
#include "targets/nbd/connector.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/message.h"
#include "sources/nbd.h"
#include "targets/net/away.h"
#include "targets/net/process.h"

/*
 * Seconds after which a connection without a sign of life is lost: the other
 * machine is gone, or the network. A server that works for longer than that on
 * a request is waited for.
 */
#define IDLE_SECONDS 10
#define PROBE_SECONDS 5
#define PROBES 4
#define UNSENT_MS 30000

/* The messages: a number, and to the other side also how it was answered. */
struct message_to {
	uint32_t number;
	uint8_t served;
};
struct message_from {
	uint32_t number;
	uint8_t structured;
	uint8_t over;
};

/*
 * How long a server may take to do what it was asked for on a connection that is
 * given up, and to close it. After that it is as dead as one that sends nothing.
 */
#define FENCE_MS 30000
#define FENCE_TICK_MS 20

/*
 * The connections that were handed over, one for each number, or -1. The process
 * keeps them, because a worker that dies would leave them to the kernel, which
 * closes them without waiting for the server.
 */
static struct {
	int *fds;
	unsigned int count;
} held;

struct connecting {
	int device;		/* its number */
	struct remote remote;
	unsigned int count;
	unsigned int *pauses;	/* of each number: before its next attempt, in ms */
	struct away away;
};

/* Makes a dead connection known in time. Best effort: a Unix socket has none. */
static void connector_keep_alive(int fd)
{
	const int one = 1, idle = IDLE_SECONDS, probe = PROBE_SECONDS,
		  probes = PROBES, unsent = UNSENT_MS;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &probe, sizeof(probe));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unsent, sizeof(unsent));
}

/* Sends an answer, with a descriptor unless that is -1. */
static int connector_send(const struct message_from *answer, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec text = { (void *)answer, sizeof(*answer) };
	struct msghdr message = { .msg_iov = &text, .msg_iovlen = 1 };
	struct cmsghdr *head;
	ssize_t n;

	if (fd >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	}
	do
		n = sendmsg(NET_PROCESS_FD, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Drops what the server still sends. Returns whether it has closed. */
static bool connector_is_closed(int fd)
{
	char scrap[1024];
	ssize_t n = recv(fd, scrap, sizeof(scrap), MSG_DONTWAIT);

	return !n || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/*
 * Ends connections, and waits until the server has ended them as well, and with
 * that all that it was asked for there. What is asked for on the next connection
 * must come after that: a WRITE of the last one, done late, would undo another
 * one to the same place. May be called in a signal handler.
 */
static void connector_fence(const int *fds, unsigned int count)
{
	const uint64_t end = clock_ms() + FENCE_MS;
	uint64_t now = 0;
	unsigned int i;

	for (i = 0; i < count; i++)
		if (fds[i] >= 0)
			shutdown(fds[i], SHUT_WR);
	for (i = 0; i < count; i++)
		while (fds[i] >= 0 && !connector_is_closed(fds[i]) &&
		       (now = clock_ms()) < end) {
			struct pollfd event = { .fd = fds[i], .events = POLLIN };

			poll(&event, 1, end - now);
		}
}

static void connector_worker_died(int number)
{
	(void)number;
	connector_fence(held.fds, held.count);
	_exit(EXIT_DONE);
}

/* Nobody wants connections any more, nor what was asked for on them. */
static void connector_over(int number)
{
	const struct message_from last = { .over = true };
	ssize_t n = write(NET_PROCESS_FD, &last, sizeof(last));

	(void)number;
	_exit(n == sizeof(last) ? EXIT_DONE : EXIT_FAILED);
}

/*
 * Waits until that process of the last worker has ended, whoever started it. A
 * name that only the kernel keeps is a lock that needs no file.
 */
static void connector_be_alone(int id)
{
	const uint64_t end = clock_ms() + FENCE_MS + FENCE_TICK_MS;
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int length = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1,
			      "ublk-nbd-%d", id);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	while (fd >= 0 &&
	       bind(fd, (const struct sockaddr *)&name,
		    offsetof(struct sockaddr_un, sun_path) + 1 + length) &&
	       errno == EADDRINUSE && clock_ms() < end)
		clock_sleep_ms(FENCE_TICK_MS);
}

/* Tries until there is a connection. */
static void connector_connect(struct away *away, unsigned int *pause)
{
	for (;;) {
		away_pause(away, pause);
		if (!remote_connect_again(away->remote))
			break;
		away_failed(away);
	}
	away_over(away);
}

/* The last connection of this number is of no more use. */
static void connector_drop(unsigned int number)
{
	int fd = held.fds[number];

	connector_fence(&fd, 1);
	held.fds[number] = -1;
	if (fd >= 0)
		close(fd);
}

/* The process. It ends when the other side is gone. */
static void connector_run(struct connecting *c)
{
	struct remote *remote = &c->remote;
	struct message_to asked;
	ssize_t n;

	for (;;) {
		struct message_from answer = { 0 };

		n = read(NET_PROCESS_FD, &asked, sizeof(asked));
		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof(asked))
			return;
		if (asked.served)
			c->pauses[asked.number] = 0;
		connector_drop(asked.number);
		connector_connect(&c->away, &c->pauses[asked.number]);
		connector_keep_alive(remote->fd);
		held.fds[asked.number] = remote->fd;
		remote->fd = -1;
		answer.number = asked.number;
		answer.structured = nbd_replies_structured(remote);
		if (connector_send(&answer, held.fds[asked.number]))
			return;
	}
}

static int connector_begin(void *argument)
{
	const struct connecting *c = argument;

	held.fds = malloc(c->count * sizeof(*held.fds));
	if (!held.fds)
		return message_fail(ENOMEM, "the process that connects");
	for (unsigned int i = 0; i < c->count; i++)
		held.fds[i] = -1;
	held.count = c->count;
	connector_be_alone(c->device);
	return 0;
}

static void connector_main(void *argument)
{
	connector_run(argument);
	/* It may see that the other side is gone before the signal comes. */
	connector_fence(held.fds, held.count);
}

static const struct net_process_kind connector_kind = {
	.begin = connector_begin,
	.run = connector_main,
	.over = connector_over,
	.died = connector_worker_died,
};

int connector_start(struct connector *connector, int device,
		    const struct remote *remote, unsigned int count)
{
	struct connecting c = {
		.device = device,
		.remote = *remote,
		.count = count,
		.pauses = calloc(count, sizeof(*c.pauses)),
		.away.look_up_fd = -1,
	};

	if (!c.pauses)
		return message_fail(ENOMEM, "the process that connects");
	c.remote.fd = -1;
	c.away.remote = &c.remote;
	connector->fd = net_process_start(&connector_kind, &c);
	free(c.pauses);
	return connector->fd < 0 ? connector->fd : 0;
}

int connector_ask(const struct connector *connector, unsigned int number,
		  bool served)
{
	const struct message_to message = { .number = number, .served = served };
	ssize_t n;

	do
		n = write(connector->fd, &message, sizeof(message));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

bool connector_answer(const struct connector *connector,
		      struct connected *answer)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct message_from from;
	struct iovec text = { &from, sizeof(from) };
	struct msghdr message = {
		.msg_iov = &text,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *head;
	ssize_t n;

	do
		n = recvmsg(connector->fd, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(from))
		return false;
	*answer = (struct connected){
		.asked = from.number,
		.fd = -1,
		.structured = from.structured,
		.over = from.over,
	};
	head = CMSG_FIRSTHDR(&message);
	if (head && head->cmsg_level == SOL_SOCKET &&
	    head->cmsg_type == SCM_RIGHTS)
		memcpy(&answer->fd, CMSG_DATA(head), sizeof(answer->fd));
	return true;
}

void connector_end(const struct connector *connector)
{
	if (connector->fd >= 0)
		shutdown(connector->fd, SHUT_RDWR);
}

void connector_free(struct connector *connector)
{
	if (connector->fd >= 0)
		close(connector->fd);
	connector->fd = -1;
}

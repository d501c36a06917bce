// SPDX-License-Identifier: GPL-2.0
#include "targets/nbd/connector.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/process.h"
#include "core/rights.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/message.h"
#include "sources/nbd.h"

/*
 * Milliseconds between two attempts: twice as long each time. A connection that
 * was lost before it was of use counts as an attempt, too.
 */
#define PAUSE_FIRST_MS 50
#define PAUSE_MOST_MS 4000

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

#define PAIR_FD STDIN_FILENO	/* in the connector's process */

struct connecting {
	struct remote *remote;
	unsigned int timeout;		/* in ms; 0: none */
	unsigned int pause;		/* before the next attempt, in ms; 0: none */
	uint64_t since;			/* clock_ms() when attempts began; 0: none has */
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
		n = sendmsg(PAIR_FD, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Whether the time is over. The next attempt has all of it again. */
static bool connector_gives_up(struct connecting *c)
{
	if (!c->since)
		c->since = clock_ms();
	if (!c->timeout || clock_ms() - c->since < c->timeout)
		return false;
	c->since = 0;
	return true;
}

static void connector_pause(struct connecting *c)
{
	if (c->pause)
		clock_sleep_ms(c->pause);
	c->pause = !c->pause ? PAUSE_FIRST_MS :
		   c->pause < PAUSE_MOST_MS / 2 ? 2 * c->pause : PAUSE_MOST_MS;
}

/*
 * Tries until there is a connection, or the server refuses. Says once that it
 * waits, and once that it is there again.
 */
static int connector_connect(struct connecting *c)
{
	struct remote *remote = c->remote;
	bool told = false;
	int ret;

	for (;;) {
		if (connector_gives_up(c)) {
			process_say_waiting(false);
			message("%s: no answer for %u seconds; requests fail",
				remote->name, c->timeout / 1000);
			return -ETIMEDOUT;
		}
		connector_pause(c);
		ret = remote_connect_again(remote);
		if (ret != -ENOTCONN)
			break;
		if (!told)
			message("%s: %s; waiting for it", remote->name,
				remote->why);
		told = true;
		process_say_waiting(true);
	}
	process_say_waiting(false);
	if (ret)
		message("%s: %s", remote->name, remote->why);
	else if (told)
		message("%s: is there again", remote->name);
	return ret;
}

/* Nobody wants connections any more. */
static void connector_over(int number)
{
	const struct message_from last = { .over = true };
	ssize_t n = write(PAIR_FD, &last, sizeof(last));

	(void)number;
	_exit(n == sizeof(last) ? EXIT_DONE : EXIT_FAILED);
}

static void connector_hear(void)
{
	const struct sigaction action = { .sa_handler = connector_over };
	sigset_t over;

	sigaction(PROCESS_OVER_SIGNAL, &action, NULL);
	sigemptyset(&over);
	sigaddset(&over, PROCESS_OVER_SIGNAL);
	sigprocmask(SIG_UNBLOCK, &over, NULL);
}

/* The process. It ends when the other side is gone. */
static void connector_run(struct remote *remote, unsigned int timeout)
{
	struct connecting c = { .remote = remote, .timeout = timeout * 1000 };
	struct message_to asked;
	ssize_t n;

	for (;;) {
		struct message_from answer = { 0 };
		int fd = -1;

		n = read(PAIR_FD, &asked, sizeof(asked));
		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof(asked))
			return;
		answer.number = asked.number;
		if (asked.served)
			c.pause = c.since = 0;
		if (!connector_connect(&c)) {
			fd = remote->fd;
			connector_keep_alive(fd);
			answer.structured = nbd_replies_structured(remote);
		}
		if (connector_send(&answer, fd))
			return;
		if (fd >= 0)
			close(fd);
		remote->fd = -1;
	}
}

static int connector_main(const struct remote *remote, unsigned int timeout,
			  int fd)
{
	struct remote own = *remote;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	process_forked();
	/* This replaces standard input, and so comes before the pair does. */
	if (process_leave_caller())
		return -EIO;
	if (dup2(fd, PAIR_FD) < 0)
		return message_fail(errno, "the process that connects");
	message_close_others();
	if (process_protect(false) || rights_drop_capabilities())
		return -EIO;
	process_calm();
	connector_hear();
	own.fd = -1;
	connector_run(&own, timeout);
	return 0;
}

int connector_start(struct connector *connector, const struct remote *remote,
		    unsigned int timeout)
{
	int pair[2], err;

	connector->fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return message_fail(errno, "the process that connects");
	connector->pid = fork();
	if (connector->pid < 0) {
		err = message_fail(errno, "the process that connects");
		close(pair[0]);
		close(pair[1]);
		return err;
	}
	if (!connector->pid) {
		close(pair[0]);
		_exit(connector_main(remote, timeout, pair[1]) ? EXIT_FAILED : EXIT_DONE);
	}
	close(pair[1]);
	connector->fd = pair[0];
	return 0;
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

// SPDX-License-Identifier: GPL-2.0
#include "targets/nbd/connector.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/process.h"
#include "core/rights.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/message.h"
#include "lib/whole-io.h"
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

/*
 * How long a server may take to do what it was asked for on a connection that is
 * given up, and to close it. After that it is as dead as one that sends nothing.
 */
#define FENCE_MS 30000
#define FENCE_TICK_MS 20

/* Comes when the worker has died. A worker sends no other process any signal. */
#define DEATH_SIGNAL (SIGRTMIN + 2)

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
	struct remote *remote;
	unsigned int *pauses;	/* of each number: before its next attempt, in ms */
	int look_up_fd;		/* where addresses come from, or -1 */
	char said[REMOTE_WHY];	/* why it waits, as in the last message */
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
	ssize_t n = write(PAIR_FD, &last, sizeof(last));

	(void)number;
	_exit(n == sizeof(last) ? EXIT_DONE : EXIT_FAILED);
}

/* Has @handler called when the signal comes, which may be blocked. */
static void connector_hear(int number, void (*handler)(int))
{
	const struct sigaction action = { .sa_handler = handler };
	sigset_t signals;

	sigaction(number, &action, NULL);
	sigemptyset(&signals);
	sigaddset(&signals, number);
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
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

/*
 * In a process of its own, since what it reads may be on the disk that waits. It
 * keeps nothing of the connector's open.
 */
static void connector_look_up_in(const struct connecting *c, int fd)
{
	struct net_addresses addresses;
	const char *why;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	process_replace(PAIR_FD, fd);
	message_close_others();
	if (!net_look_up(&c->remote->uri, &addresses, &why))
		whole_write(PAIR_FD, &addresses, sizeof(addresses));
}

/* Begins to look for other addresses of the server, if it may have any. */
static void connector_look_up(struct connecting *c)
{
	int fds[2];
	pid_t child;

	_Static_assert(sizeof(struct net_addresses) <= PIPE_BUF,
		       "a pipe passes it on in one piece");
	if (c->look_up_fd >= 0 || !c->remote->has_addresses ||
	    c->remote->addresses.fixed || pipe2(fds, O_CLOEXEC))
		return;
	child = fork();
	if (!child) {
		connector_look_up_in(c, fds[1]);
		_exit(EXIT_DONE);
	}
	close(fds[1]);
	c->look_up_fd = fds[0];
}

static void connector_looked_up(struct connecting *c)
{
	struct net_addresses addresses;

	if (read(c->look_up_fd, &addresses, sizeof(addresses)) ==
	    sizeof(addresses))
		c->remote->addresses = addresses;
	close(c->look_up_fd);
	c->look_up_fd = -1;
}

/* Waits before an attempt, and meanwhile for addresses. */
static void connector_pause(struct connecting *c, unsigned int *pause)
{
	const uint64_t end = clock_ms() + *pause;
	uint64_t now;

	while ((now = clock_ms()) < end) {
		struct pollfd look_up = {
			.fd = c->look_up_fd, .events = POLLIN,
		};

		if (poll(&look_up, 1, end - now) > 0)
			connector_looked_up(c);
	}
	*pause = !*pause ? PAUSE_FIRST_MS :
		 *pause < PAUSE_MOST_MS / 2 ? 2 * *pause : PAUSE_MOST_MS;
}

/*
 * Tries until there is a connection. Says why there is none, when that changes,
 * and that it is there again.
 */
static void connector_connect(struct connecting *c, unsigned int *pause)
{
	struct remote *remote = c->remote;

	for (;;) {
		connector_pause(c, pause);
		if (!remote_connect_again(remote))
			break;
		if (strcmp(c->said, remote->why))
			message("%s: %s; waiting for it", remote->name,
				remote->why);
		memcpy(c->said, remote->why, sizeof(c->said));
		process_say_waiting(true);
		connector_look_up(c);
	}
	if (!*c->said)
		return;
	*c->said = '\0';
	process_say_waiting(false);
	message("%s: is there again", remote->name);
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
	struct remote *remote = c->remote;
	struct message_to asked;
	ssize_t n;

	for (;;) {
		struct message_from answer = { 0 };

		n = read(PAIR_FD, &asked, sizeof(asked));
		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof(asked))
			return;
		if (asked.served)
			c->pauses[asked.number] = 0;
		connector_drop(asked.number);
		connector_connect(c, &c->pauses[asked.number]);
		connector_keep_alive(remote->fd);
		held.fds[asked.number] = remote->fd;
		remote->fd = -1;
		answer.number = asked.number;
		answer.structured = nbd_replies_structured(remote);
		if (connector_send(&answer, held.fds[asked.number]))
			return;
	}
}

/*
 * What it needs beyond the calls of a queue: those for a connection, for finding
 * a host in files and by DNS, and for the process that does the latter.
 */
static const int connector_calls[] = {
	SYS_socket, SYS_connect, SYS_bind, SYS_getsockname, SYS_getsockopt,
	SYS_setsockopt, SYS_sendto, SYS_recvfrom, SYS_sendmsg, SYS_recvmsg,
	SYS_shutdown, SYS_ppoll, SYS_pipe2, SYS_openat, SYS_readv, SYS_mprotect,
	SYS_mremap, SYS_dup3, SYS_close_range, SYS_clone, SYS_gettid, SYS_getpid,
	SYS_set_robust_list, SYS_set_tid_address, SYS_prctl,
#ifdef SYS_dup2
	SYS_dup2,
#endif
#ifdef SYS_fork
	SYS_fork,
#endif
#ifdef SYS_open
	SYS_open,
#endif
#ifdef SYS_poll
	SYS_poll,
#endif
#ifdef SYS_ppoll_time64
	SYS_ppoll_time64,
#endif
#ifdef SYS_fcntl
	SYS_fcntl,
#endif
#ifdef SYS_fcntl64
	SYS_fcntl64,
#endif
#ifdef SYS_lseek
	SYS_lseek,
#endif
#ifdef SYS__llseek
	SYS__llseek,
#endif
};
#define CONNECTOR_CALLS (sizeof(connector_calls) / sizeof(connector_calls[0]))
_Static_assert(CONNECTOR_CALLS <= RIGHTS_MOST, "the filter has room for them");

/* From here on the death of the worker ends the connections in order. */
static int connector_hold(unsigned int count)
{
	held.fds = malloc(count * sizeof(*held.fds));
	if (!held.fds)
		return -ENOMEM;
	while (held.count < count)
		held.fds[held.count++] = -1;
	connector_hear(DEATH_SIGNAL, connector_worker_died);
	return 0;
}

static int connector_main(int device, const struct remote *remote,
			  unsigned int count, int fd)
{
	struct remote own = *remote;
	struct connecting c = {
		.remote = &own,
		.pauses = calloc(count, sizeof(*c.pauses)),
		.look_up_fd = -1,
	};

	process_forked();
	if (!c.pauses || connector_hold(count))
		return message_fail(ENOMEM, "the process that connects");
	/* This replaces standard input, and so comes before the pair does. */
	if (process_leave_caller())
		return -EIO;
	process_replace(PAIR_FD, fd);
	message_close_others();
	/* Nobody waits for the processes that look up addresses. */
	signal(SIGCHLD, SIG_IGN);
	if (process_protect(false))
		return -EIO;
	process_calm();
	connector_hear(PROCESS_OVER_SIGNAL, connector_over);
	connector_be_alone(device);
	if (rights_drop_others(connector_calls, CONNECTOR_CALLS))
		return -EIO;
	own.fd = -1;
	connector_run(&c);
	/* It may see that the other side is gone before the signal comes. */
	connector_fence(held.fds, held.count);
	return 0;
}

int connector_start(struct connector *connector, int device,
		    const struct remote *remote, unsigned int count)
{
	const pid_t parent = getpid();
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
		prctl(PR_SET_PDEATHSIG, DEATH_SIGNAL);
		_exit(getppid() != parent ||
		      connector_main(device, remote, count, pair[1]) ?
		      EXIT_FAILED : EXIT_DONE);
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

// SPDX-License-Identifier: GPL-2.0
#include "targets/net/away.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/process.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/message.h"
#include "lib/whole-io.h"
#include "targets/net/process.h"

/* Milliseconds between two attempts: twice as long each time. */
#define PAUSE_FIRST_MS 50
#define PAUSE_MOST_MS 4000

/*
 * In a process of its own, since what it reads may be on the disk that waits. It
 * keeps nothing of its parent's open.
 */
static void away_look_up_in(const struct away *away, int fd)
{
	struct net_addresses addresses;
	const char *why;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	process_replace(NET_PROCESS_FD, fd);
	message_close_others();
	if (!net_look_up(&away->remote->uri, &addresses, &why))
		whole_write(NET_PROCESS_FD, &addresses, sizeof(addresses));
}

/* Begins to look for other addresses of the server, if it may have any. */
static void away_look_up(struct away *away)
{
	int fds[2];
	pid_t child;

	_Static_assert(sizeof(struct net_addresses) <= PIPE_BUF,
		       "a pipe passes it on in one piece");
	if (away->look_up_fd >= 0 || !away->remote->has_addresses ||
	    away->remote->addresses.fixed || pipe2(fds, O_CLOEXEC))
		return;
	child = fork();
	if (!child) {
		away_look_up_in(away, fds[1]);
		_exit(EXIT_DONE);
	}
	close(fds[1]);
	away->look_up_fd = fds[0];
}

static void away_looked_up(struct away *away)
{
	struct net_addresses addresses;

	if (read(away->look_up_fd, &addresses, sizeof(addresses)) ==
	    sizeof(addresses))
		away->remote->addresses = addresses;
	close(away->look_up_fd);
	away->look_up_fd = -1;
}

void away_pause(struct away *away, unsigned int *pause)
{
	const uint64_t end = clock_ms() + *pause;
	uint64_t now;

	while ((now = clock_ms()) < end) {
		struct pollfd look_up = {
			.fd = away->look_up_fd, .events = POLLIN,
		};

		if (poll(&look_up, 1, end - now) > 0)
			away_looked_up(away);
	}
	*pause = !*pause ? PAUSE_FIRST_MS :
		 *pause < PAUSE_MOST_MS / 2 ? 2 * *pause : PAUSE_MOST_MS;
}

void away_failed(struct away *away)
{
	const struct remote *remote = away->remote;

	if (strcmp(away->said, remote->why))
		message("%s: %s; waiting for it", remote->name, remote->why);
	memcpy(away->said, remote->why, sizeof(away->said));
	process_say_waiting(true);
	away_look_up(away);
}

void away_over(struct away *away)
{
	if (!*away->said)
		return;
	*away->said = '\0';
	process_say_waiting(false);
	message("%s: is there again", away->remote->name);
}

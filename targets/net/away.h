/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Waiting for a server that is away, in a process for the network: with pauses
 * that grow, with messages, and with other addresses if it has got some.
 */
#ifndef TARGETS_NET_AWAY_H
#define TARGETS_NET_AWAY_H

#include "sources/remote.h"

/* All zero at first, but for @remote and @look_up_fd, which is -1. */
struct away {
	struct remote *remote;
	int look_up_fd;		/* where addresses come from, or -1 */
	char said[REMOTE_WHY];	/* why it waits, as in the last message */
};

/*
 * Waits *@pause milliseconds before an attempt, and meanwhile for addresses; the
 * next pause, in *@pause, is longer.
 */
void away_pause(struct away *away, unsigned int *pause);

/*
 * An attempt has failed: says why, in remote->why, when that changes, and that it
 * waits; and begins to look for other addresses, if the server may have any.
 */
void away_failed(struct away *away);

/* An attempt has succeeded: says so, if it has waited. */
void away_over(struct away *away);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A process that has to do with a server for those that serve a disk: they have
 * no right to make connections. It is a child of the worker, has no capabilities
 * and few system calls, and is protected from waiting for the disk.
 */
#ifndef TARGETS_NET_PROCESS_H
#define TARGETS_NET_PROCESS_H

#include <unistd.h>

/* In the process: the other side, where whole messages come and go. */
#define NET_PROCESS_FD STDIN_FILENO

struct net_process_kind {
	/* Before it gives up its rights. Returns 0 or -errno. May be NULL. */
	int (*begin)(void *argument);
	/* Its work. The process ends when this returns. */
	void (*run)(void *argument);
	/*
	 * Handlers of signals: nobody waits for its work any more
	 * (PROCESS_OVER_SIGNAL), and the worker is dead. They do not return. If
	 * @died is NULL, the process is killed then.
	 */
	void (*over)(int number);
	void (*died)(int number);
};

/*
 * Starts one. The calling thread must be the process's first, and live on.
 * Returns the descriptor of a socket where messages to and from it go, which is
 * the caller's; or -errno after printing why.
 */
int net_process_start(const struct net_process_kind *kind, void *argument);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A process that connects to a server for those that serve a disk: they have no
 * right to make connections. It tries until a connection is there. It ends with
 * the process that started it, or when `ublk stop --force` sends
 * PROCESS_OVER_SIGNAL.
 */
#ifndef TARGETS_NBD_CONNECTOR_H
#define TARGETS_NBD_CONNECTOR_H

#include <stdbool.h>

#include "sources/remote.h"

struct connector {
	int fd;		/* what is asked and answered goes here; or -1 */
};

/* The answer to connector_ask(), or the word that there will be none any more. */
struct connected {
	bool over;		/* the process was told to end; then all else is 0 */
	unsigned int asked;	/* the number that came with it */
	int fd;			/* the connection, or -1 if it was lost on its way */
	bool structured;	/* for NBD: replies on it are structured */
};

/*
 * Starts the process, for numbers below @count. @remote was connected once and
 * stays the caller's; what the server serves must be the same at each connection,
 * or it is waited for. While it is, process_say_waiting() says so. The calling
 * thread must be the process's first, and live on. @device is its number. Returns
 * 0, or -errno after printing why.
 */
int connector_start(struct connector *connector, int device,
		    const struct remote *remote, unsigned int count);

/*
 * Asks for a connection; any thread may. Several can be asked for at a time.
 * @served: the last one with this number was of use, so the first attempt is made
 * at once. The answer may take any time. Returns 0, or -errno if the process is
 * gone.
 */
int connector_ask(const struct connector *connector, unsigned int number,
		  bool served);

/*
 * Waits for the next answer. Returns false when there will be none any more,
 * because connector_end() was called or the process is gone. For one thread only,
 * which needs no other system call for this than recvmsg().
 */
bool connector_answer(const struct connector *connector,
		      struct connected *answer);

/*
 * Makes connector_answer() return, with shutdown(). The process itself ends with
 * the caller's. connector_free() closes the descriptor, after the last
 * connector_answer().
 */
void connector_end(const struct connector *connector);
void connector_free(struct connector *connector);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The process that looks after a device: it has the device's files, its record
 * and its control commands, and starts the worker that serves. When the worker
 * dies another one takes its place, by the driver's recovery: requests wait
 * meanwhile, and those that were being served are served again.
 *
 * All of these return when the device has ended: 0, or -errno after telling.
 */
#ifndef CORE_SUPERVISE_H
#define CORE_SUPERVISE_H

#include <sys/types.h>

struct server;

/*
 * A new device, whose parameters the driver has: starts and announces it. The
 * disk is stopped afterwards, the device left to be deleted.
 */
int supervise(struct server *server);

/*
 * A device without a server: gives it one, and announces it. Deleted in the end;
 * but where it cannot be given one it stays as it is, to be tried again.
 */
int supervise_resumed(struct server *server);

/*
 * A device without a server, which cannot be given one: fails all of its I/O, from
 * its record and a buffer of one request. The caller's wait has ended with failure.
 * Not deleted.
 */
int supervise_failing(struct server *server);

/*
 * A device whose supervisor has executed this program in its own place, as
 * `ublk upgrade` asks: goes on with @worker, a child of this process, and says
 * to @answer_fd that it does. Deleted in the end.
 */
int supervise_continued(struct server *server, pid_t worker, int answer_fd);

#endif

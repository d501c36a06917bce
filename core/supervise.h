/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The supervisor: the process that has a device's files, record and control
 * commands, and starts the worker that serves it. When the worker dies, the
 * supervisor starts another one by means of the driver's user recovery.
 * Requests wait meanwhile, and those that were being served are served again.
 *
 * All functions return when the device has ended: 0, or -errno after printing
 * why.
 */
#ifndef CORE_SUPERVISE_H
#define CORE_SUPERVISE_H

#include <sys/types.h>

struct server;

/*
 * For a new device whose parameters are set: starts and announces it. Stops the
 * disk in the end; the caller deletes the device.
 */
int supervise(struct server *server);

/*
 * For an existing device without a server: starts a worker, announces the disk,
 * and deletes the device in the end. If no worker can be started, the device
 * stays, and can be tried again.
 */
int supervise_resumed(struct server *server);

/*
 * For an existing device that no worker can serve: fails all of its I/O, which
 * needs only the record and one request's buffer. The waiting caller gets an
 * exit status of failure. Does not delete the device.
 */
int supervise_failing(struct server *server);

/*
 * After `ublk upgrade`, when the old supervisor has executed this program in
 * its place: carries on with @worker, a child of this process, and reports
 * success to @answer_fd. Deletes the device in the end.
 */
int supervise_continued(struct server *server, pid_t worker, int answer_fd);

#endif

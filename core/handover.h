/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Another program takes over a running device: how `ublk upgrade` hands it to
 * the device's supervisor, and what that executes with which descriptors. The
 * program is executed from memory, so that it needs no filesystem.
 *
 * The request is a queued signal, whose value holds two descriptors of the
 * sender: the program, and a pipe for what is to be said about it. On the
 * pipe come messages, and one of the bytes below at the end.
 */
#ifndef CORE_HANDOVER_H
#define CORE_HANDOVER_H

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/types.h>

#include "core/target.h"

/*
 * One of those that wait in line: each of several requests is seen. Not SIGRTMIN,
 * which another C library has elsewhere: programs of both hand over to each other.
 */
#define HANDOVER_SIGNAL 35

/*
 * How long the other program may take until it serves: the disk waits meanwhile. To
 * find restart points it reads a whole gzip.
 */
#define HANDOVER_START_MS 90000

#define HANDOVER_DONE '\0'
#define HANDOVER_FAILED '\1'

struct handover {
	int binary;	/* the program */
	int answer;	/* the pipe */
};

/*
 * Asks the process of descriptor @supervisor, of process_open(), to become the
 * program @request->binary, and answer to @request->answer, the pipe's end to write
 * to. Returns 0 or -errno.
 */
int handover_request(int supervisor, const struct handover *request);

/*
 * In the supervisor: opens what the signal speaks of. Returns 0, or -errno: for one
 * that is no such request nobody is told, else whoever asked has been answered.
 */
int handover_accept(struct handover *next,
		    const struct signalfd_siginfo *signal);

/* Says how it ended, with a byte as above, and lets go of whoever asked. */
void handover_answer(int answer, char how);

/*
 * In a child: executes the program as a worker of the device, with the arguments
 * of worker_main(). Returns only when it cannot, after telling.
 */
void handover_worker(const struct ublk_device *device,
		     const struct handover *next, int fetched_fd, int live_fd);

/*
 * Executes the program as the supervisor of the device, which has the worker
 * device->server_pid. Returns only when it cannot, after telling.
 */
void handover_supervisor(const struct ublk_device *device,
			 const struct handover *next);

/* What the other program is told in words, at most so many; -1: not. */
#define HANDOVER_WORDS_MAX (7 + UBLK_DEVICE_FILES)
struct handover_values {
	int id;			/* of the device */
	pid_t worker;		/* for a supervisor: who serves it */
	int answer_fd;		/* likewise: for handover_answer() */
	int fetched_fd;		/* for a worker: those of worker_main() */
	int live_fd;
	int buffers_fd;		/* of device_open_buffers() */
};

/*
 * In the other program: reads what it was told, and puts the device's open files
 * into @device. Returns 0, or -EPROTO after telling.
 */
int handover_read(struct handover_values *values, struct ublk_device *device,
		  int argc, char **argv);

/*
 * Then, when the target is open: it has taken each of these files. What it does not
 * know it might need. Returns 0, or -EPROTO after telling.
 */
int handover_check_files(const struct ublk_device *device);

#endif

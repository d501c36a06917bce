/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How `ublk upgrade` passes a running device to another program: how it asks
 * the device's supervisor, and which descriptors the new program gets when the
 * supervisor executes it. The program is executed from memory, so that it needs
 * no filesystem.
 *
 * The request is a queued signal. Its value encodes two descriptors of the
 * sender: the program, and the write end of a pipe. Messages go to the pipe,
 * and at the end one of the bytes below.
 */
#ifndef CORE_HANDOVER_H
#define CORE_HANDOVER_H

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/types.h>

#include "core/target.h"

/*
 * A real-time signal, because those are queued: none of several requests is
 * lost. Not SIGRTMIN, whose number depends on the C library: programs built
 * with different ones pass devices to each other.
 */
#define HANDOVER_SIGNAL 35

/*
 * How long the new program may take until it serves; the disk waits meanwhile.
 * It may have to read a whole gzip file to find restart points.
 */
#define HANDOVER_START_MS 90000

#define HANDOVER_DONE '\0'
#define HANDOVER_FAILED '\1'

struct handover {
	int binary;	/* the program */
	int answer;	/* the write end of the pipe */
};

/*
 * Asks the supervisor to become the program @request->binary, and to report to
 * @request->answer. @supervisor is a descriptor from process_open(). Returns 0
 * or -errno.
 */
int handover_request(int supervisor, const struct handover *request);

/*
 * In the supervisor: opens the descriptors of a request. Returns 0 or -errno.
 * On error the sender has got its answer, unless the signal was not a request.
 */
int handover_accept(struct handover *next,
		    const struct signalfd_siginfo *signal);

/* Sends the final byte, one of those above, and closes @answer. */
void handover_answer(int answer, char how);

/*
 * In a child of the supervisor: executes the program as a worker of the device.
 * The descriptors are for worker_main(). Returns only on error, after printing
 * why.
 */
void handover_worker(const struct ublk_device *device,
		     const struct handover *next, int fetched_fd, int live_fd);

/*
 * In the supervisor: executes the program as the supervisor of the device, with
 * the worker device->server_pid. Returns only on error, after printing why.
 */
void handover_supervisor(const struct ublk_device *device,
			 const struct handover *next);

/*
 * The most words on the new program's command line. A value that it did not get
 * is -1.
 */
#define HANDOVER_WORDS_MAX (7 + UBLK_DEVICE_FILES)
struct handover_values {
	int id;			/* of the device */
	pid_t worker;		/* supervisor only: pid of the worker */
	int answer_fd;		/* supervisor only: for handover_answer() */
	int fetched_fd;		/* worker only: both for worker_main() */
	int live_fd;
	int buffers_fd;		/* for device_open_buffers() */
};

/*
 * In the new program: parses the command line, and puts the device's open files
 * into @device. Returns 0, or -EPROTO after printing why.
 */
int handover_read(struct handover_values *values, struct ublk_device *device,
		  int argc, char **argv);

/*
 * Then, once the target is open: checks that the target has taken each of the
 * files. A file that it does not know may be one that it needs. Returns 0, or
 * -EPROTO after printing why.
 */
int handover_check_files(const struct ublk_device *device);

#endif

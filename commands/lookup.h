/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Looks up devices: what the driver knows about them, and what their records
 * add. `ublk list` prints it; `stop`, `recover` and `upgrade` work with it.
 */
#ifndef COMMANDS_LOOKUP_H
#define COMMANDS_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/ctrl.h"

/* One device. Unknown fields are empty or 0. */
struct lookup {
	int id;
	const char *state;	/* live, starting, dead, quiesced, fail-io, gone */
	bool at_driver;		/* false: only a record is left */
	bool recorded;		/* false: served by another program */
	char target[32];
	char argument[4096];
	uint64_t size;		/* bytes */
	unsigned int queues, depth;
	bool read_only;
	bool rootfs;
	uid_t owner;		/* who added it, as the driver knows */
	gid_t group;
	pid_t pid;		/* the server's; 0 if it does not run */
	pid_t worker;		/* the worker's, if that is another process */
	unsigned long long started;	/* of each, for process_open() */
	unsigned long long worker_started;
	bool supervised;	/* one process supervises the other */
	bool given_up;		/* the server only fails all I/O */
};

/*
 * Fills in @device for @id. Returns 0; -ENODEV if there is neither device nor
 * record; or another -errno, printing nothing, if that is not known.
 */
int lookup_device(struct ublk_ctrl *ctrl, int id, struct lookup *device);

/* Prints an error of lookup_device(), and returns it. */
int lookup_failed(int id, int err);

/*
 * Collects the ids of all devices, in ascending order, in memory that the
 * caller frees. Returns their number or -ENOMEM.
 */
int lookup_ids(int **ids);

/*
 * Whether a command got either device names or --all, and each of @argv names a
 * device. Prints what is wrong.
 */
bool lookup_names_ok(const char *verb, bool all, int argc, char **argv);

/*
 * Calls @act for each device that @argv names or, with @all, for every device,
 * and then @named is false. @act returns 0, or -errno after printing why; the
 * remaining devices are processed in either case. Returns an exit status.
 */
int lookup_each(bool all, int argc, char **argv,
		int (*act)(int id, bool named, void *arg), void *arg);

/*
 * Parses a device name: `7`, `ublkb7`, `/dev/ublkb7` or `/dev/ublkc7`. Returns
 * the id, or -EINVAL after printing why.
 */
int lookup_parse_id(const char *text);

#endif

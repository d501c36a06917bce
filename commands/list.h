/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The devices there are: what the driver says of each, and what its record
 * adds. `ublk list` prints it, `ublk stop` works from it.
 */
#ifndef COMMANDS_LIST_H
#define COMMANDS_LIST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/ctrl.h"
#include "core/record.h"

/* One device; what nobody knows is empty or 0. */
struct listed {
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
	pid_t pid;		/* of the server, 0 when it does not run */
	pid_t worker;		/* of its worker, where that is another one */
	unsigned long long started;	/* each: as process_open() wants it */
	unsigned long long worker_started;
	bool supervised;	/* the one looks after the other */
	bool given_up;		/* the server only fails all I/O */
};

/*
 * Fills in @device for @id. Returns 0; -ENODEV where there is no trace; or another
 * -errno, without telling, where the driver does not say whether there is one.
 */
int list_lookup(struct ublk_ctrl *ctrl, int id, struct listed *device);

/* Tells what list_lookup() returned, and returns it. */
int list_lookup_failed(int id, int err);

/*
 * The ids of all devices, ascending, in memory that the caller frees. Returns
 * their number or -ENOMEM.
 */
int list_ids(int **ids);

/*
 * Whether a command got devices or --all, and not both, and each of @argv names
 * one. Tells what is wrong.
 */
bool list_names_ok(const char *verb, bool all, int argc, char **argv);

/*
 * Calls @act for each device that @argv names, or with @all for every one there
 * is, with @named false. It returns 0, or -errno after telling, and the others
 * come all the same. Returns an exit status.
 */
int list_each(bool all, int argc, char **argv,
	      int (*act)(int id, bool named, void *arg), void *arg);

/*
 * The id that a person means by @text: `7`, `ublkb7`, `/dev/ublkb7` or
 * `/dev/ublkc7`. Returns it or -EINVAL after telling.
 */
int list_parse_id(const char *text);

#endif

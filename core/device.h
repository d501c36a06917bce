/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A device from the server's side: created, served until it is stopped, and
 * deleted. This is where a target, its queues, the driver and the record meet.
 */
#ifndef CORE_DEVICE_H
#define CORE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ctrl.h"
#include "core/target.h"

/* How to serve; the options that every target has. */
struct serve_settings {
	int64_t id;		/* -1: any */
	int64_t queues;
	int64_t depth;
	bool read_only;
	bool foreground;
	bool rootfs;		/* the root filesystem hangs on it */
	uint64_t max_io;	/* bytes of one request */
	uint64_t block_size;	/* logical block; 0: the target's */
};

extern const struct option_spec serve_options[];
extern const struct serve_settings serve_defaults;

/*
 * Serves @argument through @target until the device is stopped, in the
 * background unless asked otherwise: then it returns once the node can be
 * used. The node is printed on standard output. Returns an exit status; what
 * failed has been told, and nothing is left behind.
 */
int device_serve(const struct ublk_target *target, const char *argument,
		 const void *target_settings,
		 const struct serve_settings *settings);

/* The node of device @id, "/dev/ublkb7". */
#define DEVICE_NODE_MAX 32
void device_node(int id, char node[DEVICE_NODE_MAX]);

/*
 * Forgets device @id and deletes it at the driver; one that is gone already is
 * no error. The record goes first: once the device is gone, the id may be
 * somebody else's. Returns 0 or -errno after telling.
 */
int device_delete(struct ublk_ctrl *ctrl, int id);

/*
 * Whether somebody relies on the disk of @id: a mounted filesystem, swap, a
 * volume on it or on one of its partitions. A program that merely has it open
 * does not count.
 */
bool device_in_use(int id);

#endif

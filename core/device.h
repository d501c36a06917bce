/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A device from the server's side: what was asked for, what the driver granted,
 * and the steps of its life: added, recorded, ended, deleted. Who serves its
 * requests is worker.h's business, and who looks after that serve.h's and
 * supervise.h's.
 */
#ifndef CORE_DEVICE_H
#define CORE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buffers.h"
#include "core/ctrl.h"
#include "core/identity.h"
#include "core/target.h"

/*
 * All that this program asks for in ADD_DEV, each for some of its disks: what is
 * not here no device gets, and `ublk features` says so.
 */
#define DEVICE_FEATURES (UBLK_F_CMD_IOCTL_ENCODE |	\
			 UBLK_F_UNPRIVILEGED_DEV |	\
			 UBLK_F_USER_RECOVERY |		\
			 UBLK_F_USER_RECOVERY_REISSUE |	\
			 UBLK_F_QUIESCE |		\
			 UBLK_F_NO_AUTO_PART_SCAN |	\
			 UBLK_F_AUTO_BUF_REG |		\
			 UBLK_F_NEED_GET_DATA)

/* How to serve; the options that every target has. */
struct serve_settings {
	int64_t id;		/* -1: any */
	int64_t queues;
	int64_t depth;		/* 0: what suits the board */
	bool read_only;
	bool foreground;
	bool no_supervise;	/* one process, and no other after it */
	bool rootfs;		/* the root filesystem hangs on it */
	uint64_t max_io;	/* bytes of one request */
	uint64_t block_size;	/* logical block; 0: the target's */
};

extern const struct option_spec serve_options[];
extern const struct serve_settings serve_defaults;

/*
 * One device in one process. The first four are set by whoever makes it, all
 * else is zero then.
 */
struct ublk_device {
	const struct ublk_target *target;
	const char *argument;
	const void *target_settings;
	const struct serve_settings *settings;

	/*
	 * A device that exists already, when a server takes it over: @info is
	 * set, as are the text of its record and the files that an earlier
	 * program of it left open, by the names under which the target
	 * registered them.
	 */
	bool resumed;
	bool given_up;		/* nobody serves it: all I/O fails */
	bool as_recorded;	/* its target is not open: @record says what it is */
	const char *record;
	struct inherited_file {
		char name[16];
		int fd;
		bool taken;
	} inherited[UBLK_DEVICE_FILES];
	unsigned int inherited_count;

	void *data;			/* the target's */
	void *wrapper;			/* that of a target that wraps it */
	bool opens_base;		/* ublk_device_open_base() is going on */
	struct ublk_disk disk;
	int files[1 + UBLK_DEVICE_FILES];	/* /dev/ublkcN, the target's */
	const char *file_names[1 + UBLK_DEVICE_FILES];
	unsigned int file_count;
	struct device_identity {
		const char *name;
		char text[IDENTITY_MAX];
	} identities[UBLK_DEVICE_FILES];
	unsigned int identity_count;
	bool unfinished;		/* target->finish() has to be called */

	struct ublk_ctrl ctrl;
	struct ublksrv_ctrl_dev_info info;	/* as the driver granted */
	struct buffers buffers;
	pid_t server_pid;		/* who has /dev/ublkcN; 0: we */
};

/*
 * Opens the target of a device, and checks that what it is fits what was asked
 * for or, of one that is resumed, the disk there is. Returns an exit status,
 * after telling; undone by device_close() if it is EXIT_DONE.
 */
int device_open(struct ublk_device *device);
void device_close(struct ublk_device *device);

/*
 * Adds the device at the driver, by what it is and was asked for; then tells it what
 * the disk is. Return 0 or -errno after telling.
 */
int device_add(struct ublk_device *device);
int device_set_params(struct ublk_device *device);

/*
 * Writes the record of a device, of one that is new for the first time. Return 0 or
 * -errno after telling.
 */
int device_record(const struct ublk_device *device);
int device_record_new(const struct ublk_device *device);

/* Whether the driver will keep its disk for another server. */
bool device_recovers(const struct ublk_device *device);

/* Whether who serves it takes and locks all memory before the disk is there. */
bool device_takes_memory(const struct ublk_device *device);

/*
 * Makes the memory of its requests, whose numbers and size the driver has granted,
 * or maps what is in @fd (-1: nothing) as buffers_open() does. device_close()
 * undoes it. Returns 0 or -errno after telling.
 */
int device_open_buffers(struct ublk_device *device, int fd);

/*
 * Waits for the node of the disk, and has its partitions looked for where the
 * driver leaves that to us. This is I/O: it takes as long as there is nobody who
 * serves the disk. Returns 0 or -errno after telling.
 */
int device_probe(const struct ublk_device *device);

/* The disk can be used: tells the caller, as process_ready() does. */
int device_announce(const struct ublk_device *device);

/*
 * The end of a device whose disk is gone and which has no server any more, with
 * its target open: makes permanent what is not yet, and then deletes it. Where
 * that cannot be the device stays, for `ublk stop`. Returns 0 or -errno after
 * telling.
 */
int device_end(struct ublk_device *device);

/*
 * Deletes device @id at the driver and forgets it; one that is gone already is
 * no error. The record goes last: without it nobody would know what was left of
 * a device whose deletion was cut short. Returns 0 or -errno after telling.
 */
int device_delete(struct ublk_ctrl *ctrl, int id);

#endif

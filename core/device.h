/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A device as its server sees it: what the user asked for, what the driver
 * granted, and the steps of its life: add, record, end, delete. worker.h serves
 * its requests. serve.h and supervise.h run the process or processes for that.
 */
#ifndef CORE_DEVICE_H
#define CORE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buffers.h"
#include "core/counters.h"
#include "core/ctrl.h"
#include "core/identity.h"
#include "core/target.h"

/*
 * All features that this program requests in ADD_DEV. Each device gets some of
 * them, and no other. `ublk features` shows this list.
 */
#define DEVICE_FEATURES (UBLK_F_CMD_IOCTL_ENCODE |	\
			 UBLK_F_UNPRIVILEGED_DEV |	\
			 UBLK_F_USER_RECOVERY |		\
			 UBLK_F_USER_RECOVERY_REISSUE |	\
			 UBLK_F_QUIESCE |		\
			 UBLK_F_NO_AUTO_PART_SCAN |	\
			 UBLK_F_AUTO_BUF_REG |		\
			 UBLK_F_NEED_GET_DATA)

/* How to serve a device: the options that all targets have. */
struct serve_settings {
	int64_t id;		/* -1: any */
	int64_t queues;
	int64_t depth;		/* 0: chosen for the board */
	bool read_only;
	bool foreground;
	bool no_supervise;	/* one process; nothing replaces it */
	bool rootfs;		/* the disk has the root filesystem */
	uint64_t max_io;	/* largest request, in bytes */
	uint64_t block_size;	/* logical block; 0: the target's */
};

extern const struct option_spec serve_options[];
extern const struct serve_settings serve_defaults;

/*
 * One device in one process. The caller sets the first four fields, and the
 * rest is zero.
 */
struct ublk_device {
	const struct ublk_target *target;
	const char *argument;
	const void *target_settings;
	const struct serve_settings *settings;

	/*
	 * Set if the device exists already, and this server takes it over. The
	 * caller then also sets @info, the text of the device's record, and the
	 * files that an earlier program left open, with the names under which
	 * the target registered them.
	 */
	bool resumed;
	bool given_up;		/* has no server: all I/O fails */
	bool as_recorded;	/* target not open: @record describes it */
	const char *record;
	struct inherited_file {
		char name[16];
		int fd;
		bool taken;
	} inherited[UBLK_DEVICE_FILES];
	unsigned int inherited_count;

	void *data;			/* the target's */
	void *wrapper;			/* of a target that wraps it */
	bool opens_base;		/* inside ublk_device_open_base() */
	struct ublk_disk disk;
	int files[1 + UBLK_DEVICE_FILES];	/* /dev/ublkcN, the target's */
	const char *file_names[1 + UBLK_DEVICE_FILES];
	unsigned int file_count;
	struct device_identity {
		const char *name;
		char text[IDENTITY_MAX];
	} identities[UBLK_DEVICE_FILES];
	unsigned int identity_count;
	bool unfinished;		/* target->finish() must be called */

	struct ublk_ctrl ctrl;
	struct ublksrv_ctrl_dev_info info;	/* as granted by the driver */
	struct buffers buffers;
	struct counters *counters;	/* behind the buffers, or NULL */
	pid_t server_pid;		/* has /dev/ublkcN; 0: this process */
};

/*
 * device_open() opens the target. It checks that the target fits the settings
 * and, if the device is resumed, the existing disk. Returns an exit status,
 * after printing any error. After EXIT_DONE, device_close() undoes it.
 */
int device_open(struct ublk_device *device);
void device_close(struct ublk_device *device);

/*
 * device_add() adds the device to the driver. device_set_params() then sets the
 * parameters of the disk. Both return 0, or -errno after printing why.
 */
int device_add(struct ublk_device *device);
int device_set_params(struct ublk_device *device);

/*
 * Write the device's record; device_record_new() is for the first time. Both
 * return 0, or -errno after printing why.
 */
int device_record(const struct ublk_device *device);
int device_record_new(const struct ublk_device *device);

/* Whether the driver keeps the disk for another server if this one dies. */
bool device_recovers(const struct ublk_device *device);

/*
 * Whether all memory for requests is allocated and locked before the disk
 * exists.
 */
bool device_takes_memory(const struct ublk_device *device);

/*
 * Maps the buffers for the requests, in the number and size that the driver
 * granted, and the counters behind them. @fd is as for buffers_open().
 * device_close() undoes it. Returns 0, or -errno after printing why.
 */
int device_open_buffers(struct ublk_device *device, int fd);

/* After another program had the buffers: see counters_renew(). */
void device_renew_counters(const struct ublk_device *device);

/* The bytes of all buffers of a device. The counters come after them. */
uint64_t device_buffers_bytes(const struct ublksrv_ctrl_dev_info *info);

/*
 * Waits for the disk's node, and scans for partitions if the driver leaves that
 * to the server. The scan is I/O: it does not return until somebody serves the
 * disk. Returns 0, or -errno after printing why.
 */
int device_probe(const struct ublk_device *device);

/* Reports to the caller, with process_ready(), that the disk can be used. */
int device_announce(const struct ublk_device *device);

/*
 * Ends a device whose disk is gone and that has no server, and whose target is
 * open: calls finish() if needed, then deletes the device. If finish() fails,
 * the device stays, so that `ublk stop` can try again. Returns 0, or -errno
 * after printing why.
 */
int device_end(struct ublk_device *device);

/*
 * Prints that device @id stays because its --cow file lacks some writes, and
 * what to do. For callers of settle_device() that keep the device after an
 * error.
 */
void device_report_unfinished(int id);

/*
 * Deletes device @id from the driver and removes its record. It is no error if
 * the device is gone already. The record is removed last: if the deletion is
 * interrupted, the record shows what is left. Returns 0, or -errno after
 * printing why.
 */
int device_delete(struct ublk_ctrl *ctrl, int id);

#endif

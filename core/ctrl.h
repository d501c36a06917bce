/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The control channel: commands to /dev/ublk-control, one function each, and
 * what the driver behind it offers. Every command waits for its answer.
 */
#ifndef CORE_CTRL_H
#define CORE_CTRL_H

#include <liburing.h>
#include <linux/ublk_cmd.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct ublk_ctrl {
	struct io_uring ring;
	int fd;
	uint64_t features;	/* UBLK_F_*: what the driver offers */
	bool encoded;		/* commands are ioctl-encoded (6.4 and later) */

	/* The device that was asked about last: it is an ordinary user's. */
	int known_id;
	bool known_users;
};

/*
 * Opens the control device and probes the driver. Returns 0 or -errno after
 * telling what is missing and what to do.
 */
int ctrl_open(struct ublk_ctrl *ctrl);

/* Closes it; a command that still runs is cancelled. */
void ctrl_close(struct ublk_ctrl *ctrl);

/*
 * The commands. They return 0 or -errno as the driver answered, and tell
 * nothing: only the caller knows what the error means to a person.
 */

/*
 * Adds a device as @info asks (dev_id -1: any) and updates @info. Where the kernel
 * has no memory for it, waits for that up to ten seconds, as ctrl_start_dev() does.
 */
int ctrl_add_dev(struct ublk_ctrl *ctrl, struct ublksrv_ctrl_dev_info *info);

/*
 * Deletes a device; returns when its id can be used again. As long as somebody
 * has the disk open it cannot: then it returns -EBUSY after a second, and the
 * device goes when the disk is closed.
 */
int ctrl_del_dev(struct ublk_ctrl *ctrl, int id);

/*
 * Makes the disk appear once every tag has been fetched; @server is the
 * process that fetches. Gives up and returns -ECANCELED when @cancel_fd
 * becomes readable first, and no answer comes in the tenth of a second after that.
 */
int ctrl_start_dev(struct ublk_ctrl *ctrl, int id, pid_t server,
		   int cancel_fd);

/*
 * A new server for a disk that waits for one: START comes before its FETCHes
 * and returns -EBUSY as long as the old server has not let go; END as
 * ctrl_start_dev().
 */
int ctrl_start_recovery(struct ublk_ctrl *ctrl, int id);
int ctrl_end_recovery(struct ublk_ctrl *ctrl, int id, pid_t server,
		      int cancel_fd);

/*
 * Takes the disk from its server once that has answered what it has, which may
 * take @milliseconds; the disk waits for another one.
 */
int ctrl_quiesce_dev(struct ublk_ctrl *ctrl, int id, unsigned int milliseconds);

/* Removes the disk, after its I/O; the device stays until it is deleted. */
int ctrl_stop_dev(struct ublk_ctrl *ctrl, int id);

int ctrl_set_params(struct ublk_ctrl *ctrl, int id,
		    struct ublk_params *params);
int ctrl_get_params(struct ublk_ctrl *ctrl, int id,
		    struct ublk_params *params);
int ctrl_get_dev_info(struct ublk_ctrl *ctrl, int id,
		      struct ublksrv_ctrl_dev_info *info);

/* The CPUs whose requests come through queue @queue. */
int ctrl_get_queue_affinity(struct ublk_ctrl *ctrl, int id, unsigned int queue,
			    cpu_set_t *cpus);

#endif

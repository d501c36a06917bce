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

#define CTRL_PATH_BYTES 24	/* of "/dev/ublkc" and a number */
#define CTRL_DATA_MAX 1024

/* What completes beside commands, with the number it was submitted under. */
typedef void ctrl_beside_fn(void *arg, uint64_t number, int result);

struct ublk_ctrl {
	struct io_uring ring;
	int fd;
	uint64_t features;	/* UBLK_F_*: what the driver offers */
	bool encoded;		/* commands are ioctl-encoded (6.4 and later) */

	/* The device that was asked about last: it is an ordinary user's. */
	int known_id;
	bool known_users;

	/* The last entry of the ring, and the number of the last command. */
	struct io_uring_sqe *sqe;
	uint64_t last;

	ctrl_beside_fn *beside;
	void *beside_arg;

	/* What is sent and comes back. */
	char data[CTRL_PATH_BYTES + CTRL_DATA_MAX];
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
 * nothing: only the caller knows what the error means to a person. -ENODEV alone
 * says that there is no such device. What may pass (ENOMEM, EAGAIN, EINTR) is
 * tried again for ten seconds, and then returned.
 */

/* Adds a device as @info asks (dev_id -1: any) and updates @info. */
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

/*
 * The same where nobody has the disk or a partition open, -EBUSY otherwise. With
 * UBLK_F_SAFE_STOP_DEV only.
 */
int ctrl_try_stop_dev(struct ublk_ctrl *ctrl, int id);

/*
 * Either for @count devices side by side: where @unused is set ctrl_try_stop_dev().
 * @errs tells how it went: only those are meant that have 0 there.
 */
void ctrl_stop_devs(struct ublk_ctrl *ctrl, const int *ids, int *errs,
		    unsigned int count, bool unused);

/*
 * The ring for something else, while commands go on. @answered(@arg) is told each
 * result, from ctrl_beside() or any command; NULL: nobody is.
 */
void ctrl_tell_beside(struct ublk_ctrl *ctrl, ctrl_beside_fn *answered,
		      void *arg);

/*
 * An entry of it to fill in, and its submission under @number, which is tried until
 * the kernel takes it.
 */
struct io_uring_sqe *ctrl_sqe_beside(struct ublk_ctrl *ctrl);
void ctrl_submit_beside(struct ublk_ctrl *ctrl, uint64_t number);

/* Takes what has completed; ctrl->ring.ring_fd is readable when something has. */
void ctrl_beside(struct ublk_ctrl *ctrl);

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

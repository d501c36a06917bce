/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The control device: one function for each command to /dev/ublk-control, and
 * the features that the driver offers. Every command waits for its result.
 */
#ifndef CORE_CTRL_H
#define CORE_CTRL_H

#include <liburing.h>
#include <linux/ublk_cmd.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CTRL_PATH_BYTES 24	/* for "/dev/ublkc" and a number */
#define CTRL_DATA_MAX 1024

/*
 * Receives the result of a request submitted with ctrl_submit_beside(), with
 * the @number that it was submitted under.
 */
typedef void ctrl_beside_fn(void *arg, uint64_t number, int result);

struct ublk_ctrl {
	struct io_uring ring;
	int fd;
	uint64_t features;	/* UBLK_F_*: what the driver offers */
	bool encoded;		/* commands are ioctl-encoded (6.4 and later) */

	/*
	 * The device that was looked up last, and whether an ordinary user owns
	 * it.
	 */
	int known_id;
	bool known_unprivileged;

	/* The ring's current SQE, and the number of the last command. */
	struct io_uring_sqe *sqe;
	uint64_t last;

	ctrl_beside_fn *beside;
	void *beside_arg;

	/* Buffer for what a command sends and receives. */
	char data[CTRL_PATH_BYTES + CTRL_DATA_MAX];
};

/*
 * Opens the control device and probes the driver. Returns 0, or -errno after
 * printing what is missing and how to get it.
 */
int ctrl_open(struct ublk_ctrl *ctrl);

/* Closes the control device. A command that still runs is cancelled. */
void ctrl_close(struct ublk_ctrl *ctrl);

/*
 * The commands. They return 0, or the driver's -errno, and print nothing: only
 * the caller knows what an error means to the user. -ENODEV always means that
 * the device does not exist, and no other error does. After ENOMEM, EAGAIN or
 * EINTR a command is repeated for up to ten seconds before the error is
 * returned.
 */

/* Adds a device as @info asks (dev_id -1: any id), and updates @info. */
int ctrl_add_dev(struct ublk_ctrl *ctrl, struct ublksrv_ctrl_dev_info *info);

/*
 * Deletes a device. Returns when its id can be used again. While the disk is
 * open that is not possible: then it returns -EBUSY after a second, and the
 * driver deletes the device when the disk is closed.
 */
int ctrl_del_dev(struct ublk_ctrl *ctrl, int id);

/*
 * Waits until process @server has fetched every tag, and creates the disk. If
 * @cancel_fd becomes readable first, the command has a tenth of a second more;
 * then it is cancelled, and this returns -ECANCELED.
 */
int ctrl_start_dev(struct ublk_ctrl *ctrl, int id, pid_t server,
		   int cancel_fd);

/*
 * Gives a new server to a disk that waits for one. START comes before the
 * FETCHes of the new server, and returns -EBUSY until the driver has taken
 * everything back from the old one. END is like ctrl_start_dev(), without the
 * extra time.
 */
int ctrl_start_recovery(struct ublk_ctrl *ctrl, int id);
int ctrl_end_recovery(struct ublk_ctrl *ctrl, int id, pid_t server,
		      int cancel_fd);

/*
 * Takes the disk away from its server. The server has @milliseconds to answer
 * the requests that it has; later ones wait for the next server.
 */
int ctrl_quiesce_dev(struct ublk_ctrl *ctrl, int id, unsigned int milliseconds);

/*
 * Removes the disk once its I/O is done. The device stays until it is deleted.
 */
int ctrl_stop_dev(struct ublk_ctrl *ctrl, int id);

/*
 * As ctrl_stop_dev(), but returns -EBUSY if the disk or a partition is open.
 * The driver must have UBLK_F_SAFE_STOP_DEV.
 */
int ctrl_try_stop_dev(struct ublk_ctrl *ctrl, int id);

/*
 * Runs ctrl_stop_dev(), or ctrl_try_stop_dev() if @unused is set, for @count
 * devices at the same time. Skips each device whose entry in @errs is not 0,
 * and writes the results of the others there.
 */
void ctrl_stop_devs(struct ublk_ctrl *ctrl, const int *ids, int *errs,
		    unsigned int count, bool unused);

/*
 * Lets another user share the ring while commands run. @answered(@arg) gets
 * each result, from ctrl_beside() or during any command. With NULL, results are
 * dropped.
 */
void ctrl_set_beside(struct ublk_ctrl *ctrl, ctrl_beside_fn *answered,
		     void *arg);

/*
 * Returns a cleared SQE to fill in, and submits it under @number. The
 * submission is repeated until the kernel takes the SQE.
 */
struct io_uring_sqe *ctrl_sqe_beside(struct ublk_ctrl *ctrl);
void ctrl_submit_beside(struct ublk_ctrl *ctrl, uint64_t number);

/*
 * Handles what has completed. ctrl->ring.ring_fd is readable when something
 * has.
 */
void ctrl_beside(struct ublk_ctrl *ctrl);

/*
 * @memory_alignment: of what users of the disk read and write, in bytes, a power
 * of two; 0: the driver's own. Needs the driver of Linux 6.15.
 */
int ctrl_set_params(struct ublk_ctrl *ctrl, int id,
		    const struct ublk_params *params,
		    uint32_t memory_alignment);
int ctrl_get_params(struct ublk_ctrl *ctrl, int id,
		    struct ublk_params *params);
int ctrl_get_dev_info(struct ublk_ctrl *ctrl, int id,
		      struct ublksrv_ctrl_dev_info *info);

/* Reads the set of CPUs whose requests go to hardware queue @queue. */
int ctrl_get_queue_affinity(struct ublk_ctrl *ctrl, int id, unsigned int queue,
			    cpu_set_t *cpus);

#endif

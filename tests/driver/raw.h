/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The raw interface of the ublk driver for test programs: every command as it
 * is, valid or not, and its result. Nothing here retries, checks or corrects.
 * The code of our server is not used, so that a bug there cannot hide one in
 * the driver.
 *
 * Functions return 0 or more, or -errno of the driver or of a system call. Only
 * these functions return -ETIME: no answer in time.
 */
#ifndef TESTS_DRIVER_RAW_H
#define TESTS_DRIVER_RAW_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/ublk_cmd.h>

#define RAW_PATIENCE_MS 20000	/* how long a command may take under emulation */

/* The control device. For one thread at a time. */
struct raw_ctrl {
	struct io_uring ring;
	int fd;
	bool encoded;		/* send the ioctl-encoded opcodes (Linux 6.4) */
	uint64_t features;	/* of the driver; guessed before Linux 6.5 */
	uint64_t sent;		/* number of commands so far */
	/*
	 * If set, goes before the argument of all commands to a device, as
	 * unprivileged devices need it: the path of /dev/ublkcN.
	 */
	const char *path;
	char argument[8192];	/* path and data of the last such command */
};

/* Opens the control device and reads the features. */
int raw_ctrl_open(struct raw_ctrl *ctrl);
/* Cancels commands in flight. */
void raw_ctrl_close(struct raw_ctrl *ctrl);

/*
 * Sends a command and waits for the result. @op is the ioctl-encoded number
 * (UBLK_U_CMD_*), which is converted to the plain one if ctrl->encoded is
 * false. A number that is not encoded is sent as it is.
 */
int raw_ctrl(struct raw_ctrl *ctrl, uint32_t op,
	     const struct ublksrv_ctrl_cmd *cmd);

/*
 * The same in two steps, for commands that wait. If several are in flight,
 * answer() and cancel() are for the one sent last.
 */
int raw_ctrl_send(struct raw_ctrl *ctrl, uint32_t op,
		  const struct ublksrv_ctrl_cmd *cmd);
int raw_ctrl_answer(struct raw_ctrl *ctrl, int timeout_ms);
int raw_ctrl_cancel(struct raw_ctrl *ctrl);

/*
 * Sends command @op for device @id, with @len bytes at @data as its argument or
 * answer, and @number in data[0].
 */
int raw_command(struct raw_ctrl *ctrl, uint32_t op, int id, void *data,
		size_t len, uint64_t number);

/*
 * The same for a command that waits and has no argument; see raw_ctrl_send().
 */
int raw_command_send(struct raw_ctrl *ctrl, uint32_t op, int id,
		     uint64_t number);

/* The commands. In ADD_DEV, @info->dev_id is the wanted id, or -1 for any. */
int raw_add(struct raw_ctrl *ctrl, struct ublksrv_ctrl_dev_info *info);
int raw_set_params(struct raw_ctrl *ctrl, int id, struct ublk_params *params);
int raw_get_params(struct raw_ctrl *ctrl, int id, struct ublk_params *params);
int raw_info(struct raw_ctrl *ctrl, int id, struct ublksrv_ctrl_dev_info *info);
int raw_start(struct raw_ctrl *ctrl, int id, int pid);
int raw_start_send(struct raw_ctrl *ctrl, int id, int pid);
int raw_stop(struct raw_ctrl *ctrl, int id);
int raw_del(struct raw_ctrl *ctrl, int id);
int raw_del_async(struct raw_ctrl *ctrl, int id);
int raw_start_recovery(struct raw_ctrl *ctrl, int id);
int raw_end_recovery(struct raw_ctrl *ctrl, int id, int pid);
int raw_end_recovery_send(struct raw_ctrl *ctrl, int id, int pid);
int raw_update_size(struct raw_ctrl *ctrl, int id, uint64_t sectors);
int raw_quiesce(struct raw_ctrl *ctrl, int id, uint64_t timeout_ms);

/* The state of a device, UBLK_S_DEV_*. */
int raw_state(struct raw_ctrl *ctrl, int id);

/*
 * Ordinary parameters: a disk of @bytes, 512-byte blocks, a volatile cache with
 * FUA, discard and write zeroes.
 */
void raw_params(struct ublk_params *params, uint64_t bytes, uint32_t max_io);

/* Open /dev/ublkcN or /dev/ublkbN, and retry for @timeout_ms; 0: try once. */
int raw_open_char(int id, int timeout_ms);
int raw_open_disk(int id, int flags, int timeout_ms);

/*
 * A task's view of a queue: its own ring, the descriptors, a buffer for each
 * tag. Belongs to the thread that opened it.
 */
struct raw_queue {
	struct io_uring ring;
	int cdev;		/* /dev/ublkcN; not closed with the queue */
	uint16_t id;
	uint16_t depth;
	bool encoded;
	size_t max_io;
	const struct ublksrv_io_desc *desc;
	size_t desc_size;
	char *data;
	uint64_t sqe_addr;	/* of each command; see UBLK_F_AUTO_BUF_REG */
	struct raw_batch *batch; /* with UBLK_F_BATCH_IO, else NULL */
};

/* The result of a command. */
struct raw_done {
	unsigned int op;	/* plain number: UBLK_IO_FETCH_REQ... */
	unsigned int tag;
	int result;
};

/*
 * With @max_io 0 there are no buffers, and addresses are 0, as USER_COPY needs.
 */
int raw_queue_open(struct raw_queue *queue, const struct raw_ctrl *ctrl,
		   int cdev, unsigned int id, unsigned int depth,
		   size_t max_io);
void raw_queue_close(struct raw_queue *queue);
/* Length and offset of the descriptors' mapping. */
size_t raw_desc_size(unsigned int depth);
off_t raw_desc_offset(unsigned int queue);

/* The buffer of a tag. */
char *raw_data(const struct raw_queue *queue, unsigned int tag);

/* Prepares a command; raw_submit() or raw_reap() submits it. */
void raw_io(struct raw_queue *queue, uint32_t op, unsigned int q_id,
	    unsigned int tag, int result, uint64_t addr);
void raw_fetch(struct raw_queue *queue, unsigned int tag);
void raw_commit(struct raw_queue *queue, unsigned int tag, int result);
void raw_get_data(struct raw_queue *queue, unsigned int tag);
int raw_submit(struct raw_queue *queue);

/* Submits, then waits for the next completion. */
int raw_reap(struct raw_queue *queue, struct raw_done *done, int timeout_ms);

/*
 * UBLK_F_BATCH_IO: raw-batch.c. On a queue that was opened for it, raw_fetch(),
 * raw_commit() and raw_reap() work as on any other: they send a PREP_IO_CMDS or
 * COMMIT_IO_CMDS for each tag, and return the tags of FETCH_IO_CMDS one by one.
 * A command that succeeds is not reported. The result of one that fails comes
 * from raw_reap(), with tag RAW_NO_TAG.
 */
#define RAW_NO_TAG	0xffff
#define RAW_BUFFERS	8	/* a power of two; provided for tags */
#define RAW_TAGS	64	/* of room in a buffer, at first */

/* A FETCH_IO_CMDS that completes more than once (Linux 6.18). */
#ifndef IORING_URING_CMD_MULTISHOT
#define IORING_URING_CMD_MULTISHOT	(1U << 1)
#endif

/* An element of a batch. The fields after its header are optional. */
struct raw_elem {
	struct ublk_elem_header header;
	uint64_t addr;
};

struct raw_batch {
	struct io_uring_buf_ring *buffers;	/* group 0 */
	uint16_t space[RAW_BUFFERS][RAW_TAGS];	/* their memory */
	unsigned int room;		/* tags per buffer, from now on */
	bool keeps;			/* does not give used buffers back */
	uint16_t used[RAW_BUFFERS];	/* used buffers that were kept */
	unsigned int kept;
	uint16_t tags[UBLK_MAX_QUEUE_DEPTH];	/* fetched, not yet reaped */
	unsigned int first, count;
	unsigned int completions;	/* of FETCH_IO_CMDS, with tags */
	bool ended;			/* no more completions will come */
	unsigned int sent;
	struct raw_elem elems[256];	/* of commands in flight, a ring */
};

/*
 * Turns a queue into one for batches, with buffers for tags. Returns 0 or
 * -errno.
 */
int raw_batch_open(struct raw_queue *queue);
void raw_batch_close(struct raw_queue *queue);
/* Gives buffer @index to the ring, with room for batch->room tags. */
void raw_batch_give(struct raw_queue *queue, unsigned int index);

/* Prepares FETCH_IO_CMDS, with buffers of a group. */
void raw_batch_fetch(struct raw_queue *queue, unsigned int group);
/* Prepare a PREP or COMMIT of one tag, and do the reverse. */
void raw_batch_one(struct raw_queue *queue, uint32_t op, unsigned int tag,
		   int result);

/* Prepares any batch command; @sqe_flags go to its SQE. */
struct io_uring_sqe *raw_batch_command(struct raw_queue *queue, uint32_t op,
				       const struct ublk_batch_io *body,
				       const void *elems);
/*
 * Sends a PREP or COMMIT of any elements, and waits for its result. Tags that
 * arrive meanwhile are kept for raw_reap().
 */
int raw_batch_call(struct raw_queue *queue, uint32_t op,
		   const struct ublk_batch_io *body, const void *elems);
/*
 * The same for @count elements with what the device needs: addresses, unless
 * there are no buffers.
 */
int raw_batch_send(struct raw_queue *queue, uint32_t op,
		   const struct raw_elem *elems, unsigned int count);

/* Handles a completion. Returns true if raw_reap() must return @done. */
bool raw_batch_completed(struct raw_queue *queue,
			 const struct io_uring_cqe *cqe, struct raw_done *done);
/* Returns the next tag, if there is one. */
bool raw_batch_next(struct raw_queue *queue, struct raw_done *done);

/* The offset of a request's data for pread() and pwrite() on /dev/ublkcN. */
off_t raw_copy_offset(unsigned int queue, unsigned int tag, size_t offset);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The raw interface of the ublk driver for test programs: every command as it
 * is, right or wrong, and its answer. Nothing in here retries, checks or
 * corrects; our own server's code is not used, so that a mistake in it cannot
 * hide one in the driver.
 *
 * Functions return 0 or more, or -errno: that of the driver, or of the system
 * call that failed. -ETIME is said by nobody but them: no answer in time.
 */
#ifndef TESTS_DRIVER_RAW_H
#define TESTS_DRIVER_RAW_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/ublk_cmd.h>

#define RAW_PATIENCE_MS 20000	/* how long a command may take under emulation */

/* The control device. Of one thread at a time. */
struct raw_ctrl {
	struct io_uring ring;
	int fd;
	bool encoded;		/* send the ioctl-encoded opcodes (Linux 6.4) */
	uint64_t features;	/* of the driver; guessed before Linux 6.5 */
	uint64_t sent;		/* commands so far */
	/*
	 * When set, goes before the argument of all commands that name a
	 * device, as for unprivileged devices: the path of /dev/ublkcN.
	 */
	const char *path;
	char argument[8192];	/* path and data of the last such command */
};

/* Opens it and asks for the features. */
int raw_ctrl_open(struct raw_ctrl *ctrl);
/* Cancels what is under way. */
void raw_ctrl_close(struct raw_ctrl *ctrl);

/*
 * Sends a command and waits for the answer. @op is the ioctl-encoded number
 * (UBLK_U_CMD_*) and becomes the plain one when ctrl->encoded is false; any
 * other number than an encoded one is sent as it is.
 */
int raw_ctrl(struct raw_ctrl *ctrl, uint32_t op,
	     const struct ublksrv_ctrl_cmd *cmd);

/*
 * The same in two steps, for commands that wait. Of several commands under
 * way, answer() and cancel() mean the one sent last.
 */
int raw_ctrl_send(struct raw_ctrl *ctrl, uint32_t op,
		  const struct ublksrv_ctrl_cmd *cmd);
int raw_ctrl_answer(struct raw_ctrl *ctrl, int timeout_ms);
int raw_ctrl_cancel(struct raw_ctrl *ctrl);

/*
 * The command @op of device @id, with @len bytes at @data as its argument or
 * answer and @number in data[0].
 */
int raw_command(struct raw_ctrl *ctrl, uint32_t op, int id, void *data,
		size_t len, uint64_t number);

/* The same for one that waits and has no argument: see raw_ctrl_send(). */
int raw_command_send(struct raw_ctrl *ctrl, uint32_t op, int id,
		     uint64_t number);

/* The commands. ADD_DEV's @info->dev_id is the wanted id, or -1: any. */
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
 * Ordinary parameters: so many bytes, 512-byte blocks, a volatile cache with
 * FUA, discard and write zeroes.
 */
void raw_params(struct ublk_params *params, uint64_t bytes, uint32_t max_io);

/* Opens /dev/ublkcN or /dev/ublkbN, trying for so long: 0, once. */
int raw_open_char(int id, int timeout_ms);
int raw_open_disk(int id, int flags, int timeout_ms);

/*
 * A task's view of one queue: a ring of its own, the descriptors, a buffer for
 * each tag. Belongs to the thread that made it.
 */
struct raw_queue {
	struct io_uring ring;
	int cdev;		/* /dev/ublkcN, not closed with the queue */
	uint16_t id;
	uint16_t depth;
	bool encoded;
	size_t max_io;
	const struct ublksrv_io_desc *desc;
	size_t desc_size;
	char *data;
	uint64_t sqe_addr;	/* of each command: see UBLK_F_AUTO_BUF_REG */
	struct raw_batch *batch; /* with UBLK_F_BATCH_IO, else NULL */
};

/* What a command completed with. */
struct raw_done {
	unsigned int op;	/* plain number: UBLK_IO_FETCH_REQ... */
	unsigned int tag;
	int result;
};

/* With @max_io 0 there are no buffers, and addresses are 0 as for USER_COPY. */
int raw_queue_open(struct raw_queue *queue, const struct raw_ctrl *ctrl,
		   int cdev, unsigned int id, unsigned int depth,
		   size_t max_io);
void raw_queue_close(struct raw_queue *queue);
/* Only the descriptors' length and place in the mapping. */
size_t raw_desc_size(unsigned int depth);
off_t raw_desc_offset(unsigned int queue);

/* The buffer of a tag. */
char *raw_data(const struct raw_queue *queue, unsigned int tag);

/* Prepares a command; raw_submit() or raw_reap() gives it to the kernel. */
void raw_io(struct raw_queue *queue, uint32_t op, unsigned int q_id,
	    unsigned int tag, int result, uint64_t addr);
void raw_fetch(struct raw_queue *queue, unsigned int tag);
void raw_commit(struct raw_queue *queue, unsigned int tag, int result);
void raw_get_data(struct raw_queue *queue, unsigned int tag);
int raw_submit(struct raw_queue *queue);

/* Submits, then waits for the next completion. */
int raw_reap(struct raw_queue *queue, struct raw_done *done, int timeout_ms);

/*
 * With UBLK_F_BATCH_IO: raw-batch.c. A queue that is opened for it does with
 * raw_fetch(), raw_commit() and raw_reap() what any other does: a PREP_IO_CMDS or
 * COMMIT_IO_CMDS of one tag each, and the tags that its FETCH_IO_CMDS brought, one
 * by one. Such a command that is right says nothing; what another one completed
 * with comes from raw_reap() as it is, with tag RAW_NO_TAG.
 */
#define RAW_NO_TAG	0xffff
#define RAW_BUFFERS	8	/* a power of two; provided for tags */
#define RAW_TAGS	64	/* that a buffer has room for, at first */

/* A FETCH_IO_CMDS that completes again and again (Linux 6.18). */
#ifndef IORING_URING_CMD_MULTISHOT
#define IORING_URING_CMD_MULTISHOT	(1U << 1)
#endif

/* An element of a batch. What follows its header is sent when it is asked for. */
struct raw_elem {
	struct ublk_elem_header header;
	uint64_t addr;
};

struct raw_batch {
	struct io_uring_buf_ring *buffers;	/* group 0 */
	uint16_t space[RAW_BUFFERS][RAW_TAGS];	/* what they are */
	unsigned int room;		/* tags in each that is given from now on */
	bool keeps;			/* buffers that were used are not given again */
	uint16_t used[RAW_BUFFERS];	/* those that were kept */
	unsigned int kept;
	uint16_t tags[UBLK_MAX_QUEUE_DEPTH];	/* fetched and not reaped yet */
	unsigned int first, count;
	unsigned int completions;	/* of FETCH_IO_CMDS, with tags */
	bool ended;			/* the last one says that no more comes */
	unsigned int sent;
	struct raw_elem elems[256];	/* of commands under way, in turn */
};

/* Makes a queue one for batches, with buffers for tags. 0 or -errno. */
int raw_batch_open(struct raw_queue *queue);
void raw_batch_close(struct raw_queue *queue);
/* Gives buffer @index to the ring, with room for batch->room tags. */
void raw_batch_give(struct raw_queue *queue, unsigned int index);

/* Prepares FETCH_IO_CMDS, with buffers of a group. */
void raw_batch_fetch(struct raw_queue *queue, unsigned int group);
/* Prepares a PREP or COMMIT of one tag, and the other way round. */
void raw_batch_one(struct raw_queue *queue, uint32_t op, unsigned int tag,
		   int result);

/* Prepares any command of a batch: @sqe_flags are those of its entry. */
struct io_uring_sqe *raw_batch_command(struct raw_queue *queue, uint32_t op,
				       const struct ublk_batch_io *body,
				       const void *elems);
/*
 * Sends a PREP or COMMIT of any elements, and waits for what it completes with.
 * Tags that come meanwhile are kept for raw_reap().
 */
int raw_batch_call(struct raw_queue *queue, uint32_t op,
		   const struct ublk_batch_io *body, const void *elems);
/*
 * The same of @count elements with what the device needs: addresses, unless
 * there are no buffers.
 */
int raw_batch_send(struct raw_queue *queue, uint32_t op,
		   const struct raw_elem *elems, unsigned int count);

/* Takes a completion; true when raw_reap() has something to say in @done. */
bool raw_batch_completed(struct raw_queue *queue,
			 const struct io_uring_cqe *cqe, struct raw_done *done);
/* Takes the next tag, if there is one. */
bool raw_batch_next(struct raw_queue *queue, struct raw_done *done);

/* Where pread() and pwrite() on /dev/ublkcN find a request's data. */
off_t raw_copy_offset(unsigned int queue, unsigned int tag, size_t offset);

#endif

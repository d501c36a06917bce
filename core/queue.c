// SPDX-License-Identifier: GPL-2.0
/*
 * The fetch and commit loop of one queue. It knows io_uring and the ublk
 * commands of a tag. It knows neither control commands nor what a target does.
 */
#include "core/queue.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/process.h"
#include "lib/clock.h"
#include "lib/message.h"

#define CHAR_FILE 0	/* index of /dev/ublkcN among the ring's files */
#define QUEUE_FILES_MAX (1 + UBLK_DEVICE_FILES + 1)	/* with the wake_fd */

/*
 * Most SQEs that are submitted at once. They fill one page, and so do the CQEs
 * at the default depth. When memory is short, the kernel may never find
 * contiguous pages, and then a dead worker could not be replaced.
 */
#define SUBMISSIONS_MAX 32
#define COMPLETIONS_MIN 8

/*
 * Bytes that are registered of each buffer. Registration makes small transfers
 * faster. To register a whole large buffer the kernel would need more memory
 * than a worker can rely on when memory is short.
 */
#define REGISTERED_MAX (16 << 10)

/*
 * Turns of the loop for which a new queue keeps its real-time priority. It may
 * start when the machine has no memory except the reserve that the kernel keeps
 * for real-time threads, and only the answers to waiting requests (pages of
 * swap) free more.
 */
#define URGENT_TURNS 1024

/*
 * Stack of a queue's thread, small because all of it may be locked. The loop
 * and today's targets use less than 8 KiB; the rest is a margin for later ones.
 */
#define STACK_BYTES (32 << 10)

/*
 * user_data of a CQE is a tag, shifted left, with the lowest bit set; or the
 * address of a struct ublk_completion, whose lowest bit is clear.
 */
static uint64_t user_data_of_tag(unsigned int tag)
{
	return (uint64_t)tag << 1 | 1;
}

static bool user_data_is_tag(uint64_t user_data)
{
	return user_data & 1;
}

static unsigned int user_data_tag(uint64_t user_data)
{
	return user_data >> 1;
}

static struct io_uring_sqe *queue_sqe(struct ublk_queue *queue)
{
	struct io_uring_sqe *sqe;

	while (!(sqe = io_uring_get_sqe(&queue->ring)))
		io_uring_submit(&queue->ring);
	return sqe;
}

/*
 * Gives a tag to the driver: FETCH the first time, COMMIT_AND_FETCH after that.
 */
static void queue_command(struct ublk_queue *queue, unsigned int tag,
			  uint32_t op, int result)
{
	const struct ublk_queue_setup *setup = queue->setup;
	struct io_uring_sqe *sqe = queue_sqe(queue);
	struct ublksrv_io_cmd *command = (struct ublksrv_io_cmd *)sqe->cmd;

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = CHAR_FILE;
	sqe->cmd_op = setup->encoded ? op : _IOC_NR(op);
	sqe->user_data = user_data_of_tag(tag);
	command->q_id = queue->id;
	command->tag = tag;
	command->result = result;
	/*
	 * With zero copy, the tag is also the index in the ring's buffer table.
	 */
	if (setup->zero_copy)
		sqe->addr = tag;
	else
		command->addr = (uintptr_t)queue->requests[tag].data;
}

/*
 * Once the submission queue is empty, the driver has read the buffers of all
 * commits: they are free again.
 */
static void queue_free_buffers(struct ublk_queue *queue)
{
	if (!queue->committed_buffers || io_uring_sq_ready(&queue->ring))
		return;
	while (queue->committed_buffers)
		queue->buffers[queue->free_buffers++] =
			queue->buffers[queue->setup->depth +
				       --queue->committed_buffers];
}

/*
 * A writable disk has one buffer per tag, because the driver copies the data of
 * the next write there at once. A read-only disk needs no such buffer. Its
 * reads are copied from the address in the COMMIT, so its requests share
 * buffers, and only as many get memory as were in use at the same time. A write
 * that arrives all the same gets a buffer when the driver asks for one
 * (NEED_GET_DATA).
 *
 * If no buffer is free, some belong to commits that are not submitted yet: the
 * kernel may leave entries in the submission queue when it is out of memory.
 */
static void queue_take_buffer(struct ublk_queue *queue,
			      struct ublk_request *request)
{
	while (!queue->free_buffers) {
		io_uring_submit(&queue->ring);
		queue_free_buffers(queue);
	}
	request->data = queue->buffers[--queue->free_buffers];
}

static void queue_put_buffer(struct ublk_queue *queue,
			     const struct ublk_request *request)
{
	queue->buffers[queue->setup->depth + queue->committed_buffers++] =
		request->data;
}

static bool queue_pools_buffer(const struct ublk_queue *queue,
			       const struct ublk_request *request)
{
	return queue->buffers && (request->op == UBLK_IO_OP_READ ||
				  request->op == UBLK_IO_OP_WRITE);
}

static struct counter *queue_op(struct ublk_queue *queue,
				const struct ublk_request *request)
{
	return queue->counters->ops[request->op < COUNTERS_OPS ?
				    request->op : COUNTERS_OTHER];
}

/* Apart, so that the usual way has no more registers to save. */
__attribute__((noinline))
static void queue_measure(struct ublk_queue *queue,
			  const struct ublk_request *request)
{
	counters_latency(queue_op(queue, request),
			 clock_ns() - request->arrived);
}

/*
 * Counts an answer. The bytes of a DISCARD or WRITE_ZEROES are not in its result.
 */
static void queue_count(struct ublk_queue *queue,
			const struct ublk_request *request, int result)
{
	struct counter *op = queue_op(queue, request);

	counter_add(&op[COUNT_REQUESTS], 1);
	if (result < 0)
		counter_add(&op[COUNT_ERRORS], 1);
	else
		counter_add(&op[COUNT_BYTES],
			    result ? (uint32_t)result : request->length);
	if (request->arrived)
		queue_measure(queue, request);
}

void ublk_queue_count(struct ublk_queue *queue, enum ublk_count what,
		      uint64_t n)
{
	counter_add(&queue->counters->others[what], n);
}

void ublk_request_done(struct ublk_queue *queue, struct ublk_request *request,
		       int result)
{
	if (request->done)
		return request->done(queue, request, result);
	queue_count(queue, request, result);
	queue_command(queue, request->tag, UBLK_U_IO_COMMIT_AND_FETCH_REQ,
		      result);
	if (queue_pools_buffer(queue, request))
		queue_put_buffer(queue, request);
}

/* The driver delivered a request: its descriptor is filled in. */
static void queue_deliver(struct ublk_queue *queue, unsigned int tag)
{
	const struct ublksrv_io_desc *desc = &queue->descriptors[tag];
	struct ublk_request *request = &queue->requests[tag];
	int result;

	request->op = ublksrv_get_op(desc);
	/* Not ublksrv_get_flags(): that shifts them away from UBLK_IO_F_*. */
	request->flags = desc->op_flags & ~0xffu;
	request->offset = desc->start_sector << 9;
	request->length = desc->nr_sectors << 9;
	request->arrived = queue->now;
	if (queue->buffers && request->op == UBLK_IO_OP_READ)
		queue_take_buffer(queue, request);
	result = queue->setup->target->submit(queue, request);
	if (result != UBLK_LATER)
		ublk_request_done(queue, request, result);
}

static void queue_command_done(struct ublk_queue *queue, unsigned int tag,
			   int result)
{
	switch (result) {
	case UBLK_IO_RES_OK:
		queue_deliver(queue, tag);
		break;
	case UBLK_IO_RES_NEED_GET_DATA:
		queue_take_buffer(queue, &queue->requests[tag]);
		queue_command(queue, tag, UBLK_U_IO_NEED_GET_DATA, 0);
		break;
	default:	/* the device stops: the driver took the tag back */
		queue->live_tags--;
	}
}

static void queue_completed(struct ublk_queue *queue,
			    const struct io_uring_cqe *cqe)
{
	struct ublk_completion *completion;

	if (user_data_is_tag(cqe->user_data)) {
		queue_command_done(queue, user_data_tag(cqe->user_data), cqe->res);
		return;
	}
	completion = (struct ublk_completion *)(uintptr_t)cqe->user_data;
	queue->operations--;
	completion->done(queue, completion, cqe->res);
}

struct io_uring_sqe *ublk_queue_sqe(struct ublk_queue *queue,
				    struct ublk_completion *completion)
{
	struct io_uring_sqe *sqe = queue_sqe(queue);

	memset(sqe, 0, sizeof(*sqe));
	sqe->user_data = (uintptr_t)completion;
	queue->operations++;
	return sqe;
}

static size_t registered_bytes(const struct ublk_queue_setup *setup)
{
	if (setup->zero_copy)
		return setup->max_io;
	return setup->max_io < REGISTERED_MAX ? setup->max_io : REGISTERED_MAX;
}

void ublk_queue_transfer(struct ublk_queue *queue, struct io_uring_sqe *sqe,
			 bool write, void *data, uint32_t length)
{
	const struct ublk_queue_setup *setup = queue->setup;
	/*
	 * Unsigned wrap makes addresses below the buffers fail the test below.
	 */
	size_t at = (uintptr_t)data - (uintptr_t)queue->registered;
	size_t buffer = at / setup->max_io;

	sqe->opcode = write ? IORING_OP_WRITE : IORING_OP_READ;
	sqe->addr = (uintptr_t)data;
	sqe->len = length;
	if (!queue->registered || buffer >= setup->depth ||
	    at % setup->max_io + length > registered_bytes(setup))
		return;
	sqe->opcode = write ? IORING_OP_WRITE_FIXED : IORING_OP_READ_FIXED;
	sqe->buf_index = buffer;
	if (setup->zero_copy)	/* kernel pages start at address 0 */
		sqe->addr = at % setup->max_io;
}

/*
 * Waits for messages of other threads. This read does not count as one of the
 * target's operations: the end of the queue does not wait for it, but ends it.
 */
static void queue_listen(struct ublk_queue *queue)
{
	struct io_uring_sqe *sqe = ublk_queue_sqe(queue, &queue->wake);

	queue->operations--;
	queue->listening = true;
	sqe->opcode = IORING_OP_READ;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = queue->setup->file_count;	/* follows the device's */
	sqe->addr = (uintptr_t)&queue->wake_count;
	sqe->len = sizeof(queue->wake_count);
}

static void queue_woken(struct ublk_queue *queue, struct ublk_completion *self,
			int result)
{
	struct ublk_completion *message, *next;

	(void)self;
	(void)result;
	queue->operations++;	/* undoes what queue_completed() subtracted */
	queue->listening = false;
	message = atomic_exchange(&queue->inbox, NULL);
	for (; message; message = next) {
		next = message->next;
		message->done(queue, message, message->result);
	}
	if (queue->live_tags || queue->operations)
		queue_listen(queue);
}

static void queue_wake(const struct ublk_queue *queue)
{
	const uint64_t one = 1;

	/* Retried after any error: nothing else would wake the queue. */
	while (write(queue->wake_fd, &one, sizeof(one)) < 0)
		;
}

/*
 * For a queue that has nothing left to do. Returns true while the read of
 * wake_fd still has to end.
 */
static bool queue_stop_listening(const struct ublk_queue *queue)
{
	if (queue->listening)
		queue_wake(queue);
	return queue->listening;
}

void ublk_queue_send(struct ublk_queue *to, struct ublk_completion *completion,
		     int result)
{
	struct ublk_completion *head = atomic_load(&to->inbox);

	completion->result = result;
	do {
		completion->next = head;
	} while (!atomic_compare_exchange_weak(&to->inbox, &head, completion));

	/*
	 * If the inbox was not empty, the first sender has already woken the
	 * queue.
	 */
	if (!head)
		queue_wake(to);
}

int ublk_queue_replace_file(struct ublk_queue *queue, int index, int fd)
{
	int ret = io_uring_register_files_update(&queue->ring, index, &fd, 1);

	return ret < 0 ? ret : 0;
}

void ublk_queue_get(struct ublk_queue *queue)
{
	queue->operations++;
}

void ublk_queue_put(struct ublk_queue *queue)
{
	queue->operations--;
}

/*
 * A single issuer with deferred task work makes the cheapest ring (Linux 6.1).
 * Linux 6.0 refuses these flags and gets the next best. The ring starts
 * disabled, so that it can be restricted first.
 */
static int queue_ring_init(struct ublk_queue *queue)
{
	unsigned int depth = queue->setup->depth;
	/*
	 * Each tag needs one entry, for the driver or for the target's
	 * operation. The other half is for operations that belong to no
	 * request.
	 */
	unsigned int completions = 2 * depth > COMPLETIONS_MIN ?
				   2 * depth : COMPLETIONS_MIN;
	unsigned int submissions = completions < SUBMISSIONS_MAX ?
				   completions : SUBMISSIONS_MAX;
	struct io_uring_params params = {
		.flags = IORING_SETUP_SQE128 | IORING_SETUP_CQSIZE |
			 IORING_SETUP_R_DISABLED |
			 IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN,
		.cq_entries = completions,
	};
	int err;

	err = io_uring_queue_init_params(submissions, &queue->ring, &params);
	if (err == -EINVAL) {
		memset(&params, 0, sizeof(params));
		params.flags = IORING_SETUP_SQE128 | IORING_SETUP_CQSIZE |
			       IORING_SETUP_R_DISABLED |
			       IORING_SETUP_COOP_TASKRUN;
		params.cq_entries = completions;
		err = io_uring_queue_init_params(submissions, &queue->ring,
						 &params);
	}
	return err;
}

/* The ring can use these files and no others. */
static int queue_register_files(struct ublk_queue *queue)
{
	const struct ublk_queue_setup *setup = queue->setup;
	int files[QUEUE_FILES_MAX];

	memcpy(files, setup->files, setup->file_count * sizeof(*files));
	files[setup->file_count] = queue->wake_fd;
	return io_uring_register_files(&queue->ring, files,
				       setup->file_count + setup->has_inbox);
}

/* Registers the empty table where the driver puts the pages of each request. */
static int queue_register_table(struct ublk_queue *queue)
{
	queue->registered = queue->requests[0].data;
	return io_uring_register_buffers_sparse(&queue->ring,
						queue->setup->depth);
}

/*
 * Registers locked buffers with the ring, so that the kernel need not look up
 * their pages for each transfer to storage. If registration fails (an ordinary
 * user's limit on locked memory is too small), the kernel looks them up.
 *
 * Not used for backing files that the kernel reads with a copy, such as a
 * tmpfs. Such a copy looks up no pages, and to registered pages a kernel that
 * is built for size copies byte by byte (4,177 instructions for 4 KiB instead
 * of 530).
 */
static void queue_register_buffers(struct ublk_queue *queue)
{
	const struct ublk_queue_setup *setup = queue->setup;
	struct iovec *buffers = calloc(setup->depth, sizeof(*buffers));
	unsigned int tag;

	if (!buffers)
		return;
	for (tag = 0; tag < setup->depth; tag++)
		buffers[tag] = (struct iovec){ queue->requests[tag].data,
					       registered_bytes(setup) };
	if (!io_uring_register_buffers(&queue->ring, buffers, setup->depth))
		queue->registered = buffers[0].iov_base;
	free(buffers);
}

/*
 * A seccomp filter does not see what a ring does. So the ring itself is limited
 * to the operations that targets need, on registered files only: it cannot open
 * any.
 */
static int queue_restrict(struct ublk_queue *queue)
{
	static const uint8_t operations[] = {
		IORING_OP_URING_CMD, IORING_OP_READ, IORING_OP_WRITE,
		IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED,
		IORING_OP_FSYNC, IORING_OP_FALLOCATE,
	};
	enum { OPERATIONS = sizeof(operations) };
	struct io_uring_restriction limits[OPERATIONS + 6] = { 0 };
	const struct ublk_queue_setup *setup = queue->setup;
	unsigned int count = OPERATIONS + 3, i;

	for (i = 0; i < OPERATIONS; i++) {
		limits[i].opcode = IORING_RESTRICTION_SQE_OP;
		limits[i].sqe_op = operations[i];
	}
	limits[OPERATIONS].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
	limits[OPERATIONS].sqe_flags = IOSQE_FIXED_FILE;
	limits[OPERATIONS + 1].opcode = IORING_RESTRICTION_REGISTER_OP;
	limits[OPERATIONS + 1].register_op = IORING_UNREGISTER_RING_FDS;
	limits[OPERATIONS + 2].opcode = IORING_RESTRICTION_REGISTER_OP;
	limits[OPERATIONS + 2].register_op = IORING_UNREGISTER_FILES;
	for (i = 0; i < setup->file_count; i++) {
		if (setup->files[i] >= 0)
			continue;
		limits[count].opcode = IORING_RESTRICTION_REGISTER_OP;
		limits[count++].register_op = IORING_REGISTER_FILES_UPDATE;
		limits[count].opcode = IORING_RESTRICTION_SQE_OP;
		limits[count++].sqe_op = IORING_OP_TIMEOUT;
		limits[count].opcode = IORING_RESTRICTION_SQE_OP;
		limits[count++].sqe_op = IORING_OP_ASYNC_CANCEL;
		break;
	}
	return io_uring_register_restrictions(&queue->ring, limits, count);
}

/*
 * The kernel tears down a ring only after its descriptor is closed, and waits
 * for two RCU grace periods before it closes the ring's files. DEL_DEV waits
 * for /dev/ublkcN, so the files are unregistered first. That call would block
 * while an operation still uses a file, so it is left out then.
 */
static void queue_ring_close(struct ublk_queue *queue)
{
	if (queue->ring.ring_fd < 0)
		return;
	if (!queue->live_tags && !queue->operations && !queue->listening)
		io_uring_unregister_files(&queue->ring);
	io_uring_queue_exit(&queue->ring);
	queue->ring.ring_fd = -1;
}

static int queue_ring_open(struct ublk_queue *queue)
{
	int err = queue_ring_init(queue);

	if (err) {
		queue->ring.ring_fd = -1;	/* liburing may leave 0 */
		return err;
	}
	io_uring_register_ring_fd(&queue->ring);
	err = queue_register_files(queue);
	if (!err && queue->setup->zero_copy)
		err = queue_register_table(queue);
	else if (!err && queue->setup->registers_buffers)
		queue_register_buffers(queue);
	if (!err)
		err = queue_restrict(queue);
	if (!err)
		err = io_uring_enable_rings(&queue->ring);
	if (err)
		queue_ring_close(queue);
	return err;
}

static size_t page_align(size_t bytes)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) & ~(page - 1);
}

static size_t descriptors_bytes(unsigned int depth)
{
	return page_align(depth * sizeof(struct ublksrv_io_desc));
}

static int queue_map_descriptors(struct ublk_queue *queue)
{
	/* Queues lie at equal distances, whatever their depth. */
	off_t offset = UBLKSRV_CMD_BUF_OFFSET +
		(off_t)queue->id * descriptors_bytes(UBLK_MAX_QUEUE_DEPTH);
	void *map = mmap(NULL, descriptors_bytes(queue->setup->depth),
			 PROT_READ, MAP_SHARED | MAP_POPULATE,
			 queue->setup->files[CHAR_FILE], offset);

	if (map == MAP_FAILED)
		return -errno;
	queue->descriptors = map;
	return 0;
}

static int queue_alloc(struct ublk_queue *queue)
{
	const struct ublk_queue_setup *setup = queue->setup;
	size_t first = (size_t)queue->id * setup->depth;
	size_t state = setup->target->request_size;
	unsigned int tag;

	queue->requests = calloc(setup->depth, sizeof(*queue->requests));
	queue->states = calloc(setup->depth, state + !state);
	if (!queue->requests || !queue->states)
		return -ENOMEM;
	for (tag = 0; tag < setup->depth; tag++) {
		struct ublk_request *request = &queue->requests[tag];

		request->tag = tag;
		request->data = setup->buffers + (first + tag) * setup->max_io;
		request->state = queue->states + tag * state;
	}
	if (!setup->shares_buffers)
		return 0;
	queue->buffers = calloc(2 * setup->depth, sizeof(*queue->buffers));
	if (!queue->buffers)
		return -ENOMEM;
	while (tag > 0)
		queue->buffers[queue->free_buffers++] =
			queue->requests[--tag].data;
	return 0;
}

static void queue_free(struct ublk_queue *queue)
{
	const struct ublk_queue_setup *setup = queue->setup;

	if (queue->descriptors)
		munmap(queue->descriptors, descriptors_bytes(setup->depth));
	free(queue->buffers);
	free(queue->states);
	free(queue->requests);
	if (queue->wake_fd >= 0)
		close(queue->wake_fd);
}

/*
 * Sets up everything except the ring. queue_free() undoes it, also after an
 * error.
 */
static int queue_prepare(struct ublk_queue *queue)
{
	int err;

	queue->wake_fd = -1;
	queue->counters = &queue->setup->counters->queues[queue->id];
	counters_mend(queue->counters);
	sched_setaffinity(0, sizeof(queue->cpus), &queue->cpus);
	err = queue_alloc(queue);
	if (err)
		return err;
	err = queue_map_descriptors(queue);
	if (err)
		return err;
	if (!queue->setup->has_inbox)
		return 0;
	queue->wake.done = queue_woken;
	queue->wake_fd = eventfd(0, EFD_CLOEXEC);
	return queue->wake_fd < 0 ? -errno : 0;
}

/*
 * Submits a FETCH for every tag. If the driver refuses, the error is among the
 * first completions.
 */
static int queue_fetch_all(struct ublk_queue *queue)
{
	struct io_uring_cqe *cqe;
	unsigned int tag;
	int ret;

	for (tag = 0; tag < queue->setup->depth; tag++)
		queue_command(queue, tag, UBLK_U_IO_FETCH_REQ, 0);
	queue->live_tags = queue->setup->depth;
	if (queue->setup->has_inbox)
		queue_listen(queue);
	do {
		ret = io_uring_submit(&queue->ring);
	} while (ret == -EINTR);
	if (ret < 0)
		return ret;
	/* The disk does not exist yet, so that only errors can complete. */
	if (!io_uring_peek_cqe(&queue->ring, &cqe))
		return cqe->res < 0 ? cqe->res : -EIO;
	return 0;
}

static int queue_loop(struct ublk_queue *queue)
{
	const struct ublk_target *target = queue->setup->target;
	struct io_uring_cqe *cqe;
	unsigned int head, count;
	bool more = false;
	int ret;

	while (queue->live_tags || queue->operations ||
	       queue_stop_listening(queue)) {
		ret = more ? io_uring_submit_and_get_events(&queue->ring) :
			     io_uring_submit_and_wait(&queue->ring, 1);
		if (ret < 0 && ret != -EINTR && ret != -EAGAIN &&
		    ret != -EBUSY)
			return message_fail(ret, "queue %u", queue->id);
		queue_free_buffers(queue);
		queue->now = counters_time(queue->setup->counters);
		count = 0;
		io_uring_for_each_cqe(&queue->ring, head, cqe) {
			queue_completed(queue, cqe);
			count++;
		}
		io_uring_cq_advance(&queue->ring, count);
		more = target->work && target->work(queue);
		if (queue->urgent_turns && !--queue->urgent_turns)
			process_calm();
	}
	return 0;
}

/*
 * Fetches all tags and runs the loop, with the target's queue state around it.
 *
 * If it fails while the driver still has commands, the ring stays open until
 * this thread, which submitted them, has ended; the kernel then cancels them.
 * Closing the ring here would leave that to a kernel thread, and a debug kernel
 * (6.12) warns about it.
 */
static int queue_serve(struct ublk_queue *queue)
{
	const struct ublk_target *target = queue->setup->target;
	int err;

	err = target->queue_start ? target->queue_start(queue) : 0;
	if (err)
		return err;
	err = queue_fetch_all(queue);
	if (!err)
		err = rights_drop(target->system_calls);
	if (!err) {
		queue->urgent_turns = URGENT_TURNS;
		queue->setup->report(queue->setup->report_arg, 0);
		err = queue_loop(queue);
	}
	/*
	 * The ring must be closed before the memory that its operations use is
	 * freed.
	 */
	if (!queue->live_tags)
		queue_ring_close(queue);
	if (target->queue_stop)
		target->queue_stop(queue);
	return err;
}

static void *queue_thread(void *arg)
{
	struct ublk_queue *queue = arg;
	int err;

	err = queue_prepare(queue);
	if (!err)
		err = queue_ring_open(queue);
	if (!err) {
		err = queue_serve(queue);
		if (queue->live_tags)
			io_uring_unregister_ring_fd(&queue->ring);
		else
			queue_ring_close(queue);
	}
	queue_free(queue);
	queue->setup->report(queue->setup->report_arg, err ? err : 1);
	return NULL;
}

int queue_start(struct ublk_queue *queue)
{
	pthread_attr_t attributes;
	int err;

	queue->ring.ring_fd = -1;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	err = pthread_create(&queue->thread, &attributes, queue_thread, queue);
	pthread_attr_destroy(&attributes);
	return -err;
}

void queue_join(struct ublk_queue *queue)
{
	pthread_join(queue->thread, NULL);
	queue_ring_close(queue);
}

struct ublk_device *ublk_queue_device(const struct ublk_queue *queue)
{
	return queue->setup->device;
}

unsigned int ublk_queue_id(const struct ublk_queue *queue)
{
	return queue->id;
}

void ublk_queue_set_data(struct ublk_queue *queue, void *data)
{
	queue->data = data;
}

void *ublk_queue_data(const struct ublk_queue *queue)
{
	return queue->data;
}

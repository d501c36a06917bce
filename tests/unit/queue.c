// SPDX-License-Identifier: GPL-2.0
/*
 * The loop of a queue. This program plays the kernel's side of its ring, and
 * the driver: it accepts as many submissions as it likes, delivers requests
 * when it likes, and puts the data of writes where it was told. In every case,
 * each request has its own buffer, and its answer the right data; and a
 * transfer with a registered buffer stays inside of that buffer.
 */
#include "core/queue.h"

#include "core/process.h"
#include "core/rights.h"
#include "tests/unit/image-test.h"

#define DEPTH 64
#define MAX_IO (20 << 10)	/* more than a buffer registers */
#define ENTRIES 32		/* in the submission queue */
#define CQES 256
#define REQUESTS 60000

/* The state of a tag, as the driver sees it. */
enum state { NOT_FETCHED, HELD, DELIVERED, WANTED };

struct slot {
	enum state state;
	uint64_t addr;		/* from the last command */
	uint8_t op;
	uint32_t seed;		/* for the request's data */
};

static struct slot slots[DEPTH];
static struct ublksrv_io_desc *descriptors;
static char *buffers;
static struct counters *counters;
static int file;		/* memfd with the descriptors */
static uint32_t random_state = 88172645;

/* What the driver shall do, and what the test saw. */
static bool asks, partly, refuses;
static unsigned int most, under_way, delivered, wrong, ended;
static bool used[DEPTH];	/* buffers that had data */

/* The driver lends each request's pages, at the index of its tag. */
static bool lends;
static uint16_t lent_for(const struct io_uring_sqe *sqe);

/* Registered buffers, and how many transfers used one. */
static struct iovec registered[DEPTH];
static unsigned int registered_count, by_registered, by_address;
static char elsewhere[MAX_IO];	/* not a request's buffer */

/* The driver refuses a FETCH; which thread closed the ring then. */
static bool refuses_fetch;
static bool no_ring;		/* mmap fails; liburing leaves zeroes */
static unsigned int closed;	/* number of rings */
static bool let_go, let_go_first;	/* of its files; before closing */
static pthread_t closed_by;
static int reported;

/* The memory of the ring, and its operations in flight. */
static unsigned int sq_head, sq_tail, cq_head, cq_tail;
static struct io_uring_sqe sqes[ENTRIES * 2];
static struct io_uring_cqe cqes[CQES];
static uint64_t operations[DEPTH];
static unsigned int operation_count;

static bool one_in(unsigned int n)
{
	return next_random(&random_state) % n == 0;
}

static void fill(void *data, uint32_t seed)
{
	uint32_t *word = data;

	for (unsigned int i = 0; i < MAX_IO / sizeof(*word); i++)
		word[i] = seed + i;
}

static bool is_filled(const void *data, uint32_t seed)
{
	const uint32_t *word = data;

	for (unsigned int i = 0; i < MAX_IO / sizeof(*word); i++)
		if (word[i] != seed + i)
			return false;
	return true;
}

static void note_use(uint64_t addr)
{
	size_t offset = addr - (uintptr_t)buffers;

	if (offset % MAX_IO || offset / MAX_IO >= DEPTH)
		wrong++;
	else
		used[offset / MAX_IO] = true;
}

static void complete(uint64_t user_data, int result)
{
	if (cq_tail - cq_head >= CQES)
		abort();
	cqes[cq_tail++ % CQES] = (struct io_uring_cqe){
		.user_data = user_data, .res = result,
	};
}

static void complete_tag(unsigned int tag, int result)
{
	complete((uint64_t)tag << 1 | 1, result);
}

/* Delivers a request with the operation and data of the slot. */
static void deliver(unsigned int tag)
{
	struct slot *slot = &slots[tag];

	descriptors[tag] = (struct ublksrv_io_desc){
		.op_flags = slot->op,
		.nr_sectors = MAX_IO >> 9,
		.start_sector = slot->seed,
	};
	if (slot->op == UBLK_IO_OP_WRITE && !lends) {
		fill((void *)(uintptr_t)slot->addr, slot->seed);
		note_use(slot->addr);
	}
	slot->state = DELIVERED;
	complete_tag(tag, UBLK_IO_RES_OK);
}

/* Delivers a request to a tag that has none. */
static void request_comes(unsigned int tag)
{
	struct slot *slot = &slots[tag];

	slot->op = one_in(5) ? UBLK_IO_OP_WRITE : UBLK_IO_OP_READ;
	slot->seed = next_random(&random_state);
	delivered++;
	under_way++;
	if (asks && slot->op == UBLK_IO_OP_WRITE) {
		slot->state = WANTED;
		complete_tag(tag, UBLK_IO_RES_NEED_GET_DATA);
	} else {
		deliver(tag);
	}
}

static void take_command(const struct io_uring_sqe *sqe)
{
	const struct ublksrv_io_cmd *command =
		(const struct ublksrv_io_cmd *)sqe->cmd;
	struct slot *slot = &slots[command->tag];

	slot->addr = command->addr;
	wrong += lends ? command->addr || sqe->addr != command->tag :
		!command->addr;
	switch (sqe->cmd_op) {
	case UBLK_U_IO_FETCH_REQ:
		wrong += slot->state != NOT_FETCHED;
		if (refuses_fetch && command->tag == DEPTH / 2)
			complete_tag(command->tag, UBLK_IO_RES_ABORT);
		break;
	case UBLK_U_IO_NEED_GET_DATA:
		wrong += slot->state != WANTED;
		deliver(command->tag);
		return;
	default:
		wrong += slot->state != DELIVERED || command->result != MAX_IO;
		if (slot->op == UBLK_IO_OP_READ && !lends) {
			wrong += !is_filled((void *)(uintptr_t)command->addr,
					    slot->seed);
			note_use(command->addr);
		}
		under_way--;
	}
	slot->state = HELD;
}

static void take_transfer(const struct io_uring_sqe *sqe)
{
	const struct iovec *buffer;

	if (sqe->opcode == IORING_OP_READ) {
		by_address++;
		return;
	}
	by_registered++;
	if (sqe->opcode != IORING_OP_READ_FIXED ||
	    sqe->buf_index >= registered_count) {
		wrong++;
		return;
	}
	if (lends) {
		wrong += sqe->buf_index != lent_for(sqe) ||
			 sqe->addr + sqe->len != MAX_IO;
		return;
	}
	buffer = &registered[sqe->buf_index];
	wrong += sqe->addr < (uintptr_t)buffer->iov_base ||
		 sqe->addr + sqe->len >
			 (uintptr_t)buffer->iov_base + buffer->iov_len;
}

/* The kernel accepts all submissions, or only some if it may. */
int io_uring_submit(struct io_uring *ring)
{
	int taken = 0;

	while (sq_head != ring->sq.sqe_tail && !(partly && one_in(20))) {
		const struct io_uring_sqe *sqe =
			&sqes[(sq_head & (ENTRIES - 1)) << 1];

		if (sqe->opcode == IORING_OP_URING_CMD)
			take_command(sqe);
		else {
			take_transfer(sqe);
			operations[operation_count++] = sqe->user_data;
		}
		sq_head++;
		taken++;
	}
	return taken;
}

/*
 * Pieces of work that a target has left: the queue must not sleep or end before
 * they are done.
 */
static unsigned int pieces, worked;

/* The end: returns every tag. */
static void give_back(void)
{
	for (unsigned int tag = 0; tag < DEPTH; tag++)
		if (slots[tag].state == HELD) {
			slots[tag].state = NOT_FETCHED;
			complete_tag(tag, UBLK_IO_RES_ABORT);
		}
}

/* Accepts submissions, and may complete these or others. */
static int submit_and_look(struct io_uring *ring)
{
	int taken = io_uring_submit(ring);

	while (operation_count && !one_in(3))
		complete(operations[--operation_count], 0);
	if (delivered >= REQUESTS)
		give_back();
	for (unsigned int n = 0; n < DEPTH && delivered < REQUESTS; n++) {
		unsigned int tag = next_random(&random_state) % DEPTH;

		if (under_way < most && slots[tag].state == HELD)
			request_comes(tag);
	}
	return taken;
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned int wait_nr)
{
	(void)wait_nr;
	wrong += pieces > 0;
	return submit_and_look(ring);
}

int io_uring_submit_and_get_events(struct io_uring *ring)
{
	return submit_and_look(ring);
}

int io_uring_queue_init_params(unsigned int entries, struct io_uring *ring,
			       struct io_uring_params *params)
{
	if (entries != ENTRIES)
		abort();
	memset(ring, 0, sizeof(*ring));
	if (no_ring)
		return -ENOMEM;
	ring->flags = params->flags;
	ring->sq.khead = &sq_head;
	ring->sq.ktail = &sq_tail;
	ring->sq.sqes = sqes;
	ring->sq.ring_entries = ENTRIES;
	ring->sq.ring_mask = ENTRIES - 1;
	ring->cq.khead = &cq_head;
	ring->cq.ktail = &cq_tail;
	ring->cq.cqes = cqes;
	ring->cq.ring_entries = CQES;
	ring->cq.ring_mask = CQES - 1;
	return 0;
}

int __io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **cqe,
		       unsigned int submit, unsigned int wait_nr, sigset_t *mask)
{
	(void)ring;
	(void)submit;
	(void)wait_nr;
	(void)mask;
	*cqe = NULL;
	return -EAGAIN;
}

/* The rest of liburing and of core/process.h, without effect. */
int io_uring_register_ring_fd(struct io_uring *ring)
{
	(void)ring;
	return 1;
}

int io_uring_unregister_ring_fd(struct io_uring *ring)
{
	(void)ring;
	return 1;
}

int io_uring_register_files(struct io_uring *ring, const int *files,
			    unsigned int count)
{
	(void)ring;
	(void)files;
	(void)count;
	return 0;
}

static bool may_replace, may_cancel;	/* by the ring's restrictions */
/* The last file that took another's place, and where. */
static unsigned int replaced_at;
static int replaced_by;

int io_uring_register_files_update(struct io_uring *ring, unsigned int at,
				   const int *files, unsigned int count)
{
	(void)ring;
	replaced_at = at;
	replaced_by = files[0];
	return count;
}

int io_uring_unregister_files(struct io_uring *ring)
{
	(void)ring;
	let_go = true;
	return 0;
}

int io_uring_register_buffers(struct io_uring *ring, const struct iovec *vectors,
			      unsigned int count)
{
	(void)ring;
	if (refuses)
		return -ENOMEM;
	memcpy(registered, vectors, count * sizeof(*vectors));
	registered_count = count;
	return 0;
}

int io_uring_register_buffers_sparse(struct io_uring *ring, unsigned int count)
{
	(void)ring;
	registered_count = count;
	return 0;
}

int io_uring_register_restrictions(struct io_uring *ring,
				   struct io_uring_restriction *limits,
				   unsigned int count)
{
	(void)ring;
	may_replace = may_cancel = false;
	for (unsigned int i = 0; i < count; i++)
		if (limits[i].opcode == IORING_RESTRICTION_REGISTER_OP &&
		    limits[i].register_op == IORING_REGISTER_FILES_UPDATE)
			may_replace = true;
		else if (limits[i].opcode == IORING_RESTRICTION_SQE_OP &&
			 limits[i].sqe_op == IORING_OP_ASYNC_CANCEL)
			may_cancel = true;
	return 0;
}

int io_uring_enable_rings(struct io_uring *ring)
{
	(void)ring;
	return 0;
}

void io_uring_queue_exit(struct io_uring *ring)
{
	ring->ring_fd = -1;
	closed_by = pthread_self();
	closed++;
	let_go_first = let_go;
	let_go = false;
}

int rights_drop(const int calls[RIGHTS_CALLS])
{
	(void)calls;
	return 0;
}

void process_calm(void)
{
}

/* The target: answers at once, or after an operation of its own. */
struct state_of_request {
	struct ublk_completion completion;
	struct ublk_request *request;
};

static void answer_later(struct ublk_queue *queue,
			 struct ublk_completion *completion, int result)
{
	struct state_of_request *state = (struct state_of_request *)completion;
	struct ublk_request *request = state->request;
	uint32_t seed = slots[request->tag].seed;

	(void)result;
	if (request->op == UBLK_IO_OP_READ)
		fill(request->data, seed);
	else
		wrong += !is_filled(request->data, seed);
	ublk_request_done(queue, request, request->length);
}

/* Transfers any part of the request's buffer, or none of it. */
static void transfer(struct ublk_queue *queue, struct state_of_request *state)
{
	struct io_uring_sqe *sqe = ublk_queue_sqe(queue, &state->completion);
	uint32_t skip = next_random(&random_state) % MAX_IO;
	uint32_t length = 1 + next_random(&random_state) % (MAX_IO - skip);
	char *data = one_in(4) ? elsewhere : state->request->data;

	ublk_queue_transfer(queue, sqe, false, data + skip, length);
	wrong += sqe->opcode == IORING_OP_READ_FIXED && data == elsewhere;
}

static int submit(struct ublk_queue *queue, struct ublk_request *request)
{
	struct state_of_request *state = request->state;

	state->completion.done = answer_later;
	state->request = request;
	if (one_in(2)) {
		/*
		 * Data that comes into the buffer before that must not be lost.
		 */
		if (request->op == UBLK_IO_OP_READ)
			memset(request->data, 0, MAX_IO);
		transfer(queue, state);
		return UBLK_LATER;
	}
	if (request->op == UBLK_IO_OP_READ)
		fill(request->data, slots[request->tag].seed);
	else
		wrong += !is_filled(request->data, slots[request->tag].seed);
	return request->length;
}

static const struct ublk_target target = {
	.name = "test",
	.request_size = sizeof(struct state_of_request),
	.submit = submit,
};

/*
 * A target that moves data without accessing it: the last part of each request.
 */
static uint16_t lent_for(const struct io_uring_sqe *sqe)
{
	return ((struct state_of_request *)(uintptr_t)sqe->user_data)->request->tag;
}

static void moved(struct ublk_queue *queue, struct ublk_completion *completion,
		  int result)
{
	struct state_of_request *state = (struct state_of_request *)completion;

	(void)result;
	ublk_request_done(queue, state->request, state->request->length);
}

static int move(struct ublk_queue *queue, struct ublk_request *request)
{
	struct state_of_request *state = request->state;
	uint32_t skip = next_random(&random_state) % MAX_IO;

	state->completion.done = moved;
	state->request = request;
	ublk_queue_transfer(queue, ublk_queue_sqe(queue, &state->completion),
			    false, (char *)request->data + skip, MAX_IO - skip);
	return UBLK_LATER;
}

static const struct ublk_target moving_target = {
	.name = "moving",
	.request_size = sizeof(struct state_of_request),
	.submit = move,
};

/* A target that answers in its work(), and then has more work. */
static struct ublk_request *left[DEPTH];
static unsigned int left_count;

static int leave(struct ublk_queue *queue, struct ublk_request *request)
{
	left[left_count++] = request;
	ublk_queue_get(queue);
	pieces++;
	return UBLK_LATER;
}

static bool work(struct ublk_queue *queue)
{
	if (left_count) {
		struct ublk_request *request = left[--left_count];

		if (request->op == UBLK_IO_OP_READ)
			fill(request->data, slots[request->tag].seed);
		ublk_request_done(queue, request, request->length);
	} else if (pieces) {
		ublk_queue_put(queue);
		pieces--;
		worked++;
	}
	return left_count || pieces;
}

static const struct ublk_target working_target = {
	.name = "working",
	.request_size = sizeof(struct state_of_request),
	.submit = leave,
	.work = work,
};

static void report(void *arg, int state)
{
	(void)arg;
	ended += state == 1;
	wrong += state < 0;
	reported = state;
}

/* How many requests and bytes were counted, and how many latencies. */
static uint64_t counted(unsigned int what)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < COUNTERS_OPS; i++)
		for (unsigned int n = what; n < (what == COUNT_BUCKET ?
						 OP_COUNTS : what + 1); n++)
			sum += counter_get(&counters->queues[0].ops[i][n]);
	return sum;
}

/* Runs a queue from start to end, with fresh state. */
static void run(const struct ublk_queue_setup *setup)
{
	struct ublk_queue queue = { .setup = setup };

	descriptors = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
			   setup->files[0], UBLKSRV_CMD_BUF_OFFSET);
	if (descriptors == MAP_FAILED)
		abort();
	memset(slots, 0, sizeof(slots));
	memset(used, 0, sizeof(used));
	memset(counters->queues, 0, sizeof(counters->queues[0]));
	sq_head = cq_head = cq_tail = operation_count = 0;
	registered_count = by_registered = by_address = 0;
	under_way = delivered = wrong = ended = 0;
	sched_getaffinity(0, sizeof(queue.cpus), &queue.cpus);
	if (queue_start(&queue))
		abort();
	queue_join(&queue);
	munmap(descriptors, 4096);
}

/*
 * Serves as @shares and @registers say, with at most @at_once requests in
 * flight.
 */
static void test(const char *what, bool shares, bool registers, bool in_parts,
		 unsigned int at_once)
{
	struct ublk_queue_setup setup = {
		.target = &target, .files = &file, .file_count = 1,
		.depth = DEPTH, .max_io = MAX_IO, .buffers = buffers,
		.encoded = true, .shares_buffers = shares,
		.registers_buffers = registers, .counters = counters, .report = report,
	};
	unsigned int touched = 0;

	asks = shares;
	partly = in_parts;
	most = at_once;
	run(&setup);
	for (unsigned int i = 0; i < DEPTH; i++)
		touched += used[i];
	check(!wrong && ended == 1 && delivered == REQUESTS && !under_way,
	      "%s, %u at once: %u requests, %u wrong", what, at_once, delivered,
	      wrong);
	check(counted(COUNT_REQUESTS) == delivered &&
	      counted(COUNT_BYTES) == (uint64_t)delivered * MAX_IO &&
	      !counted(COUNT_ERRORS), "%s: each is counted, with its bytes",
	      what);
	check(!counted(COUNT_BUCKET) && !counted(COUNT_NS),
	      "%s: none is measured, because nobody watches", what);
	check(let_go_first, "%s: the ring's files are closed before it", what);
	check(by_address && !by_registered == (!registers || refuses),
	      "%s: %u transfers by registered buffers, %u by address", what,
	      by_registered, by_address);
	/*
	 * The buffers of a batch are free once the kernel has accepted all of
	 * it.
	 */
	if (shares && !in_parts)
		check(touched <= at_once, "%s: %u buffers were used", what,
		      touched);
}

/* Buffers are addresses without memory: any access would crash here. */
static void test_zero_copy(void)
{
	struct ublk_queue_setup setup = {
		.target = &moving_target, .files = &file, .file_count = 1,
		.depth = DEPTH, .max_io = MAX_IO, .encoded = true,
		.zero_copy = true, .counters = counters, .report = report,
	};

	setup.buffers = mmap(NULL, DEPTH * MAX_IO, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (setup.buffers == MAP_FAILED)
		abort();
	asks = partly = false;
	lends = true;
	most = DEPTH;
	run(&setup);
	lends = false;
	check(!wrong && ended == 1 && delivered == REQUESTS,
	      "pages that are lent: %u requests, %u wrong", delivered, wrong);
	check(by_registered == REQUESTS && !by_address,
	      "%u transfers of lent pages, %u of others", by_registered,
	      by_address);
	munmap(setup.buffers, DEPTH * MAX_IO);
}

/* A queue neither sleeps nor ends while its target has work. */
static void test_work(void)
{
	struct ublk_queue_setup setup = {
		.target = &working_target, .files = &file, .file_count = 1,
		.depth = DEPTH, .max_io = MAX_IO, .buffers = buffers,
		.encoded = true, .counters = counters, .report = report,
	};

	asks = partly = false;
	most = DEPTH;
	run(&setup);
	check(!wrong && ended == 1 && delivered == REQUESTS,
	      "a target with work: %u requests, %u wrong", delivered, wrong);
	check(worked == REQUESTS && !pieces, "%u pieces are done, %u are left",
	      worked, pieces);
}

/*
 * Commands that the driver has accepted end with the thread that submitted
 * them, and the ring is closed after that.
 */
static void test_refused(void)
{
	struct ublk_queue_setup setup = {
		.target = &target, .files = &file, .file_count = 1,
		.depth = DEPTH, .max_io = MAX_IO, .buffers = buffers,
		.encoded = true, .counters = counters, .report = report,
	};

	refuses_fetch = true;
	asks = partly = false;
	run(&setup);
	check(reported == UBLK_IO_RES_ABORT && !delivered,
	      "a FETCH is refused: reported %d", reported);
	check(pthread_equal(closed_by, pthread_self()),
	      "the ring is closed when its thread has ended");
	check(!let_go_first, "it is not asked to wait for what it has");
	no_ring = true;
	closed = 0;
	run(&setup);
	check(reported == -ENOMEM && !closed,
	      "no ring: reported %d, %u closed", reported, closed);
}

/* A ring whose target has reserved a place for a file may replace that file. */
static void test_reserved(void)
{
	int files[] = { file, -1 };
	struct ublk_queue_setup setup = {
		.target = &target, .files = files, .file_count = 1,
		.depth = DEPTH, .max_io = MAX_IO, .buffers = buffers,
		.encoded = true, .counters = counters, .report = report,
	};
	struct ublk_queue queue = { };

	refuses_fetch = no_ring = asks = partly = false;
	most = DEPTH;
	run(&setup);
	check(!may_replace && !may_cancel,
	      "the files of a ring stay what they are");
	setup.file_count = 2;
	run(&setup);
	check(may_replace && may_cancel && delivered == REQUESTS && !wrong,
	      "but where a place is reserved: %u requests, %u wrong", delivered,
	      wrong);
	check(!ublk_queue_replace_file(&queue, 1, file) && replaced_at == 1 &&
	      replaced_by == file, "another file takes its place");
}

/* While somebody watches, each request is measured; and then none again. */
static void test_counters(void)
{
	struct ublk_queue_setup setup = {
		.target = &working_target, .files = &file, .file_count = 1,
		.depth = DEPTH, .max_io = MAX_IO, .buffers = buffers,
		.encoded = true, .counters = counters, .report = report,
	};

	refuses_fetch = no_ring = false;
	most = DEPTH;
	counters_watch(counters, 3600);
	run(&setup);
	check(counters->watched && counted(COUNT_BUCKET) == REQUESTS,
	      "watched: %llu latencies",
	      (unsigned long long)counted(COUNT_BUCKET));
	check(counted(COUNT_NS) >= counted(COUNT_LONGEST) &&
	      counted(COUNT_LONGEST), "their sum, and the longest");
	counters->watched = 1;
	run(&setup);
	check(!counters->watched && !counted(COUNT_BUCKET) &&
	      counted(COUNT_REQUESTS) == REQUESTS,
	      "nobody has watched for long: none");
}

int main(void)
{
	file = memfd_create("descriptors", MFD_CLOEXEC);
	if (file < 0 || ftruncate(file, 4096))
		return 1;
	buffers = aligned_alloc(4096, DEPTH * MAX_IO);
	counters = aligned_alloc(64, sizeof(*counters) +
				 sizeof(struct queue_counters));
	if (!buffers || !counters)
		return 1;
	memset(counters, 0, sizeof(*counters));
	test("a buffer for each tag", false, false, false, DEPTH);
	test("a buffer for each tag, taken in parts", false, false, true, DEPTH);
	test("registered buffers", false, true, false, DEPTH);
	refuses = true;
	test("registered buffers, refused", false, true, false, DEPTH);
	refuses = false;
	test("shared buffers", true, false, false, DEPTH);
	test("shared buffers, few", true, false, false, 5);
	test("shared buffers, taken in parts", true, false, true, DEPTH);
	test("shared buffers, few, taken in parts", true, false, true, 5);
	test("shared buffers, registered", true, true, true, DEPTH);
	test_zero_copy();
	test_work();
	test_refused();
	test_counters();
	test_reserved();
	free(counters);
	free(buffers);
	return done_testing();
}

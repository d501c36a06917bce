// SPDX-License-Identifier: GPL-2.0
/*
 * A thread of the fuzzer, and what it can do at any time: control and I/O
 * commands that are almost right or random, mappings and copies of a queue, and
 * children that keep their parent's files open.
 */
#include "tests/driver/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARENA		(1UL << 20)
#define ENTRIES		64	/* in the ring; and arguments */
#define ARGUMENT	1024UL	/* bytes for each argument */

static const uint32_t control_op[OTHER_CONTROL] = {
	UBLK_U_CMD_ADD_DEV, UBLK_U_CMD_DEL_DEV, UBLK_U_CMD_DEL_DEV_ASYNC,
	UBLK_U_CMD_START_DEV, UBLK_U_CMD_STOP_DEV, UBLK_U_CMD_SET_PARAMS,
	UBLK_U_CMD_GET_PARAMS, UBLK_U_CMD_GET_DEV_INFO,
	UBLK_U_CMD_GET_DEV_INFO2, UBLK_U_CMD_GET_QUEUE_AFFINITY,
	UBLK_U_CMD_GET_FEATURES, UBLK_U_CMD_START_USER_RECOVERY,
	UBLK_U_CMD_END_USER_RECOVERY, UBLK_U_CMD_UPDATE_SIZE,
	UBLK_U_CMD_QUIESCE_DEV, UBLK_U_CMD_TRY_STOP_DEV,
};

/* How often each is sent, in relation to the sum. */
static const int control_weight[OTHER_CONTROL] = {
	12, 4, 1, 8, 3, 12, 4, 4, 4, 4, 2, 6, 6, 4, 3, 2,
};

bool thread_open(struct thread *t, uint64_t seed)
{
	int silent[2];	/* a pipe whose write end is never closed */

	memset(t, 0, sizeof(*t));
	t->random = seeded(seed);
	t->cdev = -1;
	t->queues = 2;
	t->depth = 4;
	t->control = open("/dev/ublk-control", O_RDWR);
	t->arena = mmap(NULL, 2 * ARENA, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t->read_only = mmap(NULL, page_bytes(), PROT_READ,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t->arguments = mmap(NULL, ENTRIES * ARGUMENT + page_bytes(),
			    PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (t->control < 0 || t->arena == MAP_FAILED ||
	    t->read_only == MAP_FAILED || t->arguments == MAP_FAILED)
		return false;
	/* Not unmapped: a later mapping of ours could take its place. */
	mprotect(t->arena + ARENA, ARENA, PROT_NONE);
	t->file = memfd_create("fuzz", 0);
	if (t->file < 0 || ftruncate(t->file, ARENA) || pipe(silent))
		return false;
	t->silent = silent[0];
	t->has_small = chance(&t->random, 20) &&
		       !io_uring_queue_init(8, &t->small, 0);
	if (io_uring_queue_init(ENTRIES, &t->ring, IORING_SETUP_SQE128))
		return false;
	if (chance(&t->random, 90))
		io_uring_register_buffers_sparse(&t->ring, BUFFERS);
	t->tags = (void *)(t->arguments + ENTRIES * ARGUMENT);
	give_tags(t, 0, BUFFERS);
	return true;
}

void thread_close(struct thread *t)
{
	io_uring_queue_exit(&t->ring);
	if (t->has_small)
		io_uring_queue_exit(&t->small);
	if (t->cdev >= 0)
		close(t->cdev);
	close(t->control);
	close(t->file);
	close(t->silent);
	munmap(t->arena, 2 * ARENA);
	munmap(t->read_only, page_bytes());
	munmap(t->arguments, ENTRIES * ARGUMENT + page_bytes());
}

uint64_t user_data(enum kind kind, unsigned int queue, unsigned int tag)
{
	return (uint64_t)kind << 32 | (queue & 0xffff) << 16 | (tag & 0xffff);
}

enum kind kind_of(uint64_t data)
{
	return data >> 32;
}

/*
 * Returns an SQE for a command to @fd, or NULL. Sometimes only 64 bytes long.
 */
static struct io_uring_sqe *entry(struct thread *t, int fd, uint32_t op,
				  uint64_t data)
{
	bool small = t->has_small && chance(&t->random, 5);
	struct io_uring *ring = small ? &t->small : &t->ring;
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe) {
		io_uring_submit(ring);
		sqe = io_uring_get_sqe(ring);
		if (!sqe)
			return NULL;
	}
	memset(sqe, 0, small ? sizeof(*sqe) : 2 * sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->cmd_op = op;
	sqe->user_data = data;
	if (chance(&t->random, 2))
		sqe->flags = IOSQE_ASYNC;
	sent(kind_of(data));
	return sqe;
}

/* Copies the command's body as far as the SQE is mapped: 16 or 80 bytes. */
static void set_body(struct thread *t, struct io_uring_sqe *sqe,
		     const void *body, size_t size)
{
	bool small = t->has_small && sqe >= t->small.sq.sqes &&
		     sqe < t->small.sq.sqes + t->small.sq.ring_entries;

	memcpy(sqe->cmd, body, small && size > 16 ? 16 : size);
}

bool copies_nothing(const struct thread *t)
{
	return t->flags & (UBLK_F_USER_COPY | UBLK_F_SUPPORT_ZERO_COPY |
			   UBLK_F_AUTO_BUF_REG);
}

uint64_t address(struct thread *t, bool right)
{
	struct random *random = &t->random;

	if (right)
		return (uintptr_t)t->arena + below(random, 8) * 128 * 1024;
	switch (below(random, 10)) {
	case 0:
		return 0;
	case 1:
		return (uintptr_t)t->arena + below(random, ARENA);
	case 2:		/* only its start can be accessed */
		return (uintptr_t)t->arena + ARENA - 1 - below(random, page_bytes());
	case 3:
		return (uintptr_t)t->arena + ARENA;
	case 4:
		return (uintptr_t)t->read_only;
	case 5:
		return 0xffff888000000000ULL + number(random) % (1ULL << 30);
	case 6:
		return 0xffffffff81000000ULL + below(random, 1U << 24);
	case 7:
		return 0x0000800000000000ULL - below(random, 2 * page_bytes());
	case 8:
		return 0x8000000000000000ULL | number(random);
	default:
		return 8;
	}
}

/*
 * Returns the next buffer for an argument. The kernel may still use the last
 * ones.
 */
static char *argument(struct thread *t)
{
	char *place = t->arguments + t->argument++ % ENTRIES * ARGUMENT;

	memset(place, 0, ARGUMENT);
	return place;
}

const void *last_argument(const struct thread *t)
{
	return t->arguments + (t->argument - 1) % ENTRIES * ARGUMENT;
}

void control(struct thread *t, enum kind kind, int id, const void *data,
	     size_t size, uint64_t value, bool right)
{
	struct random *random = &t->random;
	struct ublksrv_ctrl_cmd cmd = {
		.dev_id = id,
		.queue_id = -1,
		.len = size,
		.data = { value },
	};
	uint32_t op = control_op[kind];
	struct io_uring_sqe *sqe;
	char *place = argument(t);

	if (kind == GET_DEV_INFO2) {
		cmd.dev_path_len = snprintf(place, 32, "/dev/ublkc%d", id) + 1;
		cmd.len += cmd.dev_path_len;
	}
	if (size) {
		memcpy(place + cmd.dev_path_len, data, size);
		cmd.addr = (uintptr_t)place;
	}
	if (kind == GET_QUEUE_AFFINITY)
		cmd.data[0] = below(random, 3);
	if (!right) {
		switch (below(random, 7)) {
		case 0:
			cmd.addr = address(t, false);
			break;
		case 1:
			cmd.len = chance(random, 50) ? below(random, 256)
						     : number(random);
			break;
		case 2:
			cmd.queue_id = below(random, 4);
			break;
		case 3:
			cmd.data[0] = number(random);
			break;
		case 4:
			cmd.dev_path_len = chance(random, 50) ?
				below(random, 64) : number(random);
			break;
		case 5:
			op = bent(random, op);
			break;
		default:
			cmd.pad = number(random);
			cmd.reserved = number(random);
			break;
		}
	}
	if (op != control_op[kind])
		kind = OTHER_CONTROL;
	sqe = entry(t, t->control, op, user_data(kind, 0, 0));
	if (sqe)
		set_body(t, sqe, &cmd, sizeof(cmd));
}

static void some_control(struct thread *t)
{
	struct random *random = &t->random;
	struct ublksrv_ctrl_dev_info info;
	struct ublk_params params;
	int id = some_id(random), sum = 0, i;
	static const char zero[64];
	bool right = chance(random, 75);
	enum kind kind;

	for (i = 0; i < OTHER_CONTROL; i++)
		sum += control_weight[i];
	sum = below(random, sum);
	for (kind = 0; sum >= control_weight[kind]; kind++)
		sum -= control_weight[kind];
	switch (kind) {
	case ADD_DEV:
		info = some_info(random, id);
		control(t, kind, id, &info, sizeof(info), 0, right);
		break;
	case SET_PARAMS:
		params = some_params(random);
		control(t, kind, id, &params, params.len <= sizeof(params) ?
			params.len : sizeof(params), 0, right);
		break;
	case GET_PARAMS:
		params.len = sizeof(params);
		control(t, kind, id, &params, sizeof(params), 0, right);
		break;
	case GET_DEV_INFO:
	case GET_DEV_INFO2:
		control(t, kind, id, zero, sizeof(info), 0, right);
		break;
	case GET_QUEUE_AFFINITY:
	case GET_FEATURES:
		control(t, kind, id, zero, 8, 0, right);
		break;
	case UPDATE_SIZE:
		control(t, kind, id, NULL, 0, below(random, 1 << 16), right);
		break;
	case QUIESCE_DEV:
		control(t, kind, id, NULL, 0, 1 + below(random, 100), right);
		break;
	default:
		control(t, kind, id, NULL, 0, getpid(), right);
		break;
	}
}

unsigned int buffer_of(unsigned int queue, unsigned int tag)
{
	return (queue * BUFFERS / 2 + tag) % BUFFERS;
}

/* Where the pages of the next request go; see UBLK_F_AUTO_BUF_REG. */
static uint64_t some_lending(struct thread *t, unsigned int queue,
			     unsigned int tag)
{
	struct random *random = &t->random;
	const struct ublk_auto_buf_reg lending = {
		.index = chance(random, 95) ? buffer_of(queue, tag) :
					      number(random),
		.flags = chance(random, 50) ? UBLK_AUTO_BUF_REG_FALLBACK : 0,
	};

	return below(random, 500) ? ublk_auto_buf_reg_to_sqe_addr(&lending) :
				    number(random);
}

void buffer_io(struct thread *t, unsigned int index)
{
	struct random *random = &t->random;
	const bool reads = chance(random, 50);
	const int fd = reads && chance(random, 5) ? t->silent : t->file;
	void *offset = (void *)(uintptr_t)(chance(random, 80) ? 0 :
					   below(random, 1 << 16));
	unsigned int size = 512U << below(random, 8);
	struct io_uring_sqe *sqe = io_uring_get_sqe(&t->ring);

	if (!sqe)
		return;
	memset(sqe, 0, 2 * sizeof(*sqe));
	if (reads)
		io_uring_prep_read_fixed(sqe, fd, offset, size, 0, index);
	else
		io_uring_prep_write_fixed(sqe, fd, offset, size, 0, index);
	if (chance(random, 20))
		sqe->flags = IOSQE_ASYNC;
	sqe->user_data = user_data(BUFFER_IO, 0, 0);
	sent(BUFFER_IO);
}

void io(struct thread *t, enum kind kind, unsigned int queue, unsigned int tag,
	int result, uint64_t addr)
{
	static const uint32_t ops[] = {
		UBLK_U_IO_FETCH_REQ, UBLK_U_IO_COMMIT_AND_FETCH_REQ,
		UBLK_U_IO_NEED_GET_DATA, UBLK_U_IO_REGISTER_IO_BUF,
		UBLK_U_IO_UNREGISTER_IO_BUF,
	};
	struct ublksrv_io_cmd cmd = {
		.q_id = queue,
		.tag = tag,
		.result = result,
		.addr = addr,
	};
	uint32_t op = kind == OTHER_IO ? number(&t->random) :
					 ops[kind - FETCH_REQ];
	struct io_uring_sqe *sqe;

	sqe = entry(t, t->cdev, op, user_data(kind, queue, tag));
	if (!sqe)
		return;
	sqe->addr = some_lending(t, queue, tag);
	set_body(t, sqe, &cmd, sizeof(cmd));
}

void give_tags(struct thread *t, unsigned int first, unsigned int count)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&t->ring);

	if (!sqe)
		return;
	memset(sqe, 0, 2 * sizeof(*sqe));
	io_uring_prep_provide_buffers(sqe, t->tags[first], sizeof(t->tags[0]),
				      count, 0, first);
	sqe->user_data = LIBURING_UDATA_TIMEOUT;	/* ignores its result */
}

void batch(struct thread *t, enum kind kind, unsigned int queue,
	   unsigned int first, const uint16_t *tags, unsigned int count,
	   bool right)
{
	static const uint32_t ops[] = {
		UBLK_U_IO_PREP_IO_CMDS, UBLK_U_IO_COMMIT_IO_CMDS,
		UBLK_U_IO_FETCH_IO_CMDS,
	};
	struct random *random = &t->random;
	const bool fetches = kind == FETCH_IO_CMDS;
	const bool copies = !copies_nothing(t);
	struct ublk_batch_io body = {
		.q_id = queue,
		.nr_elem = count,
		.flags = fetches ? 0 : copies ? UBLK_BATCH_F_HAS_BUF_ADDR :
			 t->flags & UBLK_F_AUTO_BUF_REG && chance(random, 50) ?
			 UBLK_BATCH_F_AUTO_BUF_REG_FALLBACK : 0,
		.elem_bytes = fetches ? 2 : copies ? sizeof(struct raw_elem) :
			      sizeof(struct ublk_elem_header),
	};
	char *elems = argument(t);
	struct io_uring_sqe *sqe;

	for (unsigned int i = 0; !fetches && i < count && i < 64; i++) {
		struct raw_elem elem = {
			.header = {
				.tag = tags ? tags[i] : first + i,
				.result = chance(random, 90) ? 4096 :
					  some_result(random),
			},
			.addr = address(t, chance(random, 99)),
		};

		elem.header.buf_index = buffer_of(queue, elem.header.tag);
		memcpy(elems + i * body.elem_bytes, &elem, body.elem_bytes);
	}
	if (!right) {
		unsigned char *bytes = (unsigned char *)&body;

		bytes[below(random, sizeof(body))] ^= 1 << below(random, 8);
	}
	sqe = entry(t, t->cdev, ops[kind - PREP_IO_CMDS],
		    user_data(kind, queue, 0));
	if (!sqe)
		return;
	sqe->addr = right || chance(random, 80) ? (uintptr_t)elems :
						  address(t, false);
	if (fetches) {
		sqe->flags |= IOSQE_BUFFER_SELECT;
		sqe->uring_cmd_flags = IORING_URING_CMD_MULTISHOT;
		sqe->buf_group = right || chance(random, 80) ? 0 : 1;
	}
	set_body(t, sqe, &body, sizeof(body));
}

void some_io(struct thread *t)
{
	if (chance(&t->random, t->flags & UBLK_F_BATCH_IO ? 60 : 3))
		return batch(t, PREP_IO_CMDS + below(&t->random, 3),
			     below(&t->random, t->queues),
			     below(&t->random, t->depth), NULL,
			     1 + below(&t->random, 4), chance(&t->random, 60));
	struct random *random = &t->random;
	unsigned int queue = below(random, t->queues);
	unsigned int tag = below(random, t->depth);
	enum kind kind = FETCH_REQ + below(random, 5);
	uint64_t addr = address(t, chance(random, 60));

	if (chance(random, 5))
		queue = number(random);
	if (chance(random, 5))
		tag = number(random);
	if (chance(random, 4))
		kind = OTHER_IO;
	if (kind == REGISTER_IO_BUF || kind == UNREGISTER_IO_BUF)
		addr = chance(random, 95) ? below(random, BUFFERS + 1) :
					    number(random);
	else if (copies_nothing(t) && chance(random, 60))
		addr = 0;
	io(t, kind, queue, tag, some_result(random), addr);
	if (copies_nothing(t) && chance(random, 20))
		buffer_io(t, below(random, BUFFERS));
}

bool open_char(struct thread *t, int id)
{
	char path[32];

	if (t->cdev >= 0)
		close(t->cdev);
	snprintf(path, sizeof(path), "/dev/ublkc%d", id);
	t->cdev = called(OPEN_CHAR, open(path, O_RDWR | O_NONBLOCK));
	t->id = id;
	return t->cdev >= 0;
}

static void some_mmap(struct thread *t)
{
	struct random *random = &t->random;
	int prot = chance(random, 80) ? PROT_READ : PROT_READ | PROT_WRITE;
	size_t size = chance(random, 70) ? raw_desc_size(t->depth)
					 : page_bytes() << below(random, 12);
	off_t offset = raw_desc_offset(below(random, 3));
	volatile char *map;

	if (chance(random, 15))
		offset = number(random) & -(uint64_t)page_bytes() & INT64_MAX;
	map = mmap(NULL, size, prot, chance(random, 70) ? MAP_SHARED
							: MAP_PRIVATE,
		   t->cdev, offset);
	called(MMAP, map == MAP_FAILED ? -1 : 0);
	if (map == MAP_FAILED)
		return;
	/* The requested length was granted, so all of it must be readable. */
	(void)map[below(random, size)];
	/* A mapping that was refused for writing must not become writable. */
	if (!(prot & PROT_WRITE) && chance(random, 30))
		called(MMAP, mprotect((void *)map, size,
				      PROT_READ | PROT_WRITE));
	if (chance(random, 70))
		munmap((void *)map, size);
}

static void some_copy(struct thread *t)
{
	struct random *random = &t->random;
	off_t offset = raw_copy_offset(below(random, t->queues),
				       below(random, t->depth),
				       below(random, 4) << 12);
	size_t size = 1 + below(random, 1 << 14);
	void *place = (void *)(uintptr_t)address(t, chance(random, 80));

	if (chance(random, 20))
		offset = number(random) & INT64_MAX;
	if (chance(random, 10))
		offset += below(random, 1 << 26);
	if (chance(random, 50))
		called(PREAD, pread(t->cdev, place, size, offset));
	else
		called(PWRITE, pwrite(t->cdev, place, size, offset));
}

void execute_sleep(void)
{
	execl("/proc/self/exe", "fuzz", "--sleep", "200", (char *)NULL);
	_exit(127);
}

/* A child that keeps its parent's files open, for a while. */
static void some_fork(struct thread *t)
{
	unsigned int ms = below(&t->random, 200);
	bool execute = chance(&t->random, 30);
	pid_t pid = fork();

	if (pid)
		return;
	if (execute)
		execute_sleep();
	wait_ms(ms);
	_exit(0);
}

void anything(struct thread *t)
{
	struct random *random = &t->random;
	unsigned int what = below(random, 100);

	if (what < 40 || t->cdev < 0)
		some_control(t);
	else if (what < 80)
		some_io(t);
	else if (what < 88)
		some_mmap(t);
	else if (what < 98)
		some_copy(t);
	else
		some_fork(t);
	if (t->cdev < 0 && chance(random, 30))
		open_char(t, some_id(random));
	else if (t->cdev >= 0 && chance(random, 2))
		open_char(t, some_id(random));
}

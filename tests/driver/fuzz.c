// SPDX-License-Identifier: GPL-2.0
/*
 * A fuzzer of the ublk driver. Several processes send commands that are random
 * or nearly right, serve devices badly, and use the disks; they are killed at
 * any moment and others take their place. Afterwards everything must be gone or
 * go when told to, and a new device must work.
 *
 * It takes all ublk devices of the board for its own, and so refuses to start
 * where there is one. It opens no other device. What a process does follows from
 * the seed; when it does it is the scheduler's.
 */
#include "tests/driver/raw.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES	6	/* at a time, beside those that do not die */
#define CROWD		48	/* with those */
#define IDS		4	/* of devices that are mostly meant */
#define PATIENCE_MS	15000	/* for the end, under emulation */
#define PAGE		4096UL
#define ARENA		(1UL << 20)
#define ENTRIES		64
#define ARGUMENT	1024UL

#define NR_OF(list)	(sizeof(list) / sizeof(*(list)))

/* What is counted, and under which name. */
enum kind {
	ADD_DEV, DEL_DEV, DEL_DEV_ASYNC, START_DEV, STOP_DEV, SET_PARAMS,
	GET_PARAMS, GET_DEV_INFO, GET_DEV_INFO2, GET_QUEUE_AFFINITY,
	GET_FEATURES, START_USER_RECOVERY, END_USER_RECOVERY, UPDATE_SIZE,
	QUIESCE_DEV, OTHER_CONTROL, FETCH_REQ, COMMIT_AND_FETCH_REQ,
	NEED_GET_DATA, OTHER_IO, OPEN_CHAR, OPEN_DISK, MMAP, PREAD, PWRITE,
	DISK_READ, DISK_WRITE, DISK_FSYNC, DISK_FALLOCATE, DISK_OTHER, KINDS
};

static const char *const names[KINDS] = {
	"ADD_DEV", "DEL_DEV", "DEL_DEV_ASYNC", "START_DEV", "STOP_DEV",
	"SET_PARAMS", "GET_PARAMS", "GET_DEV_INFO", "GET_DEV_INFO2",
	"GET_QUEUE_AFFINITY", "GET_FEATURES", "START_USER_RECOVERY",
	"END_USER_RECOVERY", "UPDATE_SIZE", "QUIESCE_DEV", "other control",
	"FETCH_REQ", "COMMIT_AND_FETCH", "NEED_GET_DATA", "other I/O command",
	"open ublkcN", "open ublkbN", "mmap ublkcN", "pread ublkcN",
	"pwrite ublkcN", "read disk", "write disk", "fsync disk",
	"fallocate disk", "other disk",
};

static const uint32_t control_op[OTHER_CONTROL] = {
	UBLK_U_CMD_ADD_DEV, UBLK_U_CMD_DEL_DEV, UBLK_U_CMD_DEL_DEV_ASYNC,
	UBLK_U_CMD_START_DEV, UBLK_U_CMD_STOP_DEV, UBLK_U_CMD_SET_PARAMS,
	UBLK_U_CMD_GET_PARAMS, UBLK_U_CMD_GET_DEV_INFO,
	UBLK_U_CMD_GET_DEV_INFO2, UBLK_U_CMD_GET_QUEUE_AFFINITY,
	UBLK_U_CMD_GET_FEATURES, UBLK_U_CMD_START_USER_RECOVERY,
	UBLK_U_CMD_END_USER_RECOVERY, UBLK_U_CMD_UPDATE_SIZE,
	UBLK_U_CMD_QUIESCE_DEV,
};

/* How often each is sent, of the sum. */
static const int control_weight[OTHER_CONTROL] = {
	12, 4, 1, 8, 3, 12, 4, 4, 4, 4, 2, 6, 6, 4, 3,
};

/* Answers: 0 is success, 1 to 133 an errno, then another number. */
#define ANSWERS		135

/* Shared by all processes. */
static struct shared {
	atomic_ulong sent;
	atomic_ulong count[KINDS][ANSWERS + 1];	/* the last: sent */
	atomic_bool over;
} *shared;

struct random {
	uint64_t state;
};

static uint64_t number(struct random *random)
{
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return random->state * 0x2545f4914f6cdd1dULL;
}

static unsigned int below(struct random *random, unsigned int limit)
{
	return (number(random) >> 32) % limit;
}

static bool chance(struct random *random, unsigned int percent)
{
	return below(random, 100) < percent;
}

#define one_of(random, list)	((list)[below(random, NR_OF(list))])

/* Neighbouring seeds must not give similar sequences. */
static struct random seeded(uint64_t seed)
{
	struct random random = { .state = seed * 0x9e3779b97f4a7c15ULL + 1 };
	int i;

	if (!random.state)
		random.state = 1;
	for (i = 0; i < 16; i++)
		number(&random);
	return random;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wait_ms(int ms)
{
	poll(NULL, 0, ms);
}

static void sent(enum kind kind)
{
	shared->count[kind][ANSWERS]++;
	shared->sent++;
}

static void answered(enum kind kind, int result)
{
	int answer = result >= 0 ? 0 : -result < ANSWERS - 1 ? -result
							     : ANSWERS - 1;

	shared->count[kind][answer]++;
}

/* Of a system call that is made and answered at once. */
static long called(enum kind kind, long ret)
{
	sent(kind);
	answered(kind, ret < 0 ? -errno : 0);
	return ret;
}

/*
 * One thread of a process: its random numbers, a ring for commands, one for
 * those with 64-byte entries, and memory for buffers.
 */
struct thread {
	struct random random;
	struct io_uring ring;
	struct io_uring small;
	bool has_small;
	int control;
	int cdev;		/* or -1 */
	int id;			/* of cdev */
	int queues;		/* as far as known */
	int depth;
	char *arena;		/* ARENA bytes, and as much without access */
	char *read_only;	/* a page */
	char *arguments;	/* ENTRIES of ARGUMENT bytes */
	unsigned int argument;
	const struct ublksrv_io_desc *desc[2];	/* when it serves */
};

static bool thread_open(struct thread *t, uint64_t seed)
{
	memset(t, 0, sizeof(*t));
	t->random = seeded(seed);
	t->cdev = -1;
	t->queues = 2;
	t->depth = 4;
	t->control = open("/dev/ublk-control", O_RDWR);
	t->arena = mmap(NULL, 2 * ARENA, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t->read_only = mmap(NULL, PAGE, PROT_READ,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t->arguments = mmap(NULL, ENTRIES * ARGUMENT, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (t->control < 0 || t->arena == MAP_FAILED ||
	    t->read_only == MAP_FAILED || t->arguments == MAP_FAILED)
		return false;
	/* Not unmapped: something that is ours would be mapped there. */
	mprotect(t->arena + ARENA, ARENA, PROT_NONE);
	t->has_small = chance(&t->random, 20) &&
		       !io_uring_queue_init(8, &t->small, 0);
	return !io_uring_queue_init(ENTRIES, &t->ring, IORING_SETUP_SQE128);
}

static void thread_close(struct thread *t)
{
	io_uring_queue_exit(&t->ring);
	if (t->has_small)
		io_uring_queue_exit(&t->small);
	if (t->cdev >= 0)
		close(t->cdev);
	close(t->control);
	munmap(t->arena, 2 * ARENA);
	munmap(t->read_only, PAGE);
	munmap(t->arguments, ENTRIES * ARGUMENT);
}

/* user_data: what was sent, and with which queue and tag. */
static uint64_t user_data(enum kind kind, unsigned int queue, unsigned int tag)
{
	return (uint64_t)kind << 32 | (queue & 0xffff) << 16 | (tag & 0xffff);
}

static enum kind kind_of(uint64_t data)
{
	return data >> 32;
}

/* An entry for a command to @fd, or NULL. Sometimes it is half of one. */
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

/* Copies a command's body as far as the entry is mapped: 16 or 80 bytes. */
static void set_body(struct thread *t, struct io_uring_sqe *sqe,
		     const void *body, size_t size)
{
	bool small = t->has_small && sqe >= t->small.sq.sqes &&
		     sqe < t->small.sq.sqes + t->small.sq.ring_entries;

	memcpy(sqe->cmd, body, small && size > 16 ? 16 : size);
}

/* The opcode as it is, plain, of another size or direction, or any. */
static uint32_t bent(struct random *random, uint32_t op)
{
	switch (below(random, 24)) {
	case 0:
		return _IOC_NR(op);
	case 1:
		return op ^ 1U << below(random, 32);
	case 2:
		return number(random);
	default:
		return op;
	}
}

/* An address for data, where the kernel may read and write or not. */
static uint64_t address(struct thread *t, bool right)
{
	struct random *random = &t->random;

	if (right)
		return (uintptr_t)t->arena + below(random, 8) * 128 * 1024;
	switch (below(random, 10)) {
	case 0:
		return 0;
	case 1:
		return (uintptr_t)t->arena + below(random, ARENA);
	case 2:		/* can be accessed at its beginning only */
		return (uintptr_t)t->arena + ARENA - 1 - below(random, PAGE);
	case 3:
		return (uintptr_t)t->arena + ARENA;
	case 4:
		return (uintptr_t)t->read_only;
	case 5:
		return 0xffff888000000000ULL + number(random) % (1ULL << 30);
	case 6:
		return 0xffffffff81000000ULL + below(random, 1U << 24);
	case 7:
		return 0x0000800000000000ULL - below(random, 2 * PAGE);
	case 8:
		return 0x8000000000000000ULL | number(random);
	default:
		return 8;
	}
}

static int some_id(struct random *random)
{
	static const int odd[] = {
		-1, IDS, IDS + 1, 63, 64, 65535, 1 << 20, (1 << 20) - 1,
		INT32_MAX, INT32_MIN,
	};

	if (chance(random, 92))
		return below(random, IDS);
	if (chance(random, 60))
		return below(random, 4 * IDS);
	return one_of(random, odd);
}

#define FEATURES ((1ULL << 14) - 1)

static uint64_t some_flags(struct random *random)
{
	static const uint64_t usual[] = {
		0, UBLK_F_NEED_GET_DATA, UBLK_F_USER_RECOVERY,
		UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_REISSUE,
		UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_FAIL_IO,
		UBLK_F_USER_RECOVERY | UBLK_F_NEED_GET_DATA,
		UBLK_F_USER_COPY, UBLK_F_USER_COPY | UBLK_F_USER_RECOVERY,
		UBLK_F_PER_IO_DAEMON, UBLK_F_URING_CMD_COMP_IN_TASK,
		UBLK_F_UNPRIVILEGED_DEV, UBLK_F_QUIESCE | UBLK_F_USER_RECOVERY,
	};

	if (chance(random, 85))
		return one_of(random, usual) | UBLK_F_CMD_IOCTL_ENCODE;
	return chance(random, 80) ? number(random) & FEATURES : number(random);
}

static struct ublksrv_ctrl_dev_info some_info(struct random *random, int id)
{
	static const int odd_queues[] = { 0, 3, 64, 4096, 4097, 65535 };
	static const int odd_depths[] = { 0, 1, 64, 4095, 4096, 4097, 65535 };
	static const uint32_t odd_sizes[] = {
		0, 1, 512, 4095, 4097, 1 << 20, 32 << 20, (32 << 20) + 4096,
		1U << 31, UINT32_MAX,
	};
	struct ublksrv_ctrl_dev_info info = {
		.nr_hw_queues = 1 + below(random, 2),
		.queue_depth = 1 + below(random, 8),
		.max_io_buf_bytes = 4096U << below(random, 6),
		.dev_id = id,
		.ublksrv_pid = getpid(),
		.flags = some_flags(random),
	};

	if (chance(random, 4))
		info.nr_hw_queues = one_of(random, odd_queues);
	if (chance(random, 4))
		info.queue_depth = one_of(random, odd_depths);
	/* 4096 of either is right, of both half a gigabyte. */
	if (info.nr_hw_queues > 64 && info.queue_depth > 64)
		info.queue_depth = 1;
	if (chance(random, 6))
		info.max_io_buf_bytes = one_of(random, odd_sizes);
	return info;
}

static struct ublk_params some_params(struct random *random)
{
	static const uint64_t odd_sizes[] = {
		0, 1, 7, 1ULL << 54, 1ULL << 55, 1ULL << 63, UINT64_MAX,
	};
	struct ublk_params params;
	unsigned char *bytes = (unsigned char *)&params;

	raw_params(&params, (1 + below(random, 64)) << 16,
		   4096U << below(random, 6));
	switch (below(random, 40)) {
	case 0:
		params.basic.logical_bs_shift = below(random, 16);
		break;
	case 1:
		params.basic.physical_bs_shift = below(random, 70);
		break;
	case 2:
		params.basic.dev_sectors = one_of(random, odd_sizes);
		break;
	case 3:
		params.basic.max_sectors = number(random);
		break;
	case 4:
		params.discard.max_discard_segments = below(random, 65536);
		params.discard.discard_granularity = number(random);
		break;
	case 5:
		params.types = number(random);
		break;
	case 6:
		params.len = below(random, 2 * sizeof(params));
		break;
	case 7:
		bytes[below(random, sizeof(params))] ^= 1 << below(random, 8);
		break;
	case 8:
		params.basic.attrs = number(random);
		break;
	default:
		break;
	}
	return params;
}

/* The next place for an argument; the kernel may still use the last ones. */
static char *argument(struct thread *t)
{
	char *place = t->arguments + t->argument++ % ENTRIES * ARGUMENT;

	memset(place, 0, ARGUMENT);
	return place;
}

/*
 * Sends a control command with the argument it wants at @data, or, when it is
 * not to be @right, with something else in one place or another.
 */
static void control(struct thread *t, enum kind kind, int id, const void *data,
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

/* Sends an I/O command. */
static void io(struct thread *t, enum kind kind, unsigned int queue,
	       unsigned int tag, int result, uint64_t addr)
{
	static const uint32_t ops[] = {
		UBLK_U_IO_FETCH_REQ, UBLK_U_IO_COMMIT_AND_FETCH_REQ,
		UBLK_U_IO_NEED_GET_DATA,
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
	if (sqe)
		set_body(t, sqe, &cmd, sizeof(cmd));
}

static int some_result(struct random *random)
{
	static const int odd[] = {
		0, 1, 511, 513, -1, -5, -11, -512, -4095, -4096, INT32_MAX,
		INT32_MIN, 1 << 20,
	};

	return chance(random, 50) ? one_of(random, odd)
				  : (int)below(random, 1 << 17);
}

static void some_io(struct thread *t)
{
	struct random *random = &t->random;
	unsigned int queue = below(random, t->queues);
	unsigned int tag = below(random, t->depth);
	enum kind kind = FETCH_REQ + below(random, 3);

	if (chance(random, 5))
		queue = number(random);
	if (chance(random, 5))
		tag = number(random);
	if (chance(random, 4))
		kind = OTHER_IO;
	io(t, kind, queue, tag, some_result(random),
	   address(t, chance(random, 60)));
}

/* Opens a device's character node, if it is there and nobody has it. */
static bool open_char(struct thread *t, int id)
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
					 : PAGE << below(random, 12);
	off_t offset = raw_desc_offset(below(random, 3));
	volatile char *map;

	if (chance(random, 15))
		offset = number(random) & ~(PAGE - 1) & INT64_MAX;
	map = mmap(NULL, size, prot, chance(random, 70) ? MAP_SHARED
							: MAP_PRIVATE,
		   t->cdev, offset);
	called(MMAP, map == MAP_FAILED ? -1 : 0);
	if (map == MAP_FAILED)
		return;
	/* The length asked for was granted, so all of it can be read. */
	(void)map[below(random, size)];
	/* What could not be mapped to write must not become so. */
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
	void *place = (void *)address(t, chance(random, 80));

	if (chance(random, 20))
		offset = number(random) & INT64_MAX;
	if (chance(random, 10))
		offset += below(random, 1 << 26);
	if (chance(random, 50))
		called(PREAD, pread(t->cdev, place, size, offset));
	else
		called(PWRITE, pwrite(t->cdev, place, size, offset));
}

/* The same program, doing nothing, with whatever was open. */
static void execute_sleep(void)
{
	execl("/proc/self/exe", "fuzz", "--sleep", "200", (char *)NULL);
	_exit(127);
}

/* A child that holds what its parent has open, for a while. */
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

static void submit(struct thread *t)
{
	io_uring_submit(&t->ring);
	if (t->has_small)
		io_uring_submit(&t->small);
}

/* Answers to the half entries are of no further use. */
static void reap_small(struct thread *t)
{
	struct io_uring_cqe *cqe;

	while (t->has_small && !io_uring_peek_cqe(&t->small, &cqe)) {
		answered(kind_of(cqe->user_data), cqe->res);
		io_uring_cqe_seen(&t->small, cqe);
	}
}

/* Answers a request as it should be, most of the time. */
static void serve(struct thread *t, unsigned int queue, unsigned int tag,
		  bool without_data)
{
	const struct ublksrv_io_desc *desc;
	struct random *random = &t->random;
	uint64_t addr = address(t, chance(random, 95));

	if (queue >= NR_OF(t->desc) || !t->desc[queue] ||
	    tag >= (unsigned int)t->depth)
		return;
	desc = &t->desc[queue][tag];
	if (chance(random, 3))
		return some_io(t);
	if (chance(random, 2))
		return;
	if (without_data)
		return io(t, NEED_GET_DATA, queue, tag, 0, addr);
	io(t, COMMIT_AND_FETCH_REQ, queue, tag, chance(random, 85) ?
	   (int)desc->nr_sectors << 9 : some_result(random), addr);
}

/* Takes what was answered within a short time; a server goes on with it. */
static void reap(struct thread *t, int ms)
{
	struct __kernel_timespec timeout = { .tv_nsec = ms * 1000000L };
	struct io_uring_cqe *cqe;

	submit(t);
	reap_small(t);
	if (io_uring_wait_cqe_timeout(&t->ring, &cqe, &timeout))
		return;
	do {
		uint64_t data = cqe->user_data;
		int result = cqe->res;
		enum kind kind = kind_of(data);

		io_uring_cqe_seen(&t->ring, cqe);
		if (data == LIBURING_UDATA_TIMEOUT || kind >= KINDS)
			continue;
		answered(kind, result);
		if (kind >= FETCH_REQ && kind <= NEED_GET_DATA &&
		    (result == UBLK_IO_RES_OK ||
		     result == UBLK_IO_RES_NEED_GET_DATA))
			serve(t, data >> 16 & 0xffff, data & 0xffff,
			      result == UBLK_IO_RES_NEED_GET_DATA);
	} while (!io_uring_peek_cqe(&t->ring, &cqe));
	submit(t);
}

static void anything(struct thread *t)
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

/* Random commands, with no plan. */
static void chaos(struct thread *t)
{
	int left = 20 + below(&t->random, 400);

	while (left-- && !shared->over) {
		anything(t);
		if (chance(&t->random, 15))
			reap(t, below(&t->random, 10));
	}
}

/* What another thread of a server does to its queue. */
static void *other_thread(void *argument)
{
	struct thread *server = argument;
	struct thread *t = calloc(1, sizeof(*t));
	int left;

	if (!t || !thread_open(t, number(&server->random)))
		return NULL;
	t->cdev = dup(server->cdev);
	t->queues = server->queues;
	t->depth = server->depth;
	for (left = 50; left-- && !shared->over;) {
		some_io(t);
		reap(t, below(&t->random, 5));
	}
	thread_close(t);
	free(t);
	return NULL;
}

/* Gets an answer to the only control command that is under way. */
static bool succeeded(struct thread *t, enum kind kind)
{
	struct __kernel_timespec timeout = { .tv_sec = 1 };
	struct io_uring_cqe *cqe;
	int result = -ETIME;

	submit(t);
	while (!io_uring_wait_cqe_timeout(&t->ring, &cqe, &timeout)) {
		enum kind of = kind_of(cqe->user_data);

		result = cqe->res;
		io_uring_cqe_seen(&t->ring, cqe);
		if (of < KINDS)
			answered(of, result);
		if (of == kind)
			return result >= 0;
	}
	return false;
}

static bool map_queues(struct thread *t)
{
	size_t size = raw_desc_size(t->depth);
	int i;

	for (i = 0; i < t->queues; i++) {
		t->desc[i] = mmap(NULL, size, PROT_READ, MAP_SHARED, t->cdev,
				  raw_desc_offset(i));
		if (called(MMAP, t->desc[i] == MAP_FAILED ? -1 : 0))
			return false;
	}
	return true;
}

static int open_soon(struct thread *t, int id)
{
	int64_t end = now_ms() + 300;

	while (!open_char(t, id) && now_ms() < end)
		wait_ms(5);
	return t->cdev;
}

/* Adds a device as a server does: where there is none, or in another's place. */
static int add(struct thread *t, struct ublksrv_ctrl_dev_info *info)
{
	struct random *random = &t->random;
	int id, tries;

	for (tries = 0; tries < 2 * IDS; tries++) {
		id = below(random, IDS);
		if (tries >= IDS && chance(random, 20)) {
			control(t, DEL_DEV, id, NULL, 0, 0, true);
			succeeded(t, DEL_DEV);
		}
		*info = some_info(random, id);
		control(t, ADD_DEV, id, info, sizeof(*info), 0, true);
		if (succeeded(t, ADD_DEV))
			return id;
	}
	return -1;
}

/*
 * A server that goes the right way to a live device, or takes over one whose
 * server is dead, and has its moods on the way.
 */
static void server(struct thread *t)
{
	struct random *random = &t->random;
	struct ublksrv_ctrl_dev_info info;
	struct ublk_params params;
	int id = below(random, IDS), queue, tag, left;
	bool recover = chance(random, 30);
	pthread_t thread;

	if (recover) {
		control(t, START_USER_RECOVERY, id, NULL, 0, 0, true);
		if (!succeeded(t, START_USER_RECOVERY))
			return chaos(t);
		info = some_info(random, id);
		control(t, GET_DEV_INFO, id, &info, sizeof(info), 0, true);
		if (!succeeded(t, GET_DEV_INFO))
			return;
		memcpy(&info, t->arguments + (t->argument - 1) % ENTRIES *
		       ARGUMENT, sizeof(info));
	} else {
		id = add(t, &info);
		if (id < 0)
			return chaos(t);
		params = some_params(random);
		control(t, SET_PARAMS, id, &params, sizeof(params), 0, true);
		succeeded(t, SET_PARAMS);
	}
	if (open_soon(t, id) < 0)
		return;
	t->queues = info.nr_hw_queues > 2 ? 2 : info.nr_hw_queues;
	t->depth = info.queue_depth > 64 ? 64 : info.queue_depth;
	if (!t->queues || !t->depth || !map_queues(t))
		return;
	for (queue = 0; queue < t->queues; queue++) {
		for (tag = 0; tag < t->depth; tag++) {
			if (chance(random, 1))
				anything(t);
			io(t, FETCH_REQ, queue, tag, -1,
			   info.flags & UBLK_F_USER_COPY ? 0 :
			   address(t, true));
		}
	}
	if (chance(random, 25) &&
	    !pthread_create(&thread, NULL, other_thread, t))
		pthread_detach(thread);
	control(t, recover ? END_USER_RECOVERY : START_DEV, id, NULL, 0,
		getpid(), true);
	for (left = 50 + below(random, 400); left-- && !shared->over;) {
		if (chance(random, 8))
			anything(t);
		reap(t, 5);
	}
}

/* The ways in which a disk is used by system calls that wait. */
static void disk_call(struct thread *t, int fd, uint64_t size)
{
	struct random *random = &t->random;
	uint64_t range[2] = {
		size ? number(random) % size & ~4095ULL : 0,
		4096ULL * (1 + below(random, 16)),
	};
	char *data = t->arena + below(random, 8) * 128 * 1024;

	switch (below(random, 6)) {
	case 0:
		called(DISK_READ, pread(fd, data, range[1], range[0]));
		break;
	case 1:
		called(DISK_WRITE, pwrite(fd, data, range[1], range[0]));
		break;
	case 2:
		called(DISK_FSYNC, fsync(fd));
		break;
	case 3:
		called(DISK_OTHER, ioctl(fd, BLKDISCARD, range));
		break;
	case 4:
		called(DISK_OTHER, ioctl(fd, BLKZEROOUT, range));
		break;
	default:
		called(DISK_OTHER, ioctl(fd, chance(random, 50) ? BLKRRPART
								: BLKFLSBUF));
		break;
	}
}

/* Uses a disk, mostly with several requests under way. */
static void client(struct thread *t)
{
	struct random *random = &t->random;
	int flags = chance(random, 80) ? O_DIRECT : 0;
	int left = 20 + below(random, 200), fd, id;
	struct io_uring_sqe *sqe;
	uint64_t size = 0, offset;
	unsigned int length;
	char path[32], *data;
	int64_t end = now_ms() + 300;

	do {
		id = below(random, IDS);
		snprintf(path, sizeof(path), "/dev/ublkb%d", id);
		fd = called(OPEN_DISK, open(path, O_RDWR | flags));
		if (fd < 0)
			wait_ms(10);
	} while (fd < 0 && now_ms() < end);
	if (fd < 0)
		return chaos(t);
	while (left-- && !shared->over) {
		ioctl(fd, BLKGETSIZE64, &size);
		if (chance(random, 5)) {
			disk_call(t, fd, size);
			continue;
		}
		sqe = io_uring_get_sqe(&t->ring);
		if (!sqe) {
			reap(t, 20);
			continue;
		}
		length = 512U << below(random, 8);
		offset = size ? number(random) % size & ~511ULL : 0;
		if (chance(random, 90)) {
			length = length < 4096 ? 4096 : length;
			offset &= ~4095ULL;
		}
		data = t->arena + below(random, 8) * 128 * 1024;
		memset(sqe, 0, 2 * sizeof(*sqe));
		switch (below(random, 10)) {
		case 0:
			io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
			sqe->user_data = user_data(DISK_FSYNC, 0, 0);
			break;
		case 1:
			io_uring_prep_fallocate(sqe, fd,
				FALLOC_FL_KEEP_SIZE | (chance(random, 50) ?
					FALLOC_FL_PUNCH_HOLE :
					FALLOC_FL_ZERO_RANGE),
				offset, length);
			sqe->user_data = user_data(DISK_FALLOCATE, 0, 0);
			break;
		case 2 ... 5:
			io_uring_prep_read(sqe, fd, data, length, offset);
			sqe->user_data = user_data(DISK_READ, 0, 0);
			break;
		default:
			io_uring_prep_write(sqe, fd, data, length, offset);
			sqe->user_data = user_data(DISK_WRITE, 0, 0);
			if (chance(random, 10))
				sqe->rw_flags = RWF_DSYNC;
			break;
		}
		sent(kind_of(sqe->user_data));
		if (chance(random, 30))
			reap(t, below(random, 20));
	}
	reap(t, 20);
}

/* A process, from its birth to its own end if it comes to it. */
static void life(uint64_t seed)
{
	struct thread *t = calloc(1, sizeof(*t));
	unsigned int role;

	setpgid(0, 0);
	signal(SIGCHLD, SIG_IGN);
	if (!t || !thread_open(t, seed))
		_exit(1);
	role = below(&t->random, 100);
	if (role < 20)
		chaos(t);
	else if (role < 65)
		server(t);
	else
		client(t);
	switch (below(&t->random, 4)) {
	case 0:		/* orderly */
		thread_close(t);
		break;
	case 1:		/* the device first, commands held */
		if (t->cdev >= 0)
			close(t->cdev);
		io_uring_queue_exit(&t->ring);
		break;
	case 2:
		execute_sleep();
		break;
	default:
		break;
	}
	_exit(0);
}

/* Calls @each with the id of all /dev/PREFIXn; returns how many there are. */
static int each_node(const char *prefix, void (*each)(int id, void *data),
		     void *data)
{
	size_t length = strlen(prefix);
	DIR *dir = opendir("/dev");
	struct dirent *entry;
	int nodes = 0;

	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, prefix, length) ||
		    !isdigit((unsigned char)entry->d_name[length]))
			continue;
		nodes++;
		if (each)
			each(atoi(entry->d_name + length), data);
	}
	if (dir)
		closedir(dir);
	return nodes;
}

static void remove_device(int id, void *data)
{
	struct raw_ctrl *ctrl = data;
	int stopped = raw_stop(ctrl, id), deleted = raw_del(ctrl, id);

	if (deleted && deleted != -ENODEV)
		printf("ublk%d: STOP_DEV %d, DEL_DEV %d\n", id, stopped,
		       deleted);
}

static void remove_all(void)
{
	struct raw_ctrl ctrl;

	if (raw_ctrl_open(&ctrl))
		_exit(1);
	each_node("ublkc", remove_device, &ctrl);
	fflush(stdout);
	_exit(0);
}

/* Those that run() made and that have not been collected, or 0. */
static pid_t born[CROWD];
static int alive;

/* Collects the dead; returns whether @pid is among them. */
static bool collect(pid_t pid, int *status)
{
	bool found = false;
	pid_t dead;
	int how, i;

	while ((dead = waitpid(-1, &how, WNOHANG)) > 0) {
		if (dead == pid) {
			found = true;
			*status = how;
		}
		/* Others are what somebody dead had for children. */
		for (i = 0; i < CROWD; i++) {
			if (born[i] != dead)
				continue;
			born[i] = 0;
			alive--;
		}
	}
	return found;
}

/* A process more; returns its id, or 0 when there is a crowd. */
static pid_t bear(uint64_t seed)
{
	pid_t pid;
	int i;

	for (i = 0; i < CROWD && born[i]; i++)
		;
	if (i == CROWD)
		return 0;
	pid = fork();
	if (!pid)
		life(seed);
	if (pid < 0)
		return 0;
	born[i] = pid;
	alive++;
	return pid;
}

/* Runs @function in a process that must end well in time. */
static bool in_time(const char *what, void (*function)(void))
{
	int64_t end = now_ms() + PATIENCE_MS;
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		function();
	while (!collect(pid, &status)) {
		if (now_ms() > end) {
			printf("%s: no end after %d ms\n", what, PATIENCE_MS);
			kill(pid, SIGKILL);
			return false;
		}
		wait_ms(10);
	}
	if (status)
		printf("%s: status %#x\n", what, status);
	return !status;
}

/* State and parent of a process; false when it is gone. */
static bool process(int pid, char *state, int *parent, char name[64])
{
	char path[32], line[512], *at;
	FILE *file;
	bool good;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return false;
	good = fgets(line, sizeof(line), file) && (at = strrchr(line, ')'));
	fclose(file);
	if (!good)
		return false;
	*at = 0;
	snprintf(name, 64, "%s", strchr(line, '(') + 1);
	return sscanf(at + 1, " %c %d", state, parent) == 2;
}

/* Calls @each for all processes. */
static void each_process(void (*each)(int pid, char state, int parent,
				      const char *name))
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	char state, name[64];
	int pid, parent;

	while (dir && (entry = readdir(dir))) {
		pid = atoi(entry->d_name);
		if (pid && process(pid, &state, &parent, name))
			each(pid, state, parent, name);
	}
	if (dir)
		closedir(dir);
}

/* Whose parents died are ours too: see PR_SET_CHILD_SUBREAPER in main(). */
static void kill_child(int pid, char state, int parent, const char *name)
{
	(void)state;
	(void)name;
	if (parent == getpid())
		kill(pid, SIGKILL);
}

static int stuck;

static void tell_stuck(int pid, char state, int parent, const char *name)
{
	char path[64], line[256];
	FILE *file;

	(void)parent;
	if (state != 'D')
		return;
	stuck++;
	printf("in state D: %d %s\n", pid, name);
	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		printf("  %s", line);
	if (file)
		fclose(file);
}

static void count_stuck(int pid, char state, int parent, const char *name)
{
	(void)pid;
	(void)parent;
	(void)name;
	stuck += state == 'D';
}

/* Nobody may be in state D for longer than something may well take. */
static bool none_stuck(void)
{
	int64_t end = now_ms() + 2000;

	do {
		stuck = 0;
		each_process(count_stuck);
		if (!stuck)
			return true;
		wait_ms(50);
	} while (now_ms() < end);
	stuck = 0;
	each_process(tell_stuck);
	return !stuck;
}

/* Kills all of ours and waits for them. */
static bool kill_all(int64_t end)
{
	int status;

	for (;;) {
		each_process(kill_child);
		collect(0, &status);
		if (waitpid(-1, &status, WNOHANG) < 0 && errno == ECHILD)
			return true;
		if (now_ms() > end)
			return false;
		wait_ms(10);
	}
}

#define DISK_SIZE	(1UL << 20)

/* The server of the last device: a disk in memory, as it should be. */
static void *serve_well(void *argument)
{
	struct raw_queue *queue = argument;
	static char disk[DISK_SIZE];
	struct raw_done done;
	unsigned int tag;

	for (tag = 0; tag < queue->depth; tag++)
		raw_fetch(queue, tag);
	while (!raw_reap(queue, &done, PATIENCE_MS) && done.result >= 0) {
		const struct ublksrv_io_desc *desc = &queue->desc[done.tag];
		size_t size = (size_t)desc->nr_sectors << 9;
		char *at = disk + (desc->start_sector << 9);

		if (ublksrv_get_op(desc) == UBLK_IO_OP_READ)
			memcpy(raw_data(queue, done.tag), at, size);
		else if (ublksrv_get_op(desc) == UBLK_IO_OP_WRITE)
			memcpy(at, raw_data(queue, done.tag), size);
		raw_commit(queue, done.tag, size);
	}
	return NULL;
}

/* Ends the process with a line unless @good. */
static void need(bool good, const char *what, int result)
{
	if (good)
		return;
	printf("a new device: %s: %d\n", what, result);
	fflush(stdout);
	_exit(1);
}

/* Writes the whole disk and reads it back. */
static void write_and_verify(int id)
{
	int fd = raw_open_disk(id, O_RDWR | O_DIRECT, 5000);
	uint32_t *data, i;
	size_t words = DISK_SIZE / sizeof(*data);

	need(fd >= 0, "open", fd);
	data = mmap(NULL, DISK_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(data != MAP_FAILED, "mmap", errno);
	for (i = 0; i < words; i++)
		data[i] = i * 2654435761U;
	need(pwrite(fd, data, DISK_SIZE, 0) == (ssize_t)DISK_SIZE, "write",
	     errno);
	need(!fsync(fd), "fsync", errno);
	memset(data, 0, DISK_SIZE);
	need(pread(fd, data, DISK_SIZE, 0) == (ssize_t)DISK_SIZE, "read",
	     errno);
	for (i = 0; i < words; i++)
		need(data[i] == i * 2654435761U, "another content", i);
	close(fd);
}

static void new_device(void)
{
	struct ublksrv_ctrl_dev_info info = {
		.nr_hw_queues = 1,
		.queue_depth = 16,
		.max_io_buf_bytes = 65536,
		.dev_id = -1,
		.ublksrv_pid = getpid(),
		.flags = UBLK_F_CMD_IOCTL_ENCODE,
	};
	struct raw_ctrl ctrl;
	struct raw_queue queue;
	struct ublk_params params;
	pthread_t thread;
	int id, ret, cdev;

	need(!raw_ctrl_open(&ctrl), "control", errno);
	ret = raw_add(&ctrl, &info);
	need(!ret, "ADD_DEV", ret);
	id = info.dev_id;
	raw_params(&params, DISK_SIZE, info.max_io_buf_bytes);
	ret = raw_set_params(&ctrl, id, &params);
	need(!ret, "SET_PARAMS", ret);
	cdev = raw_open_char(id, 5000);
	need(cdev >= 0, "open /dev/ublkcN", cdev);
	ret = raw_queue_open(&queue, &ctrl, cdev, 0, info.queue_depth,
			     info.max_io_buf_bytes);
	need(!ret, "queue", ret);
	need(!pthread_create(&thread, NULL, serve_well, &queue), "thread", 0);
	ret = raw_start(&ctrl, id, getpid());
	need(!ret, "START_DEV", ret);
	write_and_verify(id);
	ret = raw_stop(&ctrl, id);
	need(!ret, "STOP_DEV", ret);
	pthread_join(thread, NULL);
	raw_queue_close(&queue);
	close(cdev);
	ret = raw_del(&ctrl, id);
	need(!ret, "DEL_DEV", ret);
	_exit(0);
}

static const struct {
	int number;
	const char *name;
} errnos[] = {
	{ EPERM, "EPERM" }, { ENOENT, "ENOENT" }, { EINTR, "EINTR" },
	{ EIO, "EIO" }, { ENXIO, "ENXIO" }, { EBADF, "EBADF" },
	{ EAGAIN, "EAGAIN" }, { ENOMEM, "ENOMEM" }, { EACCES, "EACCES" },
	{ EFAULT, "EFAULT" }, { EBUSY, "EBUSY" }, { EEXIST, "EEXIST" },
	{ ENODEV, "ENODEV" }, { EINVAL, "EINVAL" }, { ENOSPC, "ENOSPC" },
	{ ENOTTY, "ENOTTY" }, { EOPNOTSUPP, "EOPNOTSUPP" },
	{ ETIME, "ETIME" }, { ECANCELED, "ECANCELED" }, { EROFS, "EROFS" },
	{ EBADFD, "EBADFD" }, { EOVERFLOW, "EOVERFLOW" },
};

static void print_answer(int answer, unsigned long count)
{
	size_t i;

	for (i = 0; i < NR_OF(errnos); i++) {
		if (errnos[i].number == answer) {
			printf(" %s %lu", errnos[i].name, count);
			return;
		}
	}
	if (answer == 0)
		printf(" ok %lu", count);
	else if (answer == ANSWERS - 1)
		printf(" other %lu", count);
	else
		printf(" errno-%d %lu", answer, count);
}

static void print_counts(void)
{
	int kind, answer;

	for (kind = 0; kind < KINDS; kind++) {
		printf("%-20s %8lu:", names[kind],
		       shared->count[kind][ANSWERS]);
		for (answer = 0; answer < ANSWERS; answer++)
			if (shared->count[kind][answer])
				print_answer(answer,
					     shared->count[kind][answer]);
		printf("\n");
	}
}

/* Lets processes live and die until there were so many commands. */
static bool run(uint64_t seed, unsigned long commands, int seconds)
{
	struct random random = seeded(seed);
	int64_t end = now_ms() + seconds * 1000LL, last = now_ms();
	pid_t pids[PROCESSES] = { 0 };
	int64_t until[PROCESSES];
	uint64_t lives = 0;
	int status, i;

	while (shared->sent < commands && now_ms() < end) {
		for (i = 0; i < PROCESSES; i++) {
			if (pids[i] && now_ms() < until[i] &&
			    !kill(pids[i], 0))
				continue;
			/* Sometimes it leaves children with what it had. */
			if (pids[i])
				kill(chance(&random, 50) ? pids[i] : -pids[i],
				     SIGKILL);
			pids[i] = 0;
			if (alive == CROWD)
				continue;
			until[i] = now_ms() + 5 + below(&random, 1500);
			pids[i] = bear(seed << 32 ^ ++lives);
		}
		wait_ms(2);
		collect(0, &status);
		if (alive < CROWD)
			last = now_ms();
		/* Clients of a disk without a server wait; free them. */
		if (now_ms() - last > 500) {
			if (!in_time("removing devices on the way",
				     remove_all))
				return false;
			if (now_ms() - last > PATIENCE_MS) {
				printf("%d processes do not die\n", alive);
				return false;
			}
		}
	}
	shared->over = true;
	printf("%lu commands of %lu processes\n", (unsigned long)shared->sent,
	       (unsigned long)lives);
	return true;
}

static bool well(void)
{
	int64_t start = now_ms();
	bool good = true;

	/* Those that a disk holds end when it is deleted, not before. */
	kill_all(now_ms() + 1000);
	if (!in_time("removing devices", remove_all))
		good = false;
	if (!kill_all(now_ms() + PATIENCE_MS)) {
		printf("processes do not die\n");
		good = false;
	}
	if (each_node("ublkc", NULL, NULL) || each_node("ublkb", NULL, NULL)) {
		printf("nodes are left\n");
		good = false;
	}
	good &= none_stuck();
	printf("all was gone after %ld ms\n", (long)(now_ms() - start));
	good &= in_time("a new device", new_device);
	return good;
}

static unsigned long value(const char *text)
{
	char *end;
	unsigned long number = strtoul(text ? text : "", &end, 0);

	if (!text || end == text || *end) {
		fputs("fuzz: a number, please (--help)\n", stderr);
		exit(2);
	}
	return number;
}

int main(int argc, char **argv)
{
	unsigned long seed = 1, commands = 1000000, seconds = 3600;
	bool good;
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--seed")) {
			seed = value(argv[++i]);
		} else if (!strcmp(argv[i], "--commands")) {
			commands = value(argv[++i]);
		} else if (!strcmp(argv[i], "--seconds")) {
			seconds = value(argv[++i]);
		} else if (!strcmp(argv[i], "--sleep")) {
			wait_ms(value(argv[++i]));
			return 0;
		} else {
			puts("Usage: fuzz [--seed N] [--commands N] "
			     "[--seconds N]\n"
			     "Ends after so many commands (1000000) or "
			     "seconds (3600), whichever is first.\n"
			     "Exit status: 0 when the driver is well "
			     "afterwards, 1 when not.");
			return strcmp(argv[i], "--help") ? 2 : 0;
		}
	}
	if (each_node("ublkc", NULL, NULL)) {
		fputs("fuzz: there is a device that is not mine\n", stderr);
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1)) {
		perror("fuzz");
		return 2;
	}
	printf("seed %lu\n", seed);
	good = run(seed, commands, seconds);
	good &= well();
	print_counts();
	puts(good ? "the driver is well" : "the driver is not well");
	return !good;
}

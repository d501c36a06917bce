// SPDX-License-Identifier: GPL-2.0
/*
 * The lives of the fuzzer's processes. Chaos sends anything. Servers start a
 * device or take one over, and serve it badly. Clients use the disks.
 */
#include "tests/driver/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static void submit(struct thread *t)
{
	io_uring_submit(&t->ring);
	if (t->has_small)
		io_uring_submit(&t->small);
}

/* Drops the results of 64-byte SQEs. */
static void reap_small(struct thread *t)
{
	struct io_uring_cqe *cqe;

	while (t->has_small && !io_uring_peek_cqe(&t->small, &cqe)) {
		answered(kind_of(cqe->user_data), cqe->res);
		io_uring_cqe_seen(&t->small, cqe);
	}
}

/* Answers a request, most of the time correctly. */
static void serve(struct thread *t, unsigned int queue, unsigned int tag,
		  bool without_data)
{
	const struct ublksrv_io_desc *desc;
	struct random *random = &t->random;
	uint64_t addr = copies_nothing(t) && chance(random, 95) ? 0 :
			address(t, chance(random, 95));
	unsigned int buffer = buffer_of(queue, tag);

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
	if (t->flags & UBLK_F_SUPPORT_ZERO_COPY && chance(random, 60))
		io(t, REGISTER_IO_BUF, queue, tag, 0, buffer);
	if (copies_nothing(t) && chance(random, 80))
		buffer_io(t, buffer);
	if (t->flags & UBLK_F_SUPPORT_ZERO_COPY && chance(random, 60))
		io(t, UNREGISTER_IO_BUF, queue, tag, 0, buffer);
	io(t, COMMIT_AND_FETCH_REQ, queue, tag, chance(random, 85) ?
	   (int)desc->nr_sectors << 9 : some_result(random), addr);
	/* Otherwise the tag would not be free again. */
	if (t->flags & UBLK_F_SUPPORT_ZERO_COPY && chance(random, 95))
		io(t, UNREGISTER_IO_BUF, queue, tag, 0, buffer);
}

/* Answers all requests in a buffer of tags, or only some of them. */
static void serve_batch(struct thread *t, unsigned int queue,
			const struct io_uring_cqe *cqe)
{
	unsigned int buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	unsigned int count = cqe->res / sizeof(uint16_t);
	struct random *random = &t->random;

	if (buffer >= BUFFERS || count > TAGS)
		return;
	if (chance(random, 5))
		count = below(random, count + 1);
	if (copies_nothing(t) && chance(random, 50))
		buffer_io(t, buffer_of(queue, t->tags[buffer][0]));
	batch(t, COMMIT_IO_CMDS, queue, 0, t->tags[buffer], count,
	      chance(random, 97));
	if (chance(random, 97))
		give_tags(t, buffer, 1);
}

/*
 * Handles completions for a short time; a server answers the requests among
 * them.
 */
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

		if (kind == FETCH_IO_CMDS && result > 0)
			serve_batch(t, data >> 16 & 0xffff, cqe);
		else if (kind == FETCH_IO_CMDS && result == -ENOBUFS)
			batch(t, FETCH_IO_CMDS, data >> 16 & 0xffff, 0, NULL, 0,
			      true);
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

/* Random commands without a plan. */
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
	t->flags = server->flags;
	for (left = 50; left-- && !shared->over;) {
		some_io(t);
		reap(t, below(&t->random, 5));
	}
	thread_close(t);
	free(t);
	return NULL;
}

/* Waits for the result of the only control command in flight. */
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

/* Adds a device as servers do: a new one, or in place of another. */
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
		if (succeeded(t, ADD_DEV)) {
			memcpy(info, last_argument(t), sizeof(*info));
			return id;
		}
	}
	return -1;
}

/*
 * A server that starts a device in the right order, or takes over a device
 * whose server is dead, with random mistakes on the way.
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
		memcpy(&info, last_argument(t), sizeof(info));
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
	t->flags = info.flags;
	if (!t->queues || !t->depth || !map_queues(t))
		return;
	for (queue = 0; t->flags & UBLK_F_BATCH_IO && queue < t->queues;
	     queue++) {
		for (tag = 0; tag < t->depth; tag += 16)
			batch(t, PREP_IO_CMDS, queue, tag, NULL,
			      t->depth - tag < 16 ? t->depth - tag : 16, true);
		batch(t, FETCH_IO_CMDS, queue, 0, NULL, 0, true);
	}
	for (queue = 0; queue < t->queues; queue++) {
		if (t->flags & UBLK_F_BATCH_IO)
			break;
		for (tag = 0; tag < t->depth; tag++) {
			if (chance(random, 1))
				anything(t);
			io(t, FETCH_REQ, queue, tag, -1,
			   copies_nothing(t) ? 0 : address(t, true));
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

/* The ways to use a disk with blocking system calls. */
static void disk_call(struct thread *t, int fd, uint64_t size)
{
	struct random *random = &t->random;
	uint64_t range[2] = {
		size ? number(random) % size & ~4095ULL : 0,
		4096ULL * (1 + below(random, 16)),
	};
	char *data = (char *)(uintptr_t)address(t, true);

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

/* Uses a disk, mostly with several requests in flight. */
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
		data = (char *)(uintptr_t)address(t, true);
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

void life(uint64_t seed)
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
	case 0:		/* in the right order */
		thread_close(t);
		break;
	case 1:		/* closes the device first, with commands in flight */
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

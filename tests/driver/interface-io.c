// SPDX-License-Identifier: GPL-2.0
/*
 * The I/O commands in the interface test: what is delivered, what the server's
 * results do, and the errors of invalid commands.
 */
#include "tests/driver/interface-test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <unistd.h>

static void test_descriptors(void)
{
	const uint32_t failfast = UBLK_IO_F_FAILFAST_DEV |
				  UBLK_IO_F_FAILFAST_TRANSPORT |
				  UBLK_IO_F_FAILFAST_DRIVER;
	const size_t page = sysconf(_SC_PAGESIZE);
	char *data = pages(MAX_IO);
	struct rig rig;
	struct job job;
	int fd;

	if (!rig_begin(&rig, 0, 1, 4))
		return;

	job_start(&job, IO_READ, rig.disk, data, 4096, 8192);
	delivered(&rig, UBLK_IO_OP_READ, 16, 8, "READ");
	is(rig_desc(&rig, 0)->addr, (uintptr_t)rig_data(&rig, 0),
	   "its address is the tag's buffer");
	fill(rig_data(&rig, 0), 4096, 1);
	commit(&rig, 4096);
	is(job_end(&job), 4096, "the reader's bytes");
	ok(holds(data, 4096, 1, 0), "they are what the server gave");

	fill(data, MAX_IO, 2);
	job_start(&job, IO_WRITE, rig.disk, data, 12288, 65536);
	delivered(&rig, UBLK_IO_OP_WRITE, 128, 24, "WRITE");
	ok(holds(rig_data(&rig, 0), 12288, 2, 0), "its data is there");
	commit(&rig, 12288);
	is(job_end(&job), 12288, "the writer's bytes");

	job_start(&job, IO_WRITE, rig.disk, data, MAX_IO, 0);
	delivered(&rig, UBLK_IO_OP_WRITE, 0, MAX_IO >> 9, "the largest WRITE");
	ok(holds(rig_data(&rig, 0), MAX_IO, 2, 0), "all its data is there");
	commit(&rig, MAX_IO);
	is(job_end(&job), MAX_IO, "the largest WRITE ends");

	job_start(&job, IO_WRITE, rig.disk, data, 512, DISK_BYTES - 512);
	delivered(&rig, UBLK_IO_OP_WRITE, (DISK_BYTES >> 9) - 1, 1,
		  "WRITE of the last sector");
	commit(&rig, 512);
	is(job_end(&job), 512, "it ends");

	job_start(&job, IO_WRITE_DSYNC, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_WRITE | UBLK_IO_F_FUA, 0, 8,
		  "WRITE with FUA");
	commit(&rig, 4096);
	delivered(&rig, UBLK_IO_OP_FLUSH, 0, 0, "FLUSH after it");
	commit(&rig, 0);
	is(job_end(&job), 4096, "RWF_DSYNC ends");

	job_start(&job, IO_FSYNC, rig.disk, NULL, 0, 0);
	delivered(&rig, UBLK_IO_OP_FLUSH, 0, 0, "FLUSH");
	commit(&rig, 0);
	is(job_end(&job), 0, "fsync ends");

	job_start(&job, IO_DISCARD, rig.disk, NULL, 65536, 131072);
	delivered(&rig, UBLK_IO_OP_DISCARD, 256, 128, "DISCARD");
	commit(&rig, 0);
	is(job_end(&job), 0, "BLKDISCARD ends");

	job_start(&job, IO_ZEROOUT, rig.disk, NULL, 65536, 65536);
	delivered(&rig, UBLK_IO_OP_WRITE_ZEROES | UBLK_IO_F_NOUNMAP, 128, 128,
		  "WRITE_ZEROES with NOUNMAP");
	commit(&rig, 65536);
	is(job_end(&job), 0, "BLKZEROOUT ends");

	job_start(&job, IO_PUNCH, rig.disk, NULL, 4096, 4096);
	delivered(&rig, UBLK_IO_OP_WRITE_ZEROES, 8, 8, "WRITE_ZEROES");
	commit(&rig, 0);
	is(job_end(&job), 0, "fallocate ends");

	fd = raw_open_disk(rig.id, O_RDONLY, 1000);
	job_start(&job, IO_READAHEAD, fd, NULL, page, 512 * KIB);
	delivered(&rig, UBLK_IO_OP_READ | failfast, 1024, page >> 9,
		  "READ ahead with the failfast flags");
	fill(rig_data(&rig, 0), page, 3);
	commit(&rig, page);
	is(job_end(&job), 0, "readahead ends");
	close(fd);
	rig_down(&rig);
	munmap(data, MAX_IO);
}

/* Without FUA, and without a cache: what RWF_DSYNC becomes. */
static void test_cache(void)
{
	char *data = pages(4096);
	struct rig rig;
	struct job job;

	if (!rig_add(&rig, 0, 1, 4))
		return;
	rig.params.basic.attrs = UBLK_ATTR_VOLATILE_CACHE;
	if (rig_up(&rig)) {
		job_start(&job, IO_WRITE_DSYNC, rig.disk, data, 4096, 0);
		delivered(&rig, UBLK_IO_OP_WRITE, 0, 8,
			  "cache, no FUA: a plain WRITE");
		commit(&rig, 4096);
		delivered(&rig, UBLK_IO_OP_FLUSH, 0, 0, "and FLUSH instead");
		commit(&rig, 0);
		delivered(&rig, UBLK_IO_OP_FLUSH, 0, 0, "and that of fsync");
		commit(&rig, 0);
		is(job_end(&job), 4096, "it ends");
	}
	rig_down(&rig);

	if (!rig_add(&rig, 0, 1, 4))
		return;
	rig.params.basic.attrs = 0;
	if (rig_up(&rig)) {
		job_start(&job, IO_WRITE_DSYNC, rig.disk, data, 4096, 0);
		delivered(&rig, UBLK_IO_OP_WRITE, 0, 8,
			  "no cache: a plain WRITE");
		commit(&rig, 4096);
		is(job_end(&job), 4096, "and nothing more");
		job_start(&job, IO_FSYNC, rig.disk, NULL, 0, 0);
		is(job_end(&job), 0, "no cache: no FLUSH");
	}
	rig_down(&rig);
	munmap(data, 4096);
}

/* The server's results, and what the caller gets. */
static void test_results(void)
{
	static const struct {
		const char *what;
		enum io io;
		int result;
		long want;
	} cases[] = {
		{ "READ: -EIO", IO_READ, -EIO, -EIO },
		{ "READ: -ENOSPC", IO_READ, -ENOSPC, -ENOSPC },
		{ "READ: -EOPNOTSUPP", IO_READ, -EOPNOTSUPP, -EOPNOTSUPP },
		{ "READ: -ETIMEDOUT", IO_READ, -ETIMEDOUT, -ETIMEDOUT },
		{ "READ: an errno nobody knows", IO_READ, -9999, -EIO },
		{ "READ: the smallest number", IO_READ, INT32_MIN, -EIO },
		{ "READ: 0", IO_READ, 0, -EIO },
		{ "READ: all", IO_READ, 4096, 4096 },
		{ "WRITE: -EIO", IO_WRITE, -EIO, -EIO },
		{ "WRITE: -ENOSPC", IO_WRITE, -ENOSPC, -ENOSPC },
		{ "WRITE: the smallest number", IO_WRITE, INT32_MIN, -EIO },
		{ "WRITE: all", IO_WRITE, 4096, 4096 },
		{ "WRITE: more than all", IO_WRITE, 8192, 4096 },
		{ "WRITE: the largest number", IO_WRITE, INT32_MAX, 4096 },
		{ "FLUSH: -EIO", IO_FSYNC, -EIO, -EIO },
		{ "FLUSH: 0", IO_FSYNC, 0, 0 },
		{ "FLUSH: more than 0", IO_FSYNC, 4096, 0 },
		{ "DISCARD: -EIO", IO_DISCARD, -EIO, -EIO },
		{ "DISCARD: 0", IO_DISCARD, 0, 0 },
		{ "DISCARD: less than all", IO_DISCARD, 512, 0 },
		{ "DISCARD: all", IO_DISCARD, 4096, 0 },
		{ "WRITE_ZEROES: -EIO", IO_PUNCH, -EIO, -EIO },
		{ "WRITE_ZEROES: -EOPNOTSUPP", IO_PUNCH, -EOPNOTSUPP,
		  -EOPNOTSUPP },
		{ "WRITE_ZEROES: 0", IO_PUNCH, 0, 0 },
		{ "WRITE_ZEROES: less than all", IO_PUNCH, 512, 0 },
		{ "WRITE_ZEROES: all", IO_PUNCH, 4096, 0 },
	};
	char *data = pages(4096);
	struct rig rig;
	struct job job;
	int ret;

	if (!rig_begin(&rig, 0, 1, 4))
		return;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		job_start(&job, cases[i].io, rig.disk, data, 4096, 4096);
		ret = rig_next(&rig, 0, IO_MS);
		if (!ret)
			commit(&rig, cases[i].result);
		is(ret ? ret : job_end(&job), cases[i].want, cases[i].what);
		is(rig_next(&rig, 0, 20), -ETIME, "nothing is delivered again");
	}

	/* Linux's driver logs a warning; the data is not what it copied. */
	if (ours) {
		job_start(&job, IO_READ, rig.disk, data, 4096, 0);
		delivered(&rig, UBLK_IO_OP_READ, 0, 8, "READ for too much");
		fill(rig_data(&rig, 0), 8192, 5);
		commit(&rig, 8192);
		ret = job_end(&job);
		ok(ret == -EIO || (ret == 4096 && holds(data, 4096, 5, 0)),
		   "READ: more than all is all, or EIO");
	}

	job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_WRITE, 0, 8, "WRITE for nothing");
	commit(&rig, 0);
	if (unanswered("WRITE: 0 is all of it")) {
		delivered(&rig, UBLK_IO_OP_WRITE, 0, 8, "it comes again");
		commit(&rig, 4096);
		is(job_end(&job), 4096, "it ends then");
	} else {
		is(job_end(&job), 4096, "WRITE: 0 is all of it");
	}
	rig_down(&rig);
	munmap(data, 4096);
}

static void test_short(void)
{
	char *data = pages(16384);
	struct rig rig;
	struct job job;

	if (!rig_begin(&rig, 0, 1, 4))
		return;
	job_start(&job, IO_READ, rig.disk, data, 16384, 32768);
	delivered(&rig, UBLK_IO_OP_READ, 64, 32, "READ");
	fill(rig_data(&rig, 0), 16384, 1);
	commit(&rig, 4096);
	delivered(&rig, UBLK_IO_OP_READ, 72, 24, "the rest of it");
	fill(rig_data(&rig, 0), 12288, 2);
	commit(&rig, 512);
	delivered(&rig, UBLK_IO_OP_READ, 73, 23, "the rest of that");
	fill(rig_data(&rig, 0), 23 * 512, 3);
	commit(&rig, 23 * 512);
	is(job_end(&job), 16384, "the reader gets it in one piece");
	ok(holds(data, 4096, 1, 0) && holds(data + 4096, 512, 2, 0) &&
	   holds(data + 4608, 23 * 512, 3, 0), "each part in its place");

	fill(data, 16384, 4);
	job_start(&job, IO_WRITE, rig.disk, data, 16384, 32768);
	delivered(&rig, UBLK_IO_OP_WRITE, 64, 32, "WRITE");
	ok(holds(rig_data(&rig, 0), 16384, 4, 0), "its data");
	commit(&rig, 8192 + 512);
	if (unanswered("the rest of the WRITE")) {
		is(job_end(&job), 16384, "the writer hears that all is there");
	} else {
		delivered(&rig, UBLK_IO_OP_WRITE, 81, 15,
			  "the rest of the WRITE");
		ok(holds(rig_data(&rig, 0), 15 * 512, 4, 8192 + 512),
		   "the rest of its data");
		commit(&rig, -ENOSPC);
		is(job_end(&job), -ENOSPC,
		   "an error of the rest is the writer's");
	}

	/*
	 * The meaning of a partial sector is not specified, but the request
	 * must end.
	 */
	job_start(&job, IO_READ, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_READ, 0, 8, "READ for a part of a sector");
	commit(&rig, 700);
	rig_serve_rest(&rig);
	ok(job_end(&job) != -ETIME, "it ends");
	job_start(&job, IO_READ, rig.disk, data, 4096, 4096);
	delivered(&rig, UBLK_IO_OP_READ, 8, 8, "the device goes on");
	commit(&rig, 4096);
	is(job_end(&job), 4096, "as before");
	rig_down(&rig);
	munmap(data, 16384);
}

/* Before the device is started. */
static void test_idle(void)
{
	struct rig rig;
	uint64_t addr;

	if (!rig_add(&rig, 0, 1, 2))
		return;
	if (!rig_server(&rig)) {
		rig_down(&rig);
		return;
	}
	addr = (uintptr_t)rig.queue[0].data;
	is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 1, 0, addr), -EINVAL,
	   "FETCH of queue 1, which is not there");
	is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 65535, 0, addr), -EINVAL,
	   "FETCH of queue 65535");
	is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 0, 2, addr), -EINVAL,
	   "FETCH of tag 2, which is not there");
	is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 0, 65535, addr), -EINVAL,
	   "FETCH of tag 65535");
	is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 0, 0, 0), -EINVAL,
	   "FETCH without a buffer");
	is(wrong(&rig, UBLK_U_IO_COMMIT_AND_FETCH_REQ, 0, 0, addr), -EINVAL,
	   "COMMIT of an idle slot");
	is(wrong(&rig, UBLK_U_IO_NEED_GET_DATA, 0, 0, addr), -EINVAL,
	   "NEED_GET_DATA of an idle slot");
	is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 0, 0, addr), -ETIME,
	   "FETCH is held");
	is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 0, 0, addr), -EINVAL,
	   "FETCH of an armed slot");
	is(wrong(&rig, UBLK_U_IO_COMMIT_AND_FETCH_REQ, 0, 0, addr), -EBUSY,
	   "COMMIT of an armed slot");
	is(of_stranger(&rig, UBLK_U_IO_FETCH_REQ, 1), -ETIME,
	   "FETCH of another task is held: nobody has the queue yet");
	is(wrong(&rig, UBLK_CMD_STOP_DEV, 0, 0, addr), -EINVAL,
	   "a control command's number");
	is(raw_stop(&ctrl, rig.id), 0, "STOP_DEV before START_DEV");
	is(rig_next(&rig, 0, IO_MS), -ENODEV, "it gives the commands back");
	is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 0, 0, addr), -ENODEV,
	   "FETCH after STOP_DEV");
	is(raw_set_params(&ctrl, rig.id, &rig.params), 0, "SET_PARAMS");
	if (!unanswered("START_DEV while that server is there"))
		is(raw_start(&ctrl, rig.id, getpid()), -EBUSY,
		   "START_DEV while that server is there");
	rig_down(&rig);
}

/*
 * Commands whose direction and size are encoded as on other architectures,
 * where these bits are in other places: only type and number count.
 */
static void test_encodings(void)
{
	const uint32_t fetch = 4U << 29 | _IOC_TYPE(UBLK_U_IO_FETCH_REQ) << 8 |
			       _IOC_NR(UBLK_U_IO_FETCH_REQ);
	const uint32_t info = 2U << 29 |
			      _IOC_TYPE(UBLK_U_CMD_GET_DEV_INFO) << 8 |
			      _IOC_NR(UBLK_U_CMD_GET_DEV_INFO);
	struct ublksrv_ctrl_dev_info got;
	struct rig rig;

	if (!rig_add(&rig, 0, 1, 1))
		return;
	is(raw_command(&ctrl, info, rig.id, &got, sizeof(got), 0), 0,
	   "GET_DEV_INFO as MIPS says it");
	if (rig_server(&rig))
		is(wrong(&rig, fetch, 0, 0, (uintptr_t)rig.queue[0].data),
		   -ETIME, "FETCH as MIPS says it is held");
	is(raw_command(&ctrl, info ^ 0x2000, rig.id, &got, sizeof(got), 0),
	   -EOPNOTSUPP, "GET_DEV_INFO of another type");
	rig_down(&rig);
}

/*
 * A server without recovery dies, and the next one comes before the disk of the
 * first is gone. As soon as it can open the node, it can fetch.
 */
static void test_successor(void)
{
	enum { ROUNDS = 30 };
	unsigned int refused = 0;
	struct rig rig;

	if (!rig_add(&rig, 0, 1, 4))
		return;
	for (int round = 0; round < ROUNDS; round++) {
		if (!rig_up(&rig))
			break;
		rig_close_disk(&rig);
		rig_server_dies(&rig);
		if (!rig_server(&rig))
			break;
		rig_fetch_all(&rig);
		while (rig_next(&rig, 0, 20) != -ETIME)
			refused++;
		raw_stop(&ctrl, rig.id);
		rig_server_dies(&rig);
	}
	is(refused, 0, "30 times, nothing that it fetches comes back");
	rig_down(&rig);
}

/* FETCH fits into a ring with 64-byte SQEs. */
static void test_fetch64(void)
{
	struct ublksrv_io_cmd cmd = { .q_id = 0, .tag = 0 };
	struct __kernel_timespec quiet = { .tv_nsec = QUIET_MS * 1000000L };
	struct io_uring ring;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct rig rig;

	if (!rig_add(&rig, 0, 1, 1))
		return;
	if (rig_server(&rig) && !io_uring_queue_init(4, &ring, 0) &&
	    (sqe = io_uring_get_sqe(&ring))) {
		cmd.addr = (uintptr_t)rig.queue[0].data;
		memset(sqe, 0, sizeof(*sqe));
		sqe->opcode = IORING_OP_URING_CMD;
		sqe->fd = rig.cdev;
		sqe->cmd_op = ctrl.encoded ? UBLK_U_IO_FETCH_REQ :
					     UBLK_IO_FETCH_REQ;
		memcpy(sqe->cmd, &cmd, sizeof(cmd));
		io_uring_submit(&ring);
		is(io_uring_wait_cqe_timeout(&ring, &cqe, &quiet), -ETIME,
		   "FETCH is held");
		io_uring_queue_exit(&ring);
	}
	rig_down(&rig);
}

/* On a device in use: refused, and the slot is unchanged. */
static void test_wrong(void)
{
	char *data = pages(4096);
	struct rig rig;
	struct job job;
	unsigned int tag;
	uint64_t addr;

	if (!rig_begin(&rig, 0, 1, 2))
		return;
	addr = (uintptr_t)rig.queue[0].data;
	is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 0, 0, addr), -EBUSY,
	   "FETCH of an armed slot");
	is(wrong(&rig, UBLK_U_IO_COMMIT_AND_FETCH_REQ, 0, 0, addr), -EBUSY,
	   "COMMIT of an armed slot");
	is(wrong(&rig, UBLK_U_IO_NEED_GET_DATA, 0, 0, addr), -EBUSY,
	   "NEED_GET_DATA of an armed slot");
	is(wrong(&rig, UBLK_U_IO_COMMIT_AND_FETCH_REQ, 0, 2, addr), -EINVAL,
	   "COMMIT of no tag");
	is(wrong(&rig, UBLK_U_IO_COMMIT_AND_FETCH_REQ, 1, 0, addr), -EINVAL,
	   "COMMIT of no queue");
	ok(refused(of_stranger(&rig, UBLK_U_IO_FETCH_REQ, 0)),
	   "FETCH of another task");

	job_start(&job, IO_READ, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_READ, 0, 8,
		  "READ is delivered all the same");
	tag = rig.done.tag;
	is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 0, tag, addr), -EBUSY,
	   "FETCH of a serving slot");
	is(wrong(&rig, UBLK_U_IO_NEED_GET_DATA, 0, tag, addr), -EINVAL,
	   "NEED_GET_DATA without the feature");
	is(wrong(&rig, UBLK_U_IO_COMMIT_AND_FETCH_REQ, 0, tag, 0), -EINVAL,
	   "COMMIT without a buffer");
	is(of_stranger(&rig, UBLK_U_IO_COMMIT_AND_FETCH_REQ, tag), -EINVAL,
	   "COMMIT of another task");
	is(wrong(&rig, _IOWR('u', 0x2f, struct ublksrv_io_cmd), 0, tag, addr),
	   -EINVAL, "an unknown number");
	is(wrong(&rig, 0, 0, tag, addr), -EINVAL, "number 0");
	ok(job_waits(&job), "the reader still waits");
	fill(rig_data(&rig, 0), 4096, 7);
	commit(&rig, 4096);
	is(job_end(&job), 4096, "the right COMMIT ends it");
	ok(holds(data, 4096, 7, 0), "with its data");
	rig_down(&rig);
	munmap(data, 4096);
}

/* Stopping while the server has requests: they fail, and nothing hangs. */
struct last_read {
	struct rig rig;
	struct job job;
	char *data;
};

static void *die_serving(void *arg)
{
	struct last_read *last = arg;
	struct rig *rig = &last->rig;

	if (!rig_begin(rig, 0, 1, 2))
		return NULL;
	job_start(&last->job, IO_READ, rig->disk, last->data, 4096, 0);
	delivered(rig, UBLK_IO_OP_READ, 0, 8, "READ");
	rig_server_dies(rig);
	return NULL;
}

/* The server is a thread that ends: Linux 6.1 notices no other death. */
static void test_stop_serving(void)
{
	char *data = pages(8192);
	struct last_read last = { .data = data };
	struct rig *rig = &last.rig;
	struct job later;
	pthread_t thread;

	pthread_create(&thread, NULL, die_serving, &last);
	pthread_join(thread, NULL);
	if (rig->id < 0)
		return;
	is(job_end(&last.job), -EIO, "the READ fails when the server goes");
	rig_becomes(rig, UBLK_S_DEV_DEAD, "the device is DEAD");
	job_start(&later, IO_READ, rig->disk, data + 4096, 4096, 4096);
	ok(job_end(&later) <= 0, "and nothing can be read");
	rig_down(rig);
	munmap(data, 8192);
}

/*
 * The device as swap: pages are swapped out and in, and their contents show
 * which they are.
 */
#define SWAPPED (256 * KIB)

struct swapper {
	char path[32];
	int error;
	bool same;		/* the contents are the same after swapping */
	atomic_bool done;
};

static void *swapper_run(void *arg)
{
	struct swapper *swapper = arg;
	char *memory = pages(SWAPPED);

	fill(memory, SWAPPED, 9);
	if (swapon(swapper->path, 0)) {
		swapper->error = -errno;
	} else {
		madvise(memory, SWAPPED, MADV_PAGEOUT);
		swapper->same = holds(memory, SWAPPED, 9, 0);
		swapper->error = swapoff(swapper->path) ? -errno : 0;
	}
	munmap(memory, SWAPPED);
	atomic_store(&swapper->done, true);
	return NULL;
}

/*
 * Serves from @disk until the swapper is done. Returns the flags of all
 * requests.
 */
static uint32_t serve_swap(struct rig *rig, char *disk,
			   const struct swapper *swapper)
{
	uint32_t seen = 0;

	while (!atomic_load(&swapper->done)) {
		const struct ublksrv_io_desc *desc;
		char *at;

		if (rig_next(rig, 0, 20))
			continue;
		desc = rig_desc(rig, 0);
		at = disk + (desc->start_sector << 9);
		if (ublksrv_get_op(desc) == UBLK_IO_OP_WRITE) {
			memcpy(at, rig_data(rig, 0), rig_bytes(rig, 0));
			seen |= desc->op_flags & ~0xffU;
		} else if (ublksrv_get_op(desc) == UBLK_IO_OP_READ) {
			memcpy(rig_data(rig, 0), at, rig_bytes(rig, 0));
		}
		commit(rig, rig_bytes(rig, 0));
	}
	return seen;
}

static void test_swap(void)
{
	char *disk = pages(DISK_BYTES);
	struct swapper swapper = { .error = -EIO };
	uint32_t header[2] = { 1, DISK_BYTES / 4096 - 1 };
	pthread_t thread;
	struct rig rig;

	if (sysconf(_SC_PAGESIZE) != 4096) {
		skip("all", "pages of another size");
		return;
	}
	if (!rig_begin(&rig, 0, 1, 8))
		return;
	memcpy(disk + 1024, header, sizeof(header));
	memcpy(disk + 4096 - 10, "SWAPSPACE2", 10);
	snprintf(swapper.path, sizeof(swapper.path), "/dev/ublkb%d", rig.id);
	pthread_create(&thread, NULL, swapper_run, &swapper);
	is(serve_swap(&rig, disk, &swapper) & UBLK_IO_F_SWAP, UBLK_IO_F_SWAP,
	   "pages that go out have the swap flag");
	pthread_join(thread, NULL);
	is(swapper.error, 0, "swapon and swapoff");
	ok(swapper.same, "what comes back is what went out");
	rig_down(&rig);
	munmap(disk, DISK_BYTES);
}

const struct group io_groups[] = {
	{ "descriptors", test_descriptors, 0 },
	{ "cache", test_cache, 0 },
	{ "results", test_results, 0 },
	{ "short", test_short, 0 },
	{ "idle", test_idle, 0 },
	{ "encodings", test_encodings, UBLK_F_CMD_IOCTL_ENCODE },
	{ "successor", test_successor, 0 },
	{ "fetch64", test_fetch64, 0 },
	{ "wrong", test_wrong, 0 },
	{ "stop-serving", test_stop_serving, 0 },
	{ "swap", test_swap, 0 },
	{ NULL, NULL, 0 },
};

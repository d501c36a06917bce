// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of requests that are lent to a ring, in the interface test: by a
 * command of the server, or by the driver with each request. A request does not
 * end while anybody has its pages. Servers that die meanwhile are in
 * interface-killed.c.
 */
#include "tests/driver/interface-test.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TAKE	UBLK_U_IO_REGISTER_IO_BUF
#define GIVE	UBLK_U_IO_UNREGISTER_IO_BUF

bool takes_pages(struct io_uring *ring)
{
	return is(io_uring_register_buffers_sparse(ring, LENT_BUFFERS), 0,
		  "room for buffers in a ring");
}

int lend(struct raw_queue *queue, uint32_t op, unsigned int q_id,
	 unsigned int tag, uint64_t index)
{
	struct raw_done done;
	int err;

	raw_io(queue, op, q_id, tag, 0, index);
	err = raw_reap(queue, &done, IO_MS);
	return err ? err : done.result;
}

bool by_buffer_send(struct io_uring *ring, bool reads, int fd, size_t len,
		    off_t offset, unsigned int index)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe)
		return false;
	memset(sqe, 0, 2 * sizeof(*sqe));
	if (reads)
		io_uring_prep_read_fixed(sqe, fd, NULL, len, offset, index);
	else
		io_uring_prep_write_fixed(sqe, fd, NULL, len, offset, index);
	return io_uring_submit(ring) == 1;
}

int by_buffer(struct io_uring *ring, bool reads, int fd, size_t len,
	      off_t offset, unsigned int index)
{
	struct io_uring_cqe *cqe;
	int ret = -EIO;

	if (by_buffer_send(ring, reads, fd, len, offset, index))
		ret = io_uring_wait_cqe(ring, &cqe);
	if (!ret) {
		ret = cqe->res;
		io_uring_cqe_seen(ring, cqe);
	}
	return ret;
}

/* Whether the file starts with what fill() writes with @seed. */
static bool file_holds(int fd, size_t len, uint32_t seed)
{
	char data[8192];

	return pread(fd, data, len, 0) == (ssize_t)len &&
	       holds(data, len, seed, 0);
}

/* Creates a file that starts with what fill() writes with @seed. */
static int file_with(size_t len, uint32_t seed)
{
	int fd = memfd_create("lent", 0);
	char data[8192];

	fill(data, len, seed);
	ok(fd >= 0 && pwrite(fd, data, len, 0) == (ssize_t)len, "a file");
	return fd;
}

static void test_lent(void)
{
	char *data = pages(8192);
	struct raw_queue *queue;
	unsigned int tag;
	struct job job;
	struct rig rig;
	int fd = file_with(8192, 1);

	if (!rig_begin(&rig, UBLK_F_SUPPORT_ZERO_COPY, 1, 2))
		return;
	is(rig.info.flags & UBLK_F_BUF_REG_OFF_DAEMON,
	   UBLK_F_BUF_REG_OFF_DAEMON, "the device says who may lend");
	queue = &rig.queue[0];
	is(lend(queue, GIVE, 0, 0, 0), -EINVAL, "UNREGISTER without any room");
	takes_pages(&queue->ring);
	is(lend(queue, TAKE, 0, 0, 0), -EBUSY, "REGISTER of an armed slot");
	is(lend(queue, TAKE, 0, 2, 0), -EINVAL, "REGISTER of no tag");
	is(lend(queue, TAKE, 1, 0, 0), -EINVAL, "REGISTER of no queue");
	is(lend(queue, GIVE, 0, 0, 0), -EINVAL, "UNREGISTER of nothing");

	fill(data, 8192, 2);
	job_start(&job, IO_WRITE, rig.disk, data, 8192, 8192);
	delivered(&rig, UBLK_IO_OP_WRITE, 16, 16, "WRITE");
	tag = rig.done.tag;
	is(lend(queue, TAKE, 0, tag, LENT_BUFFERS), -EINVAL,
	   "REGISTER where there is no room");
	if (!unanswered("REGISTER at 2^32"))
		is(lend(queue, TAKE, 0, tag, 1ULL << 32), -EINVAL,
		   "REGISTER at 2^32");
	is(lend(queue, TAKE, 0, tag, 1), 0, "REGISTER");
	is(lend(queue, TAKE, 0, tag, 1), -EBUSY, "REGISTER there again");
	is(lend(queue, TAKE, 0, tag, 3), 0, "REGISTER elsewhere as well");
	is(lend(queue, TAKE, 0, 1 - tag, 0), -EBUSY,
	   "REGISTER of the tag beside it");
	is(by_buffer(&queue->ring, false, fd, 8192, 0, 1), 8192,
	   "its pages are written to a file");
	ok(file_holds(fd, 8192, 2), "with its data");
	is(by_buffer(&queue->ring, true, fd, 8192, 0, 1), -EFAULT,
	   "a file is not read into them");
	is(by_buffer(&queue->ring, false, fd, 8193, 0, 1), -EFAULT,
	   "there is no more than the request has");
	is(wrong(&rig, UBLK_U_IO_COMMIT_AND_FETCH_REQ, 0, tag,
		 (uintptr_t)data), -EINVAL, "COMMIT with a buffer");
	commit(&rig, 8192);
	ok(job_waits(&job), "committed, it does not end while it is lent");
	is(lend(queue, TAKE, 0, tag, 0), -EBUSY,
	   "REGISTER of what is committed");
	is(lend(queue, GIVE, 0, tag, 1), 0, "UNREGISTER");
	ok(job_waits(&job), "it waits for the other buffer");
	is(lend(queue, GIVE, 7, 99, 3), 0, "UNREGISTER that, by whatever tag");
	is(job_end(&job), 8192, "it ends then");
	is(lend(queue, GIVE, 0, tag, 1), -EINVAL, "UNREGISTER again");
	is(lend(queue, GIVE, 0, tag, LENT_BUFFERS), -EINVAL,
	   "UNREGISTER where there is no room");
	is(by_buffer(&queue->ring, false, fd, 8192, 0, 1), -EFAULT,
	   "the buffer is gone");

	close(fd);
	fd = file_with(8192, 3);
	memset(data, 0, 8192);
	job_start(&job, IO_READ, rig.disk, data, 8192, 0);
	delivered(&rig, UBLK_IO_OP_READ, 0, 16, "READ");
	is(lend(queue, TAKE, 0, rig.done.tag, 0), 0, "REGISTER its pages");
	is(by_buffer(&queue->ring, false, fd, 8192, 0, 0), -EFAULT,
	   "they are not written to a file");
	is(by_buffer(&queue->ring, true, fd, 8192, 0, 0), 8192,
	   "a file is read into them");
	is(lend(queue, GIVE, 0, 0, 0), 0, "UNREGISTER them");
	ok(job_waits(&job), "READ waits for COMMIT");
	commit(&rig, 8192);
	is(job_end(&job), 8192, "READ ends");
	ok(holds(data, 8192, 3, 0), "with what was in the file");

	job_start(&job, IO_FSYNC, rig.disk, NULL, 0, 0);
	delivered(&rig, UBLK_IO_OP_FLUSH, 0, 0, "FLUSH");
	is(lend(queue, TAKE, 0, rig.done.tag, 0), -EINVAL,
	   "REGISTER where there is no data");
	commit(&rig, 0);
	is(job_end(&job), 0, "FLUSH ends");
	rig_down(&rig);
	close(fd);
	munmap(data, 8192);
}

static void test_lent_not(void)
{
	char *data = pages(4096);
	struct job job;
	struct rig rig;

	if (!rig_begin(&rig, UBLK_F_USER_COPY, 1, 1))
		return;
	takes_pages(&rig.queue[0].ring);
	job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_WRITE, 0, 8, "WRITE");
	is(lend(&rig.queue[0], TAKE, 0, rig.done.tag, 0), -EINVAL,
	   "REGISTER without the flag");
	is(lend(&rig.queue[0], GIVE, 0, rig.done.tag, 0), -EINVAL,
	   "UNREGISTER without the flag");
	commit(&rig, 4096);
	is(job_end(&job), 4096, "WRITE ends");
	rig_down(&rig);
	munmap(data, 4096);
}

/*
 * The committed result counts, whatever happens before the pages are returned.
 */
static void test_lent_result(void)
{
	char *data = pages(4096);
	struct raw_queue *queue;
	struct job job;
	struct rig rig;

	if (!rig_begin(&rig, UBLK_F_SUPPORT_ZERO_COPY | UBLK_F_USER_RECOVERY |
		       UBLK_F_QUIESCE, 1, 1))
		return;
	queue = &rig.queue[0];
	takes_pages(&queue->ring);
	job_start(&job, IO_READ, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_READ, 0, 8, "READ");
	is(lend(queue, TAKE, 0, 0, 2), 0, "REGISTER");
	commit(&rig, -ENOSPC);
	ok(job_waits(&job), "it fails not before its pages are back");
	is(lend(queue, GIVE, 0, 0, 2), 0, "UNREGISTER");
	is(job_end(&job), -ENOSPC, "it fails as was said");

	job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_WRITE, 0, 8, "WRITE");
	is(lend(queue, TAKE, 0, 0, 2), 0, "REGISTER its pages");
	commit(&rig, 4096);
	is(raw_quiesce(&ctrl, rig.id, IO_MS), 0,
	   "QUIESCE_DEV: everything is committed");
	is(rig_next(&rig, 0, IO_MS), -ENODEV, "the command comes back");
	ok(job_waits(&job), "the WRITE waits still");
	is(lend(queue, GIVE, 0, 0, 2), 0, "UNREGISTER them");
	is(job_end(&job), 4096, "it is written");
	rig_down(&rig);

	if (!rig_begin(&rig, UBLK_F_SUPPORT_ZERO_COPY, 1, 1))
		return;
	takes_pages(&queue->ring);
	job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_WRITE, 0, 8, "another WRITE");
	is(lend(queue, TAKE, 0, 0, 0), 0, "REGISTER that");
	commit(&rig, 4096);
	rig_close_disk(&rig);
	is(raw_command_send(&ctrl, UBLK_U_CMD_STOP_DEV, rig.id, 0), 0,
	   "STOP_DEV");
	is(raw_ctrl_answer(&ctrl, QUIET_MS), -ETIME, "it waits for the pages");
	is(lend(queue, GIVE, 0, 0, 0), 0, "UNREGISTER that");
	is(job_end(&job), 4096, "it is written as well");
	is(raw_ctrl_answer(&ctrl, IO_MS), 0, "and STOP_DEV ends");
	rig_down(&rig);
	munmap(data, 4096);
}

/* A task other than that of the tag. */
struct foreign {
	struct rig *rig;
	unsigned int tag;
	int fd;
};

static void *foreign_run(void *arg)
{
	struct foreign *foreign = arg;
	struct rig *rig = foreign->rig;
	struct raw_queue queue;

	if (!is(raw_queue_open(&queue, &ctrl, rig->cdev, 0, 2, 0), 0,
		"a ring of another task"))
		return NULL;
	takes_pages(&queue.ring);
	is(lend(&queue, TAKE, 0, 1 - foreign->tag, 0), -EINVAL,
	   "it takes nothing of an armed slot");
	is(lend(&queue, TAKE, 0, 2, 0), -EINVAL, "nor of no tag");
	is(lend(&queue, TAKE, 0, foreign->tag, LENT_BUFFERS), -EINVAL,
	   "nor where it has no room");
	is(lend(&queue, TAKE, 0, foreign->tag, 1), 0,
	   "it takes the pages of a request");
	is(by_buffer(&queue.ring, false, foreign->fd, 4096, 0, 1), 4096,
	   "it writes them to a file");
	is(lend(&queue, GIVE, 0, foreign->tag, 1), 0, "it lets go of them");
	is(lend(&queue, TAKE, 0, foreign->tag, 1), 0, "it takes them again");
	is(lend(&rig->queue[0], TAKE, 0, foreign->tag, 0), 0,
	   "and by the ring of the tag's task");
	raw_queue_close(&queue);
	return NULL;
}

static void test_lent_foreign(void)
{
	char *data = pages(4096);
	struct foreign foreign;
	pthread_t thread;
	struct job job;
	struct rig rig;

	if (!rig_begin(&rig, UBLK_F_SUPPORT_ZERO_COPY, 1, 2))
		return;
	takes_pages(&rig.queue[0].ring);
	fill(data, 4096, 4);
	job_start(&job, IO_WRITE, rig.disk, data, 4096, 4096);
	delivered(&rig, UBLK_IO_OP_WRITE, 8, 8, "WRITE");
	foreign = (struct foreign){
		.rig = &rig,
		.tag = rig.done.tag,
		.fd = file_with(4096, 1),
	};
	pthread_create(&thread, NULL, foreign_run, &foreign);
	pthread_join(thread, NULL);
	ok(file_holds(foreign.fd, 4096, 4), "the file has the WRITE's data");
	rig.done.tag = foreign.tag;
	commit(&rig, 4096);
	ok(job_waits(&job), "the WRITE waits for this ring");
	is(lend(&rig.queue[0], GIVE, 0, 0, 0), 0, "UNREGISTER");
	is(job_end(&job), 4096, "the other one, closed, has let go");
	rig_down(&rig);
	close(foreign.fd);
	munmap(data, 4096);
}

/* Where the next request's pages go, for all commands from here on. */
static void lent_at(struct rig *rig, unsigned int index, unsigned int flags)
{
	const struct ublk_auto_buf_reg at = { .index = index, .flags = flags };

	rig->queue[0].sqe_addr = ublk_auto_buf_reg_to_sqe_addr(&at);
}

/*
 * A device whose server says from the start where pages go; up to the open
 * disk.
 */
static bool auto_begin(struct rig *rig, uint64_t flags, unsigned int depth,
		       unsigned int index, unsigned int how)
{
	if (!rig_add(rig, UBLK_F_AUTO_BUF_REG | flags, 1, depth))
		return false;
	is(raw_set_params(&ctrl, rig->id, &rig->params), 0, "SET_PARAMS");
	if (!rig_server(rig))
		return false;
	lent_at(rig, index, how);
	rig_fetch_all(rig);
	return is(rig_start(rig), 0, "START_DEV") &&
	       ok(rig_open_disk(rig) >= 0, "open /dev/ublkbN");
}

/* The driver lends pages with each request, and COMMIT returns them. */
static void test_lent_auto(void)
{
	char *data = pages(4096);
	struct raw_queue *queue;
	struct job job;
	struct rig rig;
	int fd = file_with(4096, 1);

	if (!auto_begin(&rig, 0, 1, 2, 0))
		goto down;
	queue = &rig.queue[0];
	fill(data, 4096, 5);
	job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_WRITE, 0, 8, "WRITE");
	is(by_buffer(&queue->ring, false, fd, 4096, 0, 2), 4096,
	   "its pages are written to a file");
	ok(file_holds(fd, 4096, 5), "with its data");
	is(lend(queue, TAKE, 0, 0, 0), -EINVAL, "REGISTER without the flag");
	is(lend(queue, GIVE, 0, 0, 2), -EINVAL, "UNREGISTER without the flag");
	queue->sqe_addr = 1 << 17;
	is(wrong(&rig, UBLK_U_IO_COMMIT_AND_FETCH_REQ, 0, 0, 0), -EINVAL,
	   "COMMIT with a flag that nobody knows");
	queue->sqe_addr = 1 << 24;
	is(wrong(&rig, UBLK_U_IO_COMMIT_AND_FETCH_REQ, 0, 0, 0), -EINVAL,
	   "COMMIT with something reserved");
	queue->sqe_addr = 1ULL << 63;
	is(wrong(&rig, UBLK_U_IO_COMMIT_AND_FETCH_REQ, 0, 0, 0), -EINVAL,
	   "COMMIT with more of it");
	lent_at(&rig, 3, 0);
	is(wrong(&rig, UBLK_U_IO_COMMIT_AND_FETCH_REQ, 0, 0, 4096), -EINVAL,
	   "COMMIT with a buffer");
	is(by_buffer(&queue->ring, false, fd, 4096, 0, 2), 4096,
	   "its pages are there after all that");
	commit(&rig, 4096);
	is(job_end(&job), 4096, "COMMIT takes them back and ends it");
	is(by_buffer(&queue->ring, false, fd, 4096, 0, 2), -EFAULT,
	   "they are gone");

	memset(data, 0, 4096);
	job_start(&job, IO_READ, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_READ, 0, 8, "READ");
	is(by_buffer(&queue->ring, true, fd, 4096, 0, 3), 4096,
	   "its pages are where COMMIT has said");
	commit(&rig, 4096);
	is(job_end(&job), 4096, "READ ends");
	ok(holds(data, 4096, 5, 0), "with what was in the file");

	job_start(&job, IO_FSYNC, rig.disk, NULL, 0, 0);
	delivered(&rig, UBLK_IO_OP_FLUSH, 0, 0, "FLUSH");
	is(by_buffer(&queue->ring, false, fd, 4096, 0, 3), -EFAULT,
	   "it has no pages");
	lent_at(&rig, LENT_BUFFERS, 0);
	commit(&rig, 0);
	is(job_end(&job), 0, "FLUSH ends");
	job_start(&job, IO_READ, rig.disk, data, 4096, 0);
	is(job_end(&job), -EIO, "where there is no room it fails");
	job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
	is(job_end(&job), -EIO, "and the next one does");
	is(rig_next(&rig, 0, QUIET_MS), -ETIME, "the server hears of neither");
	job_start(&job, IO_FSYNC, rig.disk, NULL, 0, 0);
	delivered(&rig, UBLK_IO_OP_FLUSH, 0, 0, "what has no data comes");
	commit(&rig, 0);
	is(job_end(&job), 0, "and ends");
down:
	rig_down(&rig);
	close(fd);
	munmap(data, 4096);
}

static void test_lent_auto_fetch(void)
{
	struct rig rig;

	if (!rig_add(&rig, UBLK_F_AUTO_BUF_REG, 1, 1))
		return;
	if (rig_server(&rig)) {
		rig.queue[0].sqe_addr = 1 << 17;
		is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 0, 0, 0), -EINVAL,
		   "FETCH with a flag that nobody knows");
		rig.queue[0].sqe_addr = 1 << 24;
		is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 0, 0, 0), -EINVAL,
		   "FETCH with something reserved");
		rig.queue[0].sqe_addr = 1ULL << 32;
		is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 0, 0, 0), -EINVAL,
		   "FETCH with more of it");
		lent_at(&rig, 0, 0);
		is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 0, 0, 4096), -EINVAL,
		   "FETCH with a buffer");
		is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 0, 0, 0), -ETIME,
		   "FETCH as it should be");
	}
	rig_down(&rig);
}

/*
 * With the fallback, a request that cannot be lent is delivered with a flag
 * that says so.
 */
static void test_lent_fallback(void)
{
	char *data = pages(12288);
	struct raw_queue *queue;
	struct job first, second;
	unsigned int tag;
	struct rig rig;
	int fd = file_with(4096, 1);

	if (!auto_begin(&rig, UBLK_F_SUPPORT_ZERO_COPY, 2, 1,
			UBLK_AUTO_BUF_REG_FALLBACK))
		goto down;
	queue = &rig.queue[0];
	fill(data, 4096, 6);
	fill(data + 4096, 4096, 7);
	job_start(&first, IO_WRITE, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_WRITE, 0, 8, "a WRITE is lent");
	tag = rig.done.tag;
	job_start(&second, IO_WRITE, rig.disk, data + 4096, 4096, 4096);
	delivered(&rig, UBLK_IO_OP_WRITE | UBLK_IO_F_NEED_REG_BUF, 8, 8,
		  "another one, to the same place, says that it is not");
	is(lend(queue, TAKE, 0, rig.done.tag, 0), 0, "REGISTER it elsewhere");
	is(by_buffer(&queue->ring, false, fd, 4096, 0, 0), 4096,
	   "its pages are written to a file");
	ok(file_holds(fd, 4096, 7), "with its data");
	commit(&rig, 4096);
	ok(job_waits(&second), "COMMIT takes back what the driver lent only");
	is(lend(queue, GIVE, 0, 0, 0), 0, "UNREGISTER it");
	is(job_end(&second), 4096, "it ends then");
	is(by_buffer(&queue->ring, false, fd, 4096, 0, 1), 4096,
	   "the first one's pages are where they were");
	ok(file_holds(fd, 4096, 6), "with its data, too");

	is(lend(queue, GIVE, 0, tag, 1), 0, "UNREGISTER the first one's");
	rig.done.tag = tag;
	commit(&rig, 4096);
	is(job_end(&first), 4096, "COMMIT of what is back already");
down:
	rig_down(&rig);
	close(fd);
	munmap(data, 12288);
}

/*
 * Two rings of one task: pages that one ring has stay there at COMMIT by the
 * other.
 */
static void test_lent_rings(void)
{
	char *data = pages(4096);
	struct raw_queue other;
	struct job job;
	struct rig rig;

	if (!auto_begin(&rig, UBLK_F_SUPPORT_ZERO_COPY, 1, 0, 0) ||
	    !is(raw_queue_open(&other, &ctrl, rig.cdev, 0, 1, 0), 0,
		"a second ring"))
		goto down;
	takes_pages(&other.ring);
	job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_WRITE, 0, 8, "WRITE");
	raw_commit(&other, 0, 4096);
	raw_submit(&other);
	ok(job_waits(&job), "COMMIT by the second: it waits");
	is(lend(&rig.queue[0], GIVE, 0, 0, 0), 0, "UNREGISTER by the first");
	is(job_end(&job), 4096, "it ends then");
	job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
	is(raw_reap(&other, &rig.done, IO_MS), 0, "the next one");
	is(rig.done.result, 0, "comes to the second");
	is(lend(&other, GIVE, 0, 0, 0), 0, "which has its pages");
	raw_commit(&other, 0, 4096);
	raw_submit(&other);
	is(job_end(&job), 4096, "and ends it");
	rig_close_disk(&rig);
	is(raw_stop(&ctrl, rig.id), 0, "STOP_DEV");
	raw_queue_close(&other);
down:
	rig_down(&rig);
	munmap(data, 4096);
}

const struct group lent_groups[] = {
	{ "lent", test_lent, UBLK_F_SUPPORT_ZERO_COPY },
	{ "lent-not", test_lent_not, UBLK_F_SUPPORT_ZERO_COPY },
	{ "lent-result", test_lent_result, UBLK_F_SUPPORT_ZERO_COPY },
	{ "lent-foreign", test_lent_foreign, UBLK_F_BUF_REG_OFF_DAEMON },
	{ "lent-auto", test_lent_auto, UBLK_F_AUTO_BUF_REG },
	{ "lent-auto-fetch", test_lent_auto_fetch, UBLK_F_AUTO_BUF_REG },
	{ "lent-fallback", test_lent_fallback, UBLK_F_AUTO_BUF_REG },
	{ "lent-rings", test_lent_rings, UBLK_F_AUTO_BUF_REG },
	{ NULL, NULL, 0 },
};

// SPDX-License-Identifier: GPL-2.0
/*
 * The ways to transfer data in the interface test: the driver's copy, to memory
 * that may be missing; NEED_GET_DATA; USER_COPY.
 */
#include "tests/driver/interface-test.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Answers every delivered request with an error. */
static void refuse_rest(struct rig *rig)
{
	for (int i = 0; i < 100 && !rig_next(rig, 0, 100); i++)
		commit(rig, -EIO);
}

/* Buffers that are not mapped when the driver copies. */
static void test_buffers(void)
{
	char *data = pages(8192);
	struct rig rig;
	struct job job;
	char *buffers;
	long ret;

	if (!rig_begin(&rig, 0, 1, 2))
		return;
	buffers = rig.queue[0].data;

	memset(data, 0x11, 8192);
	job_start(&job, IO_READ, rig.disk, data, 8192, 0);
	delivered(&rig, UBLK_IO_OP_READ, 0, 16, "READ of two pages");
	fill(rig_data(&rig, 0), 8192, 1);
	mprotect(rig_data(&rig, 0) + 4096, 4096, PROT_NONE);
	commit(&rig, 8192);
	refuse_rest(&rig);
	ret = job_end(&job);
	ok(ret == -EIO || ret == 4096,
	   "the second page is gone: what was copied, or EIO");
	ok(ret < 4096 || holds(data, 4096, 1, 0), "what was copied is right");
	ok(all_bytes(data + 4096, 4096, 0x11) ||
	   all_bytes(data + 4096, 4096, 0), "and nothing else");
	mprotect(buffers, 2 * MAX_IO, PROT_READ | PROT_WRITE);

	job_start(&job, IO_READ, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_READ, 0, 8, "READ of a page");
	mprotect(buffers, 2 * MAX_IO, PROT_NONE);
	commit(&rig, 4096);
	refuse_rest(&rig);
	is(job_end(&job), -EIO, "the buffer is gone: EIO");

	/* Linux's retries for ever, until the device is stopped. */
	if (ours) {
		job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
		refuse_rest(&rig);
		is(job_end(&job), -EIO, "no buffer for a WRITE: EIO");
	}
	mprotect(buffers, 2 * MAX_IO, PROT_READ | PROT_WRITE);

	job_start(&job, IO_READ, rig.disk, data, 4096, 0);
	delivered(&rig, UBLK_IO_OP_READ, 0, 8, "the device goes on");
	fill(rig_data(&rig, 0), 4096, 2);
	commit(&rig, 4096);
	is(job_end(&job), 4096, "as before");
	ok(holds(data, 4096, 2, 0), "with its data");
	rig_down(&rig);
	munmap(data, 8192);
}

static void test_need_get_data(void)
{
	char *data = pages(8192);
	struct rig rig;
	struct job job;
	uint64_t spare = (uintptr_t)pages(MAX_IO);
	unsigned int tag;

	if (!rig_add(&rig, UBLK_F_NEED_GET_DATA, 1, 2))
		return;
	is(raw_set_params(&ctrl, rig.id, &rig.params), 0, "SET_PARAMS");
	if (!rig_server(&rig))
		goto down;
	for (tag = 0; tag < 2; tag++)
		is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 0, tag, 0), -ETIME,
		   "FETCH without a buffer is held");
	is(rig_start(&rig), 0, "START_DEV");
	if (rig_open_disk(&rig) < 0)
		goto down;

	fill(data, 8192, 1);
	job_start(&job, IO_WRITE, rig.disk, data, 8192, 4096);
	is(rig_next(&rig, 0, IO_MS), UBLK_IO_RES_NEED_GET_DATA,
	   "WRITE comes without data");
	tag = rig.done.tag;
	ok(rig_desc(&rig, 0)->op_flags == UBLK_IO_OP_WRITE &&
	   rig_desc(&rig, 0)->start_sector == 8 &&
	   rig_desc(&rig, 0)->nr_sectors == 16, "its descriptor");
	ok(refused(wrong(&rig, UBLK_U_IO_FETCH_REQ, 0, tag, spare)),
	   "FETCH before the data");
	ok(all_bytes((void *)(uintptr_t)spare, 8192, 0),
	   "no data was copied yet");
	raw_io(&rig.queue[0], UBLK_U_IO_NEED_GET_DATA, 0, tag, 0, spare);
	is(rig_next(&rig, 0, IO_MS), 0, "NEED_GET_DATA");
	is(rig.done.tag, tag, "of the same tag");
	ok(holds((void *)(uintptr_t)spare, 8192, 1, 0), "its data is there");
	is(rig_desc(&rig, 0)->addr, spare, "the descriptor tells where");
	is(wrong(&rig, UBLK_U_IO_NEED_GET_DATA, 0, tag, spare), -EINVAL,
	   "NEED_GET_DATA twice");
	commit(&rig, 8192);
	is(job_end(&job), 8192, "WRITE ends");

	job_start(&job, IO_READ, rig.disk, data, 4096, 0);
	is(rig_next(&rig, 0, IO_MS), 0, "READ comes at once");
	tag = rig.done.tag;
	is(wrong(&rig, UBLK_U_IO_NEED_GET_DATA, 0, tag, spare), -EINVAL,
	   "NEED_GET_DATA of a READ");
	is(wrong(&rig, UBLK_U_IO_COMMIT_AND_FETCH_REQ, 0, tag, 0), -EINVAL,
	   "COMMIT of a READ without a buffer");
	fill((void *)(uintptr_t)spare, 4096, 2);
	raw_io(&rig.queue[0], UBLK_U_IO_COMMIT_AND_FETCH_REQ, 0, tag, 4096,
	       spare);
	raw_submit(&rig.queue[0]);
	is(job_end(&job), 4096, "READ ends");
	ok(holds(data, 4096, 2, 0), "with the data of COMMIT's buffer");

	job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
	is(rig_next(&rig, 0, IO_MS), UBLK_IO_RES_NEED_GET_DATA,
	   "another WRITE");
	tag = rig.done.tag;
	if (is(wrong(&rig, UBLK_U_IO_COMMIT_AND_FETCH_REQ, 0, tag, spare),
	       -EINVAL, "COMMIT before the data")) {
		raw_io(&rig.queue[0], UBLK_U_IO_NEED_GET_DATA, 0, tag, 0,
		       spare);
		is(rig_next(&rig, 0, IO_MS), 0, "the data after it");
		commit(&rig, 4096);
		is(job_end(&job), 4096, "the other WRITE ends");
	}

	job_start(&job, IO_WRITE, rig.disk, data, 4096, 0);
	is(rig_next(&rig, 0, IO_MS), UBLK_IO_RES_NEED_GET_DATA,
	   "a third WRITE");
	tag = rig.done.tag;
	if (!unanswered("NEED_GET_DATA to what is not there")) {
		is(wrong(&rig, UBLK_U_IO_NEED_GET_DATA, 0, tag,
			 place(UNMAPPED, NULL)), -EFAULT,
		   "NEED_GET_DATA to what is not there");
		rig.done.tag = tag;
		commit(&rig, -ENOMEM);
		is(job_end(&job), -ENOMEM, "an error without the data");
	} else {
		raw_io(&rig.queue[0], UBLK_U_IO_NEED_GET_DATA, 0, tag, 0,
		       spare);
		is(rig_next(&rig, 0, IO_MS), 0, "the data of the third");
		commit(&rig, 4096);
		is(job_end(&job), 4096, "the third WRITE ends");
	}
down:
	rig_down(&rig);
	munmap(data, 8192);
	munmap((void *)(uintptr_t)spare, MAX_IO);
}

static long copy_out(struct rig *rig, unsigned int q, unsigned int tag,
		     size_t offset, void *data, size_t len)
{
	long ret = pread(rig->cdev, data, len,
			 raw_copy_offset(q, tag, offset));

	return ret < 0 ? -errno : ret;
}

static long copy_in(struct rig *rig, unsigned int q, unsigned int tag,
		    size_t offset, void *data, size_t len)
{
	long ret = pwrite(rig->cdev, data, len,
			  raw_copy_offset(q, tag, offset));

	return ret < 0 ? -errno : ret;
}

static void test_user_copy(void)
{
	char *data = pages(8192), *copy = pages(16384);
	struct rig rig;
	struct job job;
	unsigned int tag;

	if (!rig_add(&rig, UBLK_F_USER_COPY, 1, 2))
		return;
	is(raw_set_params(&ctrl, rig.id, &rig.params), 0, "SET_PARAMS");
	if (!rig_server(&rig))
		goto down;
	is(wrong(&rig, UBLK_U_IO_FETCH_REQ, 0, 0, (uintptr_t)data), -EINVAL,
	   "FETCH with a buffer");
	is(copy_out(&rig, 0, 0, 0, copy, 512), -EACCES,
	   "copying before START_DEV");
	rig_fetch_all(&rig);
	is(rig_start(&rig), 0, "START_DEV");
	if (rig_open_disk(&rig) < 0)
		goto down;

	is(copy_out(&rig, 0, 0, 0, copy, 512), -EINVAL,
	   "copying from an armed slot");
	fill(data, 8192, 1);
	job_start(&job, IO_WRITE, rig.disk, data, 8192, 4096);
	delivered(&rig, UBLK_IO_OP_WRITE, 8, 16, "WRITE");
	tag = rig.done.tag;
	is(copy_out(&rig, 0, tag, 0, copy, 8192), 8192, "its data is copied");
	ok(holds(copy, 8192, 1, 0), "and right");
	memset(copy, 0xee, 16384);
	is(copy_out(&rig, 0, tag, 4608, copy, 1024), 1024, "a part of it");
	ok(holds(copy, 1024, 1, 4608) && all_bytes(copy + 1024, 1024, 0xee),
	   "that part and no more");
	is(copy_out(&rig, 0, tag, 7680, copy, 8192), 512,
	   "a part that ends with the request");
	ok(holds(copy, 512, 1, 7680) && all_bytes(copy + 1024, 8192, 0xee),
	   "no more than there is");
	is(copy_out(&rig, 0, tag, 8192, copy, 512), 0, "at its end");
	is(copy_out(&rig, 0, tag, 8193, copy, 512), -EINVAL, "beyond its end");
	is(copy_in(&rig, 0, tag, 0, copy, 512), -EACCES, "into a WRITE");
	is(copy_out(&rig, 0, tag, 0,
		    (void *)(uintptr_t)place(UNMAPPED, NULL), 512),
	   -EFAULT, "to memory that is not there");
	is(copy_out(&rig, 0, 1 - tag, 0, copy, 512), -EINVAL,
	   "from a tag that is armed");
	is(copy_out(&rig, 0, 2, 0, copy, 512), -EINVAL, "from no tag");
	is(copy_out(&rig, 1, 0, 0, copy, 512), -EINVAL, "from no queue");
	is(pread(rig.cdev, copy, 512, 0) < 0 ? -errno : 0, -EINVAL,
	   "from where the descriptors are");
	is(wrong(&rig, UBLK_U_IO_COMMIT_AND_FETCH_REQ, 0, tag,
		 (uintptr_t)data), -EINVAL, "COMMIT with a buffer");
	commit(&rig, 8192);
	is(job_end(&job), 8192, "WRITE ends");
	is(copy_out(&rig, 0, tag, 0, copy, 512), -EINVAL, "copying after it");

	job_start(&job, IO_READ, rig.disk, data, 8192, 0);
	delivered(&rig, UBLK_IO_OP_READ, 0, 16, "READ");
	tag = rig.done.tag;
	fill(copy, 16384, 2);
	is(copy_in(&rig, 0, tag, 0, copy, 4096), 4096, "its first half");
	is(copy_in(&rig, 0, tag, 4096, copy + 4096, 8192), 4096,
	   "its second half, no more than there is");
	is(copy_out(&rig, 0, tag, 0, copy, 512), -EACCES, "out of a READ");
	commit(&rig, 8192);
	is(job_end(&job), 8192, "READ ends");
	ok(holds(data, 8192, 2, 0), "with its data");
down:
	rig_down(&rig);
	munmap(data, 8192);
	munmap(copy, 16384);
}

const struct group data_groups[] = {
	{ "buffers", test_buffers, 0 },
	{ "need-get-data", test_need_get_data, UBLK_F_NEED_GET_DATA },
	{ "user-copy", test_user_copy, UBLK_F_USER_COPY },
	{ NULL, NULL, 0 },
};

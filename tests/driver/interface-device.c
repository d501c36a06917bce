// SPDX-License-Identifier: GPL-2.0
/*
 * The device in the interface test: its parameters, its start, its nodes and
 * their size.
 */
#include "tests/driver/interface-test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Parameters with one or two invalid fields. */

#define FIELD(field, value)						\
	{ offsetof(struct ublk_params, field),				\
	  sizeof(((struct ublk_params *)NULL)->field), (value) }

struct change {
	size_t at;
	size_t size;
	uint64_t value;
};

/* A field is less than 64 bits, and on some processors the last of them. */
static void make_change(struct ublk_params *params, const struct change *change)
{
	const char *from = (const char *)&change->value;

	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		from += sizeof(change->value) - change->size;
	memcpy((char *)params + change->at, from, change->size);
}

static void test_params(void)
{
	static const struct {
		const char *what;
		struct change change[2];
		int want;
	} cases[] = {
		{ "ordinary ones", { { 0 } }, 0 },
		{ "blocks of 4096 bytes", { FIELD(basic.logical_bs_shift, 12),
		  FIELD(basic.io_min_shift, 12) }, 0 },
		{ "blocks of 256 bytes", { FIELD(basic.logical_bs_shift, 8) },
		  -EINVAL },
		{ "blocks of 128 KiB", { FIELD(basic.logical_bs_shift, 17),
		  FIELD(basic.physical_bs_shift, 17) }, -EINVAL },
		{ "blocks of 2^255 bytes", {
		  FIELD(basic.logical_bs_shift, 255),
		  FIELD(basic.physical_bs_shift, 255) }, -EINVAL },
		{ "logical blocks beyond physical ones", {
		  FIELD(basic.logical_bs_shift, 12),
		  FIELD(basic.physical_bs_shift, 9) }, -EINVAL },
		{ "physical blocks of 2^255 bytes", {
		  FIELD(basic.physical_bs_shift, 255) }, -EINVAL },
		{ "smallest I/O of 2^32 bytes", {
		  FIELD(basic.io_min_shift, 32) }, -EINVAL },
		{ "best I/O of 2^32 bytes", {
		  FIELD(basic.io_opt_shift, 32) }, -EINVAL },
		{ "requests beyond the buffer", { FIELD(basic.max_sectors,
		  (MAX_IO >> 9) + 1) }, -EINVAL },
		{ "requests of 2^32 - 1 sectors", { FIELD(basic.max_sectors,
		  UINT32_MAX) }, -EINVAL },
		{ "requests of no sector", { FIELD(basic.max_sectors, 0) },
		  -EINVAL },
		{ "requests of less than a page", {
		  FIELD(basic.max_sectors, 7) }, -EINVAL },
		{ "a capacity of 2^64 - 1 sectors", {
		  FIELD(basic.dev_sectors, UINT64_MAX) }, -EINVAL },
		{ "a capacity of 2^55 sectors", {
		  FIELD(basic.dev_sectors, 1ULL << 55) }, -EINVAL },
		{ "no discard", { FIELD(discard.max_discard_sectors, 0) }, 0 },
		{ "discard of no granularity", {
		  FIELD(discard.discard_granularity, 0) }, -EINVAL },
		{ "discard of no segment", {
		  FIELD(discard.max_discard_segments, 0) }, -EINVAL },
		{ "discard of two segments", {
		  FIELD(discard.max_discard_segments, 2) }, -EINVAL },
		{ "two segments where there is no discard", {
		  FIELD(discard.max_discard_sectors, 0),
		  FIELD(discard.max_discard_segments, 2) }, 0 },
		{ "discard of an odd granularity", {
		  FIELD(discard.discard_granularity, 4608) }, 0 },
		{ "chunks of one sector", { FIELD(basic.chunk_sectors, 1) },
		  0 },
		{ "chunks of 129 sectors", { FIELD(basic.chunk_sectors, 129) },
		  0 },
		{ "chunks of less than a block", {
		  FIELD(basic.logical_bs_shift, 12),
		  FIELD(basic.chunk_sectors, 1) }, -EINVAL },
		{ "no type", { FIELD(types, 0) }, -EINVAL },
		{ "without the basic ones", {
		  FIELD(types, UBLK_PARAM_TYPE_DISCARD) }, -EINVAL },
		{ "numbers of nodes", { FIELD(types, UBLK_PARAM_TYPE_BASIC |
		  UBLK_PARAM_TYPE_DEVT) }, -EINVAL },
		{ "of no length", { FIELD(len, 0) }, -EINVAL },
		{ "longer than the argument", {
		  FIELD(len, sizeof(struct ublk_params) + 1) }, -EINVAL },
		{ "an unknown type beside", { FIELD(types,
		  UBLK_PARAM_TYPE_BASIC | 1 << 20) }, 0 },
	};
	struct ublk_params params, got;
	struct rig rig;

	if (!rig_add(&rig, 0, 1, 4))
		return;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		params = rig.params;
		for (int c = 0; c < 2; c++)
			make_change(&params, &cases[i].change[c]);
		is(raw_set_params(&ctrl, rig.id, &params), cases[i].want,
		   cases[i].what);
	}
	is(raw_get_params(&ctrl, rig.id, &got), 0, "GET_PARAMS");
	is(got.types & 1 << 20, 0, "an unknown type is cleared");
	params = rig.params;
	is(raw_set_params(&ctrl, rig.id, &params), 0, "right ones again");
	is(raw_get_params(&ctrl, rig.id, &got), 0, "GET_PARAMS again");
	ok(!memcmp(&got.basic, &rig.params.basic, sizeof(got.basic)) &&
	   !memcmp(&got.discard, &rig.params.discard, sizeof(got.discard)),
	   "they are what was set");
	is(got.types & (UBLK_PARAM_TYPE_BASIC | UBLK_PARAM_TYPE_DISCARD),
	   UBLK_PARAM_TYPE_BASIC | UBLK_PARAM_TYPE_DISCARD,
	   "and of the types set");

	/*
	 * a shorter structure, as of an older server: nothing is written after
	 * it
	 */
	memset(&got, 0xee, sizeof(got));
	got.len = offsetof(struct ublk_params, discard);
	is(raw_command(&ctrl, UBLK_U_CMD_GET_PARAMS, rig.id, &got, sizeof(got),
		       0), 0, "GET_PARAMS of an older server");
	ok(all_bytes(&got.discard, sizeof(got.discard), 0xee),
	   "nothing is written beyond its structure");
	rig_down(&rig);
}

/* After refused parameters, the device cannot be started. */
static void test_params_refused(void)
{
	struct rig rig;

	if (!rig_add(&rig, 0, 1, 1))
		return;
	rig.params.basic.logical_bs_shift = 8;
	is(raw_set_params(&ctrl, rig.id, &rig.params), -EINVAL, "refused");
	if (!unanswered("no START_DEV then"))
		is(raw_start(&ctrl, rig.id, getpid()), -EINVAL,
		   "no START_DEV then");
	rig_down(&rig);
}

/* The same if START_DEV has checked valid ones, and waits for the tags. */
static void test_params_late(void)
{
	static struct raw_ctrl starter;
	struct rig rig;

	if (unanswered("it is not started with the bad ones"))
		return;
	if (!rig_add(&rig, 0, 1, 1) || !rig_server(&rig))
		return;
	is(raw_ctrl_open(&starter), 0, "another ring for commands");
	is(raw_set_params(&ctrl, rig.id, &rig.params), 0, "SET_PARAMS");
	is(raw_start_send(&starter, rig.id, getpid()), 0, "START_DEV");
	is(raw_ctrl_answer(&starter, QUIET_MS), -ETIME, "it waits");
	rig.params.basic.dev_sectors = UINT64_MAX;
	is(raw_set_params(&ctrl, rig.id, &rig.params), -EINVAL, "refused");
	rig_fetch_all(&rig);
	is(raw_ctrl_answer(&starter, IO_MS), -EINVAL,
	   "it is not started with the bad ones");
	is(raw_state(&ctrl, rig.id), UBLK_S_DEV_DEAD, "the device is DEAD");
	raw_ctrl_close(&starter);
	rig_down(&rig);
}

static void test_start(void)
{
	struct ublksrv_ctrl_dev_info info;
	struct rig rig;
	struct ublk_params got;
	struct stat st;
	char path[32];

	if (!rig_add(&rig, 0, 1, 2) || !rig_server(&rig))
		return;
	is(raw_set_params(&ctrl, rig.id, &rig.params), 0, "SET_PARAMS");
	is(raw_start(&ctrl, rig.id, 0), -EINVAL, "START_DEV, server 0");
	is(raw_start(&ctrl, rig.id, -1), -EINVAL, "START_DEV, server -1");

	raw_fetch(&rig.queue[0], 0);
	raw_submit(&rig.queue[0]);
	is(raw_start_send(&ctrl, rig.id, getpid()), 0, "START_DEV, half ready");
	is(raw_ctrl_answer(&ctrl, QUIET_MS), -ETIME, "it waits");
	is(raw_ctrl_cancel(&ctrl), 0, "interrupt it");
	is(raw_ctrl_answer(&ctrl, IO_MS), -EINTR, "it is interrupted");
	is(raw_state(&ctrl, rig.id), UBLK_S_DEV_DEAD, "the device is DEAD");
	is(raw_open_disk(rig.id, O_RDONLY, 0), -ENOENT, "there is no disk");
	is(raw_get_params(&ctrl, rig.id, &got), 0, "GET_PARAMS before");
	ok(got.types & UBLK_PARAM_TYPE_DEVT, "tells numbers of nodes");
	fstat(rig.cdev, &st);
	is(got.devt.char_major, major(st.st_rdev), "major of /dev/ublkcN");
	is(got.devt.char_minor, minor(st.st_rdev), "minor of /dev/ublkcN");
	is(got.devt.disk_major, 0, "no disk yet");

	is(raw_start_send(&ctrl, rig.id, getpid()), 0, "START_DEV again");
	is(raw_ctrl_answer(&ctrl, QUIET_MS), -ETIME, "it waits again");
	raw_fetch(&rig.queue[0], 1);
	raw_submit(&rig.queue[0]);
	is(rig_answer(&rig), 0, "it ends when the last tag is there");

	is(raw_info(&ctrl, rig.id, &info), 0, "GET_DEV_INFO");
	is(info.state, UBLK_S_DEV_LIVE, "the device is LIVE");
	is(info.ublksrv_pid, getpid(), "it tells the server");
	is(raw_start(&ctrl, rig.id, getpid()), -EEXIST, "START_DEV twice");
	is(raw_set_params(&ctrl, rig.id, &rig.params), -EACCES,
	   "no SET_PARAMS any more");
	is(raw_get_params(&ctrl, rig.id, &got), 0, "GET_PARAMS after");
	snprintf(path, sizeof(path), "/dev/ublkb%d", rig.id);
	is(stat(path, &st), 0, "there is a disk");
	is(got.devt.disk_major, major(st.st_rdev), "major of /dev/ublkbN");
	is(got.devt.disk_minor, minor(st.st_rdev), "minor of /dev/ublkbN");

	is(raw_stop(&ctrl, rig.id), 0, "STOP_DEV");
	is(raw_state(&ctrl, rig.id), UBLK_S_DEV_DEAD, "the device is DEAD");
	is(rig_next(&rig, 0, IO_MS), -ENODEV, "a command comes back");
	is(rig_next(&rig, 0, IO_MS), -ENODEV, "and the other one");
	is(raw_open_disk(rig.id, O_RDONLY, 0), -ENOENT, "the disk is gone");
	is(raw_stop(&ctrl, rig.id), 0, "STOP_DEV again");
	rig_down(&rig);
}

/* The disk looks as the parameters say. */
static void test_disk(void)
{
	struct rig rig;
	uint64_t bytes = 0;
	unsigned int number = 0;
	int value = 0;

	if (!rig_add(&rig, 0, 1, 2))
		return;
	rig.params.basic.attrs |= UBLK_ATTR_READ_ONLY | UBLK_ATTR_ROTATIONAL;
	rig.params.basic.logical_bs_shift = 11;
	rig.params.basic.io_min_shift = 12;
	rig.params.basic.io_opt_shift = 15;
	is(raw_set_params(&ctrl, rig.id, &rig.params), 0, "SET_PARAMS");
	if (rig_server(&rig)) {
		rig_fetch_all(&rig);
		is(rig_start(&rig), 0, "START_DEV");
		rig.disk = raw_open_disk(rig.id, O_RDONLY, 5000);
		ioctl(rig.disk, BLKGETSIZE64, &bytes);
		is(bytes, DISK_BYTES, "size");
		ioctl(rig.disk, BLKSSZGET, &value);
		is(value, 2048, "logical block");
		ioctl(rig.disk, BLKPBSZGET, &number);
		is(number, 4096, "physical block");
		ioctl(rig.disk, BLKIOMIN, &number);
		is(number, 4096, "smallest I/O");
		ioctl(rig.disk, BLKIOOPT, &number);
		is(number, 32768, "best I/O");
		ioctl(rig.disk, BLKROGET, &value);
		is(value, 1, "read-only");
	}
	rig_down(&rig);
}

static long mapped(const struct rig *rig, size_t len, int protection,
		   int flags, off_t offset)
{
	void *map = mmap(NULL, len, protection, flags, rig->cdev, offset);

	if (map == MAP_FAILED)
		return -errno;
	munmap(map, len);
	return 0;
}

static void test_mmap(void)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	/* The descriptors of a queue are more than one page. */
	const unsigned int depth = page / sizeof(struct ublksrv_io_desc) + 30;
	struct rig rig;
	void *map;
	size_t size;

	if (!rig_add(&rig, 0, 2, depth))
		return;
	rig.cdev = raw_open_char(rig.id, 5000);
	size = raw_desc_size(depth);
	is(mapped(&rig, size, PROT_READ, MAP_SHARED, raw_desc_offset(0)), 0,
	   "queue 0");
	if (rig.info.nr_hw_queues > 1)
		is(mapped(&rig, size, PROT_READ, MAP_SHARED,
			  raw_desc_offset(1)), 0, "queue 1");
	is(mapped(&rig, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		  raw_desc_offset(0)), -EPERM, "writable");
	is(mapped(&rig, size, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		  raw_desc_offset(0)), -EPERM, "writable and private");
	is(mapped(&rig, size + page, PROT_READ, MAP_SHARED,
		  raw_desc_offset(0)), -EINVAL, "too long");
	is(mapped(&rig, 1024 * page, PROT_READ, MAP_SHARED,
		  raw_desc_offset(0)), -EINVAL, "much too long");
	is(mapped(&rig, page, PROT_READ, MAP_SHARED, raw_desc_offset(0)),
	   -EINVAL, "too short");
	is(mapped(&rig, size, PROT_READ, MAP_SHARED, raw_desc_offset(64)),
	   -EINVAL, "a queue that is not there");
	is(mapped(&rig, size, PROT_READ, MAP_SHARED, UBLKSRV_IO_BUF_OFFSET),
	   -EINVAL, "where the data is");
	map = mmap(NULL, size, PROT_READ, MAP_SHARED, rig.cdev,
		   raw_desc_offset(0));
	if (ok(map != MAP_FAILED, "queue 0 again")) {
		is(mprotect(map, size, PROT_READ | PROT_WRITE) ? -errno : 0,
		   -EACCES, "it never becomes writable");
		ok(all_bytes(map, size, 0), "nothing of the kernel is in it");
		munmap(map, size);
	}
	rig_down(&rig);
}

static void test_second_opener(void)
{
	struct rig rig;
	int fd;

	if (!rig_add(&rig, 0, 1, 1))
		return;
	rig.cdev = raw_open_char(rig.id, 5000);
	ok(rig.cdev >= 0, "the first");
	is(raw_open_char(rig.id, 0), -EBUSY, "the second is refused");
	close(rig.cdev);
	rig.cdev = -1;
	/* Linux 7.3 frees the device in a worker */
	fd = raw_open_char(rig.id, ours ? 0 : 5000);
	ok(fd >= 0, "the next, when the first has closed it");
	close(fd);
	rig_down(&rig);
}

static void test_del_async(void)
{
	struct rig rig;
	int id, cdev;

	if (kernel < 606 && !ours) {
		skip("DEL_DEV_ASYNC", "came with Linux 6.6");
		return;
	}
	if (!rig_add(&rig, 0, 1, 1))
		return;
	id = rig.id;
	cdev = raw_open_char(id, 5000);
	ok(cdev >= 0, "open /dev/ublkcN");
	step("DEL_DEV_ASYNC while it is open");
	is(raw_del_async(&ctrl, id), 0, "DEL_DEV_ASYNC while it is open");
	close(cdev);
	for (int tries = 0; tries < 200; tries++) {
		rig.info.dev_id = id;
		if (raw_add(&ctrl, &rig.info) != -EEXIST)
			break;
		usleep(10000);
	}
	is(raw_state(&ctrl, id), UBLK_S_DEV_DEAD,
	   "the id is free soon after it is closed");
	is(raw_del(&ctrl, id), 0, "DEL_DEV");
}

/* Whether a uevent with this word arrives within IO_MS. */
static bool uevent(int fd, const char *word)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	char text[4096];
	ssize_t len;

	while (poll(&ready, 1, IO_MS) > 0) {
		len = recv(fd, text, sizeof(text) - 1, 0);
		if (len > 0 && memmem(text, len, word, strlen(word)))
			return true;
	}
	return false;
}

static uint64_t disk_bytes(const struct rig *rig)
{
	uint64_t bytes = 0;

	ioctl(rig->disk, BLKGETSIZE64, &bytes);
	return bytes;
}

static void test_update_size(void)
{
	struct sockaddr_nl kernel_events = {
		.nl_family = AF_NETLINK,
		.nl_groups = 1,
	};
	int events = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
			    NETLINK_KOBJECT_UEVENT);
	char *data = pages(4096);
	struct ublk_params params;
	struct rig rig;
	struct job job;

	ok(events >= 0 && !bind(events, (void *)&kernel_events,
			       sizeof(kernel_events)),
	   "listen to uevents");
	if (!rig_add(&rig, UBLK_F_UPDATE_SIZE, 1, 2))
		return;
	is(rig.info.flags & UBLK_F_UPDATE_SIZE, UBLK_F_UPDATE_SIZE,
	   "the flag is taken");
	is(raw_update_size(&ctrl, rig.id, 4096) < 0, true,
	   "UPDATE_SIZE before START_DEV");
	if (!rig_up(&rig))
		goto down;
	is(disk_bytes(&rig), DISK_BYTES, "the size at first");
	is(raw_update_size(&ctrl, rig.id, 2 * DISK_BYTES >> 9), 0,
	   "UPDATE_SIZE to twice as much");
	is(disk_bytes(&rig), 2 * DISK_BYTES, "the size is twice as much");
	ok(uevent(events, "RESIZE=1"), "a uevent tells of it");
	is(raw_get_params(&ctrl, rig.id, &params), 0, "GET_PARAMS");
	is(params.basic.dev_sectors, 2 * DISK_BYTES >> 9, "tells it, too");
	job_start(&job, IO_READ, rig.disk, data, 4096, 2 * DISK_BYTES - 4096);
	delivered(&rig, UBLK_IO_OP_READ, (2 * DISK_BYTES >> 9) - 8, 8,
		  "READ of the new end");
	commit(&rig, 4096);
	is(job_end(&job), 4096, "it ends");
	is(raw_update_size(&ctrl, rig.id, DISK_BYTES >> 10), 0,
	   "UPDATE_SIZE to half as much");
	is(disk_bytes(&rig), DISK_BYTES / 2, "the size is half as much");
	is(pread(rig.disk, data, 4096, DISK_BYTES), 0,
	   "nothing is read beyond it");
	is(raw_update_size(&ctrl, rig.id, UINT64_MAX), -EINVAL,
	   "2^64 - 1 sectors");
	is(raw_update_size(&ctrl, rig.id, 1ULL << 55), -EINVAL,
	   "2^55 sectors");
	is(disk_bytes(&rig), DISK_BYTES / 2, "they change nothing");
	is(raw_update_size(&ctrl, 12345, 8), -ENODEV, "no such device");
	is(raw_stop(&ctrl, rig.id), 0, "STOP_DEV");
	is(raw_update_size(&ctrl, rig.id, 4096) < 0, true,
	   "UPDATE_SIZE after STOP_DEV");
down:
	rig_down(&rig);
	close(events);
	munmap(data, 4096);
}

const struct group device_groups[] = {
	{ "params", test_params, 0 },
	{ "params-refused", test_params_refused, 0 },
	{ "params-late", test_params_late, 0 },
	{ "start", test_start, 0 },
	{ "disk", test_disk, 0 },
	{ "mmap", test_mmap, 0 },
	{ "second-opener", test_second_opener, 0 },
	{ "del-async", test_del_async, 0 },
	{ "update-size", test_update_size, UBLK_F_UPDATE_SIZE },
	{ NULL, NULL, 0 },
};

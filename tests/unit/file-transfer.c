// SPDX-License-Identifier: GPL-2.0
/*
 * A request of the file target whose operations transfer less, are interrupted
 * or fail; and of a file in memory, which needs no operations. There is no ring:
 * this test takes the operations and completes them.
 */
#include "core/target.h"

#include <errno.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "tests/unit/plain-transfer.h"

extern const struct ublk_target target_file;

/* Nothing here is on a server. */
const struct ublk_target nbd_target;

static int number, failures;

static void *file;		/* the target's state */
static char data[65536];
static struct ublk_request request = { .data = data };
static struct io_uring_sqe sqe;
static int operations;		/* how many were submitted */
static int answers, result;	/* how many, and the last result */
static unsigned long filesystem = EXT4_SUPER_MAGIC;	/* of every file */
static bool lends;		/* the driver lends pages */

/* Replaces the C library's: /tmp may be in memory. */
int fstatfs(int fd, struct statfs *is)
{
	(void)fd;
	memset(is, 0, sizeof(*is));
	is->f_type = filesystem;
	return 0;
}

void *ublk_device_data(const struct ublk_device *device)
{
	(void)device;
	return file;
}

struct ublk_device *ublk_queue_device(const struct ublk_queue *queue)
{
	(void)queue;
	return NULL;
}

struct io_uring_sqe *ublk_queue_sqe(struct ublk_queue *queue,
				    struct ublk_completion *completion)
{
	(void)queue;
	memset(&sqe, 0, sizeof(sqe));
	sqe.user_data = (uintptr_t)completion;
	operations++;
	return &sqe;
}

void ublk_request_done(struct ublk_queue *queue, struct ublk_request *done,
		       int value)
{
	(void)queue;
	answers += done == &request;
	result = value;
}

/* The functions that open() calls. */
bool ublk_device_read_only(const struct ublk_device *device)
{
	(void)device;
	return false;
}

uint64_t ublk_device_block_size(const struct ublk_device *device)
{
	(void)device;
	return 0;
}

void ublk_device_set_data(struct ublk_device *device, void *value)
{
	(void)device;
	file = value;
}

void ublk_device_set_argument(struct ublk_device *device, const char *argument)
{
	(void)device;
	(void)argument;
}

int ublk_device_inherited_file(struct ublk_device *device, const char *name)
{
	(void)name;
	(void)device;
	return -1;
}

unsigned int ublk_device_cpus(const struct ublk_device *device)
{
	(void)device;
	return 1;
}

bool ublk_device_lends(const struct ublk_device *device)
{
	(void)device;
	return lends;
}

bool ublk_device_resumed(const struct ublk_device *device)
{
	(void)device;
	return false;
}

int ublk_device_identify(struct ublk_device *device, const char *name,
			 const char *path, int fd,
			 const struct identity_contents *contents)
{
	(void)device;
	(void)name;
	(void)path;
	(void)fd;
	(void)contents;
	return 0;
}

bool ublk_device_is_base(const struct ublk_device *device)
{
	(void)device;
	return false;
}

int ublk_device_open_instead(struct ublk_device *device,
			     const struct ublk_target *target, const char *argument,
			     const void *settings, struct ublk_disk *disk)
{
	(void)device;
	(void)target;
	(void)argument;
	(void)settings;
	(void)disk;
	return -1;
}

int ublk_device_register_file(struct ublk_device *device, int fd,
			      const char *name)
{
	(void)name;
	(void)device;
	(void)fd;
	return 3;
}

unsigned int ublk_queue_id(const struct ublk_queue *queue)
{
	(void)queue;
	return 0;
}

void ublk_queue_send(struct ublk_queue *to, struct ublk_completion *completion,
		     int value)
{
	(void)to;
	(void)completion;
	(void)value;
}

static void check(bool good, const char *claim)
{
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, claim);
}

/* Submits one request at offset 8192 of the disk. */
static void submit(uint8_t op, uint32_t flags, uint32_t length)
{
	operations = answers = 0;
	request.op = op;
	request.flags = flags;
	request.offset = 8192;
	request.length = length;
	check(target_file.submit(NULL, &request) == UBLK_LATER &&
	      operations == 1 && !answers, "one operation, answered later");
}

static void complete(int value)
{
	struct ublk_completion *completion =
		(struct ublk_completion *)(uintptr_t)sqe.user_data;

	completion->done(NULL, completion, value);
}

/*
 * Whether the current operation is for @left bytes, from byte @done of the
 * request on.
 */
static bool moves(uint8_t opcode, uint32_t done, uint32_t left)
{
	return sqe.opcode == opcode && sqe.fd == 3 &&
	       sqe.flags == IOSQE_FIXED_FILE &&
	       sqe.off == (1 << 20) + 8192 + done &&
	       sqe.addr == (uintptr_t)data + done && sqe.len == left;
}

static void test_transfers(uint8_t op, uint8_t opcode)
{
	submit(op, 0, 65536);
	check(moves(opcode, 0, 65536), "of all of it");
	complete(65536);
	check(operations == 1 && answers == 1 && result == 65536,
	      "done at once");

	submit(op, 0, 65536);
	complete(4096);
	check(operations == 2 && !answers && moves(opcode, 4096, 61440),
	      "a short one goes on where it ended");
	complete(512);
	check(operations == 3 && !answers && moves(opcode, 4608, 60928),
	      "and again");
	complete(60928);
	check(operations == 3 && answers == 1 && result == 65536,
	      "and is answered whole");

	submit(op, 0, 4096);
	complete(-EINTR);
	check(operations == 2 && moves(opcode, 0, 4096), "an interrupted one");
	complete(512);
	complete(-EAGAIN);
	check(operations == 4 && moves(opcode, 512, 3584),
	      "and one to be tried again go on");
	complete(3584);
	check(answers == 1 && result == 4096, "and are answered whole");

	submit(op, 0, 4096);
	complete(-EIO);
	check(operations == 1 && answers == 1 && result == -EIO,
	      "an error is answered");
	submit(op, 0, 4096);
	complete(512);
	complete(-ENOSPC);
	check(operations == 2 && answers == 1 && result == -ENOSPC,
	      "also one behind a part");
	submit(op, 0, 4096);
	complete(512);
	complete(0);
	check(operations == 2 && answers == 1 && result == -EIO,
	      "the end of the file is an error");
}

static void test_flags(void)
{
	submit(UBLK_IO_OP_WRITE, UBLK_IO_F_FUA, 4096);
	check(sqe.rw_flags == RWF_DSYNC, "FUA is written through");
	complete(512);
	check(moves(IORING_OP_WRITE, 512, 3584) && sqe.rw_flags == RWF_DSYNC,
	      "also the rest of it");
	complete(3584);
	submit(UBLK_IO_OP_WRITE, UBLK_IO_F_META | UBLK_IO_F_FAILFAST_DEV, 4096);
	check(!sqe.rw_flags, "other flags are not");
	complete(4096);
	submit(UBLK_IO_OP_READ, UBLK_IO_F_FUA, 4096);
	check(!sqe.rw_flags, "nor is a read");
	complete(4096);
}

static void test_flush(void)
{
	submit(UBLK_IO_OP_FLUSH, 0, 0);
	check(sqe.opcode == IORING_OP_FSYNC && sqe.fd == 3 &&
	      sqe.fsync_flags == IORING_FSYNC_DATASYNC && !sqe.off && !sqe.len,
	      "FLUSH syncs the file");
	complete(0);
	check(answers == 1 && !result, "and is answered");
	submit(UBLK_IO_OP_FLUSH, 0, 0);
	complete(-EIO);
	check(answers == 1 && result == -EIO, "with its error");
}

static bool allocates(uint32_t mode)
{
	return sqe.opcode == IORING_OP_FALLOCATE && sqe.fd == 3 &&
	       sqe.off == (1 << 20) + 8192 && sqe.addr == 65536 &&
	       sqe.len == mode;
}

static void test_fallocate(void)
{
	const uint32_t hole = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	const uint32_t zeroes = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;

	submit(UBLK_IO_OP_DISCARD, 0, 65536);
	check(allocates(hole), "DISCARD punches a hole");
	complete(0);
	check(answers == 1 && !result, "and is answered");
	submit(UBLK_IO_OP_WRITE_ZEROES, 0, 65536);
	check(allocates(hole), "so do zeroes");
	complete(-EIO);
	check(answers == 1 && result == -EIO, "with an error");
	submit(UBLK_IO_OP_WRITE_ZEROES, UBLK_IO_F_NOUNMAP, 65536);
	check(allocates(zeroes), "zeroes that keep their place are written");
	complete(0);
	check(operations == 1 && answers == 1 && !result, "and are answered");
	submit(UBLK_IO_OP_WRITE_ZEROES, UBLK_IO_F_NOUNMAP, 65536);
	complete(-EOPNOTSUPP);
	check(operations == 2 && !answers && allocates(hole),
	      "where that does not work they are a hole");
	complete(0);
	check(answers == 1 && !result, "and are answered");
}

/*
 * Opens a file of 2 MiB as a disk that starts in its middle, without direct I/O,
 * for which @data is not aligned. Returns a descriptor of the file.
 */
static int open_target(void)
{
	uint64_t settings[16] = { 0 };
	const struct option_spec *spec;
	struct ublk_disk disk = { .logical_block = 512 };
	char path[] = "/tmp/backing.XXXXXX";
	int fd = mkstemp(path);

	for (spec = target_file.options; spec->name; spec++) {
		char *value = (char *)settings + spec->offset;

		if (!strcmp(spec->name, "offset"))
			*(uint64_t *)value = 1 << 20;
		else if (!strcmp(spec->name, "buffered"))
			*(bool *)value = true;
	}
	check(!ftruncate(fd, 2 << 20) &&
	      !target_file.open(NULL, path, settings, &disk) &&
	      disk.size == 1 << 20, "a file is opened");
	unlink(path);
	target_file.start(NULL);
	request.state = calloc(1, target_file.request_size);
	return fd;
}

static void close_target(int fd)
{
	close(fd);
	free(request.state);
	target_file.close(NULL);
}

/* Whether a request is answered with @wanted, at once and without the ring. */
static bool at_once(uint8_t op, uint32_t flags, uint64_t offset, uint32_t length,
		    int wanted)
{
	operations = 0;
	request.op = op;
	request.flags = flags;
	request.offset = offset;
	request.length = length;
	return target_file.submit(NULL, &request) == wanted && !operations;
}

/* Whether the file has @length bytes of @byte from @offset of the disk on. */
static bool holds(int fd, uint64_t offset, uint32_t length, char byte)
{
	static char found[sizeof(data)];
	uint32_t i;

	if (pread(fd, found, length, (1 << 20) + offset) != (ssize_t)length)
		return false;
	for (i = 0; i < length && found[i] == byte; i++)
		;
	return i == length;
}

static void test_memory(unsigned long kind)
{
	uint32_t i;
	int fd;

	filesystem = kind;
	fd = open_target();
	memset(data, 'a', sizeof(data));
	check(at_once(UBLK_IO_OP_WRITE, 0, 8192, 65536, 65536) &&
	      holds(fd, 8192, 65536, 'a') && holds(fd, 0, 8192, 0) &&
	      holds(fd, 8192 + 65536, 8192, 0),
	      "in memory: a write is done at once, where it belongs");
	memset(data, 'b', sizeof(data));
	check(at_once(UBLK_IO_OP_WRITE, UBLK_IO_F_FUA, 8192, 512, 512) &&
	      holds(fd, 8192, 512, 'b'), "so is one with FUA");
	check(at_once(UBLK_IO_OP_FLUSH, 0, 0, 0, 0), "and a FLUSH");
	memset(data, 0, sizeof(data));
	check(at_once(UBLK_IO_OP_READ, 0, 8192, 65536, 65536),
	      "a read is done at once");
	for (i = 0; i < 65536 && data[i] == (i < 512 ? 'b' : 'a'); i++)
		;
	check(i == 65536, "and has what was written");
	check(at_once(UBLK_IO_OP_DISCARD, 0, 8192, 4096, 0) &&
	      holds(fd, 8192, 4096, 0) && holds(fd, 12288, 4096, 'a'),
	      "a discard leaves zeroes, and nothing else");
	check(at_once(UBLK_IO_OP_WRITE_ZEROES, UBLK_IO_F_NOUNMAP, 16384, 4096,
		      0) &&
	      holds(fd, 16384, 4096, 0) && holds(fd, 20480, 4096, 'a'),
	      "so do zeroes that keep their place");
	check(at_once(UBLK_IO_OP_ZONE_RESET_ALL, 0, 0, 0, -EOPNOTSUPP),
	      "anything else is not supported");
	if (ftruncate(fd, (1 << 20) + 12288))
		abort();
	check(at_once(UBLK_IO_OP_READ, 0, 12288, 512, -EIO),
	      "what was cut off is an error");
	check(at_once(UBLK_IO_OP_READ, 0, 8192, 8192, -EIO),
	      "so is a part of it");
	check(at_once(UBLK_IO_OP_READ, 0, 8192, 4096, 4096), "all else is there");
	close_target(fd);

	/* A device that an earlier program made. */
	lends = true;
	fd = open_target();
	submit(UBLK_IO_OP_READ, 0, 4096);
	check(moves(IORING_OP_READ, 0, 4096),
	      "lent pages are left to the ring");
	complete(4096);
	close_target(fd);
	lends = false;
}

int main(void)
{
	int fd = open_target();

	test_transfers(UBLK_IO_OP_READ, IORING_OP_READ);
	test_transfers(UBLK_IO_OP_WRITE, IORING_OP_WRITE);
	test_flags();
	test_flush();
	test_fallocate();
	request.op = UBLK_IO_OP_ZONE_RESET_ALL;
	check(target_file.submit(NULL, &request) == -EOPNOTSUPP,
	      "anything else is not supported");
	close_target(fd);
	test_memory(TMPFS_MAGIC);
	test_memory(RAMFS_MAGIC);
	printf("1..%d\n", number);
	return failures != 0;
}

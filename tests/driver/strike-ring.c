// SPDX-License-Identifier: GPL-2.0
/*
 * Finds control commands in the ring of another process, just before the kernel
 * takes them, and makes them fail. All that strike knows about io_uring and
 * ublk is here.
 */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/driver/strike.h"

#define SQE_BYTES 128		/* ublk uses rings with large SQEs */
#define INJECT_RESULT 1		/* IORING_NOP_INJECT_RESULT of Linux 6.10 */
#define RINGS_MAX 16
#define COMMANDS_MAX 0x20	/* I/O commands have larger numbers */

struct ring {
	uint64_t head, mask, entries;	/* addresses in the other process */
	uint64_t sqes;
};

static bool peek(int memory, uint64_t at, void *to, size_t bytes)
{
	return pread(memory, to, bytes, at) == (ssize_t)bytes;
}

/*
 * Returns the offsets of the fields in a ring's mapping, which are the same for
 * all rings.
 */
static struct io_sqring_offsets offsets(void)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SQE128 };
	int fd = syscall(SYS_io_uring_setup, 4, &params);

	if (fd >= 0)
		close(fd);
	return params.sq_off;
}

/* Finds the rings that the process has mapped. Returns how many. */
static int find_rings(pid_t task, uint64_t rings[RINGS_MAX],
		      uint64_t sqes[RINGS_MAX])
{
	char path[48], line[512];
	int count = 0, entries = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)task);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long long start, offset;

		if (!strstr(line, "[io_uring]") ||
		    sscanf(line, "%llx-%*x %*s %llx", &start, &offset) != 2)
			continue;
		if (offset == IORING_OFF_SQES && entries < RINGS_MAX)
			sqes[entries++] = start;
		else if (!offset && count < RINGS_MAX)
			rings[count++] = start;
	}
	if (maps)
		fclose(maps);
	/* With a single ring, it is clear which mappings belong together. */
	return count == 1 && entries == 1;
}

/*
 * Calls @each for every SQE with a control command that the kernel has not
 * taken yet. Stops when @each returns true.
 */
static void each_command(pid_t task, bool (*each)(int memory, uint64_t sqe,
						  void *arg), void *arg)
{
	uint64_t rings[RINGS_MAX], sqes[RINGS_MAX];
	struct io_sqring_offsets at = offsets();
	uint32_t head, tail, mask;
	char path[48];
	int memory;

	if (!find_rings(task, rings, sqes))
		return;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)task);
	memory = open(path, O_RDWR | O_CLOEXEC);
	if (memory < 0)
		return;
	if (peek(memory, rings[0] + at.head, &head, sizeof(head)) &&
	    peek(memory, rings[0] + at.tail, &tail, sizeof(tail)) &&
	    peek(memory, rings[0] + at.ring_mask, &mask, sizeof(mask)))
		for (; head != tail; head++) {
			uint64_t sqe = sqes[0] + (head & mask) * SQE_BYTES;
			struct io_uring_sqe entry;

			if (!peek(memory, sqe, &entry, sizeof(entry)))
				break;
			if (entry.opcode == IORING_OP_URING_CMD &&
			    (entry.cmd_op & 0xff) < COMMANDS_MAX &&
			    each(memory, sqe, arg))
				break;
		}
	close(memory);
}

static bool count_one(int memory, uint64_t sqe, void *arg)
{
	(void)memory;
	(void)sqe;
	++*(int *)arg;
	return false;
}

int ring_commands(pid_t task)
{
	int count = 0;

	each_command(task, count_one, &count);
	return count;
}

struct spoil {
	int left;
	int error;
	bool done;
};

static bool spoil_one(int memory, uint64_t at, void *arg)
{
	struct spoil *spoil = arg;
	struct io_uring_sqe sqe;

	if (spoil->left--)
		return false;
	if (!peek(memory, at, &sqe, sizeof(sqe)))
		return true;
	sqe.opcode = IORING_OP_NOP;
	sqe.flags = 0;
	sqe.ioprio = 0;
	sqe.rw_flags = INJECT_RESULT;
	sqe.len = -spoil->error;
	spoil->done = pwrite(memory, &sqe, sizeof(sqe), at) == sizeof(sqe);
	return true;
}

bool ring_spoil(pid_t task, int index, int error)
{
	struct spoil spoil = { .left = index, .error = error };

	each_command(task, spoil_one, &spoil);
	return spoil.done;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Counts the commands that the fuzzer's processes sent, and the results, in
 * shared memory.
 */
#include "tests/driver/fuzz.h"

#include <errno.h>
#include <stdio.h>

static const char *const names[KINDS] = {
	"ADD_DEV", "DEL_DEV", "DEL_DEV_ASYNC", "START_DEV", "STOP_DEV",
	"SET_PARAMS", "GET_PARAMS", "GET_DEV_INFO", "GET_DEV_INFO2",
	"GET_QUEUE_AFFINITY", "GET_FEATURES", "START_USER_RECOVERY",
	"END_USER_RECOVERY", "UPDATE_SIZE", "QUIESCE_DEV",
	"TRY_STOP_DEV", "other control",
	"FETCH_REQ", "COMMIT_AND_FETCH", "NEED_GET_DATA",
	"REGISTER_IO_BUF", "UNREGISTER_IO_BUF", "PREP_IO_CMDS",
	"COMMIT_IO_CMDS", "FETCH_IO_CMDS", "other I/O command",
	"open ublkcN", "open ublkbN", "mmap ublkcN", "pread ublkcN",
	"pwrite ublkcN", "I/O on buffer", "read disk", "write disk", "fsync disk",
	"fallocate disk", "other disk",
};

void sent(enum kind kind)
{
	shared->count[kind][ANSWERS]++;
	shared->sent++;
}

void answered(enum kind kind, int result)
{
	int answer = result >= 0 ? 0 : -result < ANSWERS - 1 ? -result
							     : ANSWERS - 1;

	shared->count[kind][answer]++;
}

long called(enum kind kind, long ret)
{
	sent(kind);
	answered(kind, ret < 0 ? -errno : 0);
	return ret;
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

void print_counts(void)
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

// SPDX-License-Identifier: GPL-2.0
/*
 * The memory of counters: maps it, and adds up what is in it. queue.c and
 * supervise.c count.
 */
#include "core/counters.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/message.h"

#define COUNTERS_MAGIC 0x7574736b	/* differs in the other byte order */
#define COUNTERS_VERSION 1

uint64_t counters_offset(uint64_t bytes)
{
	uint64_t page = sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) & ~(page - 1);
}

size_t counters_bytes(unsigned int queues)
{
	return sizeof(struct counters) +
	       queues * sizeof(struct queue_counters);
}

static bool counters_known(const struct counters *counters,
			   unsigned int queues)
{
	return counters->magic == COUNTERS_MAGIC &&
	       counters->version == COUNTERS_VERSION &&
	       counters->queue_count == queues &&
	       counters->queue_bytes == sizeof(struct queue_counters);
}

/* Whether the file reaches up to the end of the counters. */
static bool counters_fit(int fd, uint64_t offset, unsigned int queues)
{
	struct stat st;

	return !fstat(fd, &st) &&
	       (uint64_t)st.st_size >= offset + counters_bytes(queues);
}

static int counters_grow(int fd, uint64_t offset, unsigned int queues)
{
	if (counters_fit(fd, offset, queues))
		return 0;
	return ftruncate(fd, offset + counters_bytes(queues)) ? -errno : 0;
}

static struct counters *counters_map(int fd, uint64_t offset,
				     unsigned int queues, bool writes)
{
	void *map = mmap(NULL, counters_bytes(queues),
			 PROT_READ | (writes ? PROT_WRITE : 0), MAP_SHARED, fd,
			 offset);

	return map == MAP_FAILED ? NULL : map;
}

/* Writing zeroes to all of it allocates its memory. */
static void counters_start(struct counters *counters, unsigned int queues)
{
	if (counters_known(counters, queues))
		return;
	memset(counters, 0, counters_bytes(queues));
	counters->version = COUNTERS_VERSION;
	counters->queue_count = queues;
	counters->queue_bytes = sizeof(struct queue_counters);
	counters->since = clock_ms();
	atomic_thread_fence(memory_order_release);
	counters->magic = COUNTERS_MAGIC;
}

struct counters *counters_open(int fd, uint64_t offset, unsigned int queues)
{
	int err = counters_grow(fd, offset, queues);
	struct counters *counters = NULL;

	if (!err) {
		counters = counters_map(fd, offset, queues, true);
		if (counters)
			counters_start(counters, queues);
		else
			err = -errno;
	}
	if (err)
		message_fail(err, "memory for counters");
	return counters;
}

void counters_renew(struct counters *counters, int fd, uint64_t offset,
		    unsigned int queues)
{
	/* Needs no memory, so that there is no error to expect. */
	if (!counters_grow(fd, offset, queues))
		counters_start(counters, queues);
}

struct counters *counters_view(int fd, uint64_t offset, unsigned int queues,
			       bool writes)
{
	struct counters *counters;

	if (!counters_fit(fd, offset, queues))
		return NULL;
	counters = counters_map(fd, offset, queues, writes);
	if (counters && !counters_known(counters, queues)) {
		counters_close(counters, queues);
		counters = NULL;
	}
	return counters;
}

void counters_close(struct counters *counters, unsigned int queues)
{
	if (counters)
		munmap(counters, counters_bytes(queues));
}

static void counters_add_op(const struct counter op[OP_COUNTS],
			    uint64_t sum[OP_COUNTS])
{
	unsigned int i;

	for (i = 0; i < OP_COUNTS; i++) {
		uint64_t value = counter_get(&op[i]);

		if (i != COUNT_LONGEST)
			sum[i] += value;
		else if (sum[i] < value)
			sum[i] = value;
	}
}

void counters_sum(const struct counters *counters, unsigned int queues,
		  struct counts *sum)
{
	unsigned int queue, i;

	memset(sum, 0, sizeof(*sum));
	for (queue = 0; queue < queues; queue++) {
		const struct queue_counters *from = &counters->queues[queue];

		for (i = 0; i < COUNTERS_OPS; i++)
			counters_add_op(from->ops[i], sum->ops[i]);
		for (i = 0; i < UBLK_COUNTS; i++)
			sum->others[i] += counter_get(&from->others[i]);
	}
}

void counters_watch(struct counters *counters, unsigned int seconds)
{
	uint64_t until = clock_ns() + seconds * 1000000000ULL;

	atomic_store_explicit(&counters->watched, (until >> COUNTERS_TICK) + 1,
			      memory_order_relaxed);
}

uint64_t counters_time(struct counters *counters)
{
	uint32_t until = atomic_load_explicit(&counters->watched,
					      memory_order_relaxed);
	uint64_t now;

	if (!until)
		return 0;
	now = clock_ns();
	if (now >> COUNTERS_TICK < until)
		return now;
	/* Unless somebody has begun to watch again. */
	atomic_compare_exchange_strong(&counters->watched, &until, 0);
	return 0;
}

/* The bucket of a latency: the first whose bound is not less. */
static unsigned int counters_bucket(uint64_t ns)
{
	uint64_t units = ns ? (ns - 1) >> COUNTERS_FIRST : 0;
	unsigned int bucket = units ? 64 - __builtin_clzll(units) : 0;

	return bucket < COUNTERS_BUCKETS ? bucket : COUNTERS_BUCKETS - 1;
}

void counters_latency(struct counter op[OP_COUNTS], uint64_t ns)
{
	uint64_t longest = counter_get(&op[COUNT_LONGEST]);

	counter_add(&op[COUNT_NS], ns);
	counter_add(&op[COUNT_BUCKET + counters_bucket(ns)], 1);
	if (ns > longest)
		counter_add(&op[COUNT_LONGEST], ns - longest);
}

void counters_mend(struct queue_counters *counters)
{
	unsigned int op, i;

	for (op = 0; op < COUNTERS_OPS; op++)
		for (i = 0; i < OP_COUNTS; i++)
			counter_mend(&counters->ops[op][i]);
	for (i = 0; i < UBLK_COUNTS; i++)
		counter_mend(&counters->others[i]);
}

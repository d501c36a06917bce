/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the server of a device has done, for `ublk stat`: counters in memory that
 * all processes of the device share. They lie behind the buffers of its
 * requests, in the same memfd. So they survive the death of a worker, and an
 * upgrade passes them on, to programs that do not know them as well: such a
 * program cuts the file behind the buffers, and the next one starts anew.
 *
 * Each counter has one writer: the thread of its queue, or the supervisor.
 * Readers open the file through /proc, and stop nobody.
 */
#ifndef CORE_COUNTERS_H
#define CORE_COUNTERS_H

#include <linux/ublk_cmd.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "core/target.h"
#include "lib/counter.h"

/* Operations have the numbers UBLK_IO_OP_*. */
#define COUNTERS_OPS (UBLK_IO_OP_WRITE_ZEROES + 1)
#define COUNTERS_OTHER UBLK_IO_OP_WRITE_SAME	/* the driver never uses it */

/*
 * Bucket 0 has latencies up to 2^COUNTERS_FIRST nanoseconds, each further one
 * those up to twice as much, and the last one all that are longer.
 */
#define COUNTERS_FIRST 8
#define COUNTERS_BUCKETS 28

/*
 * Of each operation: requests that were answered; bytes of those without an
 * error; errors. The latencies of the requests that were measured: their sum in
 * nanoseconds, the longest, and how many are in each bucket.
 */
enum { COUNT_REQUESTS, COUNT_BYTES, COUNT_ERRORS, COUNT_NS, COUNT_LONGEST,
       COUNT_BUCKET, OP_COUNTS = COUNT_BUCKET + COUNTERS_BUCKETS };

struct queue_counters {
	struct counter ops[COUNTERS_OPS][OP_COUNTS];
	struct counter others[UBLK_COUNTS];
} __attribute__((aligned(64)));	/* no cache line has counters of two queues */

/* The same as plain numbers. */
struct counts {
	uint64_t ops[COUNTERS_OPS][OP_COUNTS];
	uint64_t others[UBLK_COUNTS];
};

/*
 * Latencies are measured only while somebody wants to know them, because that
 * takes a look at the clock for each request. Readers set until when, in units
 * of 2^COUNTERS_TICK nanoseconds of the monotonic clock, about a second.
 */
#define COUNTERS_TICK 30

struct counters {
	/* The version of all that follows; the same in each version. */
	uint32_t magic;
	uint32_t version;
	uint32_t queue_count;
	uint32_t queue_bytes;		/* of struct queue_counters */

	uint64_t since;			/* monotonic clock, in milliseconds */
	_Atomic uint32_t deaths;	/* of workers that served */
	_Atomic uint32_t watched;	/* until when; 0: nobody watches */
	struct queue_counters queues[];
};

/* Where counters begin in the memfd that has @bytes bytes of buffers. */
uint64_t counters_offset(uint64_t bytes);

/* The size of counters of @queues queues in bytes. */
size_t counters_bytes(unsigned int queues);

/*
 * Maps the counters of @queues queues at @offset in @fd, makes the file larger
 * if necessary, and starts anew if there are none or those of another version.
 * Processes that are forked later share the mapping, of counters_bytes().
 * Returns NULL, after printing why, if that fails.
 */
struct counters *counters_open(int fd, uint64_t offset, unsigned int queues);

/*
 * Does the same once more for a mapping that exists: another program may have
 * cut the file since. No process may serve the device at that time.
 */
void counters_renew(struct counters *counters, int fd, uint64_t offset,
		    unsigned int queues);

/*
 * For a reader: maps the counters at @offset in @fd, to write as well if
 * @writes. Returns NULL, and prints nothing, if there are none that this
 * program knows. counters_close() unmaps them.
 */
struct counters *counters_view(int fd, uint64_t offset, unsigned int queues,
			       bool writes);
void counters_close(struct counters *counters, unsigned int queues);

/* Adds up the counters of all queues; the longest latency is that of all. */
void counters_sum(const struct counters *counters, unsigned int queues,
		  struct counts *sum);

/* Asks for latencies, for so many seconds from now on. */
void counters_watch(struct counters *counters, unsigned int seconds);

/*
 * For a queue, once for each turn of its loop: the time in nanoseconds if
 * somebody watches, else 0.
 */
uint64_t counters_time(struct counters *counters);

/* For a queue's thread: adds a latency to the counters of one operation. */
void counters_latency(struct counter op[OP_COUNTS], uint64_t ns);

/* For a queue's thread, before it counts: see counter_mend(). */
void counters_mend(struct queue_counters *counters);

#endif

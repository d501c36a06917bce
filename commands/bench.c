// SPDX-License-Identifier: GPL-2.0
/*
 * `ublk bench`: generates load on a block device, from one thread and one ring,
 * for boards without fio. It works with any block device, not only ublk's.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <liburing.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/verb.h"
#include "lib/build.h"
#include "lib/clock.h"
#include "lib/message.h"
#include "lib/size.h"
#include "lib/storage.h"

struct settings {
	const char *rw;
	uint64_t bs;
	int64_t depth, batch, time, ios;
	bool destroy, json;
};

static const struct settings defaults = {
	.rw = "randread",
	.bs = 4096,
	.depth = 64,
	.batch = 1,
	.time = 5,
};

static const struct option_spec options[] = {
	{ "rw", 0, OPTION_STRING, offsetof(struct settings, rw), 0, 0,
	  "PATTERN", "read, write, randread, randwrite, randrw (randread)" },
	{ "bs", 'b', OPTION_SIZE, offsetof(struct settings, bs), 512, 16 << 20,
	  "SIZE", "request size (4K)" },
	{ "depth", 'd', OPTION_NUMBER, offsetof(struct settings, depth),
	  1, 4096, "N", "requests in flight (64)" },
	{ "batch", 0, OPTION_NUMBER, offsetof(struct settings, batch),
	  1, 4096, "N", "requests to submit, and to wait for, at once (1)" },
	{ "time", 't', OPTION_NUMBER, offsetof(struct settings, time),
	  1, 86400, "SECONDS", "how long to run (5)" },
	{ "ios", 0, OPTION_NUMBER, offsetof(struct settings, ios), 1, INT64_MAX,
	  "N", "stop after N requests, whatever the time" },
	{ "destroy", 0, OPTION_FLAG, offsetof(struct settings, destroy), 0, 0,
	  NULL, "write even to a disk that is not empty" },
	{ "json", 0, OPTION_FLAG, offsetof(struct settings, json), 0, 0,
	  NULL, "print a JSON object" },
	{ }
};

static const char manual[] =
"Reads or writes the device with direct I/O, in order or at random offsets. At\n"
"the end of the device it starts again at the beginning. Half of the requests of\n"
"randrw are reads, half are writes. Prints one line: requests and bytes per\n"
"second, and the average and the 99th percentile of the latency.\n"
"\n"
"Writes overwrite the disk with random data. A disk that is mounted or otherwise\n"
"in use is never written. A disk with data in its first or last MiB is written\n"
"only with --destroy.\n";

/* An access pattern. @writes is the number of writes per 256 requests. */
static const struct pattern {
	const char *name;
	bool random;
	unsigned int writes;
} patterns[] = {
	{ "read", false, 0 },
	{ "write", false, 256 },
	{ "randread", true, 0 },
	{ "randwrite", true, 256 },
	{ "randrw", true, 128 },
};
#define PATTERNS (sizeof(patterns) / sizeof(patterns[0]))

/*
 * A histogram of latencies. Each power of two is divided into 64 classes of
 * equal width, so a latency is known to 1.6 %.
 */
#define CLASS_BITS 6
#define CLASSES ((64 - CLASS_BITS + 1) << CLASS_BITS)

struct slot {
	uint64_t start;		/* ns */
	char *buffer;
};

struct bench {
	const struct settings *settings;
	const struct pattern *pattern;
	const char *node;
	int fd;
	uint64_t blocks;	/* of the disk, of settings->bs bytes each */
	struct io_uring ring;
	struct slot *slots;
	char *buffers;
	uint64_t next;		/* next block of a sequential pattern */
	uint64_t random;
	uint64_t issued, done;
	uint64_t start, end;	/* ns */
	uint64_t latency;	/* sum, ns */
	uint64_t classes[CLASSES];
};

/*
 * xorshift64*, of which the upper half is better. Every run gets the same
 * numbers.
 */
static uint32_t next_random(struct bench *bench)
{
	bench->random ^= bench->random >> 12;
	bench->random ^= bench->random << 25;
	bench->random ^= bench->random >> 27;
	return bench->random * UINT64_C(0x2545f4914f6cdd1d) >> 32;
}

static unsigned int class_of(uint64_t ns)
{
	unsigned int shift;

	if (!(ns >> CLASS_BITS))
		return ns;
	shift = 63 - CLASS_BITS - __builtin_clzll(ns);
	return ((shift + 1) << CLASS_BITS) + (ns >> shift) -
	       (1 << CLASS_BITS);
}

/* The middle of a class, in ns. */
static uint64_t class_ns(unsigned int class)
{
	unsigned int shift = class >> CLASS_BITS;
	uint64_t low = class & ((1 << CLASS_BITS) - 1);

	if (!shift)
		return low;
	shift--;
	return ((low + (1 << CLASS_BITS)) << shift) +
	       (UINT64_C(1) << shift >> 1);
}

static uint64_t bench_percentile(const struct bench *bench,
				 unsigned int percent)
{
	uint64_t rest = bench->done * percent / 100;
	unsigned int class = 0;

	while (class < CLASSES - 1 && rest >= bench->classes[class])
		rest -= bench->classes[class++];
	return class_ns(class);
}

static bool bench_ended(const struct bench *bench, uint64_t time)
{
	if (bench->settings->ios)
		return bench->issued >= (uint64_t)bench->settings->ios;
	return time - bench->start >=
	       bench->settings->time * UINT64_C(1000000000);
}

static void bench_issue(struct bench *bench, struct slot *slot, uint64_t time)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&bench->ring);
	bool write = (next_random(bench) & 255) < bench->pattern->writes;
	uint64_t random = (uint64_t)next_random(bench) << 32 |
			  next_random(bench);
	uint64_t block = bench->pattern->random ? random % bench->blocks :
			 bench->next++ % bench->blocks;
	uint64_t bs = bench->settings->bs;

	if (write)
		io_uring_prep_write(sqe, bench->fd, slot->buffer, bs, block * bs);
	else
		io_uring_prep_read(sqe, bench->fd, slot->buffer, bs, block * bs);
	io_uring_sqe_set_data(sqe, slot);
	slot->start = time;
	bench->issued++;
}

/*
 * Handles one completion, and issues the next request unless the time is over.
 */
static int bench_complete(struct bench *bench, const struct io_uring_cqe *cqe,
			  uint64_t time)
{
	struct slot *slot = io_uring_cqe_get_data(cqe);

	if (cqe->res != (int)bench->settings->bs)
		return message_fail(cqe->res < 0 ? cqe->res : EIO, "%s",
				    bench->node);
	bench->latency += time - slot->start;
	bench->classes[class_of(time - slot->start)]++;
	bench->done++;
	if (!bench_ended(bench, time))
		bench_issue(bench, slot, time);
	return 0;
}

/*
 * Handles one batch at most, because the clock is read only once. New requests
 * reach the disk after all of these.
 */
static int bench_complete_batch(struct bench *bench)
{
	uint64_t time = clock_ns();
	struct io_uring_cqe *cqe;
	unsigned int head;
	int64_t count = 0;
	int err = 0;

	io_uring_for_each_cqe(&bench->ring, head, cqe) {
		if (count == bench->settings->batch)
			break;
		err = bench_complete(bench, cqe, time);
		if (err)
			break;
		count++;
	}
	io_uring_cq_advance(&bench->ring, count);
	return err;
}

/* Issues the first requests, also in batches. */
static int bench_fill(struct bench *bench)
{
	const struct settings *settings = bench->settings;
	int64_t i;
	int err;

	bench->start = clock_ns();
	for (i = 0; i < settings->depth &&
	     !bench_ended(bench, bench->start); i++) {
		bench->slots[i].buffer = bench->buffers + i * settings->bs;
		bench_issue(bench, &bench->slots[i], clock_ns());
		if ((i + 1) % settings->batch)
			continue;
		err = io_uring_submit(&bench->ring);
		if (err < 0)
			return message_fail(err, "io_uring");
	}
	return 0;
}

static int bench_load(struct bench *bench)
{
	uint64_t left;
	int err = bench_fill(bench);

	while (!err && (left = bench->issued - bench->done)) {
		if (left > (uint64_t)bench->settings->batch)
			left = bench->settings->batch;
		err = io_uring_submit_and_wait(&bench->ring, left);
		if (err < 0 && err != -EINTR)
			return message_fail(err, "io_uring");
		err = bench_complete_batch(bench);
	}
	bench->end = clock_ns();
	return err;
}

static uint64_t rounded(uint64_t value, uint64_t divisor)
{
	uint64_t rest = value % divisor;

	return value / divisor + (rest >= divisor - rest);
}

/*
 * @count in @ns, per second, in units of 10^-@decimals. It divides digit by
 * digit, because @count * 10^9 may not fit into 64 bits.
 */
static uint64_t per_second(uint64_t count, uint64_t ns, unsigned int decimals)
{
	uint64_t whole = count / ns, rest = count % ns;

	for (decimals += 9; decimals; decimals--) {
		whole = whole * 10 + rest * 10 / ns;
		rest = rest * 10 % ns;
	}
	return whole + (rest >= ns - rest);
}

/* No floating point: the processor may have none (deps/patches/musl). */
#define TENTHS_FORMAT "%" PRIu64 ".%u"
#define TENTHS(number) (number) / 10, (unsigned int)((number) % 10)

static void bench_report(const struct bench *bench)
{
	const struct settings *settings = bench->settings;
	uint64_t ns = bench->end - bench->start, us = rounded(ns, 1000);
	uint64_t bytes = bench->done * settings->bs;
	uint64_t p99 = bench_percentile(bench, 99);
	uint64_t iops, mib, mean;
	char bs[SIZE_TEXT_MAX];

	/* A clock that ticks slowly may not have moved. */
	if (ns < 1000)
		ns = 1000;
	if (settings->json) {
		iops = per_second(bench->done, ns, 1);
		printf("{\"rw\": \"%s\", \"bs\": %" PRIu64
		       ", \"depth\": %" PRId64 ", \"ios\": %" PRIu64
		       ", \"seconds\": %" PRIu64 ".%06u"
		       ", \"iops\": " TENTHS_FORMAT
		       ", \"bandwidth\": %" PRIu64
		       ", \"latency_mean_ns\": %" PRIu64
		       ", \"latency_p99_ns\": %" PRIu64 "}\n",
		       bench->pattern->name, settings->bs, settings->depth,
		       bench->done, us / 1000000, (unsigned int)(us % 1000000),
		       TENTHS(iops), per_second(bytes, ns, 0),
		       rounded(bench->latency, bench->done), p99);
	} else {
		mib = rounded(per_second(bytes, ns, 1), 1 << 20);
		mean = rounded(bench->latency, bench->done * 100);
		p99 = rounded(p99, 100);
		printf("%s, %s, depth %" PRId64 ": %" PRIu64 " IOPS, "
		       TENTHS_FORMAT " MiB/s, latency mean " TENTHS_FORMAT
		       " us, p99 " TENTHS_FORMAT " us\n",
		       bench->pattern->name, size_text(settings->bs, bs),
		       settings->depth, per_second(bench->done, ns, 0),
		       TENTHS(mib), TENTHS(mean), TENTHS(p99));
	}
}

#define LOOKED_AT (UINT64_C(1) << 20)

/* Whether @size bytes at @offset are zeroes: 1, 0, or -errno. */
static int bench_is_zero(int fd, uint64_t offset, uint64_t size)
{
	char *buffer = aligned_alloc(4096, LOOKED_AT);
	uint64_t i = 0;
	ssize_t n;

	if (!buffer)
		return -ENOMEM;
	n = pread(fd, buffer, size, offset);
	if (n < 0)
		n = -errno;
	while (n > 0 && i < (uint64_t)n && !buffer[i])
		i++;
	free(buffer);
	if (n < 0)
		return n;
	return (uint64_t)n == size ? i == size : -EIO;
}

/*
 * Looks at both ends of the disk: partition tables, filesystems and RAID
 * members have their signatures there.
 */
static int bench_check_empty(const struct bench *bench, uint64_t size)
{
	uint64_t looked_at = size < LOOKED_AT ? size : LOOKED_AT;
	int empty = bench_is_zero(bench->fd, 0, looked_at);

	if (empty == 1)
		empty = bench_is_zero(bench->fd, size - looked_at, looked_at);
	if (empty < 0)
		return message_fail(empty, "%s", bench->node);
	if (!empty) {
		message("%s: not empty; use --destroy to overwrite it",
			bench->node);
		return -EEXIST;
	}
	return 0;
}

/*
 * O_EXCL: a disk that is written must not be mounted or otherwise in use. A
 * disk that is only read may be. Only block devices support O_EXCL without
 * O_CREAT.
 */
static int bench_open_node(struct bench *bench)
{
	int flags = O_DIRECT | O_CLOEXEC |
		    (bench->pattern->writes ? O_RDWR | O_EXCL : O_RDONLY);
	uint64_t size;
	struct stat kind;
	int block, err;

	if (stat(bench->node, &kind))
		return message_fail(errno, "%s", bench->node);
	if (!S_ISBLK(kind.st_mode))
		return message_fail(ENOTBLK, "%s", bench->node);
	bench->fd = open(bench->node, flags);
	if (bench->fd < 0)
		return message_fail(errno, "%s", bench->node);
	err = storage_size(bench->fd, &size);
	if (!err && ioctl(bench->fd, BLKSSZGET, &block))
		err = -errno;
	if (err)
		return message_fail(err, "%s", bench->node);
	if (bench->settings->bs % block) {
		message("%s: --bs has to be a multiple of %d bytes, the logical "
			"block size", bench->node, block);
		return -EINVAL;
	}
	if (size < bench->settings->bs) {
		message("%s: smaller than one request of %" PRIu64 " bytes",
			bench->node, bench->settings->bs);
		return -EINVAL;
	}
	bench->blocks = size / bench->settings->bs;
	if (bench->pattern->writes && !bench->settings->destroy)
		return bench_check_empty(bench, size);
	return 0;
}

/* The data is noise, so that no lower layer can compress it or drop zeroes. */
static int bench_prepare(struct bench *bench)
{
	uint64_t size = bench->settings->bs * bench->settings->depth, i;
	int err;

	bench->slots = calloc(bench->settings->depth, sizeof(*bench->slots));
	if (size < SIZE_MAX - 4095)
		bench->buffers = aligned_alloc(4096, (size + 4095) &
					       ~UINT64_C(4095));
	if (!bench->slots || !bench->buffers)
		return message_fail(ENOMEM, "%s", bench->node);
	bench->random = UINT64_C(88172645463325252);
	for (i = 0; i < size / 4; i++)
		((uint32_t *)bench->buffers)[i] = next_random(bench);
	err = io_uring_queue_init(bench->settings->depth, &bench->ring,
				  IORING_SETUP_SINGLE_ISSUER |
				  IORING_SETUP_COOP_TASKRUN);
	return err ? message_fail(err, "io_uring") : 0;
}

static const struct pattern *find_pattern(const char *name)
{
	size_t i;

	for (i = 0; i < PATTERNS; i++)
		if (!strcmp(patterns[i].name, name))
			return &patterns[i];
	message("--rw %s: no such pattern (see `ublk help bench`)", name);
	return NULL;
}

/* The caller ends the process, which frees what the load has allocated. */
static int run_load(struct bench *bench)
{
	bench->pattern = find_pattern(bench->settings->rw);
	if (!bench->pattern)
		return EXIT_USAGE;
	if (bench_open_node(bench) || bench_prepare(bench) || bench_load(bench))
		return EXIT_FAILED;
	bench_report(bench);
	return EXIT_DONE;
}

/*
 * Allocated, because it is too large to be static data in every process that
 * serves.
 */
static int bench_run(const void *values, int argc, char **argv)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	int status;

	(void)argc;
	if (!bench) {
		message_fail(ENOMEM, "the benchmark");
		return EXIT_FAILED;
	}
	bench->settings = values;
	bench->node = argv[0];
	status = run_load(bench);
	free(bench);
	return status;
}

const struct verb verb_bench = {
	.name = "bench",
	.arguments = "NODE",
	.summary = "measure the speed of a block device",
	.manual = MANUAL(manual),
	.options = options,
	.defaults = &defaults,
	.settings_size = sizeof(struct settings),
	.min_arguments = 1,
	.max_arguments = 1,
	.run = bench_run,
};

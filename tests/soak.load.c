// SPDX-License-Identifier: GPL-2.0
/*
 * The load of one device in `make soak`: several requests at a time, by direct
 * I/O and in random places. It remembers what each block must hold, so that all
 * that is read is compared to the byte, and measures how long a request took. It
 * knows nothing of who serves the device, and should not notice.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SECTOR 512
#define BLOCK 4096
#define REQUEST_BLOCKS 16		/* of the largest request */
#define LANES 8				/* requests at a time */
#define TICK_MS 100			/* between two writings of STATUS */
#define COMPLAINTS_MAX 20		/* printed; all are counted */
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const char usage[] =
"Usage: load NODE SEED STATUS [ORIGINAL]\n"
"\n"
"Uses the block device NODE, which is all zeroes, or holds what the file ORIGINAL\n"
"does, and writes to it unless it is read only. Keeps in the file STATUS, in the\n"
"shell's syntax: state, ios, verified (bytes), errors, mismatches (blocks),\n"
"longest (milliseconds that a request took).\n"
"\n"
"Signals: USR1  lets all requests end and closes NODE: state=paused\n"
"         HUP   when paused: NODE is as it was at first\n"
"         USR2  when paused: opens NODE, reads all of it, goes on: state=going\n"
"         TERM  lets all requests end, reads all of it, and ends: state=ended\n"
"\n"
"Exit status: 0, or 1 when there was an error or a mismatch; 2 wrong usage.\n";

/* What a block holds that nothing is known of: a write of it has failed. */
#define UNKNOWN UINT32_MAX
/* What it holds when it was discarded: zeroes. */
#define DISCARDED (UINT32_MAX - 1)

enum kind { READ, WRITE, DISCARD, FLUSH };
static const char *const kinds[] = { "read", "write", "discard", "flush" };

/* A written sector names its place; the rest of it follows from that. */
struct sector {
	uint64_t device;
	uint64_t index;
	uint64_t version;
	uint64_t filling[SECTOR / 8 - 3];
};

struct request {
	enum kind kind;
	uint32_t first;		/* blocks, which are the request's alone */
	uint32_t count;
	uint32_t version;	/* that is written */
};

/*
 * All but @original and what belongs to a block in a request under way is
 * guarded by @lock.
 */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t go;
	const char *node;
	const uint8_t *original;	/* what version 0 is; or zeroes */
	int read_only;
	uint64_t seed;
	uint32_t blocks;
	int fd;
	uint32_t *version;		/* of each block */
	bool *busy;			/* each block: in a request */
	uint32_t last_version;
	bool pause;
	unsigned int parked;		/* lanes that wait for the end of that */
	unsigned int complaints;
	uint64_t ios, verified, errors, mismatches, longest;
} load = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.go = PTHREAD_COND_INITIALIZER,
	.fd = -1,
};

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* splitmix64 */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static void make_block(uint32_t block, uint32_t version, void *data)
{
	struct sector *sector = data;
	unsigned int i, word;
	uint64_t random;

	if (!version && load.original) {
		memcpy(data, load.original + (size_t)block * BLOCK, BLOCK);
		return;
	}
	if (!version || version == DISCARDED) {
		memset(data, 0, BLOCK);
		return;
	}
	for (i = 0; i < BLOCK / SECTOR; i++, sector++) {
		sector->device = load.seed;
		sector->index = (uint64_t)block * (BLOCK / SECTOR) + i;
		sector->version = version;
		random = sector->device ^ sector->index << 32 ^ version;
		for (word = 0; word < LENGTH(sector->filling); word++)
			sector->filling[word] = draw(&random);
	}
}

/* Tells the first sector that is wrong, and what it seems to be instead. */
static void complain(uint32_t block, const struct sector *got,
		     const struct sector *want)
{
	unsigned int i = 0;

	if (load.complaints++ >= COMPLAINTS_MAX)
		return;
	while (!memcmp(got + i, want + i, SECTOR))
		i++;
	got += i;
	fprintf(stderr, "load: %s sector %" PRIu64 ": not version %" PRIu32
		" but %016" PRIx64 ", sector %" PRIu64 ", version %" PRIu64
		"\n", load.node, (uint64_t)block * (BLOCK / SECTOR) + i,
		load.version[block], got->device ^ load.seed, got->index,
		got->version);
}

/* With the lock. A block is wrong only once: nothing is known of it then. */
static void check(uint32_t first, uint32_t count, const uint8_t *data)
{
	uint64_t want[BLOCK / 8];
	uint32_t block;

	for (block = first; block < first + count; block++, data += BLOCK) {
		if (load.version[block] == UNKNOWN)
			continue;
		make_block(block, load.version[block], want);
		if (!memcmp(data, want, BLOCK)) {
			load.verified += BLOCK;
			continue;
		}
		load.mismatches++;
		complain(block, (const void *)data, (const void *)want);
		load.version[block] = UNKNOWN;
	}
}

static void failed(const struct request *r, int err)
{
	load.errors++;
	if (load.complaints++ < COMPLAINTS_MAX)
		fprintf(stderr, "load: %s: %s of %u blocks at %u: %s\n",
			load.node, kinds[r->kind], r->count, r->first,
			strerror(err));
}

static int perform(const struct request *r, uint8_t *data)
{
	uint64_t range[] = { (uint64_t)r->first * BLOCK,
			     (uint64_t)r->count * BLOCK };
	ssize_t done = range[1];
	int err;

	errno = 0;
	switch (r->kind) {
	case READ:
		done = pread(load.fd, data, range[1], range[0]);
		break;
	case WRITE:
		done = pwrite(load.fd, data, range[1], range[0]);
		break;
	case DISCARD:
		err = ioctl(load.fd, BLKDISCARD, range);
		return err ? errno : 0;
	case FLUSH:
		err = fdatasync(load.fd);
		return err ? errno : 0;
	}
	if ((uint64_t)done == range[1])
		return 0;
	return done < 0 ? errno : ENODATA;
}

/* With the lock. */
static bool is_free(uint32_t first, uint32_t count)
{
	uint32_t block;

	for (block = first; block < first + count; block++)
		if (load.busy[block])
			return false;
	return true;
}

static enum kind draw_kind(uint64_t *random)
{
	unsigned int percent = draw(random) % 100;

	if (load.read_only || percent < 45)
		return READ;
	if (percent < 93)
		return WRITE;
	return percent < 98 ? DISCARD : FLUSH;
}

/* With the lock. */
static void choose(struct request *r, uint64_t *random)
{
	r->kind = draw_kind(random);
	r->version = r->kind == WRITE ? ++load.last_version : DISCARDED;
	do {
		r->count = 1 + draw(random) % REQUEST_BLOCKS;
		r->first = draw(random) % (load.blocks - r->count + 1);
		if (r->kind == FLUSH)
			r->count = 0;
	} while (!is_free(r->first, r->count));
	memset(load.busy + r->first, true, r->count);
}

/* With the lock. */
static void conclude(const struct request *r, int err, const uint8_t *data)
{
	uint32_t block;

	load.ios++;
	if (err)
		failed(r, err);
	else if (r->kind == READ)
		check(r->first, r->count, data);
	if (r->kind == WRITE || r->kind == DISCARD)
		for (block = r->first; block < r->first + r->count; block++)
			load.version[block] = err ? UNKNOWN : r->version;
	memset(load.busy + r->first, false, r->count);
}

/* One request after the other. */
static void *lane(void *arg)
{
	uint64_t random = load.seed + (uintptr_t)arg;
	uint8_t *data = aligned_alloc(BLOCK, REQUEST_BLOCKS * BLOCK);
	struct request r;
	uint64_t started, took;
	uint32_t i;
	int err;

	if (!data)
		die("memory");
	pthread_mutex_lock(&load.lock);
	for (;;) {
		load.parked++;
		while (load.pause)
			pthread_cond_wait(&load.go, &load.lock);
		load.parked--;
		choose(&r, &random);
		pthread_mutex_unlock(&load.lock);
		for (i = 0; r.kind == WRITE && i < r.count; i++)
			make_block(r.first + i, r.version, data + i * BLOCK);
		started = now_ms();
		err = perform(&r, data);
		took = now_ms() - started;
		pthread_mutex_lock(&load.lock);
		if (took > load.longest)
			load.longest = took;
		conclude(&r, err, data);
	}
	return NULL;
}

/* While all lanes wait. */
static void check_all(void)
{
	uint8_t *data = aligned_alloc(BLOCK, REQUEST_BLOCKS * BLOCK);
	struct request r = { .kind = READ };
	int err;

	if (!data)
		die("memory");
	for (; r.first < load.blocks; r.first += r.count) {
		r.count = load.blocks - r.first;
		if (r.count > REQUEST_BLOCKS)
			r.count = REQUEST_BLOCKS;
		err = perform(&r, data);
		pthread_mutex_lock(&load.lock);
		conclude(&r, err, data);
		pthread_mutex_unlock(&load.lock);
	}
	free(data);
}

static void open_node(void)
{
	load.fd = open(load.node, O_DIRECT | O_CLOEXEC |
		       (load.read_only ? O_RDONLY : O_RDWR));
	if (load.fd < 0)
		die(load.node);
}

static void set_pause(bool pause)
{
	pthread_mutex_lock(&load.lock);
	load.pause = pause;
	if (!pause)
		pthread_cond_broadcast(&load.go);
	pthread_mutex_unlock(&load.lock);
}

static bool all_parked(void)
{
	bool all;

	pthread_mutex_lock(&load.lock);
	all = load.parked == LANES;
	pthread_mutex_unlock(&load.lock);
	return all;
}

/* Whoever reads it finds the old one or the new one. */
static void write_status(const char *path, const char *state)
{
	char fresh[256];
	FILE *file;

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	file = fopen(fresh, "we");
	if (!file)
		die(fresh);
	pthread_mutex_lock(&load.lock);
	fprintf(file, "state=%s ios=%" PRIu64 " verified=%" PRIu64
		" errors=%" PRIu64 " mismatches=%" PRIu64 " longest=%" PRIu64
		"\n", state, load.ios, load.verified, load.errors,
		load.mismatches, load.longest);
	pthread_mutex_unlock(&load.lock);
	if (fclose(file) || rename(fresh, path))
		die(path);
}

/* Follows the signals until the end. */
static void run(const char *status, const sigset_t *signals)
{
	const struct timespec tick = { .tv_nsec = TICK_MS * 1000000 };
	const char *state = "going";
	bool end = false;

	for (;;) {
		int signal = sigtimedwait(signals, NULL, &tick);

		if (signal == SIGHUP)
			memset(load.version, 0,
			       load.blocks * sizeof(load.version[0]));
		end = end || signal == SIGTERM;
		if (signal == SIGUSR1 || signal == SIGTERM) {
			set_pause(true);
			state = "pausing";
		}
		if (signal == SIGUSR2) {
			open_node();
			check_all();
			set_pause(false);
			state = "going";
		}
		if (!strcmp(state, "pausing") && all_parked()) {
			if (end)
				break;
			close(load.fd);
			state = "paused";
		}
		write_status(status, state);
	}
	check_all();
	write_status(status, "ended");
}

static const uint8_t *map_file(const char *path, uint64_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *map;

	if (fd < 0)
		die(path);
	map = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		die(path);
	close(fd);
	return map;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	sigset_t signals;
	uint64_t bytes;
	uintptr_t i;

	if (argc < 4 || argc > 5) {
		fputs(usage, stderr);
		return 2;
	}
	load.node = argv[1];
	load.seed = strtoull(argv[2], NULL, 0);
	/* Neighbours among seeds have nothing in common. */
	draw(&load.seed);
	load.seed = draw(&load.seed);
	open_node();
	if (ioctl(load.fd, BLKGETSIZE64, &bytes) ||
	    ioctl(load.fd, BLKROGET, &load.read_only))
		die(load.node);
	load.blocks = bytes / BLOCK;
	load.version = calloc(load.blocks, sizeof(load.version[0]));
	load.busy = calloc(load.blocks, sizeof(load.busy[0]));
	if (!load.version || !load.busy)
		die("memory");
	if (argc > 4)
		load.original = map_file(argv[4], bytes);

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGUSR2);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	for (i = 0; i < LANES; i++)
		if (pthread_create(&thread, NULL, lane, (void *)i))
			die("a thread");
	run(argv[3], &signals);
	return load.errors || load.mismatches;
}

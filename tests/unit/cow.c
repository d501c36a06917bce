// SPDX-License-Identifier: GPL-2.0
/*
 * Disks with copy on write, without a driver: the rings complete operations in
 * any order, short or interrupted; the base answers at once or later, or fails;
 * servers die, and the power fails.
 *
 * One request at a time writes a sector. Each time the sector gets a new
 * version, which its bytes show; neighbouring requests can share a block. So
 * every read can be judged, even after a power cut: the sector must have its
 * last version, or a version not older than the last answered FLUSH, and never
 * parts of two.
 */
#include "targets/cow/cow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "targets/cow/file.h"
#define QUEUES 3
#define DEPTH 8
#define SLOTS (QUEUES * DEPTH)
#define SECTOR 512
#define MAP_PAGES 2
/*
 * More blocks than one page of the map has bits, and the last one is partial.
 */
#define DISK_SIZE ((32768ULL + 20) * COW_BLOCK + 3 * SECTOR)
#define BLOCKS (DISK_SIZE / COW_BLOCK + 1)
#define DATA_AT (COW_BLOCK * (1ULL + MAP_PAGES))

#include "tests/unit/cow-device.h"
#include "tests/unit/plain-transfer.h"

/*
 * The parts of the disk that are used: the start, where two pages of the map
 * meet, and the end.
 */
#define REGION 8				/* blocks */
#define REGIONS 3
#define HOT (REGIONS * REGION)			/* blocks */
#define HOT_SECTORS (HOT * 8)
#define STORE_PAGES (1 + MAP_PAGES + HOT)

struct ublk_queue {
	unsigned int id;
};

struct operation {
	struct ublk_queue *queue;
	struct ublk_completion *completion;
	struct ublk_request *inner;	/* a READ of the base, or NULL */
	struct io_uring_sqe sqe;
	bool message;
	int result;
	unsigned long submitted;
};

struct slot {
	struct ublk_request request;
	bool busy;
	bool zeroes;
	unsigned long answered_before;	/* of a FLUSH: when it was submitted */
	unsigned int hot;		/* first sector, among those in use */
	unsigned int count;
	uint32_t data[64 * 1024 / 4];
};

/* A change of the store that no sync has made permanent. */
struct change {
	uint64_t offset;
	uint32_t length;
	uint8_t *data;			/* NULL: zeroes */
	unsigned long ended;		/* time of completion; 0: in flight */
	uint64_t completion;		/* user_data of the operation */
	struct change *next;
};

/* Versions of a sector: last written, last answered, last flushed. */
static struct {
	uint32_t begun, answered, flushed;
	uint32_t zero_from[64];		/* of the last 64 versions: zeroes */
	bool busy;
} sectors[HOT_SECTORS];

static struct ublk_queue queues[QUEUES];
static struct slot slots[SLOTS];
static struct operation operations[4096];
static unsigned int pending;
static unsigned long now = 1;
static uint8_t store[STORE_PAGES][COW_BLOCK], durable[STORE_PAGES][COW_BLOCK];
static struct change *changes, **changes_end = &changes;
static int cow_fd = -1;
static char cow_path[] = "/tmp/cow.XXXXXX";
static bool in_memory, base_fails;
static unsigned int wrong, forgotten, answers, errors, full, cuts, deaths, flushes;

/* The disk's block for block @n of those in use, and the reverse. */
static uint64_t cold_block(unsigned int n)
{
	static const uint64_t starts[REGIONS] = { 0, 32768 - 4, BLOCKS - REGION };

	return starts[n / REGION] + n % REGION;
}

static int hot_block(uint64_t block)
{
	for (int n = 0; n < HOT; n++)
		if (cold_block(n) == block)
			return n;
	return -1;
}

static uint8_t *store_at(uint8_t pages[STORE_PAGES][COW_BLOCK], uint64_t offset)
{
	uint64_t page = offset / COW_BLOCK;

	if (offset >= DATA_AT)
		page = 1 + MAP_PAGES + hot_block(page - 1 - MAP_PAGES);
	if (page >= STORE_PAGES)
		abort();
	return pages[page] + offset % COW_BLOCK;
}

static bool is_zero_version(unsigned int sector, uint32_t version)
{
	return version && sectors[sector].zero_from[version % 64] == version;
}

/*
 * Replaces the C library's: the file is on a disk, so that the ring has the
 * store, whatever /tmp is.
 */
int fstatfs(int fd, struct statfs *is)
{
	(void)fd;
	memset(is, 0, sizeof(*is));
	return 0;
}

static void put_version(void *to, unsigned int sector, uint32_t version)
{
	uint32_t *words = to;

	for (int i = 0; i < SECTOR / 4; i += 2) {
		words[i] = sector + 1;
		words[i + 1] = version;
	}
}

/* Whether the bytes are version @version of @sector. */
static bool has_version(const void *bytes, unsigned int sector,
			uint32_t version)
{
	static const uint8_t zeroes[SECTOR];
	uint32_t want[SECTOR / 4];

	if (is_zero_version(sector, version))
		return !memcmp(bytes, zeroes, SECTOR);
	put_version(want, sector, version);
	return !memcmp(bytes, want, SECTOR);
}

static bool has_one_of(const void *bytes, unsigned int sector, uint32_t from,
		       uint32_t to)
{
	for (uint32_t version = from; version <= to; version++)
		if (has_version(bytes, sector, version))
			return true;
	return false;
}

struct ublk_device *ublk_queue_device(const struct ublk_queue *queue)
{
	(void)queue;
	return &device;
}

unsigned int ublk_queue_id(const struct ublk_queue *queue)
{
	return queue->id;
}

static struct operation *add_operation(struct ublk_queue *queue,
				       struct ublk_completion *completion)
{
	struct operation *operation = &operations[pending++];

	if (pending > sizeof(operations) / sizeof(operations[0]))
		abort();
	*operation = (struct operation){
		.queue = queue,
		.completion = completion,
		.submitted = now++,
	};
	return operation;
}

struct io_uring_sqe *ublk_queue_sqe(struct ublk_queue *queue,
				    struct ublk_completion *completion)
{
	return &add_operation(queue, completion)->sqe;
}

void ublk_queue_send(struct ublk_queue *to, struct ublk_completion *completion,
		     int result)
{
	struct operation *operation = add_operation(to, completion);

	operation->message = true;
	operation->result = result;
}

static int read_base_now(struct ublk_request *request)
{
	uint64_t at = request->offset / SECTOR;

	if (request->offset + request->length > DISK_SIZE)
		wrong++;
	if (base_fails && !dice(20))
		return -EIO;
	for (uint32_t done = 0; done < request->length; done += SECTOR, at++)
		put_version((char *)request->data + done,
			    hot_block(at / 8) * 8 + at % 8, 0);
	return request->length;
}

static int base_read(struct ublk_queue *queue, struct ublk_request *request)
{
	if (dice(2))
		return read_base_now(request);
	add_operation(queue, NULL)->inner = request;
	return UBLK_LATER;
}

static const struct ublk_target base_target = {
	.name = "base",
	.open = base_open,
	.close = base_close,
	.submit = base_read,
	.base = base_is,
};

static void read_answered(const struct slot *slot, int result)
{
	for (unsigned int i = 0; i < slot->count; i++) {
		if ((int)(i * SECTOR) >= result)
			break;
		wrong += !has_version((const char *)slot->data + i * SECTOR,
				      slot->hot + i,
				      sectors[slot->hot + i].answered);
	}
	wrong += !result || result % SECTOR;
}

static void changed(const struct slot *slot, bool done)
{
	for (unsigned int i = 0; i < slot->count; i++) {
		unsigned int sector = slot->hot + i;

		if (done)
			sectors[sector].answered = sectors[sector].begun;
		else
			sectors[sector].begun = sectors[sector].answered;
	}
}

void ublk_queue_count(struct ublk_queue *queue, enum ublk_count what,
		      uint64_t n)
{
	(void)queue;
	(void)what;
	(void)n;
}

void ublk_request_done(struct ublk_queue *queue, struct ublk_request *request,
		       int result)
{
	struct slot *slot = &slots[queue->id * DEPTH + request->tag];

	if (request->done)
		return request->done(queue, request, result);
	wrong += !slot->busy;
	slot->busy = false;
	answers++;
	if (result < 0) {
		errors++;
		full += result == -ENOSPC;
	}
	if (request->op == UBLK_IO_OP_READ) {
		if (result > 0)
			read_answered(slot, result);
		else
			wrong += !base_fails;
	} else if (request->op == UBLK_IO_OP_FLUSH) {
		wrong += result != 0;
		flushes++;
		for (unsigned int i = 0; i < HOT_SECTORS; i++)
			if (sectors[i].flushed < slot->data[i])
				sectors[i].flushed = slot->data[i];
	} else {
		wrong += result > 0 && (uint32_t)result != request->length;
		wrong += result < 0 && !base_fails && result != -ENOSPC;
		changed(slot, result >= 0);
	}
	for (unsigned int i = 0; i < slot->count; i++)
		sectors[slot->hot + i].busy = false;
}

/*
 * An operation of the ring changes the store when it completes; a power cut can
 * tear it.
 */
static void apply(uint8_t pages[STORE_PAGES][COW_BLOCK],
		  const struct change *change, bool torn)
{
	bool map = change->offset < DATA_AT;
	uint32_t step = map ? 1 : SECTOR;

	for (uint32_t i = 0; i < change->length; i += step) {
		if (change->offset >= DATA_AT &&
		    hot_block((change->offset + i - DATA_AT) / COW_BLOCK) < 0)
			abort();
		if (torn && dice(2))
			continue;
		if (change->data)
			memcpy(store_at(pages, change->offset + i),
			       change->data + i, step);
		else
			memset(store_at(pages, change->offset + i), 0, step);
	}
}

static void log_change(const struct operation *operation)
{
	const struct io_uring_sqe *sqe = &operation->sqe;
	struct change *change = calloc(1, sizeof(*change));

	change->offset = sqe->off;
	if (sqe->opcode == IORING_OP_WRITE) {
		change->length = sqe->len;
		change->data = malloc(sqe->len);
		memcpy(change->data, (void *)(uintptr_t)sqe->addr, sqe->len);
	} else {
		change->length = sqe->addr;
	}
	change->completion = (uintptr_t)operation->completion;
	change->ended = now++;
	apply(store, change, false);
	*changes_end = change;
	changes_end = &change->next;
}

/* Everything that had completed when the sync began is permanent. */
static void sync_changes(unsigned long begun)
{
	struct change **at = &changes, *change;

	while ((change = *at)) {
		if (change->ended > begun) {
			at = &change->next;
			continue;
		}
		apply(durable, change, false);
		*at = change->next;
		free(change->data);
		free(change);
	}
	changes_end = at;
}

static int end_ring(struct operation *operation)
{
	struct io_uring_sqe *sqe = &operation->sqe;
	uint32_t length = sqe->len, i;

	if (!dice(10))
		return dice(2) ? -EINTR : -EAGAIN;
	switch (sqe->opcode) {
	case IORING_OP_FSYNC:
		sync_changes(operation->submitted);
		return 0;
	case IORING_OP_FALLOCATE:
		log_change(operation);
		return 0;
	case IORING_OP_WRITE:
		if (!dice(5) && length > SECTOR)
			sqe->len = length = dice(length / SECTOR - 1) * SECTOR +
					    SECTOR;
		log_change(operation);
		return length;
	default:
		if (!dice(5) && length > SECTOR)
			length = dice(length / SECTOR - 1) * SECTOR + SECTOR;
		for (i = 0; i < length; i += SECTOR)
			memcpy((char *)(uintptr_t)sqe->addr + i,
			       store_at(store, sqe->off + i), SECTOR);
		return length;
	}
}

static void end_one(void)
{
	unsigned int which = dice(pending);
	struct operation operation = operations[which];

	operations[which] = operations[--pending];
	if (operation.inner)
		ublk_request_done(operation.queue, operation.inner,
				  read_base_now(operation.inner));
	else if (operation.message)
		operation.completion->done(operation.queue,
					   operation.completion,
					   operation.result);
	else
		operation.completion->done(operation.queue,
					   operation.completion,
					   end_ring(&operation));
}

static void end_all(void)
{
	while (pending)
		end_one();
}

static void submit(unsigned int n)
{
	struct ublk_queue *queue = &queues[n / DEPTH];
	int result = cow.target.submit(queue, &slots[n].request);

	if (result != UBLK_LATER)
		ublk_request_done(queue, &slots[n].request, result);
}

/* Finds unused sectors in one region. Returns how many. */
static unsigned int free_sectors(unsigned int *first)
{
	unsigned int region = dice(REGIONS) * REGION * 8;
	unsigned int end = region + REGION * 8, count = 0, most;

	if (end == HOT_SECTORS)
		end -= 5;	/* the last block is partial */
	*first = region + dice(end - region);
	most = dice(3) ? 1 + dice(8) : 1 + dice(40);
	while (count < most && *first + count < end &&
	       !sectors[*first + count].busy)
		count++;
	return count;
}

static void begin_change(struct slot *slot, bool zeroes)
{
	for (unsigned int i = 0; i < slot->count; i++) {
		unsigned int sector = slot->hot + i;
		uint32_t version = ++sectors[sector].begun;

		sectors[sector].zero_from[version % 64] = zeroes ? version : 0;
		if (!zeroes)
			put_version((char *)slot->data + i * SECTOR, sector,
				    version);
	}
}

/* Reduces the range of a discard to whole blocks. */
static bool shrink(struct slot *slot)
{
	unsigned int end = (slot->hot + slot->count) / 8 * 8;
	unsigned int first = (slot->hot + 7) / 8 * 8;

	if (slot->hot + slot->count == HOT_SECTORS - 5)
		end = HOT_SECTORS - 5;
	slot->hot = first;
	slot->count = end > first ? end - first : 0;
	return slot->count;
}

static void begin_one(void)
{
	static const uint8_t ops[] = {
		UBLK_IO_OP_READ, UBLK_IO_OP_WRITE, UBLK_IO_OP_WRITE,
		UBLK_IO_OP_FLUSH, UBLK_IO_OP_WRITE_ZEROES, UBLK_IO_OP_DISCARD,
	};
	unsigned int n = dice(SLOTS), first, count, i;
	struct slot *slot = &slots[n];
	uint8_t op = ops[dice(sizeof(ops))];

	if (slot->busy)
		return;
	slot->count = 0;
	slot->request = (struct ublk_request){ .tag = n % DEPTH, .op = op,
					       .data = slot->data };
	if (op == UBLK_IO_OP_FLUSH) {
		for (i = 0; i < HOT_SECTORS; i++)
			slot->data[i] = sectors[i].answered;
	} else {
		count = free_sectors(&first);
		if (!count)
			return;
		slot->hot = first;
		slot->count = count;
		slot->request.offset = cold_block(first / 8) * COW_BLOCK +
				       first % 8 * SECTOR;
		slot->request.length = count * SECTOR;
		if (op == UBLK_IO_OP_DISCARD && !shrink(slot))
			return;
		if (op != UBLK_IO_OP_READ)
			begin_change(slot, op != UBLK_IO_OP_WRITE);
		for (i = 0; i < slot->count; i++)
			sectors[slot->hot + i].busy = true;
	}
	slot->busy = true;
	submit(n);
}

static bool open_cow(bool resumed)
{
	struct ublk_disk disk = { .logical_block = SECTOR };
	_Alignas(uint64_t) char settings[UBLK_SETTINGS_MAX] = { 0 };

	device = (struct ublk_device){
		.resumed = resumed,
		.inherited = { resumed ? dup(in_memory ? memory : cow_fd) : -1,
			       resumed ? dup(memory) : -1 },
	};
	if (resumed && in_memory)
		close(device.inherited[0]);
	*(const char **)(settings + cow.place) = in_memory ? "64K" : cow_path;
	return !cow.target.open(&device, "", settings, &disk) &&
	       !disk.read_only && disk.flush == !in_memory && !disk.fua &&
	       !cow.target.start(&device);
}

/*
 * The server dies: some operations in flight take effect. Starts the next
 * server.
 */
static void die(void)
{
	struct ublk_device dead = device;
	unsigned int i;

	deaths++;
	for (i = 0; i < pending; i++)
		if (!operations[i].inner && !operations[i].message &&
		    dice(2))
			end_ring(&operations[i]);
	pending = 0;
	wrong += !open_cow(true);
	cow.target.close(&dead);
	for (i = 0; i < SLOTS; i++)
		if (slots[i].busy)
			submit(i);
}

/* The power fails now: checks what a board would find when it boots again. */
static void cut_power(void)
{
	static uint8_t left[STORE_PAGES][COW_BLOCK];
	const struct change *change;
	struct change last;
	unsigned int i;

	cuts++;
	memcpy(left, durable, sizeof(left));
	for (change = changes; change; change = change->next)
		if (dice(2))
			apply(left, change, dice(2));
	for (i = 0; i < pending; i++) {
		const struct io_uring_sqe *sqe = &operations[i].sqe;

		if (operations[i].inner || operations[i].message ||
		    (sqe->opcode != IORING_OP_WRITE &&
		     sqe->opcode != IORING_OP_FALLOCATE) || dice(2))
			continue;
		last = (struct change){ .offset = sqe->off };
		if (sqe->opcode == IORING_OP_WRITE) {
			last.length = sqe->len;
			last.data = (uint8_t *)(uintptr_t)sqe->addr;
		} else {
			last.length = sqe->addr;
		}
		apply(left, &last, true);
	}
	for (i = 0; i < HOT_SECTORS - 5; i++) {
		uint64_t block = cold_block(i / 8);
		uint8_t found[SECTOR];

		if (cow_map_has(left[1], block))
			memcpy(found, store_at(left, DATA_AT + block * COW_BLOCK +
					       i % 8 * SECTOR), SECTOR);
		else
			put_version(found, i, 0);
		wrong += !has_one_of(found, i, sectors[i].flushed,
				     sectors[i].begun);
	}
}

static uint64_t memory_blocks(void)
{
	struct stat st;
	uint64_t count = 0;
	off_t at;

	fstat(memory, &st);
	at = lseek(memory, 2 * MAP_PAGES * COW_BLOCK, SEEK_DATA);
	while (at >= 0) {
		off_t end = lseek(memory, at, SEEK_HOLE);

		count += (end - at) / COW_BLOCK;
		at = lseek(memory, end, SEEK_DATA);
	}
	return count;
}

static void fresh_start(void)
{
	memset(sectors, 0, sizeof(sectors));
	memset(store, 0, sizeof(store));
	memset(durable, 0, sizeof(durable));
	memset(slots, 0, sizeof(slots));
	wrong += pending;
	sync_changes(now);
}

static void read_all(void)
{
	base_fails = false;
	for (unsigned int i = 0; i < HOT_SECTORS - 5; i++) {
		struct slot *slot = &slots[0];

		*slot = (struct slot){ .busy = true, .hot = i, .count = 1 };
		slot->request = (struct ublk_request){
			.op = UBLK_IO_OP_READ, .data = slot->data,
			.offset = cold_block(i / 8) * COW_BLOCK +
				  i % 8 * SECTOR,
			.length = SECTOR,
		};
		sectors[i].busy = true;
		submit(0);
		end_all();
	}
}

static int one_request(uint8_t op, uint64_t block, uint32_t blocks)
{
	slots[0] = (struct slot){ .busy = true };
	slots[0].request = (struct ublk_request){
		.op = op, .data = slots[0].data, .offset = block * COW_BLOCK,
		.length = blocks * COW_BLOCK,
	};
	full = 0;
	submit(0);
	end_all();
	return full ? -ENOSPC : 0;
}

/* Discarded blocks make room for as many new ones, and not for more. */
static void fill_after_discard(void)
{
	unsigned int before = full;

	for (unsigned int region = 0; region < REGIONS; region++)
		one_request(UBLK_IO_OP_DISCARD, cold_block(region * REGION),
			    REGION);
	wrong += memory_blocks() != 0;
	wrong += one_request(UBLK_IO_OP_WRITE, 100, 16) != 0;
	wrong += one_request(UBLK_IO_OP_WRITE, 116, 1) != -ENOSPC;
	wrong += one_request(UBLK_IO_OP_WRITE, 100, 16) != 0;
	full = before;
}

/* The life of one disk, starting with no block written. */
static void one_disk(void)
{
	fresh_start();
	if (truncate(cow_path, 0) || !open_cow(false))
		abort();
	for (unsigned int i = dice(1000); i; i--) {
		base_fails = i / 100 % 4 == 3;
		begin_one();
		while (pending > 40 || (pending && dice(3)))
			end_one();
		if (!dice(200))
			die();
		if (!in_memory && !dice(20))
			cut_power();
	}
	end_all();
	for (unsigned int i = 0; i < SLOTS; i++)
		forgotten += slots[i].busy;
	if (in_memory)
		wrong += memory_blocks() > 16;
	read_all();
	if (in_memory)
		fill_after_discard();
	cow.target.close(&device);
	wrong += base_opened != 0;
}

static void test_disks(bool memory_store, unsigned int rounds)
{
	printf("# %s\n", memory_store ? "in memory" : "in a file");
	in_memory = memory_store;
	answers = errors = full = cuts = deaths = flushes = 0;
	while (rounds--)
		one_disk();
	printf("# %u answers, %u errors (%u full), %u flushes, %u cuts, "
	       "%u deaths\n", answers, errors, full, flushes, cuts, deaths);
	check(!wrong, "every request is answered once, and rightly");
	check(!forgotten, "and none was forgotten");
	check(errors > full, "errors of the base are answered");
	check(in_memory == (full > 0), in_memory ? "it was full at times" :
						   "it never was full");
}

int main(void)
{
	for (unsigned int i = 0; i < QUEUES; i++)
		queues[i].id = i;
	cow_around(&cow, &base_target);
	make_base();
	cow_fd = mkstemp(cow_path);
	test_disks(true, 300);
	test_disks(false, 300);
	forget_memory();
	close(cow_fd);
	unlink(cow_path);
	remove_base();
	printf("1..%d\n", number);
	return failures != 0;
}

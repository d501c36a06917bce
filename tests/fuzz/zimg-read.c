// SPDX-License-Identifier: GPL-2.0
/*
 * The zimg target serves any image that it opens, without a driver. Requests
 * come, and operations on its ring complete in any order, short, interrupted or
 * with an error. Each request is answered once. Its data is what zlib returns,
 * and it gets less only where a chunk is damaged or an operation failed.
 *
 * The input is a byte of settings, the number of steps, the steps of four bytes
 * each, and the image.
 */
#include "targets/zimg/zimg.h"

#include <sys/mman.h>

#include "core/process.h"
#include "tests/fuzz/lib/harness.h"
#include "tests/fuzz/lib/mutate.h"
#include "tests/fuzz/lib/whole-image.h"

#define QUEUES_MAX 3
#define DEPTH 8
#define OPERATIONS (QUEUES_MAX * (DEPTH + ZIMG_LOADS_MAX))
#define DISK_MAX (2U << 20)
#define HEAD 2
#define STEP 4

#include "tests/unit/loose-queue.h"

/* How an operation completes. */
enum fate {
	WHOLE,
	PART,
	INTERRUPTED,
	AGAIN,
	FAILED,
	NOTHING,
	FATES,
};

static struct zimg_request states[QUEUES_MAX][DEPTH];
static bool failed;		/* an operation has failed */
static uint64_t last_end;	/* of the previous request */

static const uint8_t *image;
static size_t image_size;
static struct truth_image truth;
static uint8_t disk[DISK_MAX];	/* expected contents */
static bool damaged[DISK_MAX / 512 + 1];	/* for each sector */

/*
 * The linker makes the target call this instead of opening its image, which it
 * inherits.
 */
int __wrap_image_open_again(struct image *opened, int fd, const char *name,
			    const struct image_options *options);

int __wrap_image_open_again(struct image *opened, int fd, const char *name,
			    const struct image_options *options)
{
	return image_open(opened, fd, name, image_size, options);
}

/* The same for the identification of the file, which reads whole pages. */
int __wrap_backing_samples(int fd, uint64_t offset, uint64_t size,
			   unsigned int count, uint32_t *crc);

int __wrap_backing_samples(int fd, uint64_t offset, uint64_t size,
			   unsigned int count, uint32_t *crc)
{
	(void)fd;
	(void)offset;
	(void)size;
	(void)count;
	*crc = 0;
	return 0;
}

/* The same for finding a chunk: a large index is not kept in memory. */
int __real_image_find(struct image_reader *reader, uint64_t disk_offset,
		      struct image_chunk *chunk);
int __wrap_image_find(struct image_reader *reader, uint64_t disk_offset,
		      struct image_chunk *chunk);

static unsigned int until_lost;	/* how many more pages can be read */

int __wrap_image_find(struct image_reader *reader, uint64_t disk_offset,
		      struct image_chunk *chunk)
{
	if (until_lost && !--until_lost &&
	    reader->image->format == IMAGE_OURS) {
		failed = true;
		return disk_offset & 512 ? -EBADMSG : -EIO;
	}
	return __real_image_find(reader, disk_offset, chunk);
}

/* The same for memory outside of the heap. */
void *__real_mmap(void *address, size_t length, int protection, int flags,
		  int fd, off_t offset);
void *__wrap_mmap(void *address, size_t length, int protection, int flags,
		  int fd, off_t offset);

static uint64_t mapped;

void *__wrap_mmap(void *address, size_t length, int protection, int flags,
		  int fd, off_t offset)
{
	mapped += length;
	return __real_mmap(address, length, protection, flags, fd, offset);
}

/* For helper threads, which do not exist here. */
void process_calm(void)
{
	abort();
}

int rights_drop(const int calls[RIGHTS_CALLS])
{
	(void)calls;
	abort();
}

/* Whether one of the @length bytes at @offset is in a damaged chunk. */
static bool is_damaged(uint64_t offset, uint64_t length)
{
	for (uint64_t at = offset; at < offset + length; at += 512)
		if (at < truth.disk_size && damaged[at / 512])
			return true;
	return false;
}

static void judge(const struct ublk_request *request, int result)
{
	uint64_t rest = truth.disk_size - request->offset;
	uint32_t length = result < 0 ? 0 : result;
	uint32_t inside = length < rest ? length : rest;
	const uint8_t *data = request->data;

	must(length <= request->length && (result > 0 || result == -EIO),
	     "an answer is bytes or EIO: %d", result);
	must(!memcmp(data, disk + request->offset, inside),
	     "what is answered is what the image holds");
	must(image_all_zero(data + inside, length - inside),
	     "behind the disk there are zeroes");
	must(!is_damaged(request->offset, length), "no damage is answered");
	if (length == request->length)
		return;
	must(length % 512 == 0, "an answer has whole sectors");
	must(failed || is_damaged(request->offset + length, 512),
	     "a request is cut short where there is damage");
}

void ublk_request_done(struct ublk_queue *queue, struct ublk_request *request,
		       int result)
{
	must(queue->busy[request->tag], "a request is answered once");
	queue->busy[request->tag] = false;
	judge(request, result);
	free(request->data);
	request->data = NULL;
}

/* Each load must read its own chunk to its own memory. */
static void check_load(const struct operation *operation)
{
	const struct zimg_load *load =
		(const struct zimg_load *)operation->completion;
	const struct zimg_queue *queue = load->queue;
	const struct image *opened = &queue->zimg->image;
	const struct io_uring_sqe *sqe = &operation->sqe;
	const uint8_t *to = (const uint8_t *)(uintptr_t)sqe->addr;

	must(sqe->opcode == IORING_OP_READ && sqe->fd == RING_FILE &&
	     sqe->flags & IOSQE_FIXED_FILE && sqe->len, "it reads the image");
	must(to >= load->member && to + sqe->len <= load->member +
	     opened->member_max, "a load stays in its memory");
	must(load->member >= queue->members &&
	     load->member + opened->member_max <= queue->members +
	     queue->members_size, "which is its queue's");
	must(load->chunk.disk_length <= opened->chunk_max,
	     "and a chunk in the cache's");
}

static int do_read(const struct operation *operation, enum fate fate,
		   uint8_t part)
{
	const struct io_uring_sqe *sqe = &operation->sqe;
	uint32_t length = sqe->len;

	check_load(operation);
	failed |= fate == FAILED || fate == NOTHING;
	switch (fate) {
	case INTERRUPTED:
		return -EINTR;
	case AGAIN:
		return -EAGAIN;
	case FAILED:
		return -EIO;
	case NOTHING:
		return 0;
	case PART:
		length = 1 + part % length;
		break;
	default:
		break;
	}
	backing_read((void *)(uintptr_t)sqe->addr, length, sqe->off);
	return length;
}

static void end_one(unsigned int i, enum fate fate, uint8_t part)
{
	struct operation operation = take_operation(i);
	struct memory memory;

	if (!operation.message)
		operation.result = do_read(&operation, fate, part);
	memory_start();
	operation.completion->done(operation.queue, operation.completion,
				   operation.result);
	memory = memory_stop();
	must(!memory.count, "reading allocates nothing");
}

/* Lets a queue expand a chunk. */
static bool work_one(struct ublk_queue *queue)
{
	struct memory memory;
	bool more;

	memory_start();
	more = target_zimg.work(queue);
	memory = memory_stop();
	must(!memory.count, "expanding allocates nothing");
	return more;
}

/*
 * Completes everything in flight without an error, starting with the @first-th
 * operation.
 */
static void end_all(unsigned int first)
{
	do {
		while (pending)
			end_one(first % pending, WHOLE, 0);
	} while (work_all() || pending);
}

static void submit(struct ublk_queue *queue, uint64_t offset, uint32_t length,
		   uint64_t size)
{
	struct ublk_request *request;
	struct memory memory;
	unsigned int tag = 0;
	int result;

	while (tag < DEPTH && queue->busy[tag])
		tag++;
	if (tag == DEPTH)
		return;
	request = &queue->requests[tag];
	*request = (struct ublk_request){
		.tag = tag,
		.op = UBLK_IO_OP_READ,
		.offset = offset,
		.length = length < size - offset ? length : size - offset,
		.state = &states[queue - queues][tag],
	};
	request->data = malloc(request->length);
	if (!request->data)
		abort();
	queue->busy[tag] = true;
	memory_start();
	result = target_zimg.submit(queue, request);
	memory = memory_stop();
	must(!memory.count, "submitting allocates nothing");
	if (result != UBLK_LATER)
		ublk_request_done(queue, request, result);
}

/* Finds out the expected contents, and what is damaged. */
static bool learn_disk(enum image_format format)
{
	bool ours = whole_image_is_ours(image, image_size);

	if (!truth.disk_size || truth.disk_size > DISK_MAX)
		return false;
	memset(disk, 0, truth.disk_size);
	memset(damaged, 0, truth.disk_size / 512 + 1);
	if (format == IMAGE_GZIP) {
		memcpy(disk, whole_image_disk(), truth.disk_size);
		return true;
	}
	for (uint64_t i = 0; i < truth.count; i++) {
		const struct truth_chunk *chunk = &truth.chunks[i];
		const uint8_t *data = image + chunk->file_offset;
		bool strict;
		uint64_t end = chunk->disk_offset + chunk->disk_length;

		/* A chunk of zeroes, as the index says, is not read. */
		if (chunk->zero ||
		    ((!ours || truth_our_header(data, chunk->file_length,
						truth.chunk_size <= 61440)) &&
		     truth_whole(data, chunk->file_length,
				 disk + chunk->disk_offset,
				 chunk->disk_length, &strict)))
			continue;
		for (uint64_t at = chunk->disk_offset / 512;
		     at <= (end - 1) / 512; at++)
			damaged[at] = true;
	}
	return true;
}

/* Finds out the truth about the image. Returns whether it can be served. */
static bool learn(void)
{
	struct image opened;
	bool good;

	if (!whole_image_open(&opened, image, image_size, &truth))
		return false;
	image_release(&opened);
	good = learn_disk(opened.format);
	if (!good)
		truth_free(&truth);
	return good;
}

static void set_up(unsigned int count, uint64_t cache, struct ublk_disk *layout)
{
	/* The same as the target's own settings struct. */
	const struct {
		uint64_t cache, spacing;
		const char *index;
		uint64_t timeout;
	} settings = { cache, WHOLE_IMAGE_SECTION, NULL, 0 };
	struct memory memory;
	uint64_t member, room, index;

	device = (struct ublk_device){
		.queues = count, .block = 512,
		.inherits = true, .inherited = BACKING_FD,
	};
	memset(queues, 0, sizeof(queues));
	*layout = (struct ublk_disk){ .logical_block = 512 };
	pending = 0;
	failed = false;
	last_end = 0;
	until_lost = 0;
	mapped = 0;
	memory_start();
	if (target_zimg.open(&device, "/", &settings, layout) ||
	    target_zimg.start(&device))
		must(false, "an image that opens can be served");
	must(device.file == BACKING_FD, "the image is what it reads");
	for (unsigned int i = 0; i < count; i++) {
		queues[i].device = &device;
		if (target_zimg.queue_start(&queues[i]))
			abort();
	}
	memory = memory_stop();
	member = ((struct zimg *)device.data)->image.member_max;
	room = (((struct zimg *)device.data)->image.chunk_max + 4095) & ~4095U;
	must(mapped <= (cache > 4 * room ? cache : 4 * room) + count *
	     (member * 2 > 512 << 10 ? member * 2 : 512 << 10),
	     "the cache and the loads take what they may: %llu",
	     (unsigned long long)mapped);
	index = ((struct zimg *)device.data)->image.index_size;
	must(memory.live <= (int64_t)(image_size + index +
				      (cache / room + 4) * 80 +
				      count * (READER_GZIP_MEMORY + (54 << 10)) +
				      4096),
	     "the rest is small: %lld", (long long)memory.live);
	must(layout->size == (truth.disk_size + 511) / 512 * 512 &&
	     layout->read_only, "the disk is as large as it is");
}

static void tear_down(void)
{
	for (unsigned int i = 0; i < device.queues; i++) {
		for (unsigned int tag = 0; tag < DEPTH; tag++)
			must(!queues[i].busy[tag], "all are answered");
		must(!queues[i].references, "and nothing is left of them");
		target_zimg.queue_stop(&queues[i]);
	}
	target_zimg.close(&device);
}

static void step(const uint8_t *bytes, uint64_t size)
{
	unsigned int sector = bytes[2] << 8 | bytes[3];
	uint64_t offset = (uint64_t)sector * 512 % size;
	uint32_t length = 512 * (1 + (bytes[0] >> 2) * (bytes[1] >> 4));

	switch (bytes[0] % 4) {
	case 0:
	case 1:
		/* Where the last request ended, if that is on the disk. */
		if (bytes[0] & 1 && last_end < size)
			offset = last_end;
		last_end = offset + length;
		submit(&queues[bytes[1] % device.queues], offset, length, size);
		break;
	case 2:
		if (bytes[0] & 4)
			work_one(&queues[bytes[1] % device.queues]);
		else if (pending)
			end_one(bytes[1] % pending, bytes[2] % FATES, bytes[3]);
		break;
	default:
		if (bytes[2] & 128)
			until_lost = 1 + bytes[3] % 8;
		end_all(bytes[1]);
	}
}

/* Number of bytes before the image, or 0 if there is no image. */
static size_t head_length(const uint8_t *data, size_t size)
{
	size_t length = size < HEAD ? 0 : HEAD + STEP * data[1];

	return length < size ? length : 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
			       unsigned int seed)
{
	size_t head = head_length(data, size), made;

	if (!head)
		return LLVMFuzzerMutate(data, size, max_size);
	if (seed % 2)
		return head + mutate_image(data + head, size - head,
					   max_size - head, seed / 2);
	made = LLVMFuzzerMutate(data, head, head);
	memmove(data + made, data + head, size - head);
	return size - head + made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t head = head_length(data, size);
	struct ublk_disk layout;

	if (!head)
		return 0;
	/* The memory ends with the image; the sanitizer checks that. */
	image = data + head;
	image_size = size - head;
	if (!learn())
		return 0;
	set_up(1 + data[0] % QUEUES_MAX, data[0] & 64 ? 1 << 20 : 0, &layout);
	for (size_t at = HEAD; at < head; at += STEP)
		step(data + at, layout.size);
	end_all(0);
	tear_down();
	truth_free(&truth);
	return 0;
}

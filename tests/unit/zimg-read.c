// SPDX-License-Identifier: GPL-2.0
/*
 * READs of the zimg target without a driver, with rings that do what they like.
 * Operations complete in any order, short, interrupted or with an error. Chunks
 * are expanded by their queue, by another queue or by a helper, at any time.
 * Messages between threads arrive late. The cache has hardly any room. Every
 * request is answered once, with the right data, or with an error if there was
 * one.
 */
#include "targets/zimg/zimg.h"
#include "tests/unit/image-test.h"

#define QUEUES_MAX 3
#define DEPTH 64
#define OPERATIONS 1024
#define LENGTH_MAX 200000
#define ROUNDS 5000

#include "tests/unit/loose-queue.h"

static uint32_t state = 521288629;

static const uint8_t *disk;
static uint64_t disk_size;
static bool errors;		/* reads may fail */
static unsigned int answered, wrong, failed, helped;
static struct image_expander helper;

/* Whether the answer is a prefix of the disk, or an error that occurred. */
static void judge(struct ublk_request *request, int result)
{
	uint32_t length = result < 0 ? 0 : result;
	const uint8_t *data = request->data;
	uint32_t inside = length;

	answered++;
	if (length < request->length) {
		failed++;
		wrong += !errors || length % device.block ||
			 (result <= 0 && result != -EIO);
	}
	if (length > disk_size - request->offset) {
		inside = disk_size - request->offset;
		wrong += !image_all_zero(data + inside, length - inside);
	}
	wrong += memcmp(data, disk + request->offset, inside) != 0;
}

void ublk_request_done(struct ublk_queue *queue, struct ublk_request *request,
		       int result)
{
	wrong += !queue->busy[request->tag];
	queue->busy[request->tag] = false;
	judge(request, result);
	free(request->data);
	request->data = NULL;
}

/* Reads like a ring may: all, a part, -EAGAIN, or an error. */
static int do_read(const struct io_uring_sqe *sqe)
{
	uint32_t length = sqe->len;
	ssize_t n;

	wrong += sqe->opcode != IORING_OP_READ || sqe->fd != RING_FILE || !length ||
		 !(sqe->flags & IOSQE_FIXED_FILE);
	switch (next_random(&state) % 16) {
	case 0:
		length = 1 + next_random(&state) % length;
		break;
	case 1:
		return next_random(&state) % 2 ? -EINTR : -EAGAIN;
	case 2:
		if (errors)
			return next_random(&state) % 2 ? -EIO : 0;
	}
	n = pread(device.file, (void *)(uintptr_t)sqe->addr, length, sqe->off);
	return n < 0 ? -errno : n;
}

/* Completes one operation, a random one. */
static void end_one(void)
{
	struct operation operation =
		take_operation(next_random(&state) % pending);

	if (!operation.message)
		operation.result = do_read(&operation.sqe);
	operation.completion->done(operation.queue, operation.completion,
				   operation.result);
}

/* Lets a queue expand a chunk, or a helper take one. */
static void work_one(void)
{
	struct zimg *zimg = device.data;
	struct zimg_load *load;

	if (next_random(&state) % 2) {
		target_zimg.work(&queues[next_random(&state) % device.queues]);
		return;
	}
	load = zimg_crew_work(&zimg->crew, &helper);
	if (!load)
		return;
	helped++;
	ublk_queue_send(load->queue->queue, &load->expanded, 0);
}

/* Where the next request is: at random, or where the last one ended. */
static uint64_t next_offset(uint64_t size)
{
	static uint64_t end;
	uint64_t offset = next_random(&state) % 3 ? end :
			  next_random(&state) % (size / 512) * 512;

	if (offset >= size)
		offset = 0;
	end = offset + (1 + next_random(&state) % 100) * 512;
	return offset;
}

static void submit_one(uint64_t size)
{
	struct ublk_queue *queue = &queues[next_random(&state) % device.queues];
	unsigned int tag = next_random(&state) % DEPTH;
	struct ublk_request *request = &queue->requests[tag];
	int result;

	if (queue->busy[tag])
		return;
	request->op = UBLK_IO_OP_READ;
	request->tag = tag;
	request->offset = next_offset(size);
	request->length = (1 + next_random(&state) % (LENGTH_MAX / 512)) * 512;
	if (next_random(&state) % 2)
		request->length = 4096;
	if (request->length > size - request->offset)
		request->length = size - request->offset;
	request->data = malloc(request->length);
	if (!request->data)
		abort();
	queue->busy[tag] = true;
	result = target_zimg.submit(queue, request);
	if (result != UBLK_LATER)
		ublk_request_done(queue, request, result);
}

static bool all_idle(void)
{
	for (unsigned int i = 0; i < device.queues; i++) {
		if (queues[i].references)
			return false;
		for (unsigned int tag = 0; tag < DEPTH; tag++)
			if (queues[i].busy[tag])
				return false;
	}
	return true;
}

/* Runs until nothing is in flight. */
static void end_all(void)
{
	do {
		while (pending)
			end_one();
	} while (work_all() || pending);
}

static void set_up(const char *path, unsigned int count, uint64_t cache,
		   struct ublk_disk *layout)
{
	char *states = calloc(count * DEPTH, target_zimg.request_size);
	/* The same as the target's own settings struct. */
	const struct {
		uint64_t cache, spacing;
		const char *index;
		uint64_t timeout;
	} settings = { cache, 100000, NULL, 0 };

	device = (struct ublk_device){ .queues = count, .block = 512 };
	*layout = (struct ublk_disk){ .logical_block = 512 };
	if (sizeof(settings) != target_zimg.settings_size || !states ||
	    target_zimg.open(&device, path, &settings, layout) ||
	    target_zimg.start(&device) ||
	    image_expander_init(&helper, &((struct zimg *)device.data)->image))
		abort();
	for (unsigned int i = 0; i < count; i++) {
		queues[i] = (struct ublk_queue){ .device = &device };
		for (unsigned int tag = 0; tag < DEPTH; tag++)
			queues[i].requests[tag].state = states +
				(i * DEPTH + tag) * target_zimg.request_size;
		if (target_zimg.queue_start(&queues[i]))
			abort();
	}
}

static void tear_down(void)
{
	void *states = queues[0].requests[0].state;

	for (unsigned int i = 0; i < device.queues; i++)
		target_zimg.queue_stop(&queues[i]);
	image_expander_free(&helper);
	target_zimg.close(&device);
	free(states);
}

static void test_reads(int fd, const char *what, unsigned int count,
		       uint64_t cache, bool with_errors)
{
	char path[] = "/tmp/zimg-read.XXXXXX";
	int file = mkstemp(path);
	struct ublk_disk layout;
	unsigned int idle = 0;
	size_t length;
	uint8_t *image = slurp(fd, &length);

	/* The target needs a path that stays valid. */
	if (file < 0 || whole_write(file, image, length))
		abort();
	free(image);
	close(file);
	set_up(path, count, cache, &layout);
	unlink(path);
	errors = with_errors;
	answered = wrong = failed = helped = 0;
	for (int i = 0; i < ROUNDS; i++) {
		if (pending && next_random(&state) % 3)
			end_one();
		else
			submit_one(layout.size);
		if (next_random(&state) % 2)
			work_one();
		/* Sometimes as many requests at once as a queue can have. */
		for (int n = i % 200 ? 0 : DEPTH * count; n; n--)
			submit_one(layout.size);
		/* Sometimes none, so that a forgotten request shows. */
		if (i % 200 == 150)
			end_all();
		idle += i % 200 == 150 && all_idle();
	}
	end_all();
	check(all_idle() && idle == ROUNDS / 200 && !wrong && helped &&
	      (errors || !failed),
	      "%s, %u queues, cache %llu%s: %u requests (%u cut short), %u "
	      "chunks by a helper", what, count, (unsigned long long)cache,
	      errors ? ", errors" : "", answered, failed, helped);
	tear_down();
}

static void test_image(int fd, const char *what)
{
	test_reads(fd, what, 1, 0, false);
	test_reads(fd, what, 1, 8 << 20, false);
	test_reads(fd, what, QUEUES_MAX, 0, false);
	test_reads(fd, what, QUEUES_MAX, 0, true);
	test_reads(fd, what, QUEUES_MAX, 1 << 20, true);
	close(fd);
}

int main(void)
{
	uint64_t size = 3000001;
	uint8_t *contents = make_disk(size, 70000);
	int fd = new_file("", 0);

	be_quiet();
	disk = contents;
	disk_size = size;
	test_image(make_image(disk, size, IMAGE_CHUNK_BC), "chunks of 60K");
	test_image(make_image(disk, size, IMAGE_CHUNK_STEP), "chunks of 4K");
	test_image(make_image(disk, size, IMAGE_CHUNK_MAX), "chunks of 1M");
	for (uint64_t at = 0; at < size; at += 65280)
		add_bgzf(fd, disk + at, size - at < 65280 ? size - at : 65280);
	add_bgzf(fd, NULL, 0);
	test_image(fd, "BGZF");
	fd = new_file("", 0);
	add_gzip(fd, disk, 2000000);
	add_gzip(fd, disk + 2000000, size - 2000000);
	test_image(fd, "gzip");
	free(contents);
	return done_testing();
}

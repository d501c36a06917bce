// SPDX-License-Identifier: GPL-2.0
/*
 * The connection of a queue to a server of NBD. The input says what happens:
 * requests come, operations of the ring end in pieces or fail, connections are
 * lost and made, time passes, and the server replies with what it was asked for
 * or with any bytes. Each request must be answered once, and when it is, no
 * operation may use its buffer. As long as the server does not lie, all data is
 * what it should be. In the end the server behaves, and everything is answered.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/big-endian.h"
#include "targets/nbd/nbd.h"
#include "tests/fuzz/lib/harness.h"

#define DEPTH 4
#define SPACE 8192		/* bytes of the disk */
#define OFFSET 4096		/* of the disk in the export */
#define MOST 2048		/* bytes of a request */
#define OPERATIONS 4		/* that sends, that receives, timer and cancel */
#define ASKED 64		/* requests that a server keeps */
#define REPLIES 65536

struct ublk_queue {
	int nothing;
};

struct operation {
	struct io_uring_sqe sqe;
	struct ublk_completion *completion;	/* NULL: none */
};

struct one {
	struct ublk_request request;
	struct nbd_request state;
	bool live;
	bool applied;			/* the server has the data of a WRITE */
	uint8_t replied[MOST];		/* by the server, to a READ */
};

/* What the server was asked for. */
struct asked {
	uint64_t cookie, offset;
	uint32_t length;
	uint16_t type;
};

static struct {
	struct nbd_disk disk;
	struct ublk_queue queue;
	struct operation operations[OPERATIONS];
	struct one ones[DEPTH];
	uint64_t now;

	bool wants;		/* a connection */
	struct ublk_completion *message;	/* on its way to the queue, or NULL */
	bool shut;		/* what there is was shut down */
	bool lied, structured;

	/* The server. */
	uint8_t store[SPACE];
	uint8_t head[NBD_REQUEST];
	uint32_t head_length;
	struct asked writes;	/* whose data comes, until have is its length */
	uint32_t have;
	uint8_t data[MOST];
	struct asked asked[ASKED];
	unsigned int asked_count;
	uint8_t replies[REPLIES];
	size_t replies_length;
} world;

static const uint8_t *input;
static size_t left;

static uint8_t next(void)
{
	if (!left)
		return 0;
	left--;
	return *input++;
}

/* What link.c calls. */

uint64_t __wrap_clock_ms(void);
int __wrap_shutdown(int fd, int how);

uint64_t __wrap_clock_ms(void)
{
	return world.now;
}

int __wrap_shutdown(int fd, int how)
{
	(void)how;
	must(fd >= 0 && fcntl(fd, F_GETFD) >= 0, "a connection is shut down");
	world.shut = true;
	return 0;
}

void *ublk_device_data(const struct ublk_device *device)
{
	(void)device;
	return &world.disk;
}

unsigned int ublk_device_queues(const struct ublk_device *device)
{
	(void)device;
	return 1;
}

unsigned int ublk_device_depth(const struct ublk_device *device)
{
	(void)device;
	return DEPTH;
}

struct ublk_device *ublk_queue_device(const struct ublk_queue *queue)
{
	must(queue == &world.queue, "it is the queue");
	return NULL;
}

unsigned int ublk_queue_id(const struct ublk_queue *queue)
{
	must(queue == &world.queue, "it is the queue");
	return 0;
}

struct io_uring_sqe *ublk_queue_sqe(struct ublk_queue *queue,
				    struct ublk_completion *completion)
{
	(void)queue;
	for (int i = 0; i < OPERATIONS; i++)
		must(world.operations[i].completion != completion,
		     "one operation of a kind is on its way");
	for (int i = 0; i < OPERATIONS; i++) {
		struct operation *operation = &world.operations[i];

		if (operation->completion)
			continue;
		memset(&operation->sqe, 0, sizeof(operation->sqe));
		operation->completion = completion;
		return &operation->sqe;
	}
	must(false, "there are no more operations than those");
	return NULL;
}

void ublk_queue_transfer(struct ublk_queue *queue, struct io_uring_sqe *sqe,
			 bool write, void *data, uint32_t length)
{
	(void)queue;
	sqe->opcode = write ? IORING_OP_WRITE : IORING_OP_READ;
	sqe->addr = (uintptr_t)data;
	sqe->len = length;
}

int ublk_queue_replace_file(struct ublk_queue *queue, int index, int fd)
{
	(void)queue;
	(void)index;
	must(fcntl(fd, F_GETFD) >= 0, "a connection takes the place");
	for (int i = 0; i < OPERATIONS; i++)
		must(!world.operations[i].completion ||
		     world.operations[i].sqe.opcode == IORING_OP_TIMEOUT,
		     "nothing uses the last connection");
	return next() % 16 == 15 ? -ENOMEM : 0;
}

void ublk_queue_send(struct ublk_queue *to, struct ublk_completion *completion,
		     int result)
{
	(void)to;
	must(!world.message, "a connection is handed over once");
	completion->result = result;
	world.message = completion;
}

void ublk_queue_get(struct ublk_queue *queue)
{
	(void)queue;
}

void ublk_queue_put(struct ublk_queue *queue)
{
	(void)queue;
}

int connector_ask(const struct connector *connector, unsigned int number,
		  bool served)
{
	(void)connector;
	(void)number;
	(void)served;
	must(!world.wants, "a connection is asked for once");
	world.wants = true;
	return 0;
}

/* Whether an operation uses memory of this. */
static bool is_used(const void *data, uint32_t length)
{
	const uintptr_t from = (uintptr_t)data, end = from + length;

	for (int i = 0; i < OPERATIONS; i++) {
		const struct operation *operation = &world.operations[i];

		if (operation->completion &&
		    (operation->sqe.opcode == IORING_OP_READ ||
		     operation->sqe.opcode == IORING_OP_WRITE) &&
		    operation->sqe.addr < end &&
		    operation->sqe.addr + operation->sqe.len > from)
			return true;
	}
	return false;
}

void ublk_request_done(struct ublk_queue *queue, struct ublk_request *request,
		       int result)
{
	struct one *one = &world.ones[request->tag];
	const bool reads = request->op == UBLK_IO_OP_READ;
	const bool writes = request->op == UBLK_IO_OP_WRITE;

	must(queue == &world.queue && request == &one->request, "it is one");
	must(one->live, "a request is answered once");
	must(result <= 0 || (reads || writes), "only those have a count");
	must(result < 0 || !(reads || writes) ||
	     (uint32_t)result == request->length, "all of it, or an error");
	must(!is_used(request->data, request->length),
	     "nothing uses the buffer of an answered request");
	if (result >= 0 && !world.lied) {
		must(!reads || !memcmp(request->data, one->replied,
				       request->length), "it is what was sent");
		must(!writes || one->applied, "the server has it");
	}
	free(request->data);
	one->live = false;
}

/* The server. */

/* The request that was asked for with this, or NULL. */
static struct one *one_of(const struct asked *asked)
{
	struct one *one = &world.ones[asked->cookie % DEPTH];

	return one->live && one->state.cookie == asked->cookie ? one : NULL;
}

/* One that has lied is asked for more than the depth. */
static void server_keep(const struct asked *asked)
{
	must(world.lied || world.asked_count < DEPTH, "no more than the depth");
	if (world.asked_count < ASKED)
		world.asked[world.asked_count++] = *asked;
}

static void server_write_done(void)
{
	struct one *one = one_of(&world.writes);

	memcpy(world.store + world.writes.offset, world.data, world.have);
	if (one) {
		must(!memcmp(one->request.data, world.data, world.have),
		     "the data is that of the request");
		one->applied = true;
	}
	server_keep(&world.writes);
	world.writes.type = 0;
}

static void server_head_done(void)
{
	struct asked asked = {
		.type = get_be16(world.head + 6),
		.cookie = get_be64(world.head + 8),
		.offset = get_be64(world.head + 16),
		.length = get_be32(world.head + 24),
	};
	const bool flush = asked.type == NBD_CMD_FLUSH;

	world.head_length = 0;
	must(get_be32(world.head) == 0x25609513, "it is a request");
	must(asked.cookie % (1 << 16) < DEPTH, "its cookie has a tag");
	must(flush ? !asked.offset && !asked.length :
		     asked.offset >= OFFSET && asked.length &&
		     asked.offset - OFFSET + asked.length <= SPACE,
	     "it is inside the disk");
	asked.offset -= flush ? 0 : OFFSET;
	if (asked.type != NBD_CMD_WRITE) {
		server_keep(&asked);
		return;
	}
	world.writes = asked;
	world.have = 0;
}

static void server_take(const uint8_t *from, size_t length)
{
	for (; length; from++, length--) {
		if (world.writes.type) {
			world.data[world.have++] = *from;
			if (world.have == world.writes.length)
				server_write_done();
			continue;
		}
		world.head[world.head_length++] = *from;
		if (world.head_length == NBD_REQUEST)
			server_head_done();
	}
}

static void server_send(const void *data, size_t length)
{
	if (length > REPLIES - world.replies_length)
		return;
	memcpy(world.replies + world.replies_length, data, length);
	world.replies_length += length;
}

static void server_send_chunk(const struct asked *asked, bool done,
			      uint16_t type, const void *data, uint32_t length)
{
	uint8_t head[NBD_CHUNK];

	put_be32(head, 0x668e33ef);
	put_be16(head + 4, done);
	put_be16(head + 6, type);
	put_be64(head + 8, asked->cookie);
	put_be32(head + 16, length);
	server_send(head, sizeof(head));
	server_send(data, length);
}

static void server_send_data(const struct asked *asked, bool done,
			     uint32_t at, uint32_t length)
{
	uint8_t data[8 + MOST];

	put_be64(data, OFFSET + asked->offset + at);
	memcpy(data + 8, world.store + asked->offset + at, length);
	server_send_chunk(asked, done, NBD_CHUNK_DATA, data, 8 + length);
}

static void server_send_hole(const struct asked *asked)
{
	uint8_t data[12];

	put_be64(data, OFFSET + asked->offset);
	put_be32(data + 8, asked->length);
	server_send_chunk(asked, true, NBD_CHUNK_HOLE, data, sizeof(data));
}

static void server_send_error(const struct asked *asked, uint32_t error)
{
	uint8_t data[16] = { 0 };

	put_be32(data, error);
	put_be16(data + 4, 10);
	server_send_chunk(asked, true, NBD_CHUNK_ERROR + 1, data, sizeof(data));
}

static void server_reply_simply(const struct asked *asked, uint32_t error)
{
	uint8_t head[NBD_REPLY];

	put_be32(head, 0x67446698);
	put_be32(head + 4, error);
	put_be64(head + 8, asked->cookie);
	server_send(head, sizeof(head));
	if (asked->type == NBD_CMD_READ && !error)
		server_send(world.store + asked->offset, asked->length);
}

/* A good reply; @how chooses one of several. */
static void server_reply(const struct asked *asked, uint32_t error, uint8_t how)
{
	const uint32_t half = asked->length / 2;
	struct one *one = one_of(asked);
	const bool reads = asked->type == NBD_CMD_READ;

	if (one && reads)
		memcpy(one->replied, world.store + asked->offset, asked->length);
	if (!world.structured || (!reads && how & 1)) {
		server_reply_simply(asked, error);
	} else if (error) {
		server_send_error(asked, error);
	} else if (!reads) {
		server_send_chunk(asked, true, NBD_CHUNK_NONE, "", 0);
	} else if (how & 2 && half) {
		server_send_data(asked, false, half, asked->length - half);
		server_send_data(asked, how & 4, 0, half);
		if (!(how & 4))
			server_send_chunk(asked, true, NBD_CHUNK_NONE, "", 0);
	} else if (how & 8) {
		memset(world.store + asked->offset, 0, asked->length);
		if (one)
			memset(one->replied, 0, asked->length);
		server_send_hole(asked);
	} else {
		server_send_data(asked, true, 0, asked->length);
	}
}

static bool server_replies(unsigned int which, uint32_t error, uint8_t how)
{
	struct asked asked;

	if (!world.asked_count)
		return false;
	which %= world.asked_count;
	asked = world.asked[which];
	world.asked[which] = world.asked[--world.asked_count];
	server_reply(&asked, error, how);
	return true;
}

/* What happens. */

static struct operation *operation_of(uint8_t opcode)
{
	for (int i = 0; i < OPERATIONS; i++)
		if (world.operations[i].completion &&
		    world.operations[i].sqe.opcode == opcode)
			return &world.operations[i];
	return NULL;
}

static void complete(struct operation *operation, int result)
{
	struct ublk_completion *completion = operation->completion;

	operation->completion = NULL;
	completion->done(&world.queue, completion, result);
}

/* The operation ends after @count bytes at most, or with an error if that is 0. */
static bool send_some(uint32_t count)
{
	struct operation *operation = operation_of(IORING_OP_WRITE);

	if (!operation)
		return false;
	if (count > operation->sqe.len)
		count = operation->sqe.len;
	if (world.shut || !count) {
		complete(operation, -EPIPE);
		return true;
	}
	server_take((const uint8_t *)(uintptr_t)operation->sqe.addr, count);
	complete(operation, count);
	return true;
}

/* Nobody receives any more: the one or the other hears of it first. */
static bool cancel_receives(bool first)
{
	struct operation *cancel = operation_of(IORING_OP_ASYNC_CANCEL);
	struct operation *operation = operation_of(IORING_OP_READ);

	if (!cancel)
		return false;
	must(!operation || cancel->sqe.addr == (uintptr_t)operation->completion,
	     "what receives is cancelled");
	if (operation && first)
		complete(operation, -ECANCELED);
	complete(cancel, operation ? 0 : -ENOENT);
	if (operation && !first)
		complete(operation, -ECANCELED);
	return true;
}

static bool receive_some(uint32_t count)
{
	struct operation *operation = operation_of(IORING_OP_READ);

	if (!operation)
		return false;
	if (count > operation->sqe.len)
		count = operation->sqe.len;
	if (!count) {
		complete(operation, 0);
		return true;
	}
	if (count > world.replies_length)
		count = world.replies_length;
	if (!count)
		return false;
	memcpy((void *)(uintptr_t)operation->sqe.addr, world.replies, count);
	world.replies_length -= count;
	memmove(world.replies, world.replies + count, world.replies_length);
	complete(operation, count);
	return true;
}

/* The queue gets the message. */
static bool hears(void)
{
	struct ublk_completion *message = world.message;

	if (!message)
		return false;
	world.message = NULL;
	message->done(&world.queue, message, message->result);
	return true;
}

static bool connects(bool structured, bool lost)
{
	struct connected answer = { .fd = -1, .structured = structured };

	if (!world.wants)
		return false;
	if (!lost) {
		answer.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		must(answer.fd >= 0, "there are descriptors");
	}
	world.wants = world.shut = world.lied = false;
	world.structured = structured;
	world.head_length = world.asked_count = world.replies_length = 0;
	world.writes.type = 0;
	nbd_link_connected(&world.disk, &answer);
	return true;
}

static void time_passes(unsigned int milliseconds)
{
	struct operation *timer = operation_of(IORING_OP_TIMEOUT);
	const struct __kernel_timespec *until;

	world.now += milliseconds;
	if (!timer)
		return;
	until = (const void *)(uintptr_t)timer->sqe.addr;
	if ((uint64_t)until->tv_sec * 1000 <= milliseconds)
		complete(timer, -ETIME);
}

static void request_comes(void)
{
	static const uint8_t kinds[] = {
		UBLK_IO_OP_READ, UBLK_IO_OP_WRITE, UBLK_IO_OP_READ,
		UBLK_IO_OP_WRITE, UBLK_IO_OP_FLUSH, UBLK_IO_OP_DISCARD,
		UBLK_IO_OP_WRITE_ZEROES, UBLK_IO_OP_READ,
	};
	const uint8_t how = next(), where = next();
	struct one *one = &world.ones[how >> 3 & 3];
	struct ublk_request *request = &one->request;

	if (one->live)
		return;
	request->tag = one - world.ones;
	request->op = kinds[how & 7];
	request->state = &one->state;
	request->length = request->op == UBLK_IO_OP_FLUSH ? 0 :
			  512 * (1 + (how >> 5) % 4);
	request->offset = request->length ? where % 12 * 512 : 0;
	request->data = malloc(request->length + 1);
	must(request->data, "there is memory");
	memset(request->data, where, request->length + 1);
	one->live = true;
	one->applied = false;
	must(nbd_submit(&world.queue, request) == UBLK_LATER,
	     "it is answered later");
}

static void something_happens(void)
{
	uint8_t bytes[32];
	uint8_t what = next();

	switch (what % 16) {
	case 0: case 1: case 2:
		request_comes();
		break;
	case 3: case 4:
		send_some(what & 16 ? MOST : 1 + next());
		break;
	case 5: case 6:
		server_replies(next(), 0, next());
		break;
	case 7: case 8:
		receive_some(what & 16 ? MOST : 1 + next());
		break;
	case 9: case 10:
		if (!hears())
			connects(what & 16, next() % 16 == 15);
		break;
	case 11:
		if (what & 16)
			send_some(0);
		else
			receive_some(0);
		break;
	case 12:
		if (!cancel_receives(what & 16))
			time_passes(next() * 16);
		break;
	case 13:
		server_replies(next(), what & 16 ? EIO : ESHUTDOWN, next());
		break;
	case 14:	/* it answers a WRITE that it has not got */
		if (world.writes.type)
			server_reply(&world.writes, EIO, next());
		world.lied = true;
		break;
	case 15:
		what = 1 + next() % sizeof(bytes);
		for (uint8_t i = 0; i < what; i++)
			bytes[i] = next();
		server_send(bytes, what);
		world.lied = true;
		break;
	}
}

static bool any_live(void)
{
	for (int i = 0; i < DEPTH; i++)
		if (world.ones[i].live)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int turns = 0;

	memset(&world, 0, sizeof(world));
	input = data;
	left = size;
	world.now = 1000;
	world.disk.uri = "nbd://server/export";
	world.disk.offset = OFFSET;
	world.disk.timeout = next() % 2 ? 2 : 0;
	world.disk.export.flags = next() % 2 ? NBD_FLAG_SEND_FAST_ZERO : 0;
	pthread_mutex_init(&world.disk.lock, NULL);
	must(!nbd_links_alloc(&world.disk, NULL), "there is memory");
	nbd_link_begin(&world.disk, &world.queue);
	while (left)
		something_happens();
	/* From here on nothing fails, and replies that cannot be used end. */
	while (any_live()) {
		must(turns++ < 100000, "it comes to an end");
		if (send_some(MOST) || cancel_receives(true) ||
		    hears() || connects(false, false) ||
		    server_replies(0, 0, 0) || receive_some(MOST))
			continue;
		must(receive_some(0), "there is always something to wait for");
	}
	nbd_link_end(&world.disk, &world.queue);
	nbd_links_free(&world.disk);
	pthread_mutex_destroy(&world.disk.lock);
	messages_told();
	return 0;
}

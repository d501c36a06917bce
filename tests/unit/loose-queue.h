/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A read-only device and its queues, without a driver and without a ring, for
 * programs that include the zimg target. It implements the functions of
 * target.h that the target calls. Operations that the target submits wait in a
 * list, from which the program takes them in any order.
 *
 * Include it once, after defining QUEUES_MAX, DEPTH (tags per queue) and
 * OPERATIONS (most that can wait at the same time).
 */
#ifndef TESTS_UNIT_LOOSE_QUEUE_H
#define TESTS_UNIT_LOOSE_QUEUE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/target.h"
#include "targets/zimg/fetch.h"
#include "tests/unit/plain-transfer.h"

#define RING_FILE 3		/* number of the registered file */

struct ublk_device {
	void *data;
	unsigned int queues;
	uint64_t block;
	int file;		/* the registered descriptor */
	bool inherits;
	int inherited;		/* the inherited descriptor, if any */
};

struct ublk_queue {
	struct ublk_device *device;
	void *data;
	struct ublk_request requests[DEPTH];
	bool busy[DEPTH];
	unsigned int references;
};

/* An operation of a ring, or a message, that has not completed. */
struct operation {
	struct ublk_queue *queue;
	struct ublk_completion *completion;
	struct io_uring_sqe sqe;
	bool message;
	int result;
};

extern const struct ublk_target target_zimg;

static struct ublk_device device;
static struct ublk_queue queues[QUEUES_MAX];
static struct operation operations[OPERATIONS];
static unsigned int pending;

/*
 * Takes operation @i from the list. Messages to one queue keep their order,
 * like those of a real queue: instead of a message, this takes the first one to
 * the same queue.
 */
static struct operation take_operation(unsigned int i)
{
	struct operation operation = operations[i];

	for (unsigned int first = 0; operation.message && first < i; first++)
		if (operations[first].message &&
		    operations[first].queue == operation.queue) {
			operation = operations[first];
			i = first;
		}
	memmove(&operations[i], &operations[i + 1],
		(--pending - i) * sizeof(operation));
	return operation;
}

static struct operation *add_operation(struct ublk_queue *queue,
				       struct ublk_completion *completion)
{
	struct operation *operation = &operations[pending++];

	if (pending > OPERATIONS)
		abort();
	*operation = (struct operation){
		.queue = queue,
		.completion = completion,
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

void ublk_queue_get(struct ublk_queue *queue)
{
	queue->references++;
}

void ublk_queue_put(struct ublk_queue *queue)
{
	queue->references--;
}

/* What is counted is checked on the board. */
void ublk_queue_count(struct ublk_queue *queue, enum ublk_count what,
		      uint64_t n)
{
	(void)queue;
	(void)what;
	(void)n;
}

/* Lets each queue work, as long as there may be more work. */
static bool work_all(void)
{
	bool any = false;

	for (unsigned int i = 0; i < device.queues; i++)
		while (target_zimg.work(&queues[i]))
			any = true;
	return any;
}

/* No helper threads: the program plays them. */
unsigned int ublk_device_cpus(const struct ublk_device *self)
{
	(void)self;
	return 1;
}

void ublk_device_set_data(struct ublk_device *self, void *data)
{
	self->data = data;
}

void *ublk_device_data(const struct ublk_device *self)
{
	return self->data;
}

unsigned int ublk_device_queues(const struct ublk_device *self)
{
	return self->queues;
}

uint64_t ublk_device_block_size(const struct ublk_device *self)
{
	return self->block;
}

void ublk_device_set_argument(struct ublk_device *self, const char *argument)
{
	(void)self;
	(void)argument;
}

int ublk_device_inherited_file(struct ublk_device *self, const char *name)
{
	(void)name;
	return self->inherits ? self->inherited : -1;
}

int ublk_device_identify(struct ublk_device *self, const char *name,
			 const char *path, int fd,
			 const struct identity_contents *contents)
{
	(void)self;
	(void)name;
	(void)path;
	(void)fd;
	(void)contents;
	return 0;
}

int ublk_device_register_file(struct ublk_device *self, int fd,
			      const char *name)
{
	(void)name;
	self->file = fd;
	return RING_FILE;
}

struct ublk_device *ublk_queue_device(const struct ublk_queue *queue)
{
	return queue->device;
}

void ublk_queue_set_data(struct ublk_queue *queue, void *data)
{
	queue->data = data;
}

void *ublk_queue_data(const struct ublk_queue *queue)
{
	return queue->data;
}

/* Needed only with copy on write. */
bool ublk_device_resumed(const struct ublk_device *self)
{
	(void)self;
	return false;
}

/* Needed only for an image on a server. */
bool ublk_device_is_base(const struct ublk_device *self)
{
	(void)self;
	return false;
}

int ublk_device_identify_text(struct ublk_device *self, const char *name,
			      const char *path, const char *text)
{
	(void)self;
	(void)name;
	(void)path;
	(void)text;
	return -EOPNOTSUPP;
}

int ublk_device_reserve_file(struct ublk_device *self, const char *name)
{
	(void)self;
	(void)name;
	return -EOPNOTSUPP;
}

struct fetch *fetch_start(const struct remote *remote, unsigned int count,
			  size_t size, uint32_t member, unsigned int timeout,
			  int index)
{
	(void)remote;
	(void)count;
	(void)size;
	(void)member;
	(void)timeout;
	(void)index;
	return NULL;
}

void fetch_begin(struct fetch *fetch, struct ublk_queue *queue,
		 struct zimg_load *loads, unsigned int count)
{
	(void)fetch;
	(void)queue;
	(void)loads;
	(void)count;
}

void fetch_load(struct zimg_load *load)
{
	(void)load;
}

void fetch_free(struct fetch *fetches, unsigned int count)
{
	(void)fetches;
	(void)count;
}

unsigned int ublk_queue_id(const struct ublk_queue *queue)
{
	(void)queue;
	return 0;
}

#endif

// SPDX-License-Identifier: GPL-2.0
/* Reads, expands and verifies all chunks of an image, on all CPUs. */
#include "image/walk.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/message.h"
#include "lib/parallel.h"

static int walk_item_init(void *context, void *memory)
{
	const struct image_walk *walk = context;
	struct image_walk_item *item = memory;

	item->data = malloc(walk->image->chunk_max);
	item->member = malloc(walk->image->member_max);
	item->extra = malloc(walk->extra_size + !walk->extra_size);
	return item->data && item->member && item->extra ? 0 : -ENOMEM;
}

static void walk_item_free(void *memory)
{
	struct image_walk_item *item = memory;

	free(item->data);
	free(item->member);
	free(item->extra);
}

static int walk_worker_init(void *context, void *worker)
{
	const struct image_walk *walk = context;

	return image_reader_init(worker, walk->image);
}

static void walk_worker_free(void *worker)
{
	image_reader_free(worker);
}

static int walk_fetch(void *context, void *memory)
{
	struct image_walk *walk = context;
	struct image_walk_item *item = memory;
	int ret;

	if (walk->offset == walk->image->disk_size)
		return 0;
	ret = image_find(&walk->reader, walk->offset, &item->chunk);
	if (ret) {
		progress_clear(&walk->progress);
		return message_fail(ret, "%s: cannot read the index",
				    walk->image->name);
	}
	walk->offset += item->chunk.disk_length;
	return 1;
}

static int walk_work(void *context, void *worker, void *memory)
{
	struct image_walk *walk = context;
	struct image_walk_item *item = memory;

	item->damage = image_read(worker, &item->chunk, item->member,
				  item->data);
	/* A server that is gone damages no image; why it is was printed. */
	if (item->damage && source_is_lost(&walk->image->source))
		return -EIO;
	return walk->work ? walk->work(walk->context, item) : 0;
}

static int walk_finish(void *context, void *memory)
{
	struct image_walk *walk = context;
	struct image_walk_item *item = memory;
	int ret = walk->finish(walk->context, item);

	progress_add(&walk->progress, item->chunk.disk_length);
	return ret;
}

int image_walk(struct image_walk *walk)
{
	struct parallel parallel = {
		.jobs = walk->jobs ? walk->jobs : parallel_cpus(),
		.item_size = sizeof(struct image_walk_item),
		.worker_size = sizeof(struct image_reader),
		.context = walk,
		.item_init = walk_item_init,
		.item_free = walk_item_free,
		.worker_init = walk_worker_init,
		.worker_free = walk_worker_free,
		.fetch = walk_fetch,
		.work = walk_work,
		.finish = walk_finish,
	};
	int ret;

	if (!walk->image->disk_size)
		return 0;
	ret = image_reader_init(&walk->reader, walk->image);
	if (ret)
		return message_fail(ret, "%s", walk->image->name);
	walk->offset = 0;
	progress_start(&walk->progress, walk->image->disk_size);
	ret = parallel_run(&parallel);
	progress_clear(&walk->progress);
	image_reader_free(&walk->reader);
	if (ret == -ENOMEM || ret == -EAGAIN)
		message_fail(ret, "%s", walk->image->name);
	return ret;
}

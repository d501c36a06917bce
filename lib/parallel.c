// SPDX-License-Identifier: GPL-2.0
/*
 * Processes a sequence of items on all CPUs. The items are in a ring buffer,
 * and each is fetched, processed and finished in its place. So they need no
 * sorting, and memory is bounded.
 */
#include "lib/parallel.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

/*
 * Enough for workers to continue while the oldest item is still being
 * processed.
 */
#define ITEMS_PER_JOB 3

struct ring {
	const struct parallel *parallel;
	unsigned int size;
	void **items;
	bool *done;
	pthread_mutex_t lock;	/* for the rest, and for done[] */
	pthread_cond_t filled;	/* an item to process, or the end */
	pthread_cond_t emptied;	/* the oldest item may be done */
	unsigned long fetched;	/* count; item n is in slot n % size */
	unsigned long begun;
	bool over;
	int error;
};

struct worker {
	struct ring *ring;
	void *state;
	pthread_t thread;
};

static void *parallel_worker(void *argument)
{
	struct worker *worker = argument;
	struct ring *ring = worker->ring;
	const struct parallel *parallel = ring->parallel;

	pthread_mutex_lock(&ring->lock);
	for (;;) {
		unsigned int place = ring->begun % ring->size;
		int ret;

		if (ring->begun == ring->fetched) {
			if (ring->over)
				break;
			pthread_cond_wait(&ring->filled, &ring->lock);
			continue;
		}
		ring->begun++;
		pthread_mutex_unlock(&ring->lock);
		ret = parallel->work(parallel->context, worker->state,
				     ring->items[place]);
		pthread_mutex_lock(&ring->lock);
		if (ret && !ring->error)
			ring->error = ret;
		ring->done[place] = true;
		pthread_cond_signal(&ring->emptied);
	}
	pthread_mutex_unlock(&ring->lock);
	return NULL;
}

/* Waits until the item in slot @place has been processed, and finishes it. */
static int parallel_finish_one(struct ring *ring, unsigned int place)
{
	const struct parallel *parallel = ring->parallel;
	int ret;

	pthread_mutex_lock(&ring->lock);
	while (!ring->done[place])
		pthread_cond_wait(&ring->emptied, &ring->lock);
	ring->done[place] = false;
	ret = ring->error;
	pthread_mutex_unlock(&ring->lock);
	if (ret)
		return ret;
	return parallel->finish(parallel->context, ring->items[place]);
}

static void parallel_publish(struct ring *ring, unsigned long fetched,
			     bool over)
{
	pthread_mutex_lock(&ring->lock);
	ring->fetched = fetched;
	ring->over = over;
	if (over)
		pthread_cond_broadcast(&ring->filled);
	else
		pthread_cond_signal(&ring->filled);
	pthread_mutex_unlock(&ring->lock);
}

/* Fetches all items. When the ring is full, finishes the oldest item first. */
static int parallel_feed(struct ring *ring)
{
	const struct parallel *parallel = ring->parallel;
	unsigned long fetched = 0, finished = 0;
	int ret;

	for (;;) {
		ret = 0;
		if (fetched - finished == ring->size)
			ret = parallel_finish_one(ring,
						  finished++ % ring->size);
		if (ret)
			break;
		ret = parallel->fetch(parallel->context,
				      ring->items[fetched % ring->size]);
		if (ret <= 0)
			break;
		parallel_publish(ring, ++fetched, false);
	}
	parallel_publish(ring, fetched, true);
	while (!ret && finished < fetched)
		ret = parallel_finish_one(ring, finished++ % ring->size);
	return ret;
}

/* Starts the workers, feeds them, and joins them. */
static int run_workers(struct ring *ring, struct worker *workers)
{
	unsigned int started = 0;
	int ret = EAGAIN;

	while (started < ring->parallel->jobs) {
		struct worker *worker = &workers[started];

		ret = pthread_create(&worker->thread, NULL, parallel_worker,
				     worker);
		if (ret)
			break;
		started++;
	}
	/* Works with fewer workers than requested, too. */
	ret = started ? parallel_feed(ring) : -ret;
	while (started)
		pthread_join(workers[--started].thread, NULL);
	return ret;
}

static int init_items(struct ring *ring)
{
	const struct parallel *parallel = ring->parallel;

	for (unsigned int i = 0; i < ring->size; i++) {
		ring->items[i] = calloc(1, parallel->item_size);
		if (!ring->items[i] ||
		    parallel->item_init(parallel->context, ring->items[i]))
			return -ENOMEM;
	}
	return 0;
}

static int init_workers(struct ring *ring, struct worker *workers)
{
	const struct parallel *parallel = ring->parallel;

	for (unsigned int i = 0; i < parallel->jobs; i++) {
		void *state = calloc(1, parallel->worker_size);

		if (!state ||
		    parallel->worker_init(parallel->context, state)) {
			free(state);
			return -ENOMEM;
		}
		workers[i].ring = ring;
		workers[i].state = state;
	}
	return 0;
}

int parallel_run(const struct parallel *parallel)
{
	struct ring ring = {
		.parallel = parallel,
		.size = parallel->jobs * ITEMS_PER_JOB,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.filled = PTHREAD_COND_INITIALIZER,
		.emptied = PTHREAD_COND_INITIALIZER,
	};
	struct worker *workers = calloc(parallel->jobs, sizeof(*workers));
	int ret = -ENOMEM;

	ring.items = calloc(ring.size, sizeof(*ring.items));
	ring.done = calloc(ring.size, sizeof(*ring.done));
	if (workers && ring.items && ring.done)
		ret = init_items(&ring);
	if (!ret)
		ret = init_workers(&ring, workers);
	if (!ret)
		ret = run_workers(&ring, workers);

	for (unsigned int i = 0; workers && i < parallel->jobs; i++) {
		if (workers[i].state)
			parallel->worker_free(workers[i].state);
		free(workers[i].state);
	}
	for (unsigned int i = 0; ring.items && i < ring.size; i++) {
		if (ring.items[i])
			parallel->item_free(ring.items[i]);
		free(ring.items[i]);
	}
	free(workers);
	free(ring.items);
	free(ring.done);
	return ret;
}

unsigned int parallel_cpus(void)
{
	cpu_set_t set;
	int count;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	count = CPU_COUNT(&set);
	return count > 0 ? count : 1;
}

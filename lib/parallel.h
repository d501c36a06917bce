/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Work on a sequence of items on every CPU, begun and ended in order: the
 * caller's thread fetches items and finishes them one after the other, and
 * workers do what lies between.
 */
#ifndef LIB_PARALLEL_H
#define LIB_PARALLEL_H

#include <stddef.h>

struct parallel {
	unsigned int jobs;	/* worker threads, at least 1 */
	size_t item_size;	/* bytes of an item */
	size_t worker_size;	/* bytes of a worker's own state */
	void *context;		/* given to all functions */

	/* An item's or a worker's memory; @item and @worker are zeroed. */
	int (*item_init)(void *context, void *item);
	void (*item_free)(void *item);
	int (*worker_init)(void *context, void *worker);
	void (*worker_free)(void *worker);

	/* In order, in the caller's thread: 1, 0 when there are no more. */
	int (*fetch)(void *context, void *item);
	/* Any number at once, in the workers' threads. */
	int (*work)(void *context, void *worker, void *item);
	/* In order, in the caller's thread. */
	int (*finish)(void *context, void *item);
};

/*
 * Does it all. Returns 0, or the first -errno that a function returned, after
 * which nothing more is fetched or finished; the functions have told why.
 * -ENOMEM and -EAGAIN from here were not told.
 */
int parallel_run(const struct parallel *parallel);

/* How many CPUs this process may use. */
unsigned int parallel_cpus(void);

#endif

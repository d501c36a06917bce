/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Processes a sequence of items on all CPUs. The caller's thread fetches and
 * finishes the items in order, and worker threads process them in between.
 */
#ifndef LIB_PARALLEL_H
#define LIB_PARALLEL_H

#include <stddef.h>

struct parallel {
	unsigned int jobs;	/* worker threads, at least 1 */
	size_t item_size;	/* bytes of an item */
	size_t worker_size;	/* bytes of a worker's own state */
	void *context;		/* passed to all functions */

	/*
	 * Allocate what an item or a worker needs. @item and @worker are
	 * zeroed.
	 */
	int (*item_init)(void *context, void *item);
	void (*item_free)(void *item);
	int (*worker_init)(void *context, void *worker);
	void (*worker_free)(void *worker);

	/* Caller's thread, in order. Returns 1, 0 at the end, or -errno. */
	int (*fetch)(void *context, void *item);
	/* Worker threads, several at once, in any order. */
	int (*work)(void *context, void *worker, void *item);
	/* Caller's thread, in order. */
	int (*finish)(void *context, void *item);
};

/*
 * Processes all items. Returns 0, or the first -errno that a function returned.
 * After an error nothing more is fetched or finished. The functions print why
 * they fail; for -ENOMEM and -EAGAIN of parallel_run() itself nothing has been
 * printed.
 */
int parallel_run(const struct parallel *parallel);

/* How many CPUs this process may use. */
unsigned int parallel_cpus(void);

#endif

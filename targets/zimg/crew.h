/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The crew expands the chunks that the queues of a zimg device have read. It
 * consists of helpers, which are threads for this alone, and of the queues
 * themselves, which help if there are too few helpers. So a queue can read on
 * while a helper expands a chunk. With one CPU there are no helpers. The order
 * is first in, first out.
 */
#ifndef TARGETS_ZIMG_CREW_H
#define TARGETS_ZIMG_CREW_H

#include <pthread.h>
#include <stdbool.h>

#include "image/image.h"

#define ZIMG_HELPERS_MAX 3

struct zimg_crew;
struct zimg_load;

struct zimg_helper {
	struct zimg_crew *crew;
	pthread_t thread;
	struct image_expander expander;
};

struct zimg_crew {
	pthread_mutex_t lock;		/* for all fields below */
	struct zimg_load *first;	/* read, but not expanded */
	struct zimg_load **end;
	unsigned int length;		/* of that list */
	pthread_cond_t called;		/* a load was added, or @over is set */
	unsigned int waiting;		/* helpers waiting for called */
	bool over;
	pthread_cond_t changed;		/* running or ready has changed */
	unsigned int running;		/* helpers that have not ended */
	unsigned int ready;		/* helpers that did rights_drop() */
	int failed;			/* -errno of a helper that could not */
	unsigned int count;		/* helpers to join */
	struct zimg_helper helpers[ZIMG_HELPERS_MAX];
};

/*
 * Starts up to @helpers helpers. It is no error if there are fewer. Returns 0
 * when all of them have dropped their rights, or -errno if one could not, after
 * printing why. Call zimg_crew_free() in either case.
 */
int zimg_crew_start(struct zimg_crew *crew, const struct image *image,
		    unsigned int helpers);

/* Ends the helpers, once they have emptied the list. */
void zimg_crew_end(struct zimg_crew *crew);

/* Ends and joins the helpers, and frees what they had. */
void zimg_crew_free(struct zimg_crew *crew);

/*
 * Adds a load that has been read. It comes back through zimg_load_expanded(),
 * or from zimg_crew_work().
 */
void zimg_crew_add(struct zimg_crew *crew, struct zimg_load *load);

/*
 * Expands the oldest load in the calling thread, unless there are enough idle
 * helpers for all. Returns it, for the caller to pass back to its queue, or
 * NULL.
 */
struct zimg_load *zimg_crew_work(struct zimg_crew *crew,
				 struct image_expander *expander);

#endif

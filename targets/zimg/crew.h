/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who expands the chunks that the queues of a zimg device have read: helpers,
 * which are threads that do nothing else, and what there are not helpers enough
 * for the queues themselves. So a queue looks for the next request while a chunk
 * is expanded, and with one processor it does all. What was read first is taken
 * first.
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
	pthread_mutex_t lock;		/* for all below */
	struct zimg_load *first;	/* read, and not expanded yet */
	struct zimg_load **end;
	unsigned int length;		/* loads in that list */
	pthread_cond_t called;		/* helpers: there is more, or no more */
	unsigned int waiting;		/* helpers that wait for it */
	bool over;
	pthread_cond_t changed;		/* running or ready is another number */
	unsigned int running;		/* helpers */
	unsigned int ready;		/* those that ran, or have failed */
	int failed;			/* -errno of one that has its rights still */
	unsigned int count;		/* helpers that were started */
	struct zimg_helper helpers[ZIMG_HELPERS_MAX];
};

/*
 * Starts up to @helpers helpers. A thread that cannot be had is done without. They
 * have given their rights away when this returns 0; or one could not, and has told:
 * then it returns -errno. Undone by zimg_crew_free() in any case.
 */
int zimg_crew_start(struct zimg_crew *crew, const struct image *image,
		    unsigned int helpers);

/* Ends the helpers, when there is nothing left to expand. */
void zimg_crew_end(struct zimg_crew *crew);

/* Forgets the helpers, which have ended. */
void zimg_crew_free(struct zimg_crew *crew);

/*
 * Hands over a load that was read. It comes back by zimg_load_expanded(), or from
 * zimg_crew_work().
 */
void zimg_crew_add(struct zimg_crew *crew, struct zimg_load *load);

/*
 * Takes the oldest load, expands it in the calling thread and returns it, for
 * whoever calls to give it back; NULL where there is none that no helper takes.
 */
struct zimg_load *zimg_crew_work(struct zimg_crew *crew,
				 struct image_expander *expander);

#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * The helper threads that expand chunks, and the list of loads that they and
 * the queues share. This file knows neither requests nor the cache: nobody else
 * accesses a load, or the entry that it fills, until its queue gets it back.
 */
#include "targets/zimg/crew.h"

#include "core/process.h"
#include "targets/zimg/load.h"

/* Like a queue's. Inflating needs about 2 KiB. */
#define STACK_BYTES (32 << 10)

void zimg_crew_add(struct zimg_crew *crew, struct zimg_load *load)
{
	load->next = NULL;
	pthread_mutex_lock(&crew->lock);
	*crew->end = load;
	crew->end = &load->next;
	crew->length++;
	if (crew->waiting)
		pthread_cond_signal(&crew->called);
	pthread_mutex_unlock(&crew->lock);
}

/*
 * Removes the oldest load, if there are more than @others, which are left to
 * other threads. Returns NULL otherwise.
 */
static struct zimg_load *zimg_crew_take(struct zimg_crew *crew,
					unsigned int others)
{
	struct zimg_load *load = crew->first;

	if (crew->length <= others)
		return NULL;
	crew->length--;
	crew->first = load->next;
	if (!crew->first)
		crew->end = &crew->first;
	return load;
}

static void zimg_crew_expand(struct zimg_load *load,
			     struct image_expander *expander)
{
	load->why = image_expand(expander, &load->chunk, load->member,
				 load->entry->data);
}

struct zimg_load *zimg_crew_work(struct zimg_crew *crew,
				 struct image_expander *expander)
{
	struct zimg_load *load;

	pthread_mutex_lock(&crew->lock);
	load = zimg_crew_take(crew, crew->waiting);
	pthread_mutex_unlock(&crew->lock);
	if (load)
		zimg_crew_expand(load, expander);
	return load;
}

static void *zimg_helper_main(void *argument)
{
	static const int calls[RIGHTS_CALLS];
	struct zimg_helper *helper = argument;
	struct zimg_crew *crew = helper->crew;
	struct zimg_load *load = NULL;
	int err;

	process_calm();
	err = rights_drop(calls);
	pthread_mutex_lock(&crew->lock);
	crew->running++;
	crew->ready++;
	if (err)
		crew->failed = err;
	pthread_cond_broadcast(&crew->changed);
	/* Helpers finish the list even when the crew ends. */
	while (!err && ((load = zimg_crew_take(crew, 0)) || !crew->over)) {
		if (!load) {
			crew->waiting++;
			pthread_cond_wait(&crew->called, &crew->lock);
			crew->waiting--;
			continue;
		}
		pthread_mutex_unlock(&crew->lock);
		zimg_crew_expand(load, &helper->expander);
		ublk_queue_send(load->owner, &load->expanded, 0);
		pthread_mutex_lock(&crew->lock);
	}
	crew->running--;
	pthread_cond_broadcast(&crew->changed);
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

static bool zimg_helper_start(struct zimg_helper *helper,
			      const struct image *image)
{
	pthread_attr_t attributes;
	int err;

	if (image_expander_init(&helper->expander, image))
		return false;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	err = pthread_create(&helper->thread, &attributes, zimg_helper_main,
			     helper);
	pthread_attr_destroy(&attributes);
	if (err)
		image_expander_free(&helper->expander);
	return !err;
}

int zimg_crew_start(struct zimg_crew *crew, const struct image *image,
		    unsigned int helpers)
{
	int err;

	*crew = (struct zimg_crew){
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.called = PTHREAD_COND_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
		.end = &crew->first,
	};
	while (crew->count < helpers && crew->count < ZIMG_HELPERS_MAX) {
		crew->helpers[crew->count].crew = crew;
		if (!zimg_helper_start(&crew->helpers[crew->count], image))
			break;
		crew->count++;
	}
	pthread_mutex_lock(&crew->lock);
	while (crew->ready < crew->count)
		pthread_cond_wait(&crew->changed, &crew->lock);
	err = crew->failed;
	pthread_mutex_unlock(&crew->lock);
	return err;
}

void zimg_crew_end(struct zimg_crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	crew->over = true;
	pthread_cond_broadcast(&crew->called);
	while (crew->running)
		pthread_cond_wait(&crew->changed, &crew->lock);
	pthread_mutex_unlock(&crew->lock);
}

void zimg_crew_free(struct zimg_crew *crew)
{
	zimg_crew_end(crew);
	while (crew->count) {
		struct zimg_helper *helper = &crew->helpers[--crew->count];

		pthread_join(helper->thread, NULL);
		image_expander_free(&helper->expander);
	}
}

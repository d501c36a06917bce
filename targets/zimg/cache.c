// SPDX-License-Identifier: GPL-2.0
/*
 * The cache of expanded chunks that the queues share: a hash table, with clock
 * replacement (entries used since the hand last passed get a second chance).
 */
#include "targets/zimg/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE 4096

static void zimg_cache_lock(struct zimg_cache *cache)
{
	if (cache->shared)
		pthread_mutex_lock(&cache->lock);
}

static void zimg_cache_unlock(struct zimg_cache *cache)
{
	if (cache->shared)
		pthread_mutex_unlock(&cache->lock);
}

int zimg_cache_create(struct zimg_cache *cache, uint64_t size, uint32_t chunk,
		      bool shared)
{
	size_t room = (chunk + PAGE - 1) / PAGE * PAGE;
	uint64_t count = size / room;
	uint64_t buckets = 1;

	*cache = (struct zimg_cache){
		.shared = shared,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.starved_end = &cache->starved,
		.count = count < ZIMG_CACHE_MIN ? ZIMG_CACHE_MIN : count,
		.memory = MAP_FAILED,
	};
	if (cache->count > SIZE_MAX / room)
		return -ENOMEM;
	while (buckets < cache->count)
		buckets *= 2;
	cache->mask = buckets - 1;
	cache->memory_size = cache->count * room;
	cache->buckets = calloc(buckets, sizeof(*cache->buckets));
	cache->entries = calloc(cache->count, sizeof(*cache->entries));
	cache->memory = mmap(NULL, cache->memory_size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			     -1, 0);
	if (!cache->buckets || !cache->entries || cache->memory == MAP_FAILED) {
		zimg_cache_destroy(cache);
		return -ENOMEM;
	}
	/* Huge pages would allocate memory for chunks that are not there. */
	madvise(cache->memory, cache->memory_size, MADV_NOHUGEPAGE);
	for (uint64_t i = 0; i < cache->count; i++)
		cache->entries[i].data = cache->memory + i * room;
	return 0;
}

void zimg_cache_destroy(struct zimg_cache *cache)
{
	if (cache->memory != MAP_FAILED)
		munmap(cache->memory, cache->memory_size);
	free(cache->entries);
	free(cache->buckets);
}

static struct zimg_entry **zimg_cache_bucket(struct zimg_cache *cache,
					     uint64_t key)
{
	return &cache->buckets[key & cache->mask];
}

static struct zimg_entry *zimg_cache_find(struct zimg_cache *cache,
					  uint64_t key)
{
	struct zimg_entry *entry = *zimg_cache_bucket(cache, key);

	while (entry && entry->key != key)
		entry = entry->next;
	return entry;
}

static void zimg_cache_forget(struct zimg_cache *cache,
			      struct zimg_entry *entry)
{
	struct zimg_entry **link = zimg_cache_bucket(cache, entry->key);

	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	entry->state = ZIMG_EMPTY;
}

/* Evicts an unused entry and marks it as loading @key. NULL: none is unused. */
static struct zimg_entry *zimg_cache_claim(struct zimg_cache *cache,
					   uint64_t key)
{
	struct zimg_entry **bucket = zimg_cache_bucket(cache, key);

	/* Two rounds: the first may only clear the `used` flags. */
	for (uint64_t i = 0; i < 2 * cache->count; i++) {
		struct zimg_entry *entry = &cache->entries[cache->hand];

		cache->hand = (cache->hand + 1) % cache->count;
		if (entry->state == ZIMG_LOADING || entry->pins)
			continue;
		if (entry->used) {
			entry->used = false;
			continue;
		}
		if (entry->state == ZIMG_READY)
			zimg_cache_forget(cache, entry);
		entry->state = ZIMG_LOADING;
		entry->key = key;
		entry->waiters = NULL;
		entry->next = *bucket;
		*bucket = entry;
		return entry;
	}
	return NULL;
}

static void zimg_cache_add_starved(struct zimg_cache *cache,
				   struct zimg_waiter *waiter)
{
	waiter->next = NULL;
	*cache->starved_end = waiter;
	cache->starved_end = &waiter->next;
}

/* Adds the waiter that has starved longest, if any, to the front of @list. */
static struct zimg_waiter *zimg_cache_wake_starved(struct zimg_cache *cache,
						   struct zimg_waiter *list)
{
	struct zimg_waiter *waiter = cache->starved;

	if (!waiter)
		return list;
	cache->starved = waiter->next;
	if (!cache->starved)
		cache->starved_end = &cache->starved;
	waiter->next = list;
	return waiter;
}

static enum zimg_answer zimg_cache_get_locked(struct zimg_cache *cache,
					      uint64_t key,
					      struct zimg_waiter *waiter,
					      bool can_load,
					      struct zimg_entry **entry)
{
	struct zimg_entry *found = zimg_cache_find(cache, key);
	enum zimg_answer answer = ZIMG_WAIT;

	if (found && found->state == ZIMG_READY) {
		found->pins++;
		found->used = true;
		*entry = found;
		return ZIMG_HIT;
	}
	if (!found) {
		if (!can_load)
			return ZIMG_BUSY;
		found = zimg_cache_claim(cache, key);
		answer = ZIMG_LOAD;
	}
	if (!found) {
		zimg_cache_add_starved(cache, waiter);
		return ZIMG_STARVED;
	}
	waiter->next = found->waiters;
	found->waiters = waiter;
	*entry = found;
	return answer;
}

enum zimg_answer zimg_cache_get(struct zimg_cache *cache, uint64_t key,
				struct zimg_waiter *waiter, bool can_load,
				struct zimg_entry **entry)
{
	enum zimg_answer answer;

	waiter->entry = NULL;
	waiter->failed = false;
	zimg_cache_lock(cache);
	answer = zimg_cache_get_locked(cache, key, waiter, can_load, entry);
	zimg_cache_unlock(cache);
	return answer;
}

struct zimg_entry *zimg_cache_prefetch(struct zimg_cache *cache, uint64_t key)
{
	struct zimg_entry *entry = NULL;

	zimg_cache_lock(cache);
	if (!zimg_cache_find(cache, key))
		entry = zimg_cache_claim(cache, key);
	zimg_cache_unlock(cache);
	return entry;
}

struct zimg_waiter *zimg_cache_filled(struct zimg_cache *cache,
				      struct zimg_entry *entry, bool good)
{
	struct zimg_waiter *list, *waiter;

	zimg_cache_lock(cache);
	list = entry->waiters;
	for (waiter = list; waiter; waiter = waiter->next) {
		waiter->entry = good ? entry : NULL;
		waiter->failed = !good;
		entry->pins += good;
	}
	entry->waiters = NULL;
	entry->state = ZIMG_READY;
	if (!good)
		zimg_cache_forget(cache, entry);
	if (!entry->pins)
		list = zimg_cache_wake_starved(cache, list);
	zimg_cache_unlock(cache);
	return list;
}

struct zimg_waiter *zimg_cache_put(struct zimg_cache *cache,
				   struct zimg_entry *entry)
{
	struct zimg_waiter *waiter = NULL;

	zimg_cache_lock(cache);
	if (!--entry->pins)
		waiter = zimg_cache_wake_starved(cache, NULL);
	zimg_cache_unlock(cache);
	return waiter;
}

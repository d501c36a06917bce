// SPDX-License-Identifier: GPL-2.0
/*
 * The cache of chunks: who loads, who waits, who is returned, and when. Then
 * many threads that share few entries: each chunk has the right data, and no
 * waiter is forgotten.
 */
#include "targets/zimg/cache.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 4096

static int checks, failures;

static void check(bool good, const char *claim)
{
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++checks, claim);
}

static struct zimg_cache cache;

static enum zimg_answer get(uint64_t key, struct zimg_waiter *waiter,
			    struct zimg_entry **entry)
{
	return zimg_cache_get(&cache, key, waiter, true, entry);
}

static void test_one_chunk(void)
{
	struct zimg_waiter first, second, third;
	struct zimg_entry *entry, *other;
	struct zimg_waiter *list;

	check(get(7, &first, &entry) == ZIMG_LOAD, "the first one loads");
	check(get(7, &second, &other) == ZIMG_WAIT, "the second one waits");
	check(zimg_cache_get(&cache, 8, &third, false, &other) == ZIMG_BUSY,
	      "who cannot load is told so");
	check(!zimg_cache_prefetch(&cache, 7), "nobody loads it once more");
	list = zimg_cache_filled(&cache, entry, true);
	check(list == &second && list->next == &first && !first.next,
	      "when it is there both are woken");
	check(first.entry == entry && second.entry == entry &&
	      entry->pins == 2, "each with a pin of its own");
	check(get(7, &third, &other) == ZIMG_HIT && other == entry,
	      "whoever comes later gets it at once");
	check(!zimg_cache_put(&cache, entry) && !zimg_cache_put(&cache, entry) &&
	      !zimg_cache_put(&cache, entry) && !entry->pins, "all give it back");

	check(get(9, &first, &entry) == ZIMG_LOAD, "another is loaded");
	list = zimg_cache_filled(&cache, entry, false);
	check(list == &first && first.failed && !first.entry,
	      "when that fails it is told");
	check(get(9, &first, &entry) == ZIMG_LOAD, "and may be tried again");
	zimg_cache_filled(&cache, entry, false);
}

static void test_no_room(void)
{
	struct zimg_entry *entries[ZIMG_CACHE_MIN], *entry;
	struct zimg_waiter waiters[ZIMG_CACHE_MIN], fifth, sixth, *list;
	bool good = true;

	for (int i = 0; i < ZIMG_CACHE_MIN; i++)
		good = good && get(100 + i, &waiters[i], &entries[i]) ==
			       ZIMG_LOAD;
	check(good, "as many are loaded as there is room for");
	check(get(200, &fifth, &entry) == ZIMG_STARVED &&
	      get(201, &sixth, &entry) == ZIMG_STARVED, "the next ones wait");
	check(!zimg_cache_prefetch(&cache, 202), "nothing is read ahead");
	list = zimg_cache_filled(&cache, entries[0], true);
	check(list == &waiters[0] && !list->next,
	      "one that is there is still pinned");
	check(zimg_cache_put(&cache, entries[0]) == &fifth &&
	      !fifth.entry && !fifth.failed,
	      "given back, it makes room for the first in the row");
	check(get(200, &fifth, &entry) == ZIMG_LOAD && entry == entries[0],
	      "who takes its place");
	list = zimg_cache_filled(&cache, entries[1], false);
	check(list == &sixth && list->next == &waiters[1],
	      "one that failed makes room for the other");
	for (int i = 2; i < ZIMG_CACHE_MIN; i++) {
		zimg_cache_filled(&cache, entries[i], true);
		zimg_cache_put(&cache, entries[i]);
	}
	zimg_cache_filled(&cache, entry, true);
	zimg_cache_put(&cache, entry);
}

static void test_second_chance(void)
{
	struct zimg_waiter waiter;
	struct zimg_entry *entry;
	int loads = 0;

	for (uint64_t key = 300; key < 400; key++) {
		/* 299 is requested all the time, and stays. */
		for (int i = 0; i < 2; i++) {
			uint64_t which = i ? key : 299;

			if (get(which, &waiter, &entry) == ZIMG_LOAD) {
				zimg_cache_filled(&cache, entry, true);
				loads += which == 299;
			}
			zimg_cache_put(&cache, entry);
		}
	}
	check(loads == 1, "a chunk in use stays while others pass through");
}

/* A thread that acts like a queue: it waits where its request would. */
struct reader {
	pthread_t thread;
	uint32_t seed;
	unsigned int wrong, failed;
};

struct request {
	struct zimg_waiter waiter;
	sem_t woken;
};

static void wake(struct zimg_waiter *list)
{
	while (list) {
		struct zimg_waiter *next = list->next;

		sem_post(&((struct request *)list)->woken);
		list = next;
	}
}

/* Every seventh chunk cannot be loaded. */
static void load(struct zimg_entry *entry, uint64_t key)
{
	memset(entry->data, (int)key, CHUNK);
	wake(zimg_cache_filled(&cache, entry, key % 7));
}

static void read_one(struct reader *reader, uint64_t key)
{
	struct zimg_entry *entry = NULL;
	struct request request;

	sem_init(&request.woken, 0, 0);
	for (;;) {
		enum zimg_answer answer = get(key, &request.waiter, &entry);

		if (answer == ZIMG_HIT)
			break;
		if (answer == ZIMG_LOAD)
			load(entry, key);
		sem_wait(&request.woken);
		entry = request.waiter.entry;
		if (entry || request.waiter.failed)
			break;
	}
	if (request.waiter.failed && !entry) {
		reader->failed++;
		reader->wrong += key % 7 != 0;
	} else {
		for (int i = 0; i < CHUNK; i += 100)
			reader->wrong += entry->data[i] != (uint8_t)key;
		wake(zimg_cache_put(&cache, entry));
	}
	sem_destroy(&request.woken);
}

static void *reader_main(void *argument)
{
	struct reader *reader = argument;

	for (int i = 0; i < 20000; i++) {
		struct zimg_entry *entry;
		uint64_t key;

		reader->seed = reader->seed * 1103515245 + 12345;
		key = 1 + (reader->seed >> 16) % 20;
		read_one(reader, key);
		if (i % 5)
			continue;
		entry = zimg_cache_prefetch(&cache, key + 1);
		if (entry)
			load(entry, key + 1);
	}
	return NULL;
}

static void test_threads(void)
{
	struct reader readers[8] = { };
	unsigned int wrong = 0, failed = 0;

	for (int i = 0; i < 8; i++) {
		readers[i].seed = i;
		if (pthread_create(&readers[i].thread, NULL, reader_main,
				   &readers[i]))
			abort();
	}
	for (int i = 0; i < 8; i++) {
		pthread_join(readers[i].thread, NULL);
		wrong += readers[i].wrong;
		failed += readers[i].failed;
	}
	check(!wrong, "eight threads on four entries get what they want");
	check(failed > 0, "or are told that it cannot be had");
	check(!cache.starved, "and none is left waiting");
}

int main(void)
{
	if (zimg_cache_create(&cache, 0, CHUNK, true))
		abort();
	check(cache.count == ZIMG_CACHE_MIN, "no cache is too small");
	test_one_chunk();
	test_no_room();
	test_second_chance();
	test_threads();
	zimg_cache_destroy(&cache);
	printf("1..%d\n", checks);
	return failures != 0;
}

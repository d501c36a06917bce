// SPDX-License-Identifier: GPL-2.0
/*
 * Counters with one writer and several readers: no reader sees a number that
 * the counter never had, with whole numbers and with those in halves of
 * processors of 32 bits; nor after a writer has died in the middle of an
 * addition. And which latency belongs to which bucket.
 */
#define COUNTER_HALVES 1
#define counter counter_in_halves
#define counter_set counter_set_halves
#define counter_add counter_add_halves
#define counter_get counter_get_halves
#define counter_mend counter_mend_halves
#include "lib/counter.h"
#undef counter
#undef counter_set
#undef counter_add
#undef counter_get
#undef counter_mend
#undef COUNTER_HALVES
#undef COUNTER_INLINE
#undef LIB_COUNTER_H
#include "core/counters.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/image-test.h"

/*
 * What is added each time: odd, so that a number which is no multiple of it
 * shows a mixture of two; and so much that the upper half changes every third
 * time.
 */
#define STEP 0x60000001u
#define STEPS 20000000
#define READERS 3

static struct counter_in_halves halves;
static struct counter whole;
static atomic_bool ended;
static atomic_uint wrong, looks;

static void *read_them(void *arg)
{
	uint64_t before[2] = { 0 }, now[2];

	(void)arg;
	while (!ended) {
		now[0] = counter_get_halves(&halves);
		now[1] = counter_get(&whole);
		for (int i = 0; i < 2; i++) {
			wrong += now[i] % STEP || now[i] < before[i];
			before[i] = now[i];
		}
		looks++;
	}
	return NULL;
}

static void test_readers(void)
{
	pthread_t threads[READERS];
	int i;

	for (i = 0; i < READERS; i++)
		if (pthread_create(&threads[i], NULL, read_them, NULL))
			abort();
	for (i = 0; i < STEPS || looks < 1000; i++) {
		counter_add_halves(&halves, STEP);
		counter_add(&whole, STEP);
	}
	ended = true;
	for (int n = 0; n < READERS; n++)
		pthread_join(threads[n], NULL);
	check(!wrong, "%u looks at %d additions, %u wrong", looks, i, wrong);
	check(counter_get_halves(&halves) == (uint64_t)STEP * i &&
	      counter_get(&whole) == (uint64_t)STEP * i, "their sum is right");
}

/* Each moment at which the writer can die while the upper half changes. */
static void test_deaths(void)
{
	const uint64_t before = 0x1ffffff00, after = 0x200000100;
	struct counter_in_halves counter;
	unsigned int bad = 0;

	for (int stored = 0; stored <= 3; stored++) {
		uint64_t now = stored < 2 ? before : after;

		counter_set_halves(&counter, before);
		if (stored > 0)
			counter.high[0] = after >> 32;
		if (stored > 1)
			counter.low = (uint32_t)after;
		if (stored > 2)
			counter.high[1] = after >> 32;
		bad += counter_get_halves(&counter) != now;
		counter_mend_halves(&counter);
		bad += counter.high[0] != counter.high[1] ||
		       counter_get_halves(&counter) != now;
		counter_add_halves(&counter, 1);
		bad += counter_get_halves(&counter) != now + 1;
	}
	check(!bad, "a writer dies while it changes three words: %u wrong", bad);
}

static void test_buckets(void)
{
	struct counter op[OP_COUNTS];
	unsigned int bad = 0;

	for (unsigned int i = 0; i < COUNTERS_BUCKETS; i++) {
		uint64_t bound = 1ULL << (COUNTERS_FIRST + i);
		bool last = i == COUNTERS_BUCKETS - 1;

		memset(op, 0, sizeof(op));
		counters_latency(op, bound);
		bad += counter_get(&op[COUNT_BUCKET + i]) != 1;
		counters_latency(op, bound / 2 + 1);
		bad += counter_get(&op[COUNT_BUCKET + i]) != 2;
		bad += counter_get(&op[COUNT_LONGEST]) != bound ||
		       counter_get(&op[COUNT_NS]) != bound + bound / 2 + 1;
		counters_latency(op, bound + 1);
		bad += counter_get(&op[COUNT_BUCKET + i]) != 2u + last;
		bad += counter_get(&op[COUNT_LONGEST]) != bound + 1;
	}
	memset(op, 0, sizeof(op));
	counters_latency(op, 0);
	counters_latency(op, UINT64_MAX / 2);
	bad += counter_get(&op[COUNT_BUCKET]) != 1 ||
	       counter_get(&op[OP_COUNTS - 1]) != 1;
	check(!bad, "latencies are in their buckets: %u wrong", bad);
}

int main(void)
{
	test_readers();
	test_deaths();
	test_buckets();
	return done_testing();
}

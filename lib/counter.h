/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A number of 64 bits that only grows, with one writer and any number of
 * readers, in other threads or in other processes that share its memory. No
 * lock, and no atomic operation but single loads and stores: an addition costs
 * what an ordinary one does.
 *
 * A processor of 32 bits cannot store 64 bits at once. There the number has two
 * copies of its upper half: the writer changes the first before the lower half,
 * and the second after it. A reader reads them the other way round, and tries
 * again if they differ. Upper halves change once in 4 Gi, so that only then
 * barriers are needed.
 */
#ifndef LIB_COUNTER_H
#define LIB_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

#ifndef COUNTER_HALVES	/* a test sets it */
#define COUNTER_HALVES (__SIZEOF_LONG__ < 8)
#endif

/* In a program that is built for size, the call would cost more than the rest. */
#define COUNTER_INLINE static inline __attribute__((always_inline))

#if COUNTER_HALVES

/*
 * Tries of a reader. More than that are needed only if the writer stopped, or
 * died, in the middle of an addition.
 */
#define COUNTER_TRIES 1000

struct counter {
	_Atomic uint32_t low;
	_Atomic uint32_t high[2];
};

static inline void counter_set(struct counter *counter, uint64_t value)
{
	atomic_store_explicit(&counter->high[0], value >> 32,
			      memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&counter->low, value, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&counter->high[1], value >> 32,
			      memory_order_relaxed);
}

/* Adds @n. Only the writer calls this. */
COUNTER_INLINE void counter_add(struct counter *counter, uint64_t n)
{
	uint32_t high = atomic_load_explicit(&counter->high[0],
					     memory_order_relaxed);
	uint64_t sum = ((uint64_t)high << 32) + n +
		       atomic_load_explicit(&counter->low,
					    memory_order_relaxed);

	if (sum >> 32 == high)
		atomic_store_explicit(&counter->low, sum, memory_order_relaxed);
	else
		counter_set(counter, sum);
}

/*
 * Returns the number. If the writer has stopped between the two upper halves,
 * the lower one is small if the writer had stored it already: that is right for
 * additions of less than 2 Gi.
 */
static inline uint64_t counter_get(const struct counter *counter)
{
	uint32_t before, low, after;
	int tries = COUNTER_TRIES;

	do {
		before = atomic_load_explicit(&counter->high[1],
					      memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		low = atomic_load_explicit(&counter->low, memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&counter->high[0],
					     memory_order_relaxed);
	} while (before != after && --tries);
	return (uint64_t)(low >> 31 ? before : after) << 32 | low;
}

/* For a new writer: completes what an earlier one, which died, left. */
static inline void counter_mend(struct counter *counter)
{
	counter_set(counter, counter_get(counter));
}

#else

struct counter {
	_Atomic uint64_t value;
};

COUNTER_INLINE uint64_t counter_get(const struct counter *counter)
{
	return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

COUNTER_INLINE void counter_add(struct counter *counter, uint64_t n)
{
	atomic_store_explicit(&counter->value, counter_get(counter) + n,
			      memory_order_relaxed);
}

static inline void counter_mend(struct counter *counter)
{
	(void)counter;
}

#endif
#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How far a long work has come, for a person at a terminal: done, rate and
 * time left on one line of standard error, drawn over a few times a second.
 * Nothing at all when standard error is not a terminal. One thread's.
 */
#ifndef LIB_PROGRESS_H
#define LIB_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool shown;
	uint64_t total;		/* bytes; 0: nobody knows */
	uint64_t done;
	uint64_t started, drawn;	/* milliseconds */
};

void progress_start(struct progress *progress, uint64_t total);
void progress_add(struct progress *progress, uint64_t bytes);

/* Clears the line, for a message or because all is done. */
void progress_clear(const struct progress *progress);

#endif

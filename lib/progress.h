/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shows the progress of a long task on a terminal: one line on standard error
 * with amount, rate and remaining time, redrawn a few times per second. Shows
 * nothing if standard error is not a terminal. For use in one thread.
 */
#ifndef LIB_PROGRESS_H
#define LIB_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool shown;
	uint64_t total;		/* bytes; 0: unknown */
	uint64_t done;
	uint64_t started, drawn;	/* milliseconds */
};

void progress_start(struct progress *progress, uint64_t total);
void progress_add(struct progress *progress, uint64_t bytes);

/* Clears the line, before a message or at the end. */
void progress_clear(const struct progress *progress);

#endif

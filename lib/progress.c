// SPDX-License-Identifier: GPL-2.0
/* Shows the progress of a long task on one line of a terminal. */
#include "lib/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/size.h"

#define INTERVAL 200	/* milliseconds between redraws */
#define CLEAR "\r\033[K"

static void progress_draw(const struct progress *progress, uint64_t elapsed)
{
	char done[SIZE_TEXT_MAX], total[SIZE_TEXT_MAX], rate[SIZE_TEXT_MAX];
	uint64_t speed = progress->done * 1000 / elapsed;	/* bytes/s */
	unsigned int left;

	size_text(progress->done, done);
	size_text(progress->total, total);
	size_text(speed, rate);
	if (!progress->total || !speed) {
		dprintf(STDERR_FILENO, CLEAR "%s  %s/s", done, rate);
		return;
	}
	left = (progress->total - progress->done) / speed;
	dprintf(STDERR_FILENO, CLEAR "%3u %%  %s of %s  %s/s  %u:%02u left",
		(unsigned int)(progress->done / (progress->total / 100 + 1)),
		done, total, rate, left / 60, left % 60);
}

void progress_start(struct progress *progress, uint64_t total)
{
	*progress = (struct progress){
		.shown = isatty(STDERR_FILENO),
		.total = total,
		.started = clock_ms(),
	};
	progress->drawn = progress->started;
}

void progress_add(struct progress *progress, uint64_t bytes)
{
	uint64_t time;

	progress->done += bytes;
	if (!progress->shown)
		return;
	time = clock_ms();
	if (time < progress->drawn + INTERVAL)
		return;
	progress->drawn = time;
	progress_draw(progress, time - progress->started);
}

void progress_clear(const struct progress *progress)
{
	if (progress->shown)
		dprintf(STDERR_FILENO, CLEAR);
}

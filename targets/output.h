/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file that appears whole or not at all: written under a temporary name in
 * the same directory, synced, then renamed. A signal that ends the program
 * removes the temporary file first. One at a time.
 */
#ifndef TARGETS_OUTPUT_H
#define TARGETS_OUTPUT_H

#include <stdbool.h>

struct output {
	int fd;			/* to write to, at any offset */
	const char *name;	/* as the caller calls it */
	char *path;		/* where it will be */
	char *temporary;	/* where it is until then */
};

/*
 * Opens the temporary file for @path, which may exist as a regular file; an
 * empty one is replaced, another one only with @replace. Returns 0, or -errno
 * after telling.
 */
int output_create(struct output *output, const char *path, bool replace);

/* Makes it permanent under its name. Returns 0, or -errno after telling. */
int output_commit(struct output *output);

/*
 * Makes the name of a file permanent: syncs the directory of @path, of which it
 * leaves no more than that. Returns 0 or -errno without telling.
 */
int output_sync_directory(char *path);

/* Removes what was written. Nothing happens after a commit. */
void output_abandon(struct output *output);

#endif

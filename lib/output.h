/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file that appears whole or not at all: written under a temporary name in
 * the same directory, synced, then renamed. A signal that ends the program
 * removes the temporary file first. One at a time. Standard output gets it when
 * it is whole.
 */
#ifndef LIB_OUTPUT_H
#define LIB_OUTPUT_H

#include <stdbool.h>

struct output {
	int fd;			/* to write to, at any offset */
	const char *name;	/* as the caller calls it */
	bool stream;		/* it goes to standard output in the end */
	char *path;		/* where it will be */
	char *temporary;	/* where it is until then */
};

/*
 * Opens the temporary file for @path, which may exist as a regular file; an
 * empty one is replaced, another one only with @replace, and it keeps mode and,
 * where that may be, owner and group. `-` is standard output. Returns 0, or
 * -errno after telling.
 */
int output_create(struct output *output, const char *path, bool replace);

/* Makes it permanent under its name. Returns 0, or -errno after telling. */
int output_commit(struct output *output);

/*
 * Makes the name of a file permanent: syncs the directory of @path. Who may write
 * to a directory need not be able to read it: then all of the filesystem is synced,
 * by way of @file, which lies in it. Returns 0 or -errno without telling.
 */
int output_sync_directory(const char *path, int file);

/* Removes what was written. Nothing happens after a commit. */
void output_abandon(struct output *output);

#endif

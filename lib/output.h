/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file that is created completely or not at all. It is written under a
 * temporary name in the same directory, synced, and renamed. A signal that ends
 * the program first removes the temporary file. One file at a time. Standard
 * output gets the data only when all of it has been written.
 */
#ifndef LIB_OUTPUT_H
#define LIB_OUTPUT_H

#include <stdbool.h>

struct output {
	int fd;			/* to write to, at any offset */
	const char *name;	/* as the caller calls it */
	bool stream;		/* goes to standard output in the end */
	char *path;		/* final path */
	char *temporary;	/* path until then */
};

/*
 * Opens a temporary file for @path; `-` is standard output. @path may exist as
 * a regular file. An empty file is replaced, another one only if @replace is
 * set. The new file gets the old one's mode and, where permitted, its owner and
 * group. Returns 0, or -errno after printing why.
 */
int output_create(struct output *output, const char *path, bool replace);

/*
 * Syncs the file and renames it to its final path. Returns 0, or -errno after
 * printing why.
 */
int output_commit(struct output *output);

/*
 * Makes the name @path permanent: syncs its directory. If the caller may not
 * read the directory, syncs the whole filesystem through @file, a file on it.
 * Returns 0 or -errno, and prints nothing.
 */
int output_sync_directory(const char *path, int file);

/*
 * Opens a new file for what is needed until the output is complete, on the same
 * filesystem, or in $TMPDIR or /tmp for standard output. It has no name: nothing
 * of it is left, however the program ends. Returns its descriptor, or -errno
 * after printing why.
 */
int output_unnamed(const struct output *output);

/* Removes the temporary file. Does nothing after output_commit(). */
void output_abandon(struct output *output);

#endif

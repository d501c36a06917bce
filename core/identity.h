/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tells a file or block device from every other one, as a line of text that
 * a record keeps and a message shows.
 */
#ifndef CORE_IDENTITY_H
#define CORE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define IDENTITY_MAX 256

/* What may be known of bytes that nobody changes. */
struct identity_contents {
	uint64_t size;		/* bytes */
	bool sampled;
	uint32_t samples;	/* a checksum of some, if so */
};

/*
 * Writes what @fd is, such as "dev=8:1,inode=12,born=1732886400.5" of a file,
 * whose inode number is used again once it is removed, but not with its time of
 * birth; or "disk=8:0,sequence=3" of a block device, which has another sequence
 * number each time it appears. @contents, if not NULL, is part of it, and so is
 * when a file was last written. Returns 0 or -errno.
 */
int identity_of(int fd, const struct identity_contents *contents,
		char text[IDENTITY_MAX]);

/*
 * Whether two such texts can be of the same file. What only one of them has does
 * not count: another kernel or filesystem does not know it.
 */
bool identity_same(const char *one, const char *other);

/*
 * Whether @path leads to a block device, and to which. A filesystem that is a
 * server's is not asked: it may be slow, or gone.
 */
bool identity_is_disk(const char *path, dev_t *dev);

#endif

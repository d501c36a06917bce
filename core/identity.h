/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A line of text that tells a file or block device from all others. Records
 * keep it, and messages show it.
 */
#ifndef CORE_IDENTITY_H
#define CORE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define IDENTITY_MAX 256

/* Known properties of contents that nobody may change. */
struct identity_contents {
	uint64_t size;		/* bytes */
	bool sampled;
	uint32_t samples;	/* a checksum of samples, if @sampled */
};

/*
 * Describes the file or block device @fd. Of a file, such as
 * "dev=8:1,inode=12,born=1732886400.5": an inode number is used again after the
 * file is removed, but with another time of birth. Of a block device, such as
 * "disk=8:0,sequence=3": the kernel gives each new disk another sequence
 * number. With @contents (may be NULL), adds them and the time of the last
 * write to a file. Returns 0 or -errno, and prints nothing.
 */
int identity_of(int fd, const struct identity_contents *contents,
		char text[IDENTITY_MAX]);

/*
 * Whether two texts can describe the same file. A property that only one of
 * them has is ignored: the other's kernel or filesystem may not have known it.
 */
bool identity_same(const char *one, const char *other);

/*
 * Whether @path is a block device, and its number. Does not query a server for
 * a file on a network filesystem or FUSE: it may be slow, or gone.
 */
bool identity_is_disk(const char *path, dev_t *dev);

#endif

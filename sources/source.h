/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the bytes of a disk or an image come from: a local file or block
 * device, or a server on the network. Who reads does not know which it is. A
 * source is opened by its name, and read at any offset, with blocking I/O, by
 * any number of threads.
 *
 * What is on a server has a URI (uri.h). It is read ahead, since a journey
 * takes longer than what is fetched. When its connection is lost, a new one is
 * made, and asked again; a source that has changed meanwhile is an error.
 *
 * A local source is no more than its descriptor: reading it is pread().
 */
#ifndef SOURCES_SOURCE_H
#define SOURCES_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/build.h"
#include "lib/storage.h"
#include "lib/whole-io.h"

struct remote;

/* Copies of it are the same source; one of them is closed. */
struct source {
	int fd;			/* -1: on a server */
	struct remote *remote;	/* NULL: local */
};

/*
 * The source that @fd is, which stays the caller's unless source_close() closes
 * it.
 */
static inline struct source source_of(int fd)
{
	return (struct source){ .fd = fd };
}

/* Whether @name is the URI of something on a server, even one that is wrong. */
bool source_is_remote(const char *name);

/*
 * Refuses the URI of something on a server where only a file or device of this
 * machine will do. Returns 0, or -EOPNOTSUPP after printing why.
 */
int source_refuse_remote(const char *name);

/*
 * Opens a file or block device for reading, or what a URI names, and finds its
 * size in bytes. `-` is standard input, which must also be a file or device.
 * @name must stay valid. Returns 0, or -errno after printing why: then nothing
 * is left open.
 */
int source_open(struct source *source, const char *name, uint64_t *size);
void source_close(struct source *source);

/*
 * As source_open(), for what is on a server and will be served: the server is
 * found without the machine's files, if it does not move. A process that serves
 * reads it with remote_read().
 */
int source_open_served(struct source *source, const char *name, uint64_t *size);

/*
 * As source_open(), for what must have a descriptor: a file or block device of
 * this machine. Returns the descriptor, or -errno after printing why.
 */
int source_open_local(const char *path, uint64_t *size);

/*
 * Whether the source can never be read again, because its server is gone or
 * what it serves has changed. The reason was printed when that was found.
 */
bool source_is_lost(const struct source *source);

/*
 * Whether the source is a disk: what follows an image there may be remains of
 * something else, or unreadable. Of a source that is lost it is not known.
 */
bool source_is_device(const struct source *source);

/* For the functions below: as them, for what is on a server. */
int source_read_remote(const struct source *source, void *data, size_t length,
		       uint64_t offset);

/*
 * Reads @length bytes at @offset. Returns 0, -errno, or -ENODATA if the source
 * ends before.
 */
static inline int source_read(const struct source *source, void *data,
			      size_t length, uint64_t offset)
{
	if (WITH_NETWORK && source->remote)
		return source_read_remote(source, data, length, offset);
	return whole_pread(source->fd, data, length, offset);
}

/*
 * As source_read(), but fewer bytes up to the end or to a place that cannot be
 * read. Returns the count, or -errno if no byte can be read.
 */
static inline ssize_t source_read_part(const struct source *source, void *data,
				       size_t length, uint64_t offset)
{
	int ret;

	if (!WITH_NETWORK || !source->remote)
		return whole_pread_part(source->fd, data, length, offset);
	ret = source_read_remote(source, data, length, offset);
	return ret ? ret : (ssize_t)length;
}

#endif

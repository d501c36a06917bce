/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is on a server, whatever protocol it has: reading ahead, new connections
 * for lost ones, and one thread after the other. A protocol is a `struct
 * remote_kind`; nbd.c and http.c are the two.
 */
#ifndef SOURCES_REMOTE_H
#define SOURCES_REMOTE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sources/net.h"
#include "sources/uri.h"

struct remote;

/*
 * All of them return 0; or an error of remote_lose() or remote_refuse(); read()
 * also another -errno, when the server itself cannot read these bytes: then the
 * connection goes on.
 */
struct remote_kind {
	/*
	 * Makes a connection, remote->fd. The first time it sets size, block,
	 * most and disk; each later time it makes sure that they are still the
	 * same.
	 */
	int (*connect)(struct remote *remote);
	/*
	 * Reads @length bytes, at most `most`, in whole blocks or up to the
	 * end.
	 */
	int (*read)(struct remote *remote, void *data, size_t length,
		    uint64_t offset);
	/*
	 * Says goodbye on a connection that is good; remote.c closes it. May be
	 * NULL.
	 */
	void (*leave)(struct remote *remote);
	size_t state_size;
};

/* Bytes that are read at once, at least and at most. */
#define REMOTE_LEAST (64U << 10)
#define REMOTE_MOST (1U << 20)

/* What was read: @length bytes of the source, from @offset on. */
struct remote_piece {
	uint8_t *data;		/* REMOTE_MOST bytes */
	uint64_t offset;
	uint32_t length;
};

#define REMOTE_WHY 256

struct remote {
	const struct remote_kind *kind;
	const char *name;
	struct uri uri;
	int fd;			/* -1: no connection */
	bool opened;		/* it was connected before */
	bool lost;		/* for ever */
	/*
	 * Who reads does not give up: remote_read() returns as
	 * remote_connect_again() when there is no connection. For one thread.
	 */
	bool patient;
	bool disk;		/* rather than a file */
	/*
	 * What is served as a disk is always found at these, which were looked
	 * up when it was opened: the name may only be known to a filesystem on
	 * that disk. What is only read is looked up for each connection.
	 */
	bool has_addresses;
	struct net_addresses addresses;
	uint64_t size;		/* bytes */
	uint32_t block;		/* all reads are of whole ones; a power of two */
	uint32_t most;		/* bytes of a read; whole blocks */
	void *state;		/* of the kind: state_size bytes, zeroed */
	char why[REMOTE_WHY];	/* the last error, for a message */

	pthread_mutex_t lock;
	struct remote_piece pieces[2];	/* the first is the later one */
	uint32_t ahead;		/* bytes that were last read at once */
};

/* What it is opened for. */
enum remote_use {
	REMOTE_READS,		/* remote_read(), which needs memory */
	REMOTE_SERVES,		/* a disk that is served: keeps its addresses */
	REMOTE_READS_SERVED,	/* both */
};

/*
 * Opens what @uri names; @name is for messages and must stay valid. Returns NULL
 * after printing why, and sets *@err to -errno.
 */
struct remote *remote_open(const struct remote_kind *kind,
			   const struct uri *uri, const char *name,
			   enum remote_use use, int *err);
void remote_close(struct remote *remote);

/*
 * Closes the connection, with a goodbye, and frees what was read, but keeps what
 * is known. After that remote_prepare() gets memory for remote_read() again; it
 * returns 0 or -ENOMEM.
 */
void remote_close_connection(struct remote *remote);
int remote_prepare(struct remote *remote);

/* As source_read(), by any number of threads. */
int remote_read(struct remote *remote, void *data, size_t length,
		uint64_t offset);

bool remote_is_lost(struct remote *remote);

/*
 * Connects again, once; the caller takes remote->fd. Returns 0; -ENOTCONN if a
 * later attempt may succeed, or -ESTALE if none will. The reason is in
 * remote->why.
 */
int remote_connect_again(struct remote *remote);

/* For the kinds. */

/*
 * Keeps the reason, and returns the error that says: this connection is of no
 * more use, another one may be.
 */
__attribute__((format(printf, 2, 3)))
int remote_lose(struct remote *remote, const char *why, ...);

/*
 * Keeps the reason, and returns the error that says: no other connection will
 * help.
 */
__attribute__((format(printf, 2, 3)))
int remote_refuse(struct remote *remote, const char *why, ...);

/* Connect to @uri; send and receive all @length bytes; close the connection. */
int remote_connect_to(struct remote *remote, const struct uri *uri);
int remote_send(struct remote *remote, const void *data, size_t length);
int remote_receive(struct remote *remote, void *data, size_t length);
/* Receives up to @length bytes. Returns the count, or as remote_receive(). */
int remote_receive_some(struct remote *remote, void *data, size_t length);
void remote_disconnect(struct remote *remote);

/*
 * Copies @length bytes that a server sent to @text, which has room for @room
 * bytes and becomes one line that can be printed. Returns @text.
 */
char *remote_text(char *text, size_t room, const void *from, size_t length);

#endif

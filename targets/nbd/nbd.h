/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A disk that is an export of a server of NBD. nbd.c opens it, link.c serves
 * requests on the connection of one queue, and connector.c makes connections.
 */
#ifndef TARGETS_NBD_NBD_H
#define TARGETS_NBD_NBD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/target.h"
#include "sources/nbd.h"
#include "targets/nbd/connector.h"

struct nbd_link;

struct nbd_disk {
	const char *uri;	/* for messages */
	struct remote *remote;
	struct nbd_export export;
	uint64_t offset;	/* where the disk begins in the export, in bytes */
	unsigned int timeout;	/* seconds; 0: requests wait without an end */
	int index;		/* of the connection among a ring's files */
	struct connector connector;
	pthread_t receiver;	/* gets the connector's answers */
	bool started;		/* connector and receiver */
	atomic_bool closing;	/* the connector's end is meant */
	atomic_bool over;	/* there will be no more connections */
	pthread_mutex_t lock;	/* of what links share with the receiver */
	struct nbd_link *links;	/* [number of queues] */
	unsigned int count;
};

/* The state of a request; request->state. */
struct nbd_request {
	struct ublk_request *request;
	struct nbd_request *next;	/* of those that are to be sent */
	uint64_t since;		/* when it came, in ms; only with a timeout */
	uint64_t cookie;	/* of the last time that it was sent */
	uint32_t got;		/* bytes of a READ that have come */
	int error;		/* that the server has replied, or 0 */
	bool waits;		/* it is not answered yet */
	bool sent;		/* and is with the server */
	bool replied;		/* who has answered before all data was sent */
};

/*
 * Served as --file is for other disks; see file.c, which opens it instead of a
 * file.
 */
extern const struct ublk_target nbd_target;

/* link.c */

/* Allocate and free the links of all queues. Return 0 or -ENOMEM. */
int nbd_links_alloc(struct nbd_disk *disk, struct ublk_device *device);
void nbd_links_free(struct nbd_disk *disk);

/* In the thread of @queue, before its first request and after its last. */
void nbd_link_begin(struct nbd_disk *disk, struct ublk_queue *queue);
void nbd_link_end(struct nbd_disk *disk, struct ublk_queue *queue);

/* The target's submit(). */
int nbd_submit(struct ublk_queue *queue, struct ublk_request *request);

/*
 * Passes an answer of the connector to its queue. In the receiver's thread.
 */
void nbd_link_connected(struct nbd_disk *disk, const struct connected *answer);

/*
 * There will be no more connections: ends those that are there, and lets requests
 * fail. In the receiver's thread, when the connector is gone.
 */
void nbd_links_over(struct nbd_disk *disk);

#endif

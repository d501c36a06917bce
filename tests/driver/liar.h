/* SPDX-License-Identifier: GPL-2.0 */
/* The two servers of liar.c. */
#ifndef TESTS_DRIVER_LIAR_H
#define TESTS_DRIVER_LIAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The file that is served. */
struct liar {
	const char *lie;	/* what is wrong with this server */
	const uint8_t *data;
	uint64_t size;
	unsigned int port;
	unsigned int connections;	/* so far, with this one */
	unsigned int requests;		/* for data, on all of them */
};

/* Whether the server lies in this way. */
bool liar_is(const struct liar *liar, const char *lie);

/* Serve one connection, until one side ends it. */
void liar_nbd(struct liar *liar, int fd);
void liar_http(struct liar *liar, int fd);

/* Send and receive all; false if the other side is gone. */
bool liar_send(int fd, const void *data, size_t length);
bool liar_receive(int fd, void *data, size_t length);

#endif

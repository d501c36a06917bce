/* SPDX-License-Identifier: GPL-2.0 */
/* Connections to servers, with blocking I/O that ends when nothing comes. */
#ifndef SOURCES_NET_H
#define SOURCES_NET_H

#include <stddef.h>
#include <sys/types.h>

#include "sources/uri.h"

/*
 * Seconds until a connection must be there, and until something must come on
 * it.
 */
#define NET_CONNECT_SECONDS 10
#define NET_ANSWER_SECONDS 30

/*
 * Connects to the server that @uri names, at one of its addresses. Returns a
 * socket, or -1 with the reason in *@why, a text that stays valid until the
 * next call of this thread.
 */
int net_connect(const struct uri *uri, const char **why);

/* Sends all @length bytes. Returns 0 or -errno; -ETIMEDOUT: too slow. */
int net_send(int fd, const void *data, size_t length);

/*
 * Receives up to @length bytes, which is not 0. Returns the count; or -errno,
 * -ECONNRESET at the end of the connection too, and -ETIMEDOUT.
 */
ssize_t net_receive(int fd, void *data, size_t length);

#endif

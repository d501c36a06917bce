/* SPDX-License-Identifier: GPL-2.0 */
/* Connections to servers, with blocking I/O that ends when nothing comes. */
#ifndef SOURCES_NET_H
#define SOURCES_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sources/uri.h"

/*
 * Seconds until a connection must be there, and until something must come on
 * it.
 */
#define NET_CONNECT_SECONDS 10
#define NET_ANSWER_SECONDS 30

/* The addresses of a host. */
#define NET_ADDRESSES_MAX 8
struct net_addresses {
	unsigned int count;
	bool fixed;	/* the host is an address itself, and has no others */
	struct {
		socklen_t length;
		union {
			struct sockaddr any;
			struct sockaddr_in ip4;
			struct sockaddr_in6 ip6;
		};
	} list[NET_ADDRESSES_MAX];
};

/*
 * Looks up the host of @uri, which has one, and its port. Returns 0, or -1 with
 * the reason in *@why, a text that stays valid until the next call of this
 * thread.
 */
int net_look_up(const struct uri *uri, struct net_addresses *addresses,
		const char **why);

/*
 * Connects to the server that @uri names, at one of @addresses, or if that is
 * NULL at one of those that it looks up. Returns a socket, or -1 with the reason
 * as net_look_up().
 */
int net_connect(const struct uri *uri, const struct net_addresses *addresses,
		const char **why);

/* Sends all @length bytes. Returns 0 or -errno; -ETIMEDOUT: too slow. */
int net_send(int fd, const void *data, size_t length);

/*
 * Receives up to @length bytes, which is not 0. Returns the count; or -errno,
 * -ECONNRESET at the end of the connection too, and -ETIMEDOUT.
 */
ssize_t net_receive(int fd, void *data, size_t length);

#endif

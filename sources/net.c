// SPDX-License-Identifier: GPL-2.0
#include "sources/net.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * Waits until a connection that was begun is there. Returns 0 or an errno
 * value.
 */
static int net_await(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	socklen_t length = sizeof(int);
	int err, n;

	do
		n = poll(&wait, 1, NET_CONNECT_SECONDS * 1000);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n ? errno : ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &length) ? errno : err;
}

/* As net_connect(), to one address; sets errno. */
static int net_connect_to(const struct sockaddr *address, socklen_t length)
{
	const struct timeval limit = { .tv_sec = NET_ANSWER_SECONDS };
	int one = 1, err = 0;
	int fd = socket(address->sa_family,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (connect(fd, address, length))
		err = errno == EINPROGRESS || errno == EINTR ? net_await(fd) :
							       errno;
	if (!err && (fcntl(fd, F_SETFL, 0) ||
		     setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit,
				sizeof(limit)) ||
		     setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit,
				sizeof(limit))))
		err = errno;
	if (!err && address->sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!err)
		return fd;
	close(fd);
	errno = err;
	return -1;
}

static int net_connect_unix(const struct uri *uri)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	_Static_assert(sizeof(address.sun_path) > URI_SOCKET_MAX,
		       "the path fits");
	strcpy(address.sun_path, uri->socket);
	return net_connect_to((const struct sockaddr *)&address,
			      sizeof(address));
}

/* As getaddrinfo(), which takes nothing but addresses with AI_NUMERICHOST. */
static int net_get_addresses(const struct uri *uri, int flags,
			     struct addrinfo **all)
{
	const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = flags,
	};

	return getaddrinfo(uri->host, uri->port, &hints, all);
}

int net_look_up(const struct uri *uri, struct net_addresses *addresses,
		const char **why)
{
	struct addrinfo *all;
	int err = net_get_addresses(uri, AI_NUMERICHOST, &all);

	*addresses = (struct net_addresses){ .fixed = !err };
	if (err)
		err = net_get_addresses(uri, 0, &all);
	if (err) {
		*why = err == EAI_SYSTEM ? strerror(errno) : gai_strerror(err);
		return -1;
	}
	for (const struct addrinfo *one = all;
	     one && addresses->count < NET_ADDRESSES_MAX; one = one->ai_next) {
		if (one->ai_addrlen > sizeof(struct sockaddr_in6))
			continue;
		memcpy(&addresses->list[addresses->count].ip6, one->ai_addr,
		       one->ai_addrlen);
		addresses->list[addresses->count++].length = one->ai_addrlen;
	}
	freeaddrinfo(all);
	return 0;
}

int net_connect(const struct uri *uri, const struct net_addresses *addresses,
		const char **why)
{
	struct net_addresses found;
	int fd = -1;

	if (uri->kind == URI_NBD_UNIX) {
		fd = net_connect_unix(uri);
		*why = strerror(errno);
		return fd;
	}
	if (!addresses) {
		if (net_look_up(uri, &found, why))
			return -1;
		addresses = &found;
	}
	errno = EADDRNOTAVAIL;		/* if there is none */
	for (unsigned int i = 0; i < addresses->count && fd < 0; i++)
		fd = net_connect_to(&addresses->list[i].any,
				    addresses->list[i].length);
	*why = strerror(errno);
	return fd;
}

int net_send(int fd, const void *data, size_t length)
{
	const char *at = data;

	while (length) {
		ssize_t n = send(fd, at, length, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		at += n;
		length -= n;
	}
	return 0;
}

ssize_t net_receive(int fd, void *data, size_t length)
{
	ssize_t n;

	do
		n = recv(fd, data, length, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return n;
	if (!n)
		return -ECONNRESET;
	return errno == EAGAIN ? -ETIMEDOUT : -errno;
}

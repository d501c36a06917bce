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

int net_connect(const struct uri *uri, const char **why)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *all;
	int fd = -1, err;

	if (uri->kind == URI_NBD_UNIX) {
		fd = net_connect_unix(uri);
		*why = strerror(errno);
		return fd;
	}
	err = getaddrinfo(uri->host, uri->port, &hints, &all);
	if (err) {
		*why = err == EAI_SYSTEM ? strerror(errno) : gai_strerror(err);
		return -1;
	}
	for (const struct addrinfo *one = all; one && fd < 0;
	     one = one->ai_next)
		fd = net_connect_to(one->ai_addr, one->ai_addrlen);
	*why = strerror(errno);
	freeaddrinfo(all);
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

// SPDX-License-Identifier: GPL-2.0
#include "tests/fuzz/lib/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "sources/net.h"
#include "tests/fuzz/lib/harness.h"

#define SERVER_FD 1000001	/* no file of this process */
#define CONNECTIONS 4		/* which it takes */
#define ROOM 70000

static const uint8_t *bytes;
static size_t left;
static unsigned int connections;
static uint32_t state;

int __wrap_net_connect(const struct uri *uri,
		       const struct net_addresses *addresses, const char **why);
int __wrap_net_send(int fd, const void *data, size_t length);
ssize_t __wrap_net_receive(int fd, void *data, size_t length);
void __wrap_clock_sleep_ms(unsigned int milliseconds);

int __wrap_net_connect(const struct uri *uri,
		       const struct net_addresses *addresses, const char **why)
{
	must(!addresses, "what is read is looked up");
	must(*uri->host, "there is a host to connect to");
	*why = "enough";
	return connections++ < CONNECTIONS ? SERVER_FD : -1;
}

int __wrap_net_send(int fd, const void *data, size_t length)
{
	const uint8_t *at = data;
	unsigned int sum = 0;

	must(fd == SERVER_FD, "there is a connection to send on");
	for (size_t i = 0; i < length; i++)
		sum += at[i];
	/* It is used, so that the sanitizer sees whether all of it is there. */
	return sum == UINT32_MAX ? -EPIPE : 0;
}

ssize_t __wrap_net_receive(int fd, void *data, size_t length)
{
	size_t n = 1 + next_random(&state) % 3000;

	must(fd == SERVER_FD, "there is a connection to receive from");
	must(length, "something is asked for");
	if (n > length)
		n = length;
	if (n > left)
		n = left;
	if (!n)
		return -ECONNRESET;
	memcpy(data, bytes, n);
	bytes += n;
	left -= n;
	return n;
}

void __wrap_clock_sleep_ms(unsigned int milliseconds)
{
	must(milliseconds <= 8000, "no pause is long");
}

/* Returns whether it could be read. */
static bool server_read(struct remote *remote, uint64_t offset, size_t length)
{
	uint8_t *to = malloc(length + 1);
	int ret;

	if (!to)
		abort();
	ret = remote_read(remote, to, length, offset);
	must(ret <= 0, "an error is negative");
	must((ret == -ENODATA) == (offset > remote->size ||
				   length > remote->size - offset),
	     "exactly what is not there is not there");
	must(!remote_is_lost(remote) || ret, "what is lost cannot be read");
	free(to);
	return !ret;
}

void server_try(const struct remote_kind *kind, const char *text,
		const uint8_t *data, size_t size)
{
	struct remote *remote;
	struct memory memory;
	struct uri uri;
	uint64_t offset;
	int err;

	bytes = data;
	left = size;
	connections = 0;
	state = size;
	must(!uri_parse(&uri, text), "a good URI");
	messages_told();
	memory_start();
	remote = remote_open(kind, &uri, text, REMOTE_READS, &err);
	if (!remote) {
		must(messages_told() == 1, "a refusal has one reason");
		must(!memory_stop().live, "no memory stays taken");
		return;
	}
	must(!messages_told(), "a good one has nothing to say");
	must(remote->size <= INT64_MAX && remote->block &&
	     !(remote->block & (remote->block - 1)) &&
	     remote->most <= REMOTE_MOST && remote->most &&
	     !(remote->most % remote->block), "its sizes make sense");
	for (offset = 0; offset < ROOM && server_read(remote, offset, 4096);)
		offset += 4096;
	server_read(remote, remote->size / 2, 513);
	server_read(remote, remote->size, 1);
	if (remote->size)
		server_read(remote, remote->size - 1, 1);
	must(messages_told() == remote_is_lost(remote),
	     "a loss is told once");
	remote_close(remote);
	memory = memory_stop();
	must(!memory.live, "no memory stays taken");
	must(memory.peak < 4 << 20, "it takes little memory");
}

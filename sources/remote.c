// SPDX-License-Identifier: GPL-2.0
#include "sources/remote.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/message.h"
#include "sources/net.h"

#define LOST (-ENOTCONN)	/* of remote_lose() */
#define REFUSED (-ESTALE)	/* of remote_refuse() */

/*
 * Milliseconds before each try to connect again: at once, because many servers
 * close a connection after some time or some requests; then 16 seconds in all,
 * in which a server can be restarted.
 */
static const unsigned int pauses[] = { 0, 250, 500, 1000, 2000, 4000, 8000 };

#define TRIES (sizeof(pauses) / sizeof(pauses[0]))

int remote_lose(struct remote *remote, const char *why, ...)
{
	va_list args;

	va_start(args, why);
	vsnprintf(remote->why, sizeof(remote->why), why, args);
	va_end(args);
	return LOST;
}

int remote_refuse(struct remote *remote, const char *why, ...)
{
	va_list args;

	va_start(args, why);
	vsnprintf(remote->why, sizeof(remote->why), why, args);
	va_end(args);
	return REFUSED;
}

char *remote_text(char *text, size_t room, const void *from, size_t length)
{
	const unsigned char *at = from;
	size_t n = 0;

	for (; n < length && n + 1 < room && at[n]; n++)
		text[n] = at[n] < ' ' || at[n] >= 0x7f ? '?' : at[n];
	text[n] = '\0';
	return text;
}

static int remote_not_connected(struct remote *remote, const struct uri *uri,
				const char *why)
{
	if (uri->kind == URI_NBD_UNIX)
		return remote_lose(remote, "cannot connect: %s", why);
	return remote_lose(remote, "cannot connect to %s, port %s: %s",
			   uri->host, uri->port, why);
}

int remote_connect_to(struct remote *remote, const struct uri *uri)
{
	const char *why;

	remote->fd = net_connect(uri, remote->has_addresses ?
				 &remote->addresses : NULL, &why);
	return remote->fd < 0 ? remote_not_connected(remote, uri, why) : 0;
}

/* Looks up the addresses that are kept. */
static int remote_look_up(struct remote *remote)
{
	const char *why;

	if (remote->uri.kind == URI_NBD_UNIX)
		return 0;
	if (net_look_up(&remote->uri, &remote->addresses, &why))
		return remote_not_connected(remote, &remote->uri, why);
	remote->has_addresses = true;
	return 0;
}

void remote_disconnect(struct remote *remote)
{
	if (remote->fd >= 0)
		close(remote->fd);
	remote->fd = -1;
}

static int remote_lose_by(struct remote *remote, int err)
{
	if (err == -ETIMEDOUT)
		return remote_lose(remote, "nothing came for %u seconds",
				   NET_ANSWER_SECONDS);
	if (err == -ECONNRESET || err == -EPIPE)
		return remote_lose(remote, "the server closed the connection");
	return remote_lose(remote, "%s", strerror(-err));
}

int remote_send(struct remote *remote, const void *data, size_t length)
{
	int err = net_send(remote->fd, data, length);

	return err ? remote_lose_by(remote, err) : 0;
}

int remote_receive_some(struct remote *remote, void *data, size_t length)
{
	ssize_t n = net_receive(remote->fd, data, length);

	return n < 0 ? remote_lose_by(remote, n) : n;
}

int remote_receive(struct remote *remote, void *data, size_t length)
{
	char *at = data;

	while (length) {
		int n = remote_receive_some(remote, at, length);

		if (n < 0)
			return n;
		at += n;
		length -= n;
	}
	return 0;
}

/* Reads on the connection that is there, or on a new one. */
static int remote_try(struct remote *remote, void *data, size_t length,
		      uint64_t offset)
{
	int ret = 0;

	if (remote->fd < 0)
		ret = remote->kind->connect(remote);
	if (!ret)
		ret = remote->kind->read(remote, data, length, offset);
	if (ret == LOST || ret == REFUSED)
		remote_disconnect(remote);
	return ret;
}

/*
 * Reads one piece of what is there, on as many connections as it takes. What is
 * lost for ever is printed here, once.
 */
static int remote_fetch(struct remote *remote, void *data, size_t length,
			uint64_t offset)
{
	int ret = remote_try(remote, data, length, offset);

	if (remote->patient)
		return ret == LOST ? remote_try(remote, data, length, offset) :
				     ret;
	for (unsigned int i = 0; ret == LOST && i < TRIES; i++) {
		clock_sleep_ms(pauses[i]);
		ret = remote_try(remote, data, length, offset);
	}
	if (ret != LOST && ret != REFUSED)
		return ret;
	remote->lost = true;
	message("%s: %s", remote->name, remote->why);
	return -EIO;
}

/* The piece that has the byte at @offset, or NULL. */
static struct remote_piece *remote_piece_with(struct remote *remote,
					      uint64_t offset)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct remote_piece *piece = &remote->pieces[i];

		if (offset >= piece->offset &&
		    offset - piece->offset < piece->length)
			return piece;
	}
	return NULL;
}

/*
 * How much to read at once of @want bytes at @from: whole blocks, or up to the
 * end.
 */
static uint32_t remote_whole(const struct remote *remote, uint64_t from,
			     uint64_t want)
{
	want = (want + remote->block - 1) & ~(uint64_t)(remote->block - 1);
	if (want > remote->most)
		want = remote->most;
	return want < remote->size - from ? want : remote->size - from;
}

/*
 * Reads a piece, which brings the @length bytes at @offset nearer or has the
 * first of them. As long as one is read after the other, each piece is twice as
 * long as the one before. Several threads read a little out of order, so what
 * is left out between the last piece and this is read as well.
 */
static int remote_load(struct remote *remote, uint64_t offset, uint64_t length)
{
	const struct remote_piece last = remote->pieces[0];
	struct remote_piece piece = { .data = remote->pieces[1].data };
	uint64_t end = last.offset + last.length;
	uint64_t first = offset & ~(uint64_t)(remote->block - 1);
	uint64_t need = offset + length - first;
	uint64_t want = REMOTE_LEAST;
	uint32_t whole;
	int ret;

	piece.offset = first;
	if (last.length && first >= end && first - end <= remote->ahead) {
		want = 2 * (uint64_t)remote->ahead;
		piece.offset = end;
	}
	if (want < offset + length - piece.offset)
		want = offset + length - piece.offset;
	whole = remote_whole(remote, piece.offset, want);
	ret = remote_fetch(remote, piece.data, whole, piece.offset);
	if (ret && ret != LOST && ret != REFUSED && !remote->lost) {
		/* Maybe only what nobody asked for cannot be read. */
		piece.offset = first;
		whole = remote_whole(remote, first, need);
		ret = remote_fetch(remote, piece.data, whole, first);
	}
	if (!ret)
		piece.length = whole;
	remote->ahead = whole < REMOTE_LEAST ? REMOTE_LEAST : whole;
	remote->pieces[0] = piece;
	remote->pieces[1] = last;
	return ret;
}

static int remote_read_locked(struct remote *remote, uint8_t *to, size_t length,
			      uint64_t offset)
{
	while (length) {
		struct remote_piece *piece = remote_piece_with(remote, offset);
		size_t n;

		if (!piece) {
			int ret = remote_load(remote, offset, length);

			if (ret)
				return ret;
			continue;
		}
		n = piece->length - (offset - piece->offset);
		if (n > length)
			n = length;
		memcpy(to, piece->data + (offset - piece->offset), n);
		to += n;
		offset += n;
		length -= n;
	}
	return 0;
}

int remote_read(struct remote *remote, void *data, size_t length,
		uint64_t offset)
{
	int ret;

	if (offset > remote->size || length > remote->size - offset)
		return -ENODATA;
	pthread_mutex_lock(&remote->lock);
	ret = remote->lost ? -EIO :
	      remote_read_locked(remote, data, length, offset);
	pthread_mutex_unlock(&remote->lock);
	return ret;
}

bool remote_is_lost(struct remote *remote)
{
	bool lost;

	pthread_mutex_lock(&remote->lock);
	lost = remote->lost;
	pthread_mutex_unlock(&remote->lock);
	return lost;
}

int remote_connect_again(struct remote *remote)
{
	int ret;

	remote_disconnect(remote);
	ret = remote->kind->connect(remote);
	if (ret)
		remote_disconnect(remote);
	return ret;
}

int remote_prepare(struct remote *remote)
{
	remote->pieces[0].data = malloc(REMOTE_MOST);
	remote->pieces[1].data = malloc(REMOTE_MOST);
	return remote->pieces[0].data && remote->pieces[1].data ? 0 : -ENOMEM;
}

struct remote *remote_open(const struct remote_kind *kind,
			   const struct uri *uri, const char *name,
			   enum remote_use use, int *err)
{
	struct remote *remote = calloc(1, sizeof(*remote));

	*err = -ENOMEM;
	if (!remote) {
		message_fail(ENOMEM, "%s", name);
		return NULL;
	}
	remote->kind = kind;
	remote->uri = *uri;
	remote->name = name;
	remote->fd = -1;
	pthread_mutex_init(&remote->lock, NULL);
	remote->state = calloc(1, kind->state_size);
	if (!remote->state || (use != REMOTE_SERVES && remote_prepare(remote))) {
		message_fail(ENOMEM, "%s", name);
	} else if ((use != REMOTE_READS && remote_look_up(remote)) ||
		   kind->connect(remote)) {
		message("%s: %s", name, remote->why);
		remote_disconnect(remote);
		*err = -EIO;
	} else {
		remote->opened = true;
		return remote;
	}
	remote_close(remote);
	return NULL;
}

void remote_close_connection(struct remote *remote)
{
	if (remote->fd >= 0 && remote->kind->leave)
		remote->kind->leave(remote);
	remote_disconnect(remote);
	for (unsigned int i = 0; i < 2; i++) {
		free(remote->pieces[i].data);
		remote->pieces[i] = (struct remote_piece){ 0 };
	}
}

void remote_close(struct remote *remote)
{
	remote_close_connection(remote);
	pthread_mutex_destroy(&remote->lock);
	free(remote->state);
	free(remote);
}

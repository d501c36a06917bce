// SPDX-License-Identifier: GPL-2.0
/*
 * A GET with a Range for each read, on a connection that is kept. Each answer
 * must have the ETag or the date, and the size, that the first one had: what is
 * read is one file or an error, never a mixture.
 */
#include "sources/http.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sources/http-head.h"

#define REDIRECTS_MAX 8
#define INTERIM_MAX 8	/* answers like 100 Continue before the one that counts */

struct http {
	struct uri now;		/* where the connection leads, after redirects */
	struct http_head head;	/* of the last answer */
	char etag[HTTP_VALIDATOR_MAX];		/* of the first one */
	char modified[HTTP_VALIDATOR_MAX];
	char buffer[HTTP_HEAD_MAX];	/* what was received: the head, */
	size_t head_length;
	size_t used;			/* and what came after it */
};

static bool http_is_weak(const char *etag)
{
	return !*etag || !strncmp(etag, "W/", 2);
}

/* What makes the server itself say that the file has changed. */
static void http_condition(const struct http *http, char *text, size_t room)
{
	*text = '\0';
	if (!http_is_weak(http->etag))
		snprintf(text, room, "If-Match: %s\r\n", http->etag);
	else if (*http->modified)
		snprintf(text, room, "If-Unmodified-Since: %s\r\n",
			 http->modified);
}

static int http_ask(struct remote *remote, uint64_t first, uint64_t last)
{
	struct http *http = remote->state;
	const struct uri *uri = &http->now;
	bool brackets = strchr(uri->host, ':');
	bool port = strcmp(uri->port, "80");
	char text[URI_EXPORT_MAX + 2 * HTTP_VALIDATOR_MAX + 512];
	char condition[HTTP_VALIDATOR_MAX + 32];
	int length;

	http_condition(http, condition, sizeof(condition));
	length = snprintf(text, sizeof(text),
			  "GET %s HTTP/1.1\r\n"
			  "Host: %s%s%s%s%s\r\n"
			  "Range: bytes=%" PRIu64 "-%" PRIu64 "\r\n"
			  "%s"
			  "Accept-Encoding: identity\r\n"
			  "User-Agent: ublk\r\n"
			  "\r\n", uri->path, brackets ? "[" : "", uri->host,
			  brackets ? "]" : "", port ? ":" : "",
			  port ? uri->port : "", first, last, condition);
	http->used = 0;
	http->head_length = 0;
	return remote_send(remote, text, length);
}

/*
 * Receives a head. What comes after it in the buffer is the beginning of the
 * body.
 */
static int http_receive_head(struct remote *remote)
{
	struct http *http = remote->state;
	const char *why;

	memmove(http->buffer, http->buffer + http->head_length,
		http->used - http->head_length);
	http->used -= http->head_length;
	while (!(http->head_length = http_head_length(http->buffer,
						      http->used))) {
		int n;

		if (http->used == sizeof(http->buffer))
			return remote_refuse(remote, "the head of an answer "
					     "is longer than %u bytes",
					     HTTP_HEAD_MAX);
		n = remote_receive_some(remote, http->buffer + http->used,
					sizeof(http->buffer) - http->used);
		if (n < 0)
			return n;
		http->used += n;
	}
	why = http_head_parse(&http->head, http->buffer, http->head_length);
	return why ? remote_refuse(remote, "%s", why) : 0;
}

static int http_answer(struct remote *remote)
{
	struct http *http = remote->state;
	int ret;

	for (unsigned int i = 0; i < INTERIM_MAX; i++) {
		ret = http_receive_head(remote);
		if (ret || http->head.status >= 200)
			return ret;
	}
	return remote_refuse(remote, "the server does not come to an answer");
}

static int http_follow(struct remote *remote)
{
	struct http *http = remote->state;
	char location[sizeof(http->head.location)];
	const char *why;

	remote_disconnect(remote);
	remote_text(location, sizeof(location), http->head.location,
		    strlen(http->head.location));
	if (!*location)
		return remote_refuse(remote, "a redirect without a Location");
	why = uri_redirect(&http->now, location);
	if (why)
		return remote_refuse(remote, "redirected to %.100s: %s", location,
				     why);
	return remote_connect_to(remote, &http->now);
}

static bool http_is_redirect(unsigned int status)
{
	return status == 301 || status == 302 || status == 303 ||
	       status == 307 || status == 308;
}

/*
 * A status that will be another one soon, such as that of a server which
 * starts.
 */
static bool http_is_passing(unsigned int status)
{
	return status == 408 || status == 429 || status == 500 ||
	       (status >= 502 && status <= 504);
}

/* What to say of a status that has no bytes of the file. */
static int http_fails(struct remote *remote)
{
	const struct http_head *head = &((struct http *)remote->state)->head;

	if (http_is_passing(head->status))
		return remote_lose(remote, "the server answers: %s",
				   head->reason);
	if (remote->opened && (head->status == 412 || head->status == 416 ||
			       head->status == 200))
		return remote_refuse(remote, "it has changed on the server");
	if (head->status == 200)
		return remote_refuse(remote, "the server does not "
				     "support ranges, and sends only "
				     "whole files; copy it to a file "
				     "first");
	return remote_refuse(remote, "the server answers: %s", head->reason);
}

/* Asks for a range, follows redirects, and receives the head of the answer. */
static int http_get(struct remote *remote, uint64_t first, uint64_t last)
{
	struct http *http = remote->state;
	int ret;

	for (unsigned int i = 0; i <= REDIRECTS_MAX; i++) {
		ret = http_ask(remote, first, last);
		if (!ret)
			ret = http_answer(remote);
		if (ret || !http_is_redirect(http->head.status))
			return ret;
		ret = http_follow(remote);
		if (ret)
			return ret;
	}
	return remote_refuse(remote, "more than %u redirects", REDIRECTS_MAX);
}

/* Checks what a 206 says: exactly what was asked for. */
static int http_check(struct remote *remote, uint64_t first, uint64_t last)
{
	const struct http_head *head = &((struct http *)remote->state)->head;

	if (head->chunked || head->encoded)
		return remote_refuse(remote, "the server encodes what it "
				     "sends; it must send the file as it is");
	if (!head->has_range)
		return remote_refuse(remote, "a range without Content-Range");
	if (!head->has_size)
		return remote_refuse(remote, "the server does not say how "
				     "large the file is");
	if (head->first != first || head->last != last)
		return remote_refuse(remote, "the server sends another "
				     "range than was asked for");
	if (head->has_length && head->length != last - first + 1)
		return remote_refuse(remote, "a range whose length is "
				     "another one than that of its bytes");
	return 0;
}

/* Whether the answer is of the file that was opened. */
static int http_compare(struct remote *remote)
{
	const struct http *http = remote->state;
	const struct http_head *head = &http->head;

	if (head->size == remote->size &&
	    (*http->etag ? !strcmp(head->etag, http->etag) :
			   !strcmp(head->modified, http->modified)))
		return 0;
	return remote_refuse(remote, "it has changed on the server");
}

/* Receives the body of a range. */
static int http_body(struct remote *remote, uint8_t *data, size_t length)
{
	struct http *http = remote->state;
	size_t here = http->used - http->head_length;
	int ret;

	if (here > length)
		return remote_refuse(remote, "more bytes than were asked for");
	memcpy(data, http->buffer + http->head_length, here);
	ret = remote_receive(remote, data + here, length - here);
	if (ret)
		return ret;
	/* Without a length the body ends with the connection. */
	if (!http->head.keep || !http->head.has_length)
		remote_disconnect(remote);
	return 0;
}

static int http_read(struct remote *remote, void *data, size_t length,
		     uint64_t offset)
{
	const struct http *http = remote->state;
	int ret = http_get(remote, offset, offset + length - 1);

	if (ret)
		return ret;
	if (http->head.status != 206)
		return http_fails(remote);
	ret = http_check(remote, offset, offset + length - 1);
	if (!ret)
		ret = http_compare(remote);
	return ret ? ret : http_body(remote, data, length);
}

/* Asks for the first byte, to know the size and what tells a change. */
static int http_open(struct remote *remote)
{
	struct http *http = remote->state;
	const struct http_head *head = &http->head;
	uint8_t byte;
	int ret = http_get(remote, 0, 0);

	if (ret)
		return ret;
	/* Of a file without a byte, no server has a range. */
	if ((head->status == 416 && head->has_size && !head->size) ||
	    (head->status == 200 && head->has_length && !head->length)) {
		remote_disconnect(remote);
		return 0;
	}
	if (head->status != 206)
		return http_fails(remote);
	ret = http_check(remote, 0, 0);
	if (ret)
		return ret;
	strcpy(http->etag, head->etag);
	strcpy(http->modified, head->modified);
	if (!*http->etag && !*http->modified)
		return remote_refuse(remote, "the server says "
				     "neither ETag nor Last-Modified: nobody "
				     "would see that the file changes");
	remote->size = head->size;
	return http_body(remote, &byte, 1);
}

/*
 * Each connection begins where the URI leads: where a redirect led to may hold
 * for a short time only.
 */
static int http_connect(struct remote *remote)
{
	struct http *http = remote->state;
	int ret;

	http->now = remote->uri;
	ret = remote_connect_to(remote, &http->now);
	if (ret || remote->opened)
		return ret;
	remote->block = 1;
	remote->most = REMOTE_MOST;
	return http_open(remote);
}

const struct remote_kind http_kind = {
	.connect = http_connect,
	.read = http_read,
	.state_size = sizeof(struct http),
};

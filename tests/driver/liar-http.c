// SPDX-License-Identifier: GPL-2.0
/*
 * HTTP/1.1. Lies: garbage, long-head, no-range, no-content-range, other-range,
 * other-length, more, no-size, no-validator, chunked, gzip, loop (of
 * redirects), to-https, interim-loop. No lies: close (HTTP/1.0), redirect
 * (three of them), interim, weak, conditional (later requests must name the
 * ETag). Accidents: missing, busy (the first answers), cut (each connection, in
 * its third answer), changed (from the third answer on, another ETag), dated
 * (another Last-Modified), shrunk (another size), precondition (412), vanished
 * (200).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "liar.h"

/* Receives a request. Returns whether there is one with a range. */
static bool receive_request(int fd, char *path, size_t room, uint64_t *first,
			    uint64_t *last, bool *named)
{
	char text[8192], *range, *end;
	size_t used = 0;

	do {
		if (used == sizeof(text) - 1 ||
		    !liar_receive(fd, text + used, 1))
			return false;
		text[++used] = '\0';
	} while (used < 4 || strcmp(text + used - 4, "\r\n\r\n"));
	range = strstr(text, "\r\nRange: bytes=");
	*named = strstr(text, "\r\nIf-Match: \"1\"\r\n");
	end = strstr(text, " HTTP/1.1\r\n");
	if (strncmp(text, "GET /", 5) || !end || !range ||
	    sscanf(range, "\r\nRange: bytes=%" SCNu64 "-%" SCNu64, first, last) != 2)
		return false;
	*end = '\0';
	snprintf(path, room, "%s", text + 4);
	return true;
}

static bool send_text(int fd, const char *text)
{
	return liar_send(fd, text, strlen(text));
}

/* The answers that have no data. Returns whether this is one; then *@go_on. */
static bool send_other(struct liar *liar, int fd, const char *path, bool *go_on)
{
	bool later = liar->requests > 2;
	char text[300];

	if (liar_is(liar, "garbage"))
		*go_on = send_text(fd, "NBDMAGICIHAVEOPT\r\n\r\n");
	else if (liar_is(liar, "no-range") || (liar_is(liar, "vanished") && later))
		*go_on = send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
	else if (liar_is(liar, "missing"))
		*go_on = send_text(fd, "HTTP/1.1 404 Not \033Found\r\nContent-Length: 3\r\n\r\nabc");
	else if (liar_is(liar, "precondition") && later)
		*go_on = send_text(fd, "HTTP/1.1 412 Failed\r\nContent-Length: 0\r\n\r\n");
	else if (liar_is(liar, "busy") && (liar->requests == 2 || liar->requests == 3))
		*go_on = send_text(fd, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
	else if (liar_is(liar, "to-https"))
		*go_on = send_text(fd, "HTTP/1.1 301 There\r\nLocation: https://example.com/\r\n\r\n");
	else if (liar_is(liar, "loop"))
		*go_on = send_text(fd, "HTTP/1.1 302 There\r\nLocation: again\r\n\r\n");
	else if (liar_is(liar, "long-head"))
		while ((*go_on = send_text(fd, "HTTP/1.1 206 A\r\nX-Long: yes\r\n")))
			;
	else if (liar_is(liar, "interim-loop"))
		while ((*go_on = send_text(fd, "HTTP/1.1 100 Continue\r\n\r\n")))
			;
	else if (liar_is(liar, "redirect") && strcmp(path, "/c/d?e=f")) {
		snprintf(text, sizeof(text), "HTTP/1.1 302 There\r\nLocation: %s\r\n\r\n",
			 !strcmp(path, "/a/b") ? "d" :
			 !strcmp(path, "/a/d") ? "/c/d" : "?e=f");
		*go_on = send_text(fd, text);
	} else
		return false;
	return true;
}

/* Returns whether the connection goes on. */
static bool send_range(struct liar *liar, int fd, uint64_t first, uint64_t last)
{
	bool later = liar->requests > 2, close = liar_is(liar, "close");
	uint64_t shift = liar_is(liar, "other-range");
	uint64_t size = liar_is(liar, "shrunk") && later ? last + 1 : liar->size;
	char head[1000], length[100] = "", tag[100] = "", size_text[30] = "*";
	uint64_t bytes = last - first + 1;

	if (!liar_is(liar, "no-size"))
		snprintf(size_text, sizeof(size_text), "%" PRIu64, size);
	if (!close)
		snprintf(length, sizeof(length), "Content-Length: %" PRIu64 "\r\n",
			 bytes + liar_is(liar, "other-length"));
	if (!liar_is(liar, "no-validator") && !liar_is(liar, "dated"))
		snprintf(tag, sizeof(tag), "eTag: %s\"%u\"\r\n",
			 liar_is(liar, "weak") ? "W/" : "",
			 1 + (later && liar_is(liar, "changed")));
	else if (liar_is(liar, "dated"))
		snprintf(tag, sizeof(tag), "Last-Modified: Thu, 0%u Jan 2026 00:00:00 GMT\r\n",
			 1 + later);
	snprintf(head, sizeof(head),
		 "%sHTTP/1.%u 206 Partial Content\r\n%s%s%s%s"
		 "Content-%s: bytes %" PRIu64 "-%" PRIu64 "/%s\r\n\r\n",
		 liar_is(liar, "interim") ? "HTTP/1.1 103 Early\r\nX: y\r\n\r\n" : "",
		 !close, length, tag,
		 liar_is(liar, "chunked") ? "Transfer-Encoding: chunked\r\n" : "",
		 liar_is(liar, "gzip") ? "Content-Encoding: gzip\r\n" : "",
		 liar_is(liar, "no-content-range") ? "Type" : "Range",
		 first + shift, last + shift, size_text);
	if (!send_text(fd, head))
		return false;
	if (liar_is(liar, "cut") && liar->requests % 3 == 0) {
		liar_send(fd, liar->data + first, bytes / 2);
		return false;
	}
	return liar_send(fd, liar->data + first, bytes) && !close &&
	       (!liar_is(liar, "more") || send_text(fd, "HTTP/1.1 206 More\r\n\r\n"));
}

void liar_http(struct liar *liar, int fd)
{
	uint64_t first, last;
	char path[8192];
	bool go_on = true, named;

	while (go_on && receive_request(fd, path, sizeof(path), &first, &last,
					&named)) {
		liar->requests++;
		if (liar_is(liar, "conditional") && liar->requests > 1 && !named)
			return;
		if (send_other(liar, fd, path, &go_on))
			continue;
		if (first >= liar->size)
			return;
		if (last >= liar->size)
			last = liar->size - 1;
		go_on = send_range(liar, fd, first, last);
	}
}

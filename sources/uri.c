// SPDX-License-Identifier: GPL-2.0
#include "sources/uri.h"

#include <stdlib.h>
#include <string.h>

static const char tls[] =
	"TLS is not supported: let a proxy on this machine do it, such as stunnel";

static const struct {
	const char *text;
	int kind;	/* of enum uri_kind, or -1: refused */
} schemes[] = {
	{ "nbd://", URI_NBD },
	{ "nbd+unix://", URI_NBD_UNIX },
	{ "http://", URI_HTTP },
	{ "nbds://", -1 },
	{ "nbds+unix://", -1 },
	{ "https://", -1 },
};

#define SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

/*
 * Returns the number of a URI's scheme, or SCHEMES. Letters of both cases are
 * the same.
 */
static size_t uri_scheme(const char *text)
{
	size_t i = 0;

	while (i < SCHEMES && strncasecmp(text, schemes[i].text,
					  strlen(schemes[i].text)))
		i++;
	return i;
}

bool uri_is_one(const char *text)
{
	return uri_scheme(text) < SCHEMES;
}

static int uri_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Decodes @length bytes of a URI to a text of at most @room bytes. A control
 * character is refused: no name needs one, and it could be a line of a message.
 */
static const char *uri_decode(const char *from, size_t length, char *to,
			      size_t room)
{
	const char *end = from + length;
	unsigned char c;

	while (from < end) {
		if (!room--)
			return "a name in it is too long";
		c = *from++;
		if (c == '%') {
			if (end - from < 2 || uri_digit(from[0]) < 0 ||
			    uri_digit(from[1]) < 0)
				return "a '%' in it without two hexadecimal digits";
			c = uri_digit(from[0]) << 4 | uri_digit(from[1]);
			from += 2;
		}
		if (c < ' ' || c == 0x7f)
			return "a control character in it";
		*to++ = c;
	}
	*to = '\0';
	return NULL;
}

/* A number from 1 to 65535; none at all is @usual. */
static const char *uri_get_port(struct uri *uri, const char *from,
				size_t length, const char *usual)
{
	unsigned long value = 0;

	if (!length) {
		strcpy(uri->port, usual);
		return NULL;
	}
	for (size_t i = 0; i < length; i++)
		if (from[i] < '0' || from[i] > '9')
			value = 65536;
		else if (value < 65536)
			value = value * 10 + (from[i] - '0');
	if (!value || value > 65535 || length >= sizeof(uri->port))
		return "its port is no number from 1 to 65535";
	memcpy(uri->port, from, length);
	uri->port[length] = '\0';
	return NULL;
}

/* HOST, HOST:PORT, and [ADDRESS] instead of HOST. */
static const char *uri_get_host(struct uri *uri, const char *from,
				size_t length, const char *port)
{
	size_t host = length, behind;
	const char *end, *why;

	if (memchr(from, '@', length))
		return "a user's name or password in it is not supported";
	if (length && *from == '[') {
		end = memchr(from, ']', length);
		if (!end)
			return "its address has no ']'";
		host = end - from - 1;
		behind = host + 2;
		from++;
		end = from + host + 1;
	} else {
		end = memchr(from, ':', length);
		if (end)
			host = end - from;
		else
			end = from + length;
		behind = host;
	}
	if (behind < length && *end++ != ':')
		return "something between its host and its port";
	if (!host)
		return "no host in it";
	why = uri_decode(from, host, uri->host, sizeof(uri->host) - 1);
	if (why)
		return why;
	/* It is a line of a request of HTTP. */
	for (const char *c = uri->host; *c; c++)
		if (strchr(" /?#@\\", *c))
			return "its host is no name";
	behind += behind < length;
	return uri_get_port(uri, end, length - behind, port);
}

/* Looks for socket=PATH; what else there may be means nothing to us. */
static const char *uri_get_socket(struct uri *uri, const char *query)
{
	static const char key[] = "socket=";

	while (*query) {
		size_t length = strcspn(query, "&;");

		if (!strncmp(query, key, strlen(key)))
			return uri_decode(query + strlen(key),
					  length - strlen(key), uri->socket,
					  URI_SOCKET_MAX);
		query += length + !!query[length];
	}
	return NULL;
}

static const char *uri_get_nbd(struct uri *uri, const char *host,
			       size_t host_length, const char *rest)
{
	size_t length = strcspn(rest, "?");
	const char *why;

	why = uri->kind == URI_NBD ?
	      uri_get_host(uri, host, host_length, "10809") : NULL;
	if (!why && uri->kind == URI_NBD_UNIX && host_length)
		why = "a host in it, but it is a socket of this machine: "
		      "nbd+unix:///EXPORT?socket=PATH";
	if (!why && rest[length])
		why = uri_get_socket(uri, rest + length + 1);
	if (!why && uri->kind == URI_NBD_UNIX && !uri->socket[0])
		why = "no ?socket=PATH in it";
	if (why)
		return why;
	if (length) {
		rest++;
		length--;
	}
	return uri_decode(rest, length, uri->path, URI_EXPORT_MAX);
}

/* What the server gets as it is: printable and without a blank. */
static const char *uri_get_path(struct uri *uri, const char *path)
{
	size_t length = strcspn(path, "#"), slash = *path != '/';

	for (size_t i = 0; i < length; i++)
		if (path[i] <= ' ' || path[i] == 0x7f)
			return "a blank or a control character in it";
	if (length + slash > sizeof(uri->path) - 1)
		return "too long";
	/* It may be a part of the text that it replaces. */
	memmove(uri->path + slash, path, length);
	uri->path[length + slash] = '\0';
	if (slash)
		uri->path[0] = '/';
	return NULL;
}

const char *uri_parse(struct uri *uri, const char *text)
{
	size_t scheme = uri_scheme(text), length;
	const char *why;

	*uri = (struct uri){ };
	if (scheme == SCHEMES)
		return "not a URI of nbd:, nbd+unix: or http:";
	if (schemes[scheme].kind < 0)
		return tls;
	uri->kind = schemes[scheme].kind;
	text += strlen(schemes[scheme].text);
	length = strcspn(text, "/?#");
	if (uri->kind != URI_HTTP)
		return strchr(text, '#') ? "a '#' in it, which must be %23" :
		       uri_get_nbd(uri, text, length, text + length);
	why = uri_get_host(uri, text, length, "80");
	return why ? why : uri_get_path(uri, text + length);
}

const char *uri_redirect(struct uri *uri, const char *location)
{
	size_t length = strcspn(location, ":/?#");
	char *end = uri->path + strcspn(uri->path, "?");
	static const char other[] = "not a URI of http:";
	char path[sizeof(uri->path)];
	const char *why;

	if (!strncmp(location, "//", 2)) {
		length = strcspn(location + 2, "/?#");
		why = uri_get_host(uri, location + 2, length, "80");
		return why ? why : uri_get_path(uri, location + 2 + length);
	}
	if (location[length] == ':') {
		why = uri_is_one(location) ? uri_parse(uri, location) : other;
		return !why && uri->kind != URI_HTTP ? other : why;
	}
	if (*location == '/')
		return uri_get_path(uri, location);
	/* Relative to the directory, or with another query. */
	if (*location != '?')
		while (end[-1] != '/')
			end--;
	length = end - uri->path;
	if (length + strlen(location) > sizeof(path) - 1)
		return "too long";
	memcpy(path, uri->path, length);
	strcpy(path + length, location);
	return uri_get_path(uri, path);
}

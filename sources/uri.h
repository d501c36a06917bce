/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names of what is on a server:
 *
 *	nbd://HOST[:PORT]/EXPORT
 *	nbd+unix:///EXPORT?socket=PATH
 *	http://HOST[:PORT]/PATH
 *
 * The first two as in the NBD URI specification: EXPORT and the socket's PATH
 * are percent-encoded. Anything else is the path of a file of this machine.
 */
#ifndef SOURCES_URI_H
#define SOURCES_URI_H

#include <stdbool.h>
#include <stddef.h>

enum uri_kind {
	URI_NBD,
	URI_NBD_UNIX,
	URI_HTTP,
};

#define URI_EXPORT_MAX 4096	/* bytes of an export's name, by NBD's rules */
#define URI_SOCKET_MAX 107	/* of a socket's path, by the kernel's */

/* All texts are without control characters. */
struct uri {
	enum uri_kind kind;
	char host[256];		/* without the brackets of an IPv6 address */
	char port[6];		/* a number; the scheme's if there is none */
	char path[URI_EXPORT_MAX + 1];	/* the export; or with '/' and query */
	char socket[URI_SOCKET_MAX + 1];
};

/* Whether @text begins as a URI: it is none of a file. */
bool uri_is_one(const char *text);

/* Parses a URI. Returns NULL, or what is wrong with it. */
const char *uri_parse(struct uri *uri, const char *text);

/*
 * Makes of @uri, which is of HTTP, that to which a server redirects from it.
 * Returns as uri_parse().
 */
const char *uri_redirect(struct uri *uri, const char *location);

#endif

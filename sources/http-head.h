/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The head of an answer of HTTP/1.1, taken apart. Trusts no server. Knows no
 * connection.
 */
#ifndef SOURCES_HTTP_HEAD_H
#define SOURCES_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sources/uri.h"

#define HTTP_HEAD_MAX 16384		/* bytes of a head that we take */
#define HTTP_VALIDATOR_MAX 256		/* of an ETag or a date */

/* What a server says in a head. Texts are empty where it says nothing. */
struct http_head {
	unsigned int status;
	char reason[64];	/* the status as a number and in words */
	bool keep;		/* the connection goes on */
	bool chunked;		/* Transfer-Encoding, whichever it is */
	bool encoded;		/* Content-Encoding other than identity */
	bool has_length;
	uint64_t length;	/* Content-Length */
	bool has_range;		/* of a 206: the bytes from first to last of size */
	uint64_t first, last;
	bool has_size;		/* in Content-Range, also of a 416 */
	uint64_t size;
	char etag[HTTP_VALIDATOR_MAX];	/* as it is, with its quotes and W/ */
	char modified[HTTP_VALIDATOR_MAX];	/* Last-Modified */
	char location[URI_EXPORT_MAX];
};

/*
 * Bytes of the head at the beginning of @length bytes; 0: it is not complete.
 */
size_t http_head_length(const char *text, size_t length);

/*
 * Takes apart the head of @length bytes, with its empty line. Returns NULL, or
 * what is wrong with it.
 */
const char *http_head_parse(struct http_head *head, const char *text,
			    size_t length);

#endif

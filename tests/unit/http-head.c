// SPDX-License-Identifier: GPL-2.0
/* Heads of HTTP: what is taken from them, and what is refused. */
#include "sources/http-head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int number, failures;
static struct http_head head;

static void check(int good, const char *what)
{
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, what);
}

static const char *parse(const char *text)
{
	/*
	 * A copy of its own, so that the sanitizer sees what is read behind it.
	 */
	size_t length = strlen(text);
	char *copy = malloc(length + !length);
	const char *why;

	memcpy(copy, text, length);
	why = http_head_length(copy, length) == length ?
	      http_head_parse(&head, copy, length) : "not one head";
	free(copy);
	return why;
}

static void test_good(void)
{
	check(!parse("HTTP/1.1 206 Partial Content\r\ncontent-range:bytes 5-9/10\r\n"
		     "Content-Length: \t5 \r\nETAG: \"a\"\r\nLast-Modified: then\r\n\r\n") &&
	      head.status == 206 && head.keep && head.has_range &&
	      head.first == 5 && head.last == 9 && head.has_size &&
	      head.size == 10 && head.has_length && head.length == 5 &&
	      !head.chunked && !head.encoded && !strcmp(head.etag, "\"a\"") &&
	      !strcmp(head.modified, "then") && !*head.location,
	      "all that a range has");
	check(!parse("HTTP/1.0 404 Not Found\r\n\r\n") && head.status == 404 &&
	      !head.keep && !head.has_length && !head.has_range &&
	      !strcmp(head.reason, "404 Not Found"), "an old server's refusal");
	check(!parse("HTTP/1.1 302\nLocation: /a b\nConnection: x, Close\n\n") &&
	      !head.keep && !strcmp(head.location, "/a b") &&
	      !strcmp(head.reason, "302"), "lines without a carriage return");
	check(!parse("HTTP/1.1 416 R\r\nContent-Range: bytes */7\r\n\r\n") &&
	      !head.has_range && head.has_size && head.size == 7,
	      "a size without a range");
	check(!parse("HTTP/1.1 206 R\r\nContent-Range: bytes 0-0/*\r\n\r\n") &&
	      head.has_range && !head.has_size, "a range without a size");
	check(!parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n"
		     "Content-Encoding: br\r\n\r\n") && head.chunked &&
	      head.encoded, "encodings");
	check(!parse("HTTP/1.1 404 a\033b\r\n\r\n") &&
	      !strcmp(head.reason, "404"), "a reason that is not printed");
	check(!http_head_length("HTTP/1.1 200 OK\r\nA: b\r\n\r", 24),
	      "a head without its end");
	check(http_head_length("A\n\nB\n\n", 6) == 3, "a head with a body");
}

static void test_bad(void)
{
	static const char *const bad[] = {
		"\r\n\r\n", "NBDMAGIC\r\n\r\n", "HTTP/2 200 OK\r\n\r\n",
		"HTTP/1.1\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
	};
	static const char *const fields[] = {
		"Content-Length: ", "Content-Length: -1", "Content-Length: 1,1",
		"Content-Length: 9223372036854775808",
		"Content-Length: 1\r\nContent-Length: 2",
		"Content-Range: 0-1/2", "Content-Range: bytes 1-0/2",
		"Content-Range: bytes 0-2/2", "Content-Range: bytes 0-/2",
		"Content-Range: bytes -1/2", "Content-Range: bytes 0-1",
		"Content-Range: bytes 0-1/2\r\nContent-Range: bytes 0-0/2",
		"Content-Range: bytes 0-18446744073709551616/*",
		"ETag: \001", "Location: a\033b",
	};
	const char *why;
	char text[400];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check(parse(bad[i]) != NULL, "not a head");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		snprintf(text, sizeof(text), "HTTP/1.1 206 P\r\n%s\r\n\r\n",
			 fields[i]);
		why = parse(text);
		snprintf(text, sizeof(text), "refused: %s", fields[i]);
		text[strcspn(text, "\r\001\033")] = '\0';
		check(why != NULL, text);
	}
}

int main(void)
{
	test_good();
	test_bad();
	printf("1..%d\n", number);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

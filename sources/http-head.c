// SPDX-License-Identifier: GPL-2.0
#include "sources/http-head.h"

#include <string.h>

/* A part of the head. */
struct part {
	const char *at;
	size_t length;
};

size_t http_head_length(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] != '\n')
			continue;
		if (i + 1 < length && text[i + 1] == '\n')
			return i + 2;
		if (i + 2 < length && text[i + 1] == '\r' &&
		    text[i + 2] == '\n')
			return i + 3;
	}
	return 0;
}

static struct part part_trim(struct part part)
{
	while (part.length && (*part.at == ' ' || *part.at == '\t')) {
		part.at++;
		part.length--;
	}
	while (part.length && strchr(" \t\r", part.at[part.length - 1]) &&
	       part.at[part.length - 1])
		part.length--;
	return part;
}

/* Takes what is before the next @sign, or all; the rest stays in *@from. */
static struct part part_take(struct part *from, char sign)
{
	const char *end = memchr(from->at, sign, from->length);
	struct part part = *from;

	if (!end) {
		from->at += from->length;
		from->length = 0;
		return part;
	}
	part.length = end - from->at;
	from->at += part.length + 1;
	from->length -= part.length + 1;
	return part;
}

/* Whether it is this word, in letters of any case. */
static bool part_is(struct part part, const char *word)
{
	return part.length == strlen(word) &&
	       !strncasecmp(part.at, word, part.length);
}

static bool part_number(struct part part, uint64_t *number)
{
	*number = 0;
	if (!part.length)
		return false;
	for (size_t i = 0; i < part.length; i++) {
		unsigned int digit = (unsigned char)part.at[i] - '0';

		if (digit > 9 || *number > ((uint64_t)INT64_MAX - digit) / 10)
			return false;
		*number = *number * 10 + digit;
	}
	return true;
}

/* Whether it fits, without a control character in it. */
static bool part_copy(struct part part, char *to, size_t room)
{
	if (part.length >= room)
		return false;
	for (size_t i = 0; i < part.length; i++)
		if ((unsigned char)part.at[i] < ' ' || part.at[i] == 0x7f)
			return false;
	memcpy(to, part.at, part.length);
	to[part.length] = '\0';
	return true;
}

/* HTTP/1.x STATUS REASON */
static const char *head_status(struct http_head *head, struct part line)
{
	struct part version = part_take(&line, ' ');
	struct part reason = part_trim(line);
	struct part status = part_take(&line, ' ');
	uint64_t number;

	if (version.length != 8 || strncmp(version.at, "HTTP/1.", 7))
		return "not a server of HTTP/1.1";
	if (status.length != 3 || !part_number(status, &number) || number < 100)
		return "an answer without a status";
	head->status = number;
	head->keep = version.at[7] >= '1';
	if (reason.length >= sizeof(head->reason))
		reason.length = sizeof(head->reason) - 1;
	if (!part_copy(reason, head->reason, sizeof(head->reason)))
		part_copy(status, head->reason, sizeof(head->reason));
	return NULL;
}

/* bytes FIRST-LAST/SIZE; either half may be an asterisk. */
static const char *head_range(struct http_head *head, struct part value)
{
	static const char why[] = "a Content-Range that makes no sense";
	struct part unit = part_take(&value, ' ');
	struct part range = part_take(&value, '/');
	struct part first;

	if (!part_is(unit, "bytes") || head->has_range || head->has_size)
		return why;
	if (!part_is(part_trim(value), "*")) {
		if (!part_number(part_trim(value), &head->size))
			return why;
		head->has_size = true;
	}
	if (part_is(part_trim(range), "*"))
		return NULL;
	range = part_trim(range);
	first = part_take(&range, '-');
	if (!part_number(first, &head->first) ||
	    !part_number(range, &head->last) || head->first > head->last ||
	    (head->has_size && head->last >= head->size))
		return why;
	head->has_range = true;
	return NULL;
}

static const char *head_length(struct http_head *head, struct part value)
{
	uint64_t length;

	if (!part_number(value, &length) ||
	    (head->has_length && length != head->length))
		return "a Content-Length that makes no sense";
	head->has_length = true;
	head->length = length;
	return NULL;
}

/* A list of words. */
static void head_connection(struct http_head *head, struct part value)
{
	while (value.length) {
		struct part word = part_trim(part_take(&value, ','));

		if (part_is(word, "close"))
			head->keep = false;
	}
}

static const char *head_field(struct http_head *head, struct part name,
			      struct part value)
{
	if (part_is(name, "Content-Range"))
		return head_range(head, value);
	if (part_is(name, "Content-Length"))
		return head_length(head, value);
	if (part_is(name, "Connection"))
		head_connection(head, value);
	else if (part_is(name, "Transfer-Encoding"))
		head->chunked = !part_is(value, "identity");
	else if (part_is(name, "Content-Encoding"))
		head->encoded = !part_is(value, "identity");
	else if (part_is(name, "ETag") &&
		 !part_copy(value, head->etag, sizeof(head->etag)))
		return "an ETag that is too long or has control characters";
	else if (part_is(name, "Last-Modified") &&
		 !part_copy(value, head->modified, sizeof(head->modified)))
		return "a Last-Modified that is too long or has control characters";
	else if (part_is(name, "Location") &&
		 !part_copy(value, head->location, sizeof(head->location)))
		return "a Location that is too long or has control characters";
	return NULL;
}

const char *http_head_parse(struct http_head *head, const char *text,
			    size_t length)
{
	struct part rest = { .at = text, .length = length };
	const char *why;

	*head = (struct http_head){ };
	why = head_status(head, part_trim(part_take(&rest, '\n')));
	while (!why && rest.length) {
		struct part line = part_take(&rest, '\n');
		struct part name;

		if (!part_trim(line).length)
			break;
		if (!memchr(line.at, ':', line.length))
			return "a line of a head without a colon";
		name = part_take(&line, ':');
		why = head_field(head, name, part_trim(line));
	}
	return why;
}

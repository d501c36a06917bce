// SPDX-License-Identifier: GPL-2.0
/*
 * NBD. Lies of the handshake: hello, old, unfixed, reply-magic, reply-option,
 * reply-long, reply-odd, endless, tls, no-size, info-short, huge, block-3,
 * block-0, ragged. No lies, but of old servers: no-go, simple, no-go-simple.
 * Lies about data: magic, cookie, unasked, outside, short, twice, hole-outside,
 * kind, long. Accidents: error (of one place), cut (each connection, in its
 * third reply), shutdown (the first one), shrunk (cut, and then another size).
 */
#include <string.h>

#include "lib/big-endian.h"
#include "liar.h"

#define REP_ACK 1
#define REP_INFO 3
#define REP_UNSUP 0x80000001U
#define REP_TLS 0x80000005U
#define BAD_PLACE 1300000U	/* the error's: in the middle of what is read ahead */

static const uint8_t zeroes[124];

static bool send_reply(struct liar *liar, int fd, uint32_t option, uint32_t type,
		       const void *data, uint32_t length)
{
	uint8_t head[20];

	put_be64(head, UINT64_C(0x3e889045565a9) + liar_is(liar, "reply-magic"));
	put_be32(head + 8, option + liar_is(liar, "reply-option"));
	put_be32(head + 12, type);
	put_be32(head + 16, liar_is(liar, "reply-long") ? 1U << 31 : length);
	return liar_send(fd, head, sizeof(head)) && liar_send(fd, data, length);
}

static uint64_t size_of(const struct liar *liar)
{
	if (liar_is(liar, "huge"))
		return UINT64_C(1) << 63;
	if (liar_is(liar, "ragged"))
		return liar->size / 4096 * 4096 + 7;
	if (liar_is(liar, "shrunk") && liar->connections > 1)
		return liar->size / 2;
	return liar->size;
}

static bool send_go(struct liar *liar, int fd)
{
	uint8_t export[12] = { }, block[14] = { };

	put_be64(export + 2, size_of(liar));
	put_be16(export + 10, 3);
	put_be16(block, 3);
	put_be32(block + 2, liar_is(liar, "block-3") ? 3 :
		 liar_is(liar, "block-0") ? 0 :
		 liar_is(liar, "ragged") ? 4096 : 1);
	put_be32(block + 6, 4096);
	put_be32(block + 10, 1U << 20);
	if (liar_is(liar, "tls"))
		return send_reply(liar, fd, 7, REP_TLS, "stranger\n", 9);
	if (liar_is(liar, "reply-odd"))
		return send_reply(liar, fd, 7, 2, "", 0);
	while (liar_is(liar, "endless"))
		if (!send_reply(liar, fd, 7, REP_INFO, block, 14))
			return false;
	if (liar_is(liar, "info-short"))
		return send_reply(liar, fd, 7, REP_INFO, export, 5);
	return (liar_is(liar, "no-size") ||
		send_reply(liar, fd, 7, REP_INFO, export, 12)) &&
	       send_reply(liar, fd, 7, REP_INFO, block, 14) &&
	       send_reply(liar, fd, 7, REP_ACK, "", 0);
}

/* Returns whether the handshake came to its end. */
static bool handshake(struct liar *liar, int fd, bool *structured)
{
	bool no_go = !strncmp(liar->lie, "no-go", 5);
	uint8_t hello[18] = "NBDMAGICIHAVEOPT", answer[4], head[16], data[8192];

	if (liar_is(liar, "hello"))
		memcpy(hello, "HTTP/1.1 400 Bad\r\n", 18);
	if (liar_is(liar, "old"))
		put_be64(hello + 8, UINT64_C(0x420281861253));
	put_be16(hello + 16, liar_is(liar, "unfixed") ? 0 : no_go ? 1 : 3);
	if (!liar_send(fd, hello, sizeof(hello)) ||
	    !liar_receive(fd, answer, sizeof(answer)))
		return false;
	for (;;) {
		uint32_t option, length;

		if (!liar_receive(fd, head, sizeof(head)))
			return false;
		option = get_be32(head + 8);
		length = get_be32(head + 12);
		if (length > sizeof(data) || !liar_receive(fd, data, length))
			return false;
		if (option == 1) {
			put_be64(data, liar->size);
			put_be16(data + 8, 3);
			return liar_send(fd, data, 10) &&
			       (!no_go || liar_send(fd, zeroes, 124));
		}
		*structured = *structured || (option == 8 && !strstr(liar->lie, "simple"));
		if (option == 7 && !no_go)
			return send_go(liar, fd);
		if (!send_reply(liar, fd, option, option == 8 && *structured ?
				REP_ACK : REP_UNSUP, "", 0))
			return false;
	}
}

static bool send_simple(struct liar *liar, int fd, const uint8_t *cookie,
			uint32_t error)
{
	uint8_t head[16];

	put_be32(head, 0x67446698U + liar_is(liar, "magic"));
	put_be32(head + 4, error);
	memcpy(head + 8, cookie, 8);
	head[15] ^= liar_is(liar, "cookie");
	return liar_send(fd, head, sizeof(head));
}

static bool send_chunk(struct liar *liar, int fd, const uint8_t *cookie,
		       bool done, uint16_t type, uint32_t length)
{
	uint8_t head[20];

	put_be32(head, 0x668e33efU + liar_is(liar, "magic"));
	put_be16(head + 4, done);
	put_be16(head + 6, type);
	memcpy(head + 8, cookie, 8);
	head[15] ^= liar_is(liar, "cookie");
	put_be32(head + 16, length);
	return liar_send(fd, head, sizeof(head));
}

static bool send_data(struct liar *liar, int fd, const uint8_t *cookie, bool done,
		      uint64_t offset, uint32_t length)
{
	uint8_t at[8];

	put_be64(at, offset + (liar_is(liar, "outside") ? liar->size : 0));
	return send_chunk(liar, fd, cookie, done, 1,
			  liar_is(liar, "long") ? UINT32_MAX : length + 8) &&
	       liar_send(fd, at, 8) &&
	       liar_send(fd, liar->data + offset, length);
}

static bool send_hole(struct liar *liar, int fd, const uint8_t *cookie,
		      uint64_t offset, uint32_t length)
{
	uint8_t at[12];

	put_be64(at, offset);
	put_be32(at + 8, length);
	return send_chunk(liar, fd, cookie, true, 2, 12) &&
	       liar_send(fd, at, 12);
}

static bool send_error(struct liar *liar, int fd, const uint8_t *cookie,
		       uint32_t error)
{
	uint8_t text[6 + 3];

	put_be32(text, error);
	put_be16(text + 4, 3);
	memcpy(text + 6, "bad", 3);
	return send_chunk(liar, fd, cookie, true, 0x8001, sizeof(text)) &&
	       liar_send(fd, text, sizeof(text));
}

/* Answers a read. Returns whether the connection goes on. */
static bool answer(struct liar *liar, int fd, bool structured,
		   const uint8_t *cookie, uint64_t offset, uint32_t length)
{
	uint32_t half = length / 2, error = 0;
	bool cut = liar_is(liar, "cut") || liar_is(liar, "shrunk");

	liar->requests++;
	if (liar_is(liar, "error") && offset <= BAD_PLACE &&
	    BAD_PLACE < offset + length)
		error = 5;
	if (liar_is(liar, "shutdown") && liar->connections == 1 &&
	    liar->requests > 1)
		error = 108;
	if (error)
		return structured ? send_error(liar, fd, cookie, error) :
				    send_simple(liar, fd, cookie, error);
	if (cut && liar->requests % 3 == 0) {
		uint8_t at[8];

		put_be64(at, offset);
		send_chunk(liar, fd, cookie, true, 1, length + 8);
		liar_send(fd, at, 8);
		liar_send(fd, liar->data + offset, half);
		return false;
	}
	if (!structured || liar_is(liar, "unasked"))
		return send_simple(liar, fd, cookie, 0) &&
		       liar_send(fd, liar->data + offset, length);
	if (liar_is(liar, "short"))
		return send_data(liar, fd, cookie, true, offset, half);
	if (liar_is(liar, "twice"))
		return send_data(liar, fd, cookie, false, offset, length) &&
		       send_data(liar, fd, cookie, true, offset, length);
	if (liar_is(liar, "hole-outside"))
		return send_hole(liar, fd, cookie, offset, UINT32_MAX);
	if (liar_is(liar, "kind"))
		return send_chunk(liar, fd, cookie, false, 77, 0);
	/* Two chunks, the second one first. */
	return half ? send_data(liar, fd, cookie, false, offset + half,
				length - half) &&
		      send_data(liar, fd, cookie, false, offset, half) &&
		      send_chunk(liar, fd, cookie, true, 0, 0) :
		      send_data(liar, fd, cookie, true, offset, length);
}

void liar_nbd(struct liar *liar, int fd)
{
	uint8_t request[28];
	bool structured = false;

	if (!handshake(liar, fd, &structured))
		return;
	while (liar_receive(fd, request, sizeof(request))) {
		uint64_t offset = get_be64(request + 16);
		uint32_t length = get_be32(request + 24);

		if (get_be32(request) != 0x25609513U || get_be16(request + 6) ||
		    offset > liar->size || length > liar->size - offset)
			return;
		if (!answer(liar, fd, structured, request + 8, offset, length))
			return;
	}
}

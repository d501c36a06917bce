// SPDX-License-Identifier: GPL-2.0
/*
 * Expands a single member of any bytes, as each kind that an image may have. It
 * is accepted exactly if it is the one member that it should be; then it has
 * the contents that zlib returns. Nothing is allocated for it.
 *
 * The first four bytes of the input are settings: bits 0 and 1 are the kind;
 * bit 2: correct the trailer; bit 3: expect the length in the trailer; the rest
 * is the expected length otherwise.
 */
#include "image/member.h"

#include <stdlib.h>
#include <string.h>

#include "lib/little-endian.h"
#include "tests/fuzz/lib/harness.h"
#include "tests/fuzz/lib/truth.h"

#define WORDS 4
#define SIGN 4
#define OWN_LENGTH 8
#define ROOM_MAX (1U << 18)

static uint8_t expected[ROOM_MAX];

/* Whether the header is valid, checked without the reader's code. */
static bool right_header(enum member_kind kind, const uint8_t *data,
			 size_t length)
{
	uint32_t claimed = 0;
	size_t block = 0, header;

	if (kind != MEMBER_ANY_BGZF)
		return truth_our_header(data, length, kind == MEMBER_OURS_BC);
	header = truth_bgzf_header(data, length, &block);
	must(member_bgzf_header(data, length, &claimed) == header &&
	     (!header || claimed == block), "a header is what it is");
	return header && block == length;
}

/* Sets the length in the way of this kind. */
static void sign(enum member_kind kind, uint8_t *data, size_t length)
{
	struct truth_member truth;

	if (length < MEMBER_BC + MEMBER_TRAILER)
		return;
	if (kind != MEMBER_OURS && !memcmp(data + 12, "BC", 2))
		put_le16(data + MEMBER_BC - 2, length - 1);
	truth_expand(data, length, expected, sizeof(expected), &truth);
	put_le32(data + length - 8, truth.crc);
	put_le32(data + length - 4, truth.made);
}

static void expand(enum member_kind kind, const uint8_t *data, size_t length,
		   uint32_t room)
{
	uint8_t *to = malloc(room);
	struct inflater inflater;
	struct memory memory;
	const char *why;
	bool good, strict;

	if (!to)
		abort();
	if (inflater_init(&inflater))
		abort();
	memory_start();
	why = member_inflate(&inflater, kind, data, length, to, room);
	memory = memory_stop();
	must(!memory.count, "nothing is allocated");
	good = right_header(kind, data, length) &&
	       truth_whole(data, length, expected, room, &strict);
	must(good == !why, "a member is good just when it is: %s",
	     why ? why : "good");
	must(why || !memcmp(to, expected, room),
	     "a good member holds what it holds");
	inflater_free(&inflater);
	free(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum member_kind kind;
	size_t length;
	uint8_t *copy;
	uint32_t room;

	if (size < WORDS)
		return 0;
	kind = (data[0] & 3) % 3;
	length = size - WORDS;
	copy = malloc(length + !length);
	if (!copy)
		abort();
	memcpy(copy, data + WORDS, length);
	if (data[0] & SIGN)
		sign(kind, copy, length);
	room = data[1] | data[2] << 8 | data[3] << 16;
	if (data[0] & OWN_LENGTH && length >= MEMBER_TRAILER)
		room = get_le32(copy + length - 4);
	if (room <= ROOM_MAX)
		expand(kind, copy, length, room);
	free(copy);
	return 0;
}

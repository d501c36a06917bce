// SPDX-License-Identifier: GPL-2.0
/*
 * Splits an image into its members, changes these, and makes an image of them
 * again; or changes fields in place. Uses nothing of the reader or writer under
 * test.
 */
#include "tests/fuzz/lib/mutate.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tests/fuzz/lib/harness.h"
#include "tests/fuzz/lib/truth.h"

#define MEMBERS_MAX 1024	/* one page of the index at most */
#define CONTENTS_MAX (1U << 20)
#define MEMBER_MAX 65536
#define FRONT 66
#define END 28

struct member {
	const uint8_t *data;
	size_t length;
	bool zero;
};

struct model {
	bool ours;
	uint32_t chunk_size;
	uint64_t last;		/* of ours: bytes in the last chunk */
	unsigned int count;
	struct member members[MEMBERS_MAX];
	const uint8_t *tail;	/* the data after the members */
	size_t tail_length;
};

static const uint8_t bgzf_end[END] =
	"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0\x1b\0\x03";

static uint32_t state;

static uint32_t below(uint32_t limit)
{
	return limit ? next_random(&state) % limit : 0;
}

/* True once in @n calls. */
static bool once_in(uint32_t n)
{
	return !below(n);
}

static void put(uint8_t *to, uint64_t value, unsigned int bytes)
{
	for (; bytes; bytes--, value >>= 8)
		*to++ = value;
}

static uint64_t get(const uint8_t *from, unsigned int bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | from[bytes];
	return value;
}

/* Returns a number near the old one, near a limit, or any. */
static uint64_t other_number(uint64_t old)
{
	uint64_t any = (uint64_t)next_random(&state) << 32 |
		       next_random(&state);

	switch (below(6)) {
	case 0:
		return old + 1 + below(4);
	case 1:
		return old - 1 - below(4);
	case 2:
		return old ^ 1ULL << below(64);
	case 3:
		return (1ULL << below(64)) - below(2);
	case 4:
		return old + (uint64_t)below(64) * 4096;
	}
	return any >> below(64);
}

static size_t put_private(uint8_t *to, const void *fields, size_t length)
{
	memcpy(to, bgzf_end, 10);
	put(to + 10, length + 4, 2);
	memcpy(to + 12, "UB", 2);
	put(to + 14, length, 2);
	memmove(to + 16, fields, length - 4);
	put(to + 16 + length - 4, truth_crc32(to + 16, length - 4), 4);
	memcpy(to + 16 + length, bgzf_end + 18, 10);
	return length + 26;
}

/* Corrects the checksums of front and index, wherever they are. */
static void sign(uint8_t *data, size_t size)
{
	uint64_t index;

	if (size < FRONT)
		return;
	put(data + 52, truth_crc32(data + 16, 36), 4);
	index = get(data + 32, 8);
	for (; index < size && size - index >= 50; index += 4146) {
		uint64_t crc = 20 + 4 * get(data + index + 18, 2);

		if (data[index + 16] != 'I' || size - index < crc + 30)
			return;
		put(data + index + 16 + crc,
		    truth_crc32(data + index + 16, crc), 4);
	}
}

/* Changes a field of the front or an entry of the index. */
static void change_fields(uint8_t *data, size_t size)
{
	static const uint8_t fields[][2] = {
		{ 10, 2 }, { 14, 2 }, { 16, 1 }, { 17, 1 }, { 18, 2 },
		{ 20, 4 }, { 24, 8 }, { 32, 8 }, { 40, 8 }, { 48, 4 },
	};
	uint64_t index;

	if (size < FRONT)
		return;
	index = get(data + 32, 8);
	if (once_in(3) || index >= size || size - index < 50) {
		const uint8_t *field = fields[below(10)];

		put(data + field[0], other_number(get(data + field[0],
						      field[1])), field[1]);
	} else {
		size_t at = index + 16 + 4 * below((size - index - 20) / 4);

		put(data + at, other_number(get(data + at, 4)), 4);
	}
}

/* Contents of a new chunk: zeroes, one line repeated, or random bytes. */
static const uint8_t *make_contents(size_t length)
{
	static uint8_t contents[CONTENTS_MAX];
	uint32_t kind = below(3), period = 1 + below(300);

	for (size_t i = 0; i < length; i++)
		contents[i] = kind == 0 ? 0 :
			      kind == 1 || i >= period ? i % period :
			      next_random(&state);
	return contents;
}

/* Sets the length in the BC subfield, which must be the first. */
static void put_bc(uint8_t *member, size_t length)
{
	if (length >= END && member[3] & 4 && !memcmp(member + 12, "BC", 2))
		put(member + 16, length - 1, 2);
}

/*
 * Makes a member with @length bytes of some contents. Returns its length, or 0.
 */
static size_t make_member(uint8_t *to, bool bc, size_t length)
{
	const uint8_t *contents = make_contents(length);
	size_t header = bc ? 18 : 10, size;
	int level = length < 300 ? below(10) : 9;
	int strategy = once_in(4) ? Z_FIXED : Z_DEFAULT_STRATEGY;
	z_stream stream = { };

	if (deflateInit2(&stream, level, Z_DEFLATED, -15, 8, strategy))
		abort();
	memcpy(to, bgzf_end, 18);
	to[3] = bc ? 4 : 0;
	stream.next_in = (z_const Bytef *)(uintptr_t)contents;
	stream.avail_in = length;
	stream.next_out = to + header;
	stream.avail_out = MEMBER_MAX - header - 8;
	if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
		header = 0;
	size = header + stream.total_out + 8;
	deflateEnd(&stream);
	if (!header)
		return 0;
	put(to + size - 8, truth_crc32(contents, length), 4);
	put(to + size - 4, length, 4);
	put_bc(to, size);
	return size;
}

/* Splits the data. Returns false if it is no such file. */
static bool take_apart(struct model *model, const uint8_t *data, size_t size)
{
	struct truth_image image;
	size_t block = 0, at = 0;

	memset(model, 0, sizeof(*model));
	if (truth_ours(data, size, &image)) {
		model->ours = true;
		model->chunk_size = image.chunk_size;
		for (; model->count < image.count && model->count <
		     MEMBERS_MAX; model->count++) {
			struct truth_chunk *chunk =
				&image.chunks[model->count];

			model->members[model->count] = (struct member){
				.data = data + chunk->file_offset,
				.length = chunk->file_length,
				.zero = chunk->zero,
			};
			model->last = chunk->disk_length;
		}
		at = image.file_size;
		truth_free(&image);
	}
	while (!model->ours && model->count < MEMBERS_MAX &&
	       truth_bgzf_header(data + at, size - at, &block) &&
	       block <= size - at) {
		model->members[model->count++] = (struct member){
			.data = data + at,
			.length = block,
		};
		at += block;
	}
	model->tail = data + at;
	model->tail_length = size - at;
	return model->ours || model->count;
}

/* Appends to @to if there is room. Otherwise @at stays beyond the room. */
static void append(uint8_t *to, size_t room, size_t *at, const void *data,
		   size_t length)
{
	if (*at > room || length > room - *at) {
		*at = SIZE_MAX;
		return;
	}
	memcpy(to + *at, data, length);
	*at += length;
}

static void append_index(const struct model *model, uint8_t *to, size_t room,
			 size_t *at, uint64_t *disk_size)
{
	uint8_t page[50 + 4 * MEMBERS_MAX];
	uint8_t fields[24 + 4 * MEMBERS_MAX] = "I\1";
	uint32_t offset = 0;

	put(fields + 2, model->count, 2);
	put(fields + 8, FRONT, 8);
	for (unsigned int i = 0; i < model->count; i++) {
		put(fields + 16 + 4 * i, offset |
		    (uint32_t)model->members[i].zero << 31, 4);
		offset += model->members[i].length;
	}
	put(fields + 16 + 4 * model->count, offset, 4);
	*disk_size = 0;
	if (!model->count)
		return;
	*disk_size = (uint64_t)model->chunk_size * (model->count - 1) +
		     model->last;
	append(to, room, at, page,
	       put_private(page, fields, 24 + 4 * model->count));
}

/* Makes the file of @model. Returns its size, or 0 if it does not fit. */
static size_t put_together(const struct model *model, uint8_t *to, size_t room)
{
	uint8_t fields[40] = "D\1";
	size_t at = model->ours ? FRONT : 0, index;
	bool bc = model->chunk_size <= 61440;
	uint64_t disk_size;

	if (at > room)
		return 0;
	for (unsigned int i = 0; i < model->count; i++)
		append(to, room, &at, model->members[i].data,
		       model->members[i].length);
	if (model->ours) {
		index = at;
		append_index(model, to, room, &at, &disk_size);
		if (bc)
			append(to, room, &at, bgzf_end, END);
		put(fields + 2, bc, 2);
		put(fields + 4, model->chunk_size, 4);
		put(fields + 8, disk_size, 8);
		put(fields + 16, index, 8);
		put(fields + 24, at, 8);
		put(fields + 32, !!model->count, 4);
		put_private(to, fields, 40);
	}
	append(to, room, &at, model->tail, model->tail_length);
	return at == SIZE_MAX ? 0 : at;
}

/* Makes a member's trailer and BC fit its stream. */
static void refit(uint8_t *member, size_t length)
{
	static uint8_t contents[CONTENTS_MAX];
	struct truth_member truth;

	truth_expand(member, length, contents, sizeof(contents), &truth);
	if (truth.used && length >= 8) {
		put(member + length - 8, truth.crc, 4);
		put(member + length - 4, truth.made, 4);
	}
	put_bc(member, length);
}

/* Changes stream, header or trailer of a member. */
static void change_member(struct member *member)
{
	static uint8_t bytes[MEMBER_MAX];
	size_t length = member->length, from = 0, to = length, made;

	if (length > sizeof(bytes) - 256)
		return;
	memcpy(bytes, member->data, length);
	if (!once_in(4) && length >= END) {
		from = bytes[3] & 4 ? 18 : 10;
		to = length - 8;
	}
	/* The changed part, followed by the rest. */
	made = LLVMFuzzerMutate(bytes + from, to - from, to - from + 64);
	memmove(bytes + from + made, member->data + to, length - to);
	length = from + made + (length - to);
	if (length && !once_in(5))
		refit(bytes, length);
	member->data = bytes;
	member->length = length;
}

/* Inserts another subfield before BC. */
static void add_subfield(struct member *member)
{
	static uint8_t bytes[MEMBER_MAX];
	size_t more = 4 + below(once_in(10) ? 5000 : 12);

	if (member->length < END || !(member->data[3] & 4) ||
	    member->length + more > sizeof(bytes))
		return;
	memset(bytes, 'x', 12 + more);
	memcpy(bytes, member->data, 12);
	put(bytes + 10, get(bytes + 10, 2) + more, 2);
	put(bytes + 14, more - 4, 2);
	memcpy(bytes + 12 + more, member->data + 12, member->length - 12);
	member->length += more;
	member->data = bytes;
	put(bytes + 12 + more + 4, member->length - 1, 2);
}

static void remove_member(struct model *model, unsigned int i)
{
	if (i == model->count - 1)
		model->last = model->chunk_size;
	memmove(&model->members[i], &model->members[i + 1],
		(--model->count - i) * sizeof(model->members[0]));
}

static void insert_member(struct model *model, unsigned int i,
			  struct member member)
{
	if (model->count == MEMBERS_MAX)
		return;
	memmove(&model->members[i + 1], &model->members[i],
		(model->count++ - i) * sizeof(model->members[0]));
	model->members[i] = member;
}

static void insert_new(struct model *model, unsigned int i)
{
	static uint8_t bytes[MEMBER_MAX];
	size_t length = model->ours ? model->chunk_size :
			1 + below(once_in(3) ? 65536 : 300);
	size_t size = make_member(bytes, !model->ours ||
				  model->chunk_size <= 61440, length);

	if (!size)
		return;
	if (!model->count)
		model->last = model->chunk_size;
	insert_member(model, i, (struct member){
		.data = bytes,
		.length = size,
	});
}

static void change_model(struct model *model)
{
	unsigned int i = below(model->count), j = below(model->count);
	struct member *member = &model->members[i];

	switch (model->count ? below(8) : 8) {
	case 0:
		remove_member(model, i);
		break;
	case 1:
		insert_member(model, j, *member);
		break;
	case 2: {
		struct member other = model->members[j];

		model->members[j] = *member;
		*member = other;
		break;
	}
	case 3:
		if (!model->ours)
			add_subfield(member);
		else if (once_in(2))
			member->zero = !member->zero;
		else
			model->last = 1 + below(model->chunk_size);
		break;
	case 4:
		if (!model->ours)
			insert_member(model, i, (struct member){
				.data = bgzf_end, .length = END,
			});
		else if (once_in(4))
			model->chunk_size = 4096 * (1 + below(256));
		break;
	case 5:
	case 6:
		change_member(member);
		break;
	default:
		insert_new(model, model->count ? i : 0);
	}
}

size_t mutate_image(uint8_t *data, size_t size, size_t max_size,
		    unsigned int seed)
{
	static struct model model;
	static uint8_t made[1 << 20];
	size_t room = max_size < sizeof(made) ? max_size : sizeof(made);
	size_t length = 0;

	state = seed * 2654435761U | 1;
	if (!once_in(4) && take_apart(&model, data, size)) {
		change_model(&model);
		length = put_together(&model, made, room);
	}
	if (length)
		memcpy(data, made, length);
	else
		length = LLVMFuzzerMutate(data, size, max_size);
	if (length >= FRONT && !memcmp(data + 12, "UB", 2) && once_in(3)) {
		if (once_in(2))
			change_fields(data, length);
		if (!once_in(8))
			sign(data, length);
	}
	return length;
}

/* Makes the trailer of every member fit its stream, until one is invalid. */
static void refit_all(uint8_t *data, size_t size)
{
	static uint8_t contents[12 * CONTENTS_MAX];
	struct truth_member truth;
	size_t at = 0;

	while (at < size) {
		truth_expand(data + at, size - at, contents, sizeof(contents),
			     &truth);
		if (!truth.used || truth.used > size - at)
			return;
		at += truth.used;
		put(data + at - 8, truth.crc, 4);
		put(data + at - 4, truth.made, 4);
	}
}

size_t mutate_gzip(uint8_t *data, size_t size, size_t max_size,
		   unsigned int seed)
{
	static uint8_t made[MEMBER_MAX];
	size_t length;

	state = seed * 2654435761U | 1;
	if (once_in(8)) {
		/* Appends another member. */
		length = make_member(made, false, below(once_in(3) ?
							200000 : 300));
		if (length && length <= max_size - size) {
			memcpy(data + size, made, length);
			return size + length;
		}
	}
	size = LLVMFuzzerMutate(data, size, max_size);
	if (!once_in(8))
		refit_all(data, size);
	return size;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Reads compressed images: opens them, finds and expands their chunks. format.c
 * knows our format, bgzf.c BGZF, and gzip.c any other gzip file.
 */
#include "image/image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/bgzf.h"
#include "image/foreign.h"
#include "image/gzip.h"
#include "image/restart.h"
#include "lib/build.h"
#include "lib/message.h"
#include "lib/storage.h"
#include "lib/whole-io.h"

static int image_refuse(const struct image *image, uint64_t offset,
			const char *why)
{
	message("%s: %s (at byte %" PRIu64 ")", image->name, why, offset);
	return -EBADMSG;
}

static int image_refuse_read(const struct image *image, uint64_t offset,
			     int err)
{
	return message_fail(err, "%s: cannot read at byte %" PRIu64,
			    image->name, offset);
}

/* File offset of page @number. */
static uint64_t image_page_offset(const struct image *image, uint64_t number)
{
	return image->front.index_offset + number * IMAGE_PAGE_MAX;
}

/* Checks the pages from @first on, which fill @size bytes at @pages. */
static int image_check_pages(struct image *image, uint64_t first,
			     const uint8_t *pages, size_t size, uint64_t *next)
{
	struct image_page page;

	for (size_t at = 0; at < size; at += IMAGE_PAGE(page.count)) {
		uint64_t number = first + at / IMAGE_PAGE_MAX;
		const char *why = image_get_page(pages + at, &image->front,
						 number, &page);

		if (!why && page.base != *next)
			why = "the index makes no sense";
		if (why)
			return image_refuse(image,
					    image_page_offset(image, number),
					    why);
		*next = page.end;
		image->zeroes += page.zeroes;
	}
	return 0;
}

/*
 * Reads the whole index once, to check it. A small index stays in memory, or any
 * with @keep. The pages of a large one are read again when they are used.
 */
static int image_read_index(struct image *image, bool keep)
{
	const struct image_front *front = &image->front;
	uint64_t step = (keep ? IMAGE_INDEX_MOST : IMAGE_INDEX_RESIDENT) /
			IMAGE_PAGE_MAX;
	uint64_t size = image_index_size(front);
	uint64_t next = IMAGE_FRONT;
	uint8_t *pages;
	int ret = 0;

	if (!size)
		return 0;
	if (keep && size > step * IMAGE_PAGE_MAX)
		return image_refuse(image, front->index_offset,
				    "the index is too large for memory");
	pages = malloc(size < step * IMAGE_PAGE_MAX ? size :
		       step * IMAGE_PAGE_MAX);
	if (!pages)
		return message_fail(ENOMEM, "%s", image->name);
	for (uint64_t first = 0; !ret && first < image_pages(front);
	     first += step) {
		uint64_t offset = image_page_offset(image, first);
		uint64_t rest = front->index_offset + size - offset;
		size_t now = rest < step * IMAGE_PAGE_MAX ? rest :
			     step * IMAGE_PAGE_MAX;

		ret = source_read(&image->source, pages, now, offset);
		if (ret)
			image_refuse_read(image, offset, ret);
		else
			ret = image_check_pages(image, first, pages, now,
						&next);
	}
	if (!ret && next != front->index_offset)
		ret = image_refuse(image, front->index_offset,
				   "the index makes no sense");
	if (ret || size > step * IMAGE_PAGE_MAX)
		free(pages);
	else
		image->pages = pages;
	return ret;
}

static int image_check_end(const struct image *image)
{
	uint64_t offset = image->file_size - MEMBER_EOF;
	uint8_t end[MEMBER_EOF];
	int ret;

	if (!image_has_bc(&image->front))
		return 0;
	ret = source_read(&image->source, end, sizeof(end), offset);
	if (ret)
		return image_refuse_read(image, offset, ret);
	if (memcmp(end, member_eof, MEMBER_EOF))
		return image_refuse(image, offset,
				    "the last member is damaged");
	return 0;
}

/*
 * Whether another image follows @image: to zcat, all members of a file together
 * are its disk. On a partition or flash device the remains of an older image
 * may follow, or blocks that are bad, so there only a valid front counts.
 */
static int image_goes_on(const struct image *image, uint64_t available)
{
	uint64_t rest = available - image->file_size;
	uint8_t behind[IMAGE_FRONT] = { 0 };
	size_t length = rest < sizeof(behind) ? rest : sizeof(behind);
	struct image_front front;
	int ret;

	if (!length)
		return 0;
	ret = source_read(&image->source, behind, length, image->file_size);
	if (!source_is_device(&image->source))
		return ret ? image_refuse_read(image, image->file_size, ret) :
			     WITH_GZIP &&
			     restart_resembles_member(behind, length);
	return !ret && length == IMAGE_FRONT && !image_get_front(behind, &front);
}

/*
 * Returns -ENOTSUP, and prints nothing, if the file must be read like any other
 * gzip file.
 */
static int image_open_ours(struct image *image, const uint8_t *head,
			   uint64_t available, bool keep)
{
	struct image_front *front = &image->front;
	const char *why = "truncated";
	int ret;

	if (available >= IMAGE_FRONT)
		why = image_get_front(head, front);
	if (why)
		return image_refuse(image, 0, why);
	image->format = IMAGE_OURS;
	image->disk_size = front->disk_size;
	image->file_size = image_file_size(front);
	image->chunks = image_chunks(front);
	image->chunk_max = front->chunk_size;
	image->member_max = image_member_max(front);
	image->index_size = image_index_size(front);
	if (image->file_size > available) {
		message("%s: truncated: %" PRIu64 " bytes of %" PRIu64
			" are there", image->name, available,
			image->file_size);
		return -EBADMSG;
	}
	ret = image_goes_on(image, available);
	if (ret)
		return ret < 0 ? ret : -ENOTSUP;
	ret = image_read_index(image, keep);
	if (!ret)
		ret = image_check_end(image);
	return ret;
}

static int image_open_bgzf(struct image *image, uint64_t available)
{
	struct image_bgzf *bgzf = malloc(sizeof(*bgzf));
	int ret;

	if (!bgzf)
		return message_fail(ENOMEM, "%s", image->name);
	ret = image_bgzf_open(bgzf, &image->source, image->name, available);
	image->format = IMAGE_BGZF;
	image->bgzf = bgzf;
	image->disk_size = bgzf->disk_size;
	image->file_size = bgzf->file_size;
	image->chunks = bgzf->count;
	image->chunk_max = bgzf->chunk_max;
	image->member_max = bgzf->member_max;
	image->index_size = image_bgzf_size(bgzf);
	return ret;
}

static int image_open_gzip(struct image *image, uint64_t available,
			   const struct image_options *options)
{
	struct restart_index *index;
	struct restart_point point;
	int ret;

	if (!WITH_GZIP) {
		message("%s: not an image of `ublk pack`; this program was "
			"built without support for other gzip files",
			image->name);
		return -ENOTSUP;
	}
	index = malloc(sizeof(*index));
	if (!index)
		return message_fail(ENOMEM, "%s", image->name);
	ret = image_gzip_open(index, &image->source, image->name, available,
			      options->section, options->index);
	image->format = IMAGE_GZIP;
	image->gzip = index;
	if (ret)
		return ret;
	image->disk_size = index->disk_size;
	image->file_size = index->file_size;
	image->chunks = index->count;
	image->chunk_max = index->disk_size < index->section ?
			   index->disk_size : index->section;
	image->index_size = restart_size(index);
	for (uint32_t i = 0; i < index->count; i++) {
		uint64_t span = restart_span(index, i);

		restart_get(index, i, &point);
		image->zeroes += point.zero;
		if (span > image->member_max)
			image->member_max = span;
	}
	return 0;
}

int image_open_source(struct image *image, const struct source *source,
		      const char *name, uint64_t available,
		      const struct image_options *options)
{
	uint8_t head[IMAGE_FOREIGN_HEAD] = {};
	size_t length = available < sizeof(head) ? available : sizeof(head);
	uint32_t member_length;
	int ret;

	*image = (struct image){ .source = *source, .name = name };
	if (!length) {
		message("%s: empty, not an image", name);
		return -EINVAL;
	}
	ret = source_read(source, head, length, 0);
	if (ret)
		return image_refuse_read(image, 0, ret);
	if (member_starts_private(head))
		ret = image_open_ours(image, head, available,
				      options && options->keep_index);
	else if (WITH_GZIP &&
		 member_bgzf_header(head, length, &member_length))
		ret = image_open_bgzf(image, available);
	else if (member_starts_gzip(head))
		ret = -ENOTSUP;
	else
		return image_refuse_foreign(name, head, length);
	if (ret == -ENOTSUP) {
		image_release(image);
		*image = (struct image){ .source = *source, .name = name };
		ret = image_open_gzip(image, available, options);
	}
	if (ret)
		image_release(image);
	return ret;
}

int image_open(struct image *image, int fd, const char *name,
	       uint64_t available, const struct image_options *options)
{
	const struct source source = source_of(fd);

	return image_open_source(image, &source, name, available, options);
}

int image_open_path(struct image *image, const char *path,
		    const struct image_options *options)
{
	struct source source;
	uint64_t size = 0;
	int ret = source_open(&source, path, &size);

	if (ret)
		return ret;
	if (!strcmp(path, "-"))
		path = "standard input";
	ret = image_open_source(image, &source, path, size, options);
	if (ret)
		source_close(&source);
	return ret;
}

int image_open_again(struct image *image, int fd, const char *name,
		     const struct image_options *options)
{
	uint64_t size;
	int ret = storage_size(fd, &size);

	if (ret)
		return message_fail(ret, "%s", name);
	return image_open(image, fd, name, size, options);
}

void image_release(struct image *image)
{
	free(image->pages);
	image->pages = NULL;
	if (WITH_GZIP && image->bgzf)
		image_bgzf_free(image->bgzf);
	free(image->bgzf);
	image->bgzf = NULL;
	if (WITH_GZIP && image->gzip)
		restart_free(image->gzip);
	free(image->gzip);
	image->gzip = NULL;
}

void image_close(struct image *image)
{
	image_release(image);
	source_close(&image->source);
}

bool image_is_ours(int fd)
{
	uint8_t head[MEMBER_PRIVATE];

	return !whole_pread(fd, head, sizeof(head), 0) &&
	       member_starts_private(head);
}

int image_expander_init(struct image_expander *expander,
			const struct image *image)
{
	int ret;

	*expander = (struct image_expander){ .image = image };
	ret = inflater_init(&expander->inflater);
	if (!WITH_GZIP || image->format != IMAGE_GZIP || ret)
		return ret;
	expander->restart = restart_expander_new();
	if (expander->restart)
		return 0;
	image_expander_free(expander);
	return -ENOMEM;
}

void image_expander_free(struct image_expander *expander)
{
	inflater_free(&expander->inflater);
	if (WITH_GZIP)
		restart_expander_free(expander->restart);
}

int image_reader_init(struct image_reader *reader, const struct image *image)
{
	int ret;

	memset(reader->page_numbers, 0, sizeof(reader->page_numbers));
	reader->image = image;
	reader->pages = NULL;
	ret = image_expander_init(&reader->expander, image);
	if (ret || image->format != IMAGE_OURS || image->pages)
		return ret;
	reader->pages = malloc(IMAGE_READER_PAGES * IMAGE_PAGE_MAX);
	if (reader->pages)
		return 0;
	image_expander_free(&reader->expander);
	return -ENOMEM;
}

void image_reader_free(struct image_reader *reader)
{
	image_expander_free(&reader->expander);
	free(reader->pages);
}

/* Gets page @number of a large index from the cache or the file. */
static int image_load_page(struct image_reader *reader, uint64_t number,
			   const uint8_t **page)
{
	const struct image *image = reader->image;
	const struct image_front *front = &image->front;
	unsigned int slot = number % IMAGE_READER_PAGES;
	uint8_t *at = reader->pages + slot * IMAGE_PAGE_MAX;
	struct image_page checked;
	int ret;

	*page = at;
	if (reader->page_numbers[slot] == number + 1)
		return 0;
	reader->page_numbers[slot] = 0;
	ret = source_read(&image->source, at,
			  IMAGE_PAGE(image_page_chunks(front, number)),
			  image_page_offset(image, number));
	if (ret)
		return ret;
	/*
	 * The page was valid when the image was opened, but media can lose
	 * data.
	 */
	if (image_get_page(at, front, number, &checked) ||
	    checked.end > front->index_offset)
		return -EBADMSG;
	reader->page_numbers[slot] = number + 1;
	return 0;
}

static int image_find_ours(struct image_reader *reader, uint64_t disk_offset,
			   struct image_chunk *chunk)
{
	const struct image *image = reader->image;
	uint64_t number = disk_offset / image->chunk_max;
	uint64_t page_number = number / IMAGE_PAGE_CHUNKS;
	uint32_t i = number % IMAGE_PAGE_CHUNKS;
	uint32_t entry, offset, end;
	const uint8_t *page;
	uint64_t rest;
	int ret;

	if (image->pages) {
		page = image->pages + page_number * IMAGE_PAGE_MAX;
	} else {
		ret = image_load_page(reader, page_number, &page);
		if (ret)
			return ret;
	}
	entry = image_page_entry(page, i);
	offset = entry & IMAGE_ENTRY_OFFSET;
	end = image_page_entry(page, i + 1) & IMAGE_ENTRY_OFFSET;
	chunk->number = number;
	chunk->disk_offset = number * image->chunk_max;
	rest = image->disk_size - chunk->disk_offset;
	chunk->disk_length = rest < image->chunk_max ? rest : image->chunk_max;
	chunk->file_offset = image_page_base(page) + offset;
	chunk->file_length = end - offset;
	chunk->zero = entry & IMAGE_ENTRY_ZERO;
	return 0;
}

int image_find(struct image_reader *reader, uint64_t disk_offset,
	       struct image_chunk *chunk)
{
	const struct image *image = reader->image;

	if (!WITH_GZIP || image->format == IMAGE_OURS)
		return image_find_ours(reader, disk_offset, chunk);
	if (image->format == IMAGE_BGZF)
		image_bgzf_find(image->bgzf, disk_offset, chunk);
	else
		image_gzip_find(image->gzip, disk_offset, chunk);
	return 0;
}

bool image_all_zero(const uint8_t *data, size_t length)
{
	uint64_t word;

	for (; length >= sizeof(word); length -= sizeof(word)) {
		memcpy(&word, data, sizeof(word));
		if (word)
			return false;
		data += sizeof(word);
	}
	for (; length; length--)
		if (*data++)
			return false;
	return true;
}

const char *image_expand(struct image_expander *expander,
			 const struct image_chunk *chunk,
			 const uint8_t *member, uint8_t *to)
{
	const struct image *image = expander->image;
	struct inflater *inflater = &expander->inflater;
	enum member_kind kind = MEMBER_ANY_BGZF;
	const char *why;

	if (image->format == IMAGE_OURS)
		kind = image_has_bc(&image->front) ? MEMBER_OURS_BC :
						     MEMBER_OURS;
	if (WITH_GZIP && image->format == IMAGE_GZIP)
		why = restart_expand(image->gzip, expander->restart, inflater,
				     chunk->number, member, to,
				     chunk->disk_length);
	else
		why = member_inflate(inflater, kind, member,
				     chunk->file_length, to,
				     chunk->disk_length);
	if (!why && chunk->zero && !image_all_zero(to, chunk->disk_length))
		why = "not zeroes, as the index says";
	return why;
}

const char *image_read(struct image_reader *reader,
		       const struct image_chunk *chunk, uint8_t *member,
		       uint8_t *to)
{
	int ret = source_read(&reader->image->source, member,
			      chunk->file_length,
			      chunk->file_offset);

	if (ret)
		return ret == -ENODATA ? "the file ends before it" :
					 "it cannot be read";
	return image_expand(&reader->expander, chunk, member, to);
}

int image_read_part(const struct image *image, uint64_t offset, uint8_t *to,
		    size_t length)
{
	uint8_t *member = malloc(image->member_max);
	uint8_t *data = malloc(image->chunk_max);
	struct image_reader reader;
	struct image_chunk chunk;
	int ret = -ENOMEM;

	if (!member || !data || image_reader_init(&reader, image))
		goto out;
	ret = 0;
	while (length) {
		uint32_t from;
		size_t n;

		if (image_find(&reader, offset, &chunk) ||
		    image_read(&reader, &chunk, member, data)) {
			ret = -EIO;
			break;
		}
		from = offset - chunk.disk_offset;
		n = chunk.disk_length - from;
		if (n > length)
			n = length;
		memcpy(to, data + from, n);
		to += n;
		offset += n;
		length -= n;
	}
	image_reader_free(&reader);
out:
	free(member);
	free(data);
	return ret;
}

const char *image_damage_text(const struct image_chunk *chunk,
			      const char *why, char text[IMAGE_DAMAGE_TEXT])
{
	uint64_t end = chunk->disk_offset + chunk->disk_length - 1;

	snprintf(text, IMAGE_DAMAGE_TEXT,
		 "sectors %" PRIu64 "-%" PRIu64 ": chunk %" PRIu64
		 " at byte %" PRIu64 ": %s", chunk->disk_offset / 512,
		 end / 512, chunk->number, chunk->file_offset, why);
	return text;
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reads compressed images: finds the bytes of the file for an offset of the
 * disk, and expands them. Opens our images, BGZF files and any other gzip file.
 * Trusts nothing in the file, and needs no device. Prints what a file is if it
 * is not an image.
 *
 * An open image is read-only, so any number of threads can use it, each with
 * its own image_reader.
 */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "image/chunk.h"
#include "image/format.h"
#include "image/member.h"
#include "sources/source.h"

/* Our indexes up to this size, in bytes, stay in memory. */
#define IMAGE_INDEX_RESIDENT (256U << 10)

enum image_format {
	IMAGE_OURS,
	IMAGE_BGZF,
	IMAGE_GZIP,
};

#define IMAGE_INDEX_MOST (64U << 20)	/* bytes; see keep_index */

struct image_bgzf;
struct restart_index;
struct restart_expander;

/* How to open an image. */
struct image_options {
	/*
	 * Our index stays in memory whatever its size, so that image_find() reads
	 * nothing; one of more than IMAGE_INDEX_MOST bytes is refused.
	 */
	bool keep_index;
	/* Of a gzip file that is neither ours nor BGZF; see restart.h. */
	uint32_t section;	/* bytes of the disk per chunk; 0: default */
	const char *index;	/* file for its restart points, or NULL */
};

/* Set by image_open(), read-only afterwards. Sizes in bytes. */
struct image {
	struct source source;
	const char *name;
	enum image_format format;
	uint64_t disk_size;	/* exact; any number */
	uint64_t file_size;	/* of the image; the file may be longer */
	uint64_t chunks;
	uint64_t zeroes;	/* chunks known to be all zeroes */
	uint32_t chunk_max;	/* largest size of a chunk on the disk */
	uint32_t member_max;	/* largest size of a chunk in the file */
	uint64_t index_size;	/* of the index, in the file or in memory */

	struct image_front front;	/* ours */
	uint8_t *pages;			/* ours: the whole index, or NULL */
	struct image_bgzf *bgzf;	/* BGZF */
	struct restart_index *gzip;	/* any other gzip */
};

/*
 * Opens the image in the first @available bytes of @fd. @fd and @name, which is
 * for messages, stay the caller's and must stay valid. Reads the whole index in
 * bounded memory, or makes one in a pass over the file. Returns 0, or -errno
 * after printing why and where.
 */
int image_open(struct image *image, int fd, const char *name,
	       uint64_t available, const struct image_options *options);

/*
 * As image_open(), for any source. A copy of @source is in the image.
 */
int image_open_source(struct image *image, const struct source *source,
		      const char *name, uint64_t available,
		      const struct image_options *options);

/*
 * As image_open(), for a file, a block device or what is on a server, by its
 * path or URI (sources/source.h). image_close() closes it.
 */
int image_open_path(struct image *image, const char *path,
		    const struct image_options *options);

/*
 * As image_open(), for an open file or block device. Does not close @fd on
 * error.
 */
int image_open_again(struct image *image, int fd, const char *name,
		     const struct image_options *options);

/* Frees memory, but does not close the source. */
void image_release(struct image *image);

/* Frees memory and closes the source. */
void image_close(struct image *image);

/* Whether @fd begins like one of our images, even if it is damaged. */
bool image_is_ours(int fd);

/* What a thread needs to expand chunks. */
struct image_expander {
	const struct image *image;
	struct inflater inflater;
	struct restart_expander *restart;	/* gzip only; or NULL */
};

/* Allocates all memory that the expander needs. Returns 0 or -ENOMEM. */
int image_expander_init(struct image_expander *expander,
			const struct image *image);
void image_expander_free(struct image_expander *expander);

/* How many pages of a large index a reader caches. */
#define IMAGE_READER_PAGES 8

/* What a thread needs to find chunks and expand them. */
struct image_reader {
	const struct image *image;
	struct image_expander expander;
	uint8_t *pages;		/* cached index pages, or NULL */
	uint64_t page_numbers[IMAGE_READER_PAGES];	/* + 1; 0: none */
};

/* Allocates all memory that the reader needs. Returns 0 or -ENOMEM. */
int image_reader_init(struct image_reader *reader, const struct image *image);
void image_reader_free(struct image_reader *reader);

/*
 * Finds the chunk that contains @disk_offset, which must be less than
 * disk_size. Reads a page of a large index if it is not cached. Returns 0, or
 * -errno if that fails (-EBADMSG: the page is damaged). Prints nothing.
 */
int image_find(struct image_reader *reader, uint64_t disk_offset,
	       struct image_chunk *chunk);

/*
 * Expands the file_length bytes of a chunk's member to disk_length bytes at
 * @to. Returns NULL, or what is wrong in a few words.
 */
const char *image_expand(struct image_expander *expander,
			 const struct image_chunk *chunk,
			 const uint8_t *member, uint8_t *to);

/*
 * Reads and expands a chunk. @member has room for member_max bytes. Returns as
 * image_expand().
 */
const char *image_read(struct image_reader *reader,
		       const struct image_chunk *chunk, uint8_t *member,
		       uint8_t *to);

/*
 * Reads @length bytes of the disk from @offset on to @to; the disk has that
 * many. Returns 0, -ENOMEM, or -EIO if they are damaged, and prints nothing.
 */
int image_read_part(const struct image *image, uint64_t offset, uint8_t *to,
		    size_t length);

/* Whether the @length bytes at @data are all zero. */
bool image_all_zero(const uint8_t *data, size_t length);

/*
 * Formats the place of a damaged chunk and the reason @why for a message.
 * Returns @text.
 */
#define IMAGE_DAMAGE_TEXT 160
const char *image_damage_text(const struct image_chunk *chunk,
			      const char *why,
			      char text[IMAGE_DAMAGE_TEXT]);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading a compressed image: which bytes of the file hold an offset of the
 * disk, and what they expand to. Opens our images, BGZF files and any other
 * gzip, trusts nothing in them, and needs no device. What it cannot open it
 * refuses by name.
 *
 * An open image is never written to, so any number of threads read it, each
 * with an image_reader of its own.
 */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "image/chunk.h"
#include "image/format.h"
#include "image/member.h"

/* An index of ours up to this size stays in memory. */
#define IMAGE_INDEX_RESIDENT (256U << 10)

enum image_format {
	IMAGE_OURS,
	IMAGE_BGZF,
	IMAGE_GZIP,
};

struct image_bgzf;
struct restart_index;

/* How a gzip file is opened that is neither ours nor BGZF; restart.h. */
struct image_options {
	uint32_t section;	/* bytes of the disk in a chunk; 0: as it comes */
	const char *index;	/* file that keeps its restart points, or NULL */
};

/* Set by image_open(), for all to read. Sizes in bytes. */
struct image {
	int fd;
	const char *name;
	enum image_format format;
	uint64_t disk_size;	/* exact; any number */
	uint64_t file_size;	/* of the image; what holds it may be larger */
	uint64_t chunks;
	uint64_t zeroes;	/* chunks known to be all zeroes */
	uint32_t chunk_max;	/* most bytes of the disk in a chunk */
	uint32_t member_max;	/* most bytes of the file that hold a chunk */
	uint64_t index_size;	/* of its index, in the file or in memory */

	struct image_front front;	/* ours */
	uint8_t *pages;			/* ours, all of them; or NULL */
	struct image_bgzf *bgzf;	/* BGZF's */
	struct restart_index *gzip;	/* any other's */
};

/*
 * Opens the image in the first @available bytes of @fd, which stays the
 * caller's and must stay open, as must @name, which messages call it by.
 * Reads all of the index, in bounded memory, or makes one in a pass over the
 * file. Returns 0, or -errno after telling what is wrong and where.
 */
int image_open(struct image *image, int fd, const char *name,
	       uint64_t available, const struct image_options *options);

/* The same for a file or block device by its path; image_close() closes it. */
int image_open_path(struct image *image, const char *path,
		    const struct image_options *options);

/* The same for one that is open already, and stays so when this fails. */
int image_open_again(struct image *image, int fd, const char *name,
		     const struct image_options *options);

/*
 * Opens a file or block device for reading and finds its size; `-` is standard
 * input, which has to be one of the two. Returns the descriptor, or -errno
 * after telling.
 */
int image_open_backing(const char *path, uint64_t *size);

/* Frees memory, and leaves the descriptor to its owner. */
void image_release(struct image *image);

/* Frees memory and closes the descriptor. */
void image_close(struct image *image);

/* Whether @fd begins like an image of ours, whatever its state. */
bool image_is_ours(int fd);

/* What one thread expands chunks with. */
struct image_expander {
	const struct image *image;
	struct inflater inflater;
	uint8_t *scratch;	/* a gzip's: for a window; or NULL */
};

/* Returns 0 or -ENOMEM. All memory that it needs is allocated here. */
int image_expander_init(struct image_expander *expander,
			const struct image *image);
void image_expander_free(struct image_expander *expander);

/* How many pages of a large index a reader keeps. */
#define IMAGE_READER_PAGES 8

/* What one thread finds chunks with, and expands them. */
struct image_reader {
	const struct image *image;
	struct image_expander expander;
	uint8_t *pages;		/* IMAGE_READER_PAGES of them, or NULL */
	uint64_t page_numbers[IMAGE_READER_PAGES];	/* + 1; 0: none */
};

/* Returns 0 or -ENOMEM. All memory that a reader needs is allocated here. */
int image_reader_init(struct image_reader *reader, const struct image *image);
void image_reader_free(struct image_reader *reader);

/*
 * Finds the chunk that holds @disk_offset, which must be less than disk_size.
 * Reads a page of a large index when it is not at hand. Returns 0, or -errno
 * when that failed (-EBADMSG: the page is damaged).
 */
int image_find(struct image_reader *reader, uint64_t disk_offset,
	       struct image_chunk *chunk);

/*
 * Expands the file_length bytes of a chunk's member to disk_length bytes at
 * @to. Returns NULL, or what is wrong with it in a few words.
 */
const char *image_expand(struct image_expander *expander,
			 const struct image_chunk *chunk,
			 const uint8_t *member, uint8_t *to);

/* Reads and expands a chunk. @member: room for member_max bytes. */
const char *image_read(struct image_reader *reader,
		       const struct image_chunk *chunk, uint8_t *member,
		       uint8_t *to);

/*
 * Reads the first @length bytes of the disk, which has as many, to @to. Returns
 * 0, -ENOMEM, or -EIO where they are damaged; nothing is told.
 */
int image_read_start(const struct image *image, uint8_t *to, size_t length);

/* Whether @length bytes at @data are all zero. */
bool image_all_zero(const uint8_t *data, size_t length);

/* Says where a damaged chunk lies and what @why is, for a message. */
#define IMAGE_DAMAGE_TEXT 160
const char *image_damage_text(const struct image_chunk *chunk,
			      const char *why,
			      char text[IMAGE_DAMAGE_TEXT]);

#endif

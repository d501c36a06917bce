/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The file, or block device, that keeps what was written over a disk that is
 * only read: its header, its map and where a block lies. cow.md is the same for
 * people. Nothing here knows requests.
 */
#ifndef TARGETS_COW_FILE_H
#define TARGETS_COW_FILE_H

#include <stdbool.h>
#include <stdint.h>

#define COW_BLOCK 4096U		/* bytes of the disk that are kept as one */

/*
 * The base, whose bytes must not change: @size of them at @offset of @fd. Its
 * disk has @disk_size bytes, which an image has elsewhere.
 */
struct cow_base {
	int fd;
	uint64_t offset;
	uint64_t size;
};

/* Where what lies, in bytes; follows from the size of the disk. */
struct cow_layout {
	uint64_t blocks;	/* of the disk; the last one may be a part */
	uint64_t map_size;	/* a bit for each block, in whole blocks */
	uint64_t data;		/* offset of the first block */
	uint64_t size;		/* of the whole file */
};

struct cow_file {
	int fd;
	const char *path;
	bool read_only;
	bool resumed;		/* a device has it already */
	bool punches;		/* holes can be made that read as zeroes */
	struct cow_layout layout;
};

struct cow_layout cow_layout(uint64_t disk_size);

/* How many blocks of the base the header has a checksum of: backing_samples(). */
#define COW_SAMPLES 64

/*
 * Opens @path, which belongs to @base and a disk of @disk_size bytes, and claims
 * it; makes it where it is new: not there, or empty, or begins with zeroes. With
 * @inherited >= 0 that is the descriptor, claimed already. @path must stay. With
 * @read_only or @resumed (a device has it already, whose last server may be about
 * to let go of it) nothing is made. Returns 0, or -errno after telling; then
 * nothing is left open.
 */
int cow_file_open(struct cow_file *file, const char *path,
		  const struct cow_base *base, uint64_t disk_size,
		  bool read_only, int inherited, bool resumed);

/* Reads the map to @map, map_size bytes. Returns 0 or -errno after telling. */
int cow_file_load(const struct cow_file *file, uint8_t *map);

/*
 * Makes all data permanent that was written, then @map, in which no bit may be
 * missing that the file's has. Returns 0 or -errno after telling.
 */
int cow_file_store(const struct cow_file *file, const uint8_t *map);

/* Where block @number of the disk lies. */
static inline uint64_t cow_block_at(const struct cow_layout *layout,
				    uint64_t number)
{
	return layout->data + number * COW_BLOCK;
}

/* Where the map lies. */
#define COW_MAP_AT COW_BLOCK

/* Whether the map, as it lies in the file, has block @number. */
static inline bool cow_map_has(const uint8_t *map, uint64_t number)
{
	return map[number / 8] >> number % 8 & 1;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The file or block device that stores the blocks written over a read-only
 * base: its header, its map, and where it stores a block. format.md documents
 * the format. This code knows nothing about requests.
 */
#ifndef TARGETS_COW_FILE_H
#define TARGETS_COW_FILE_H

#include <stdbool.h>
#include <stdint.h>

#define COW_BLOCK 4096U		/* bytes for one bit of the map */

/* The base: @size bytes at @offset of @fd, which must not change. */
struct cow_base {
	int fd;
	uint64_t offset;
	uint64_t size;
};

/* The parts of the file, in bytes. They depend only on the size of the disk. */
struct cow_layout {
	uint64_t blocks;	/* of the disk; the last may be partial */
	uint64_t map_size;	/* one bit per block, rounded up to a block */
	uint64_t data;		/* offset of block 0 */
	uint64_t size;		/* of the whole file */
};

struct cow_file {
	int fd;
	const char *path;
	bool read_only;
	bool resumed;		/* a device exists and uses the file */
	bool punches;		/* can make holes that read as zeroes */
	struct cow_layout layout;
};

struct cow_layout cow_layout(uint64_t disk_size);

/* How many samples of the base the header's checksum covers. */
#define COW_SAMPLES 64

/*
 * Opens and claims @path as the file for @base and a disk of @disk_size bytes.
 * If it is new (it does not exist, is empty, or starts with zeroes), creates
 * it. If @inherited >= 0, that is its descriptor, which is claimed already.
 * @path must stay valid. With @read_only nothing is created; nor with @resumed,
 * when the device exists and the claim of its last server may not be released
 * yet. Returns 0, or -errno after printing why: then nothing is left open.
 */
int cow_file_open(struct cow_file *file, const char *path,
		  const struct cow_base *base, uint64_t disk_size,
		  bool read_only, int inherited, bool resumed);

/*
 * Reads the map_size bytes of the map to @map. Returns 0, or -errno after
 * printing why.
 */
int cow_file_load(const struct cow_file *file, uint8_t *map);

/*
 * Syncs all data, then writes and syncs @map, which must have every bit that is
 * set in the file. Returns 0, or -errno after printing why.
 */
int cow_file_store(const struct cow_file *file, const uint8_t *map);

/* Returns the offset of block @number in the file. */
static inline uint64_t cow_block_at(const struct cow_layout *layout,
				    uint64_t number)
{
	return layout->data + number * COW_BLOCK;
}

/* Offset of the map in the file. */
#define COW_MAP_AT COW_BLOCK

/* Whether block @number is in the file. @map has the file's byte order. */
static inline bool cow_map_has(const uint8_t *map, uint64_t number)
{
	return map[number / 8] >> number % 8 & 1;
}

#endif

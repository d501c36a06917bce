/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Recognizes a GUID partition table (UEFI specification, chapter 5), and for
 * which block size it was made. It does not read the partitions.
 */
#ifndef LIB_GPT_H
#define LIB_GPT_H

#include <stdbool.h>
#include <stdint.h>

#define GPT_SECTOR 512U		/* bytes of an MBR, and of a header */
#define GPT_ENTRY 128U		/* smallest size of an entry, in bytes */

/* Whether @mbr, the first GPT_SECTOR bytes of a disk, announces a GPT. */
bool gpt_is_protective(const uint8_t *mbr);

/*
 * Whether the GPT_SECTOR bytes at @header are the header of a GPT in block
 * @lba, with a correct checksum.
 */
bool gpt_is_header(const uint8_t *header, uint64_t lba);

/* How many bytes of a disk gpt_block_size() reads. */
#define GPT_LOOK (4096U + GPT_SECTOR)

/*
 * The block size, in bytes, for which a disk's GPT was made: its header is in
 * the second block. @start are the first GPT_LOOK bytes of the disk. Returns 0
 * if there is no GPT.
 */
uint32_t gpt_block_size(const uint8_t *start);

#endif

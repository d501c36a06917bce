/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a GUID partition table (UEFI specification, chapter 5) says about
 * itself. Only the fields that tell whether it is one, and for blocks of which
 * size.
 */
#ifndef LIB_GPT_H
#define LIB_GPT_H

#include <stdbool.h>
#include <stdint.h>

#define GPT_SECTOR 512U		/* bytes of an MBR, and of a header */
#define GPT_ENTRY 128U		/* bytes of an entry, which may have more */

/* Whether @mbr, the first GPT_SECTOR bytes of a disk, tells of a GPT. */
bool gpt_is_protective(const uint8_t *mbr);

/*
 * Whether the GPT_SECTOR bytes at @header are that of a GPT in block @lba, with
 * the right checksum.
 */
bool gpt_is_header(const uint8_t *header, uint64_t lba);

/* As many bytes of a disk gpt_block_size() looks at. */
#define GPT_LOOK (4096U + GPT_SECTOR)

/*
 * The size of the blocks that the disk, which begins with the GPT_LOOK bytes at
 * @start, had when its GPT was made: the header is in the second of them. 0
 * where there is no GPT.
 */
uint32_t gpt_block_size(const uint8_t *start);

#endif

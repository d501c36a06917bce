// SPDX-License-Identifier: GPL-2.0
/*
 * Recognizes a GUID partition table.
 */
#include "lib/gpt.h"

#include <string.h>

#include "lib/deflate.h"
#include "lib/little-endian.h"

#define HEADER_MIN 92U
#define CRC_AT 16U
#define MBR_ENTRIES 446U
#define MBR_ENTRY 16U
#define MBR_PROTECTIVE 0xee

bool gpt_is_protective(const uint8_t *mbr)
{
	if (mbr[510] != 0x55 || mbr[511] != 0xaa)
		return false;
	for (unsigned int i = 0; i < 4; i++) {
		const uint8_t *entry = mbr + MBR_ENTRIES + i * MBR_ENTRY;

		/* Its partition begins at the GPT's header. */
		if (entry[4] == MBR_PROTECTIVE && get_le32(entry + 8) == 1)
			return true;
	}
	return false;
}

bool gpt_is_header(const uint8_t *header, uint64_t lba)
{
	uint8_t copy[GPT_SECTOR];
	uint32_t size = get_le32(header + 12);

	if (memcmp(header, "EFI PART", 8) || get_le64(header + 24) != lba ||
	    size < HEADER_MIN || size > GPT_SECTOR)
		return false;
	memcpy(copy, header, size);
	memset(copy + CRC_AT, 0, 4);
	return crc32_add(0, copy, size) == get_le32(header + CRC_AT);
}

uint32_t gpt_block_size(const uint8_t *start)
{
	if (!gpt_is_protective(start))
		return 0;
	for (uint32_t block = 512; block + GPT_SECTOR <= GPT_LOOK; block *= 2)
		if (gpt_is_header(start + block, 1))
			return block;
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Recognizes files that are not images by their magic numbers. It reads nothing
 * else of them.
 */
#include "image/foreign.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/message.h"

static const struct {
	uint16_t offset;
	uint16_t length;
	const char *magic;
	const char *name;
	const char *expander;	/* NULL: not a compressed file */
} formats[] = {
	{ 0, 6, "\xfd" "7zXZ", "xz", "xzcat" },
	{ 0, 4, "\x28\xb5\x2f\xfd", "zstd", "zstdcat" },
	{ 0, 4, "\x04\x22\x4d\x18", "lz4", "lz4cat" },
	{ 0, 3, "BZh", "bzip2", "bzcat" },
	{ 0, 4, "\x89LZO", "lzop", "lzop -dc" },
	{ 0, 3, "\x5d\0\0", "lzma", "xzcat" },
	{ 0, 4, "PK\3\4", "zip", "unzip -p" },
	{ 0, 4, "QFI\xfb", "a qcow2 disk; `qemu-img convert` makes a raw one",
	  NULL },
	{ 0, 4, "hsqs", "a squashfs filesystem", NULL },
	{ 0, 4, "XFSB", "an xfs filesystem", NULL },
	{ 1024, 4, "\xe2\xe1\xf5\xe0", "an erofs filesystem", NULL },
	{ 1024, 4, "\x10\x20\xf5\xf2", "an f2fs filesystem", NULL },
	{ 1080, 2, "\x53\xef", "an ext2, ext3 or ext4 filesystem", NULL },
	{ 512, 8, "EFI PART", "a disk with partitions", NULL },
	{ 510, 2, "\x55\xaa", "a disk with a boot sector", NULL },
};

int image_refuse_foreign(const char *name, const uint8_t *head, size_t length)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (formats[i].offset + formats[i].length > length ||
		    memcmp(head + formats[i].offset, formats[i].magic,
			   formats[i].length))
			continue;
		if (formats[i].expander)
			message("%s: %s; `%s %s | ublk pack - NEW.gz` makes an "
				"image of it", name, formats[i].name,
				formats[i].expander, name);
		else
			message("%s: %s, not a compressed image; `ublk file` "
				"serves it, `ublk pack` makes an image of it",
				name, formats[i].name);
		return -EINVAL;
	}
	message("%s: not a compressed image, nor anything known; `ublk file` "
		"serves it, `ublk pack` makes an image of it", name);
	return -EINVAL;
}

void image_warn_unreadable(const char *name, uint64_t offset)
{
	message("%s: warning: cannot read behind the last member, at byte %" PRIu64
		"; if another one is there, the end of the disk is missing",
		name, offset);
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Parses the words of the kernel command line that begin with `ublk.`. It reads
 * no file, so that it can be tested anywhere.
 */
#ifndef INITRAMFS_CMDLINE_H
#define INITRAMFS_CMDLINE_H

#include <stdbool.h>
#include <stdint.h>

enum boot_rescue {
	RESCUE_SHELL,
	RESCUE_REBOOT,
	RESCUE_HANG,
};

#define BOOT_ROOTHASH 32	/* bytes of a SHA-256 */

/* What to boot and how. Strings point into the parsed line. */
struct boot {
	const char *root;	/* as given, or BOOT_ROOT */
	const char *part;	/* of the root's disk; NULL: find out */
	const char *rootfstype;	/* NULL: find out */
	const char *init;	/* NULL: the usual places */
	const char *cow;	/* a size, or a place like root; NULL: none */
	bool verity;		/* the root has this root hash: */
	uint8_t roothash[BOOT_ROOTHASH];
	uint64_t hash_offset;	/* of its superblock; 0: the usual place */
	uint64_t cache;		/* bytes; 0: zimg's default */
	uint64_t block_size;	/* bytes; 0: the disk's own */
	uint64_t overlay_size;	/* bytes; 0: tmpfs's default */
	bool overlay;
	bool overlay_given;	/* as if the word were not given */
	enum boot_rescue rescue;
	unsigned int wait;	/* seconds for the root to appear */
};

#define BOOT_ROOT "/root.img.gz"
#define BOOT_DEFAULTS { .root = BOOT_ROOT, .overlay = true, \
			.wait = 10 }

/*
 * Reports a problem with one word. @err is 0 for a warning (the word is
 * ignored), and -EINVAL for an invalid value.
 */
typedef void boot_complain(int err, const char *word, const char *reason);

/*
 * Parses @line into @boot, which holds the defaults. @line is modified, and
 * must live as long as @boot. As in the kernel, words are separated by spaces
 * outside double quotes, and what follows `--` belongs to init. The last word
 * of a kind counts; an empty value means the default. Returns 0, or -EINVAL
 * after reporting an invalid value; all other values are set even then.
 */
int boot_parse(char *line, struct boot *boot, boot_complain *complain);

#endif

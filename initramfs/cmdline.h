/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel command line as far as it is meant for us: words that begin with
 * `ublk.`. Reading it touches no file, so that it can be tested anywhere.
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

/* What to boot and how; strings point into the parsed line. */
struct boot {
	const char *root;	/* as given, BOOT_ROOT when not */
	const char *part;	/* of the root's disk; NULL: find out */
	const char *rootfstype;	/* NULL: find out */
	const char *init;	/* NULL: the usual places */
	const char *cow;	/* a size, or as root; NULL: none */
	uint64_t cache;		/* bytes; 0: zimg's own default */
	uint64_t block_size;	/* bytes; 0: the disk's own */
	uint64_t overlay_size;	/* bytes; 0: what tmpfs takes by itself */
	bool overlay;
	bool overlay_given;	/* or it is as without the word */
	enum boot_rescue rescue;
	unsigned int wait;	/* seconds for the root to appear */
};

#define BOOT_ROOT "/root.img.gz"
#define BOOT_DEFAULTS { .root = BOOT_ROOT, .overlay = true, \
			.wait = 10 }

/*
 * Tells about one word; @err is 0 for a warning (the word is ignored) and
 * -EINVAL for a value that cannot be.
 */
typedef void boot_complain(int err, const char *word, const char *reason);

/*
 * Reads @line (changed by this, and must stay as long as @boot) into @boot,
 * which holds the defaults. As in the kernel, words are split at spaces that
 * are not within double quotes, and the rest behind `--` belongs to init. The
 * last one of a word counts; an empty value means the default. Returns 0, or
 * -EINVAL after complaining when a value was bad; all others are set even then.
 */
int boot_parse(char *line, struct boot *boot, boot_complain *complain);

#endif

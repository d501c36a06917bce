// SPDX-License-Identifier: GPL-2.0
/*
 * Parses the `ublk.` words of the kernel command line, with one function for
 * each. It does not act on them.
 */
#include "initramfs/cmdline.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "lib/hex.h"
#include "lib/size.h"

/* A partition: a number from 1, or a name. */
static bool is_part(const char *part)
{
	if (!strncmp(part, "PARTUUID=", 9))
		return part[9];
	if (!strncmp(part, "PARTLABEL=", 10))
		return part[10];
	return *part && *part != '0' && !part[strspn(part, "0123456789")];
}

/*
 * Handles a word with a value that is not empty, unless words[] says so. Returns
 * NULL, or why the value is invalid.
 */
static const char *parse_root(struct boot *boot, char *value)
{
	static const char behind[] = ",part=";
	char *end = strstr(value, behind);
	const char *part = end ? end + strlen(behind) : NULL;

	if (part && !is_part(part))
		return "part= is neither a number, PARTUUID= nor PARTLABEL=";
	if (end)
		*end = '\0';
	boot->root = *value ? value : BOOT_ROOT;
	boot->part = part;
	return NULL;
}

static const char *parse_rootfstype(struct boot *boot, char *value)
{
	boot->rootfstype = value;
	return NULL;
}

static const char *parse_init(struct boot *boot, char *value)
{
	if (*value != '/')
		return "not an absolute path";
	boot->init = value;
	return NULL;
}

static const char *parse_cache(struct boot *boot, char *value)
{
	return size_parse(value, &boot->cache) ? "not a size" : NULL;
}

static const char *parse_block_size(struct boot *boot, char *value)
{
	uint64_t size;

	if (size_parse(value, &size) || size < 512 || size > 4096 ||
	    size & (size - 1))
		return "not 512, 1K, 2K or 4K";
	boot->block_size = size;
	return NULL;
}

static const char *parse_cow(struct boot *boot, char *value)
{
	boot->cow = value;
	return NULL;
}

static const char *parse_roothash(struct boot *boot, char *value)
{
	static const char behind[] = ",offset=";
	size_t digits = strcspn(value, ",");
	uint64_t offset = 0;

	if (digits != 2 * BOOT_ROOTHASH ||
	    hex_parse(value, digits, boot->roothash))
		return "not the 64 hexadecimal digits of a root hash";
	value += digits;
	if (*value && (strncmp(value, behind, strlen(behind)) ||
		       size_parse(value + strlen(behind), &offset) ||
		       !offset || offset % 4096))
		return "offset= is not a multiple of 4096";
	boot->hash_offset = offset;
	boot->verity = true;
	return NULL;
}

static const char *parse_overlay(struct boot *boot, char *value)
{
	static const char with_size[] = "tmpfs,size=";
	uint64_t size = 0;

	if (!strncmp(value, with_size, sizeof(with_size) - 1)) {
		if (size_parse(value + sizeof(with_size) - 1, &size) || !size)
			return "not a size";
	} else if (strcmp(value, "tmpfs") && strcmp(value, "none")) {
		return "neither tmpfs, tmpfs,size=SIZE nor none";
	}
	boot->overlay = *value == 't';
	boot->overlay_given = true;
	boot->overlay_size = size;
	return NULL;
}

static const char *parse_rescue(struct boot *boot, char *value)
{
	if (!strcmp(value, "shell"))
		boot->rescue = RESCUE_SHELL;
	else if (!strcmp(value, "reboot"))
		boot->rescue = RESCUE_REBOOT;
	else if (!strcmp(value, "hang"))
		boot->rescue = RESCUE_HANG;
	else
		return "neither shell, reboot nor hang";
	return NULL;
}

static const char *parse_wait(struct boot *boot, char *value)
{
	uint64_t seconds;

	if (size_parse(value, &seconds) || seconds > 86400)
		return "not a number of seconds";
	boot->wait = seconds;
	return NULL;
}

static const struct {
	const char *name;
	const char *(*parse)(struct boot *boot, char *value);
	/*
	 * parse() gets an empty value, too, and refuses it. For other words it
	 * means what is done without them; here that would be not to verify.
	 */
	bool needs_value;
} words[] = {
	{ "root", parse_root, false },
	{ "rootfstype", parse_rootfstype, false },
	{ "overlay", parse_overlay, false },
	{ "cow", parse_cow, false },
	{ "roothash", parse_roothash, true },
	{ "init", parse_init, false },
	{ "cache", parse_cache, false },
	{ "block-size", parse_block_size, false },
	{ "rescue", parse_rescue, false },
	{ "wait", parse_wait, false },
};

/*
 * Cuts the next word from *line and moves *line behind it. Quotes protect
 * spaces and are removed wherever they are: `"a=b c"`, `a="b c"`, `a=b="c d"`.
 * Returns NULL at the end.
 */
static char *next_word(char **line)
{
	char *word = *line;
	char *from, *to;
	bool quoted = false;

	while (isspace((unsigned char)*word))
		word++;
	if (!*word)
		return NULL;
	for (from = to = word; *from; from++) {
		if (isspace((unsigned char)*from) && !quoted)
			break;
		if (*from == '"')
			quoted = !quoted;
		else
			*to++ = *from;
	}
	*line = *from ? from + 1 : from;
	*to = '\0';
	return word;
}

static int parse_word(char *word, struct boot *boot, boot_complain *complain)
{
	const char *name = word + strlen("ublk.");
	size_t length = strcspn(name, "=");
	char *value = word + strlen("ublk.") + length;
	const char *reason;
	size_t i;

	if (*value)
		value++;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strncmp(words[i].name, name, length) ||
		    words[i].name[length])
			continue;
		if (!*value && !words[i].needs_value)
			return 0;
		reason = words[i].parse(boot, value);
		if (!reason)
			return 0;
		complain(-EINVAL, word, reason);
		return -EINVAL;
	}
	complain(0, word, "unknown, ignored");
	return 0;
}

int boot_parse(char *line, struct boot *boot, boot_complain *complain)
{
	int err = 0;
	char *word;

	while ((word = next_word(&line)) && strcmp(word, "--")) {
		if (strncmp(word, "ublk.", strlen("ublk.")))
			continue;
		if (parse_word(word, boot, complain))
			err = -EINVAL;
	}
	if (boot->cow && boot->verity) {
		complain(-EINVAL, "ublk.cow", "a disk with ublk.roothash= "
			 "cannot be written; with ublk.overlay= changes are "
			 "kept in memory");
		err = -EINVAL;
	}
	/* With copy on write the root is writable, and needs no overlay. */
	if (boot->cow && !boot->overlay_given)
		boot->overlay = false;
	return err;
}

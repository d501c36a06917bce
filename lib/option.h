/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The options of a verb, as a table. The same table is used to parse them, for
 * `ublk help`, and for a device's record, so that these always agree.
 */
#ifndef LIB_OPTION_H
#define LIB_OPTION_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_kind {
	OPTION_FLAG,	/* bool; the option takes no value */
	OPTION_SIZE,	/* uint64_t, bytes, parsed by size_parse() */
	OPTION_NUMBER,	/* int64_t, decimal */
	/* The following are text, NULL if not given. */
	OPTION_STRING,	/* const char *, points to the argument */
	OPTION_PATH,	/* const char *, made absolute, never freed */
	OPTION_PLACE,	/* a path as above, or a size, kept as text */
};

/* The default of a size that the program chooses itself if none is given. */
#define OPTION_UNSAID UINT64_MAX

struct option_spec {
	const char *name;	/* without the dashes; NULL ends a table */
	char letter;		/* 0: no short form */
	enum option_kind kind;
	size_t offset;		/* of the field in the struct of values */
	uint64_t min, max;	/* of a size or number; max 0: no limit */
	const char *value;	/* what help calls the value, `SIZE` */
	const char *help;	/* one line */
};

/* A table, and the struct for its values, which holds the defaults. */
struct option_group {
	const struct option_spec *specs;
	void *values;
};

/*
 * Parses argv[1] to argv[argc - 1]: `--name=value`, `--name value`, `-n5`, `-n
 * 5`, combined flags `-rf`, and `--` as the end of the options; options and
 * arguments may be mixed. The arguments that are not options are moved to
 * argv[1] and following. @groups ends with .specs == NULL; if two groups have
 * an option of the same name, the first is used. Returns the number of
 * arguments, or -EINVAL after printing why.
 */
int options_parse(const struct option_group *groups, int argc, char **argv);

/* Prints the table for `ublk help`, one line per option. */
void options_help(FILE *out, const struct option_spec *specs);

/*
 * Writes the values as lines `name=value`: dashes in names become underscores,
 * sizes are bytes, flags are 0 or 1. An option without a value or default is
 * omitted. If @owner is not NULL, each name is preceded by `owner_`.
 */
void options_record(FILE *out, const char *owner,
		    const struct option_spec *specs, const void *values);

/*
 * Reads back what options_record() wrote, from the text of a record. A value
 * that is missing stays unchanged. Strings are allocated and never freed.
 * Returns 0, -EINVAL for an invalid value, or -ENOMEM.
 */
int options_recall(const char *record, const char *owner,
		   const struct option_spec *specs, void *values);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Options of a verb as a table. The one table is what is parsed, what `ublk
 * help` prints and what a device's record keeps, so that the three cannot
 * disagree.
 */
#ifndef LIB_OPTION_H
#define LIB_OPTION_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_kind {
	OPTION_FLAG,	/* bool; the option takes no value */
	OPTION_SIZE,	/* uint64_t, bytes, read by size_parse() */
	OPTION_NUMBER,	/* int64_t, decimal */
	/* From here on text, NULL when not given. */
	OPTION_STRING,	/* const char *, points into the arguments */
	OPTION_PATH,	/* const char *, made absolute in memory that stays */
	OPTION_PLACE,	/* the same for a path; a size is taken as it is */
};

/* The default of a size for which something is chosen where none is given. */
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

/* A table and the struct its values go to, preset with the defaults. */
struct option_group {
	const struct option_spec *specs;
	void *values;
};

/*
 * Parses argv[1] up to argv[argc - 1]: `--name=value`, `--name value`, `-n5`,
 * `-n 5`, joined flags `-rf`, `--` as the end of the options; options and
 * arguments in any order. The arguments (not options) end up in argv[1] and
 * following. @groups ends with .specs == NULL; the first group that has a
 * name wins. Returns the number of arguments, or -EINVAL after telling what
 * is wrong.
 */
int options_parse(const struct option_group *groups, int argc, char **argv);

/* Prints the table for `ublk help`, a line an option. */
void options_help(FILE *out, const struct option_spec *specs);

/*
 * Writes the values as `name=value` lines, dashes in names as underscores,
 * sizes in bytes, flags as 0 or 1; what was not given and has no default is left
 * out. Where @owner is not NULL, `owner_` stands before each name.
 */
void options_record(FILE *out, const char *owner,
		    const struct option_spec *specs, const void *values);

/*
 * Reads back what options_record() wrote, from the text of a record; a value
 * that is not there stays as it is. Strings are allocated and stay so. Returns
 * 0, -EINVAL for a value that is none, or -ENOMEM.
 */
int options_recall(const char *record, const char *owner,
		   const struct option_spec *specs, void *values);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A verb of the command: `ublk VERB ...`. ublk.c has the table of all verbs.
 * Each verb has one file with its code, options and manual, which ends in one
 * `const struct verb`.
 */
#ifndef COMMANDS_VERB_H
#define COMMANDS_VERB_H

#include "lib/exit.h"
#include "lib/option.h"

struct verb {
	const char *name;
	const char *arguments;	/* in the usage line, such as `IN OUT` */
	const char *summary;	/* one line of `ublk help`; NULL: not listed */
	const char *manual;	/* paragraphs of `ublk help VERB`, or NULL */
	const struct option_spec *options;	/* or NULL */
	const void *defaults;	/* values before parsing, settings_size bytes */
	size_t settings_size;
	int min_arguments;
	int max_arguments;	/* -1: any number */

	/*
	 * Runs the verb. @settings are the parsed values, @argv has @argc
	 * arguments and then NULL. Prints what failed. Returns EXIT_DONE,
	 * EXIT_FAILED or EXIT_USAGE.
	 */
	int (*run)(const void *settings, int argc, char **argv);
};

/* Options that several verbs have; @settings is the type of the verb's settings. */
#define OPTION_OF_JOBS(settings, what) \
	{ "jobs", 'j', OPTION_NUMBER, offsetof(settings, jobs), 1, 1024, "N", \
	  what " threads (one per CPU)" }
#define OPTION_OF_INDEX(settings) \
	{ "index", 0, OPTION_STRING, offsetof(settings, index), 0, 0, "FILE", \
	  "index of a gzip file, from `ublk index`" }
#define OPTION_OF_FORCE(settings, what) \
	{ "force", 'f', OPTION_FLAG, offsetof(settings, force), 0, 0, NULL, what }

extern const struct verb verb_list, verb_stat, verb_stop, verb_recover,
			 verb_upgrade, verb_handover, verb_features, verb_bench,
			 verb_pack, verb_unpack, verb_info, verb_check,
			 verb_index;
extern const struct verb verb_init, verb_serve_root;	/* in initramfs/ */

#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * The ublk command: finds the verb, parses its options and runs it. A verb's
 * code, options and manual are in its own file.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/verb.h"
#include "core/device.h"
#include "core/serve.h"
#include "core/target.h"
#include "initramfs/shutdown.h"
#include "lib/build.h"
#include "lib/message.h"
#include "lib/option.h"
#include "targets/cow/cow.h"

#define VERSION "0.1"

extern const struct ublk_target target_ram, target_file, target_zimg,
				target_null;

/* Each of these is a verb that serves a device. */
static const struct ublk_target *const targets[] = {
	&target_ram, &target_file, &target_zimg, &target_null,
};

#define IF(part, entry) (WITH_##part ? (entry) : NULL)

/* NULL: left out of this program. */
static const struct verb *const verbs[] = {
	&verb_list, IF(STAT, &verb_stat), &verb_stop, &verb_recover,
	&verb_upgrade, &verb_handover, &verb_features, IF(BENCH, &verb_bench),
	IF(PACK, &verb_pack), IF(UNPACK, &verb_unpack),
	IF(INFO, &verb_info), IF(CHECK, &verb_check), IF(INDEX, &verb_index),
	&verb_init, IF(HOSTED, &verb_serve_root),
};

/* NULL: it is there. */
static const char *const left_out[] = {
	WITH_BENCH ? NULL : "bench", WITH_PACK ? NULL : "pack",
	WITH_UNPACK ? NULL : "unpack", WITH_INFO ? NULL : "info",
	WITH_CHECK ? NULL : "check", WITH_INDEX ? NULL : "index",
	WITH_STAT ? NULL : "stat", WITH_HOSTED ? NULL : "hosted",
	WITH_GZIP ? NULL : "gzip", WITH_MANUAL ? NULL : "manual",
	WITH_NETWORK ? NULL : "network",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SETTINGS_MAX UBLK_SETTINGS_MAX	/* a verb's too */

const struct ublk_target *ublk_target_find(const char *name)
{
	static struct cow_target cow;
	size_t i;

	for (i = 0; i < COUNT(targets); i++)
		if (!strcmp(targets[i]->name, name))
			return targets[i]->base ? cow_around(&cow, targets[i]) :
						  targets[i];
	return NULL;
}

static const struct verb *find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT(verbs); i++)
		if (verbs[i] && !strcmp(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}

/* Says that there is no such verb, or not here. */
static int unknown_verb(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT(left_out); i++)
		if (left_out[i] && !strcmp(left_out[i], name))
			break;
	if (i < COUNT(left_out))
		message("%s: this program was built without it", name);
	else
		message("%s: unknown verb (see `ublk help`)", name);
	return EXIT_USAGE;
}

static void help_left_out(FILE *out)
{
	const char *before = "\nBuilt without: ";
	size_t i;

	for (i = 0; i < COUNT(left_out); i++) {
		if (!left_out[i])
			continue;
		fprintf(out, "%s%s", before, left_out[i]);
		before = ", ";
	}
	if (*before == ',')
		fputc('\n', out);
}

static void help_all(FILE *out)
{
	size_t i;

	fprintf(out, "usage: ublk VERB [OPTIONS] [ARGUMENTS]\n\n"
		"Serve a block device and print its node:\n");
	for (i = 0; i < COUNT(targets); i++)
		fprintf(out, "  %-5s %-8s %s\n", targets[i]->name,
			targets[i]->argument, targets[i]->summary);
	fprintf(out, "\nOther verbs:\n");
	for (i = 0; i < COUNT(verbs); i++)
		if (verbs[i] && verbs[i]->summary)
			fprintf(out, "  %-14s %s\n", verbs[i]->name,
				verbs[i]->summary);
	fprintf(out, "  %-14s %s\n  %-14s %s\n", "help [VERB]",
		"this list, or the help of a verb", "--version",
		"show the version");
	help_left_out(out);
}

static void help_text(const char *summary, const char *manual)
{
	if (summary)
		printf("\n%c%s.\n", toupper(*summary), summary + 1);
	if (manual)
		printf("\n%s", manual);
}

static void help_target(const struct ublk_target *target)
{
	printf("usage: ublk %s [OPTIONS] %s\n", target->name,
	       target->argument);
	help_text(target->summary, target->manual);
	if (target->manual_end)
		printf("\n%s", target->manual_end);
	if (target->options) {
		printf("\nOptions of %s:\n", target->name);
		options_help(stdout, target->options);
	}
	printf("\nOptions of every device:\n");
	options_help(stdout, serve_options);
}

static void help_verb(const struct verb *verb)
{
	printf("usage: ublk %s%s%s%s\n", verb->name,
	       verb->options ? " [OPTIONS]" : "", verb->arguments ? " " : "",
	       verb->arguments ? verb->arguments : "");
	help_text(verb->summary, verb->manual);
	if (verb->options) {
		printf("\nOptions:\n");
		options_help(stdout, verb->options);
	}
}

static int command_help(const char *name)
{
	const struct ublk_target *target = ublk_target_find(name);
	const struct verb *verb = find_verb(name);

	if (!target && !verb)
		return unknown_verb(name);
	if (target)
		help_target(target);
	else
		help_verb(verb);
	return EXIT_DONE;
}

/*
 * What is written to standard output may fail, also before the end if it is more
 * than the buffer holds.
 */
static int command_finish(int status)
{
	if ((fflush(stdout) || ferror(stdout)) && status == EXIT_DONE) {
		message_fail(errno, "standard output");
		return EXIT_FAILED;
	}
	return status;
}

static int usage_error(const char *name, const char *arguments)
{
	message("usage: ublk %s %s (see `ublk help %s`)", name,
		arguments ? arguments : "", name);
	return EXIT_USAGE;
}

/* argv[0] is the verb, here and below. */
static int run_target(const struct ublk_target *target, int argc, char **argv)
{
	static const struct option_spec none[] = { { 0 } };
	_Alignas(uint64_t) char settings[SETTINGS_MAX] = { 0 };
	struct serve_settings serve = serve_defaults;
	const struct option_group groups[] = {
		{ target->options ? target->options : none, settings },
		{ serve_options, &serve },
		{ NULL, NULL },
	};
	int count;

	if (target->defaults)
		memcpy(settings, target->defaults, target->settings_size);
	count = options_parse(groups, argc, argv);
	if (count < 0)
		return EXIT_USAGE;
	if (count != 1)
		return usage_error(target->name, target->argument);
	return serve_device(target, argv[1], settings, &serve);
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
	static const struct option_spec none[] = { { 0 } };
	_Alignas(uint64_t) char settings[SETTINGS_MAX] = { 0 };
	const struct option_group groups[] = {
		{ verb->options ? verb->options : none, settings },
		{ NULL, NULL },
	};
	int count;

	if (verb->defaults)
		memcpy(settings, verb->defaults, verb->settings_size);
	count = options_parse(groups, argc, argv);
	if (count < 0)
		return EXIT_USAGE;
	if (count < verb->min_arguments ||
	    (verb->max_arguments >= 0 && count > verb->max_arguments))
		return usage_error(verb->name, verb->arguments);
	return verb->run(settings, count, argv + 1);
}

/* Many users type `ublk VERB --help`. */
static int asks_for_help(int argc, char **argv)
{
	return argc == 2 &&
	       (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));
}

/* Whether /proc is mounted. Without it every server would look dead. */
static bool has_proc(void)
{
	if (!access("/proc/self/stat", R_OK))
		return true;
	message("/proc is not mounted, and servers are found there; mount it "
		"with `mount -t proc proc /proc`");
	return false;
}

static bool needs_proc(const struct verb *verb)
{
	return verb == &verb_list || verb == &verb_stop ||
	       verb == &verb_recover || verb == &verb_upgrade ||
	       (WITH_STAT && verb == &verb_stat);
}

static int command_run(int argc, char **argv)
{
	const struct ublk_target *target = ublk_target_find(argv[0]);
	const struct verb *verb = find_verb(argv[0]);

	if (!strcmp(argv[0], "help") || !strcmp(argv[0], "--help") ||
	    !strcmp(argv[0], "-h")) {
		if (argc > 1)
			return command_help(argv[1]);
		help_all(stdout);
		return EXIT_DONE;
	}
	if (!strcmp(argv[0], "--version")) {
		puts("ublk " VERSION);
		return EXIT_DONE;
	}
	if (asks_for_help(argc, argv))
		return command_help(argv[0]);
	if ((target || (verb && needs_proc(verb))) && !has_proc())
		return EXIT_FAILED;
	if (target)
		return run_target(target, argc, argv);
	if (verb)
		return run_verb(verb, argc, argv);
	return unknown_verb(argv[0]);
}

/* Whether the program was called by this name, in any directory. */
static bool is_called(const char *program, const char *name)
{
	const char *slash = strrchr(program, '/');

	return !strcmp(slash ? slash + 1 : program, name);
}

/*
 * If the caller has closed a standard descriptor, opens an unusable one in its
 * place. Otherwise a backing file could get that number, and messages would be
 * written into it.
 */
static void fill_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/", O_PATH | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	/* The kernel's arguments to /init are meant for the root's init. */
	if (argc > 0 && is_called(argv[0], "init"))
		return verb_init.run(NULL, argc - 1, argv + 1);
	if (argc > 0 && is_called(argv[0], "shutdown"))
		return shutdown_run(argc, argv);
	fill_standard_descriptors();
	/*
	 * A write beyond the file size limit then fails with EFBIG, like any
	 * other error.
	 */
	signal(SIGXFSZ, SIG_IGN);
	/*
	 * A caller may leave this ignored. Then the kernel keeps no child that has
	 * ended: its status is lost, and its number may be another process's.
	 */
	signal(SIGCHLD, SIG_DFL);
	/*
	 * Write errors are checked once at the end, when the output is flushed.
	 */
	setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
	if (argc < 2) {
		help_all(stderr);
		return EXIT_USAGE;
	}
	return command_finish(command_run(argc - 1, argv + 1));
}

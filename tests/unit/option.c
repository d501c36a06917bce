// SPDX-License-Identifier: GPL-2.0
/*
 * Options: every way to write one, what is refused and with which message, and
 * the lines for help and record that come from the same table.
 */
#include "lib/option.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int number, failures;
static int complaints;		/* standard error, in memory */

struct values {
	bool all, fast;
	int64_t count;
	uint64_t size;
	const char *name;
	const char *place;
};

struct more {
	bool fast;
	int64_t depth;
	const char *file;
};

#define FIELD(name) offsetof(struct values, name)
static const struct option_spec specs[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), 0, 0, NULL, "everything" },
	{ "fast", 'f', OPTION_FLAG, FIELD(fast), 0, 0, NULL, "at once" },
	{ "count", 'c', OPTION_NUMBER, FIELD(count), 1, 100, "N", "how many" },
	{ "max-size", 's', OPTION_SIZE, FIELD(size), 512, 1 << 20, "SIZE",
	  "how large" },
	{ "name", 0, OPTION_STRING, FIELD(name), 0, 0, "NAME", "what" },
	{ "place", 0, OPTION_PLACE, FIELD(place), 0, 0, "PLACE", "where" },
	{ 0 }
};
static const struct option_spec more_specs[] = {
	{ "fast", 'f', OPTION_FLAG, offsetof(struct more, fast), 0, 0, NULL,
	  "hidden" },
	{ "depth", 'd', OPTION_NUMBER, offsetof(struct more, depth), 0, 0, "N",
	  "how deep" },
	{ "file", 0, OPTION_PATH, offsetof(struct more, file), 0, 0, "FILE",
	  "where" },
	{ 0 }
};

static struct values values;
static struct more more;
static char *arguments[32];

static void check(bool good, const char *claim)
{
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, claim);
}

/* Parses the words of @line, separated by single spaces. */
static int parse(const char *line)
{
	static char words[256];
	const struct option_group groups[] = {
		{ specs, &values }, { more_specs, &more }, { 0 }
	};
	int count = 1;
	char *word, *rest = words;

	values = (struct values){ .count = 5 };
	more = (struct more){ 0 };
	if (ftruncate(complaints, 0) || lseek(complaints, 0, SEEK_SET))
		abort();
	snprintf(words, sizeof(words), "%s", line);
	arguments[0] = (char *)"verb";
	while (*line && (word = strsep(&rest, " ")))
		arguments[count++] = word;
	arguments[count] = NULL;
	return options_parse(groups, count, arguments);
}

static bool refused(const char *line, const char *complaint)
{
	char said[256] = "";
	bool good = parse(line) == -EINVAL;
	ssize_t n = pread(complaints, said, sizeof(said) - 1, 0);

	if (good && n > 0 && !strcmp(said, complaint))
		return true;
	printf("# %s: %s", line, said);
	return false;
}

static bool argument_is(int i, const char *text)
{
	return text ? arguments[i] && !strcmp(arguments[i], text) :
		      !arguments[i];
}

static bool file_is(const char *expected)
{
	return more.file && !strcmp(more.file, expected);
}

static void test_paths(void)
{
	check(!chdir("/tmp") && parse("--file a/b") == 0 &&
	      file_is("/tmp/a/b"), "a path is made absolute");
	free((char *)(uintptr_t)more.file);
	check(parse("--file=/a") == 0 && file_is("/a"), "unless it is");
	check(refused("--file /a\n", "ublk: --file: not a path that can be "
		      "used\n"), "a line is none");
}

static void test_forms(void)
{
	check(parse("") == 0 && values.count == 5 && argument_is(1, NULL),
	      "nothing: defaults");
	check(parse("one two") == 2 && argument_is(1, "one") &&
	      argument_is(2, "two") && argument_is(3, NULL), "arguments");
	check(parse("-a") == 0 && values.all && !values.fast, "a letter");
	check(parse("--all") == 0 && values.all, "a name");
	check(parse("-af") == 0 && values.all && values.fast, "joined letters");
	check(parse("-c 7") == 0 && values.count == 7, "a value behind");
	check(parse("-c7") == 0 && values.count == 7, "a joined value");
	check(parse("-ac7") == 0 && values.all && values.count == 7,
	      "a flag and a joined value");
	check(parse("-ac 7 x") == 1 && values.all && values.count == 7 &&
	      argument_is(1, "x"), "a flag and a value behind");
	check(parse("--count 7") == 0 && values.count == 7,
	      "a name, a value behind");
	check(parse("--count=7") == 0 && values.count == 7,
	      "a name and a value");
	check(parse("--name=a=b") == 0 && !strcmp(values.name, "a=b"),
	      "a value with =");
	check(parse("--name=") == 0 && !strcmp(values.name, ""),
	      "an empty string");
	check(parse("--place=1M") == 0 && !strcmp(values.place, "1M"),
	      "a place that is a size stays");
	check(parse("--place=/a/b") == 0 && !strcmp(values.place, "/a/b"),
	      "and so does a whole path");
	check(!chdir("/tmp") && parse("--place=a/b") == 0 &&
	      !strcmp(values.place, "/tmp/a/b"), "one from here is made whole");
	free((char *)values.place);
	check(parse("--name --all") == 0 && !strcmp(values.name, "--all") &&
	      !values.all, "a value like an option");
	check(parse("x -a y -c 7 z") == 3 && values.all && values.count == 7 &&
	      argument_is(1, "x") && argument_is(2, "y") &&
	      argument_is(3, "z") && argument_is(4, NULL), "any order");
	check(parse("-a -- -f --x") == 2 && values.all && !values.fast &&
	      argument_is(1, "-f") && argument_is(2, "--x"), "behind --");
	check(parse("-- --") == 1 && argument_is(1, "--"), "-- behind --");
	check(parse("x --") == 1 && argument_is(1, "x"), "-- as the last");
	check(parse("- x") == 2 && argument_is(1, "-"),
	      "a dash is an argument");
	check(parse("-c 7 --count 8") == 0 && values.count == 8,
	      "the last one counts");
	check(parse("-s 64K") == 0 && values.size == 65536, "a size");
	check(parse("-d 3 -f") == 0 && more.depth == 3 && values.fast &&
	      !more.fast, "a second table; the first has a name first");
}

static void test_refused(void)
{
	check(refused("--bad", "ublk: --bad: unknown option\n"),
	      "an unknown name");
	check(refused("--al", "ublk: --al: unknown option\n"), "half a name");
	check(refused("--allx", "ublk: --allx: unknown option\n"),
	      "more than a name");
	check(refused("--=1", "ublk: --=1: unknown option\n"), "no name");
	check(refused("---all", "ublk: ---all: unknown option\n"),
	      "three dashes");
	check(refused("-x", "ublk: -x: unknown option\n"),
	      "an unknown letter");
	check(refused("-ax", "ublk: -x: unknown option\n"),
	      "an unknown letter behind one");
	check(refused("--all=1", "ublk: --all takes no value\n"),
	      "a value for a flag");
	check(refused("-c", "ublk: -c needs a N\n"), "a letter without a value");
	check(refused("--count", "ublk: --count needs a N\n"),
	      "a name without a value");
	check(refused("-c x", "ublk: --count x: not a number\n"), "no number");
	check(refused("-c 7x", "ublk: --count 7x: not a number\n"),
	      "a number and more");
	check(refused("--count=", "ublk: --count : not a number\n"),
	      "an empty number");
	check(refused("-c +7", "ublk: --count +7: not a number\n"), "a plus");
	check(refused("-c \t7", "ublk: --count \t7: not a number\n"),
	      "a tab in front");
	check(refused("-c -", "ublk: --count -: not a number\n"), "a dash");
	check(refused("-c 0", "ublk: --count 0: out of range: 1 to 100\n"),
	      "too small");
	check(refused("-c 101",
		      "ublk: --count 101: out of range: 1 to 100\n"),
	      "too large");
	check(refused("-c -1",
		      "ublk: --count -1: out of range: 1 to 100\n"),
	      "negative");
	check(refused("-d -1",
		      "ublk: --depth -1: out of range: 0 or more, in 64 bits\n"),
	      "negative, where there is no limit");
	check(refused("-d 9223372036854775808", "ublk: --depth "
		      "9223372036854775808: out of range: 0 or more, in 64 bits\n"),
	      "2^63");
	check(parse("-d 9223372036854775807") == 0 && more.depth == INT64_MAX,
	      "one less is taken");
	check(refused("-s 5Q", "ublk: --max-size 5Q: not a size: write bytes, "
		      "or a number with K, M, G, T, P or E (powers of 1024)\n"),
	      "no size");
	check(refused("-s 511",
		      "ublk: --max-size 511: out of range: 512 to 1M\n"),
	      "too small a size");
	check(refused("-s 2M",
		      "ublk: --max-size 2M: out of range: 512 to 1M\n"),
	      "too large a size");
	check(refused("-s 16E",
		      "ublk: --max-size 16E: out of range: 512 to 1M\n"),
	      "2^64");
}

/* Stores the output of print() as text in a buffer of the caller. */
static void printed(void (*print)(FILE *out), char *text, size_t size)
{
	FILE *out = fmemopen(text, size, "w");

	memset(text, 0, size);
	print(out);
	fclose(out);
}

static void print_help(FILE *out)
{
	options_help(out, specs);
}

static void print_record(FILE *out)
{
	options_record(out, NULL, specs, &values);
}

static void print_owned(FILE *out)
{
	options_record(out, "file", more_specs, &more);
}

static void test_printed(void)
{
	char text[1024];

	printed(print_help, text, sizeof(text));
	check(!strcmp(text,
		      "  -a, --all                everything\n"
		      "  -f, --fast               at once\n"
		      "  -c, --count N            how many\n"
		      "  -s, --max-size SIZE      how large\n"
		      "      --name NAME          what\n"
		      "      --place PLACE        where\n"), "help");
	parse("-a -c 7 -s 1k");
	printed(print_record, text, sizeof(text));
	check(!strcmp(text, "all=1\nfast=0\ncount=7\nmax_size=1024\n"),
	      "a record without a string");
	parse("-a -c 7");
	values.size = OPTION_UNSAID;
	printed(print_record, text, sizeof(text));
	check(!strcmp(text, "all=1\nfast=0\ncount=7\n"),
	      "a record without a size");
	parse("--name x -d 3");
	printed(print_record, text, sizeof(text));
	check(strstr(text, "\nname=x\n"), "a record with a string");
	parse("--name $(x)'s --file /a;b");
	printed(print_record, text, sizeof(text));
	check(strstr(text, "\nname='$(x)'\\''s'\n"), "a string for a shell");
	printed(print_owned, text, sizeof(text));
	check(strstr(text, "\nfile_file='/a;b'\n"), "a path for a shell");
	more.file = NULL;
	check(!options_recall(text, "file", more_specs, &more) && more.file &&
	      !strcmp(more.file, "/a;b"), "and back");
	free((char *)(uintptr_t)more.file);
	parse("--name x -d 3");
	printed(print_owned, text, sizeof(text));
	check(!strcmp(text, "file_fast=0\nfile_depth=3\n"),
	      "a record of an owner");
}

int main(void)
{
	complaints = memfd_create("complaints", MFD_CLOEXEC);
	if (complaints < 0 || dup2(complaints, STDERR_FILENO) < 0)
		return 1;
	test_forms();
	test_paths();
	test_refused();
	test_printed();
	printf("1..%d\n", number);
	return failures != 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Parses options, prints help and writes records, all from the tables. It knows
 * no option by name.
 */
#include "lib/option.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/key-value.h"
#include "lib/message.h"
#include "lib/size.h"

#define LIMIT_MAX 24	/* bytes of a number as text; a size needs fewer */

static int option_number(const char *text, int64_t *number)
{
	char *end;

	/* strtoll() would also accept a space or a plus in front. */
	if (*text != '-' && (*text < '0' || *text > '9'))
		return -EINVAL;
	errno = 0;
	*number = strtoll(text, &end, 10);
	if (errno)
		return -errno;
	return end == text || *end ? -EINVAL : 0;
}

/*
 * Makes a path absolute, because the next server of the device may have another
 * working directory. The file need not exist. Returns NULL on error.
 */
static const char *option_path(const char *text)
{
	char *directory, *path = NULL;

	if (*text == '/')
		return text;
	directory = getcwd(NULL, 0);
	if (!directory || asprintf(&path, "%s/%s", directory, text) < 0)
		path = NULL;
	free(directory);
	return path;
}

static const char *limit_text(const struct option_spec *spec, uint64_t limit,
			      char text[LIMIT_MAX])
{
	if (spec->kind == OPTION_SIZE)
		return size_text(limit, text);
	snprintf(text, LIMIT_MAX, "%llu", (unsigned long long)limit);
	return text;
}

/* Prints why @text is not a valid value. Returns -EINVAL. */
static int option_refuse(const struct option_spec *spec, const char *text,
			 int err)
{
	char min[LIMIT_MAX], max[LIMIT_MAX];

	limit_text(spec, spec->min, min);
	if (err == -ERANGE && spec->max)
		message("--%s %s: out of range: %s to %s", spec->name, text,
			min, limit_text(spec, spec->max, max));
	else if (err == -ERANGE)
		message("--%s %s: out of range: %s or more, in 64 bits",
			spec->name, text, min);
	else if (spec->kind == OPTION_SIZE)
		message("--%s %s: not a size: %s", spec->name, text,
			size_why(text));
	else
		message("--%s %s: not a number", spec->name, text);
	return -EINVAL;
}

static int option_set(const struct option_spec *spec, void *values,
		      const char *text)
{
	void *field = (char *)values + spec->offset;
	uint64_t size = 0;
	int64_t number = 0;
	int err = 0;

	switch (spec->kind) {
	case OPTION_FLAG:
		*(bool *)field = true;
		return 0;
	case OPTION_STRING:
		*(const char **)field = text;
		return 0;
	case OPTION_PLACE:
		if (!size_parse(text, &size)) {
			*(const char **)field = text;
			return 0;
		}
		/* fall through */
	case OPTION_PATH:
		text = option_path(text);
		*(const char **)field = text;
		/* A record cannot keep a newline. */
		if (text && !strchr(text, '\n'))
			return 0;
		message("--%s: not a path that can be used", spec->name);
		return -EINVAL;
	case OPTION_SIZE:
		err = size_parse(text, &size);
		*(uint64_t *)field = size;
		break;
	case OPTION_NUMBER:
		err = option_number(text, &number);
		if (!err && number < 0)
			err = -ERANGE;
		*(int64_t *)field = number;
		size = number;
		break;
	}
	if (!err && (size < spec->min || (spec->max && size > spec->max)))
		err = -ERANGE;
	return err ? option_refuse(spec, text, err) : 0;
}

/* Finds an option by its long name (@letter 0) or by its letter. */
static const struct option_spec *
option_find(const struct option_group *groups, const char *name, size_t length,
	    char letter, void **values)
{
	const struct option_spec *spec;

	for (; groups->specs; groups++) {
		for (spec = groups->specs; spec->name; spec++) {
			if (letter ? spec->letter != letter :
				     strncmp(spec->name, name, length) ||
				     spec->name[length])
				continue;
			*values = groups->values;
			return spec;
		}
	}
	return NULL;
}

/*
 * Parses one `--name[=value]`. @next is the argument that follows, or NULL.
 * Returns how many arguments were used, or -EINVAL.
 */
static int option_long(const struct option_group *groups, const char *arg,
		       const char *next)
{
	const char *name = arg + 2;
	size_t length = strcspn(name, "=");
	const char *value = name[length] ? name + length + 1 : NULL;
	const struct option_spec *spec;
	void *values;
	int used = 1;

	spec = option_find(groups, name, length, 0, &values);
	if (!spec) {
		message("%s: unknown option", arg);
		return -EINVAL;
	}
	if (spec->kind == OPTION_FLAG && value) {
		message("--%s takes no value", spec->name);
		return -EINVAL;
	}
	if (spec->kind != OPTION_FLAG && !value) {
		value = next;
		used = 2;
	}
	if (spec->kind != OPTION_FLAG && !value) {
		message("--%s needs a %s", spec->name, spec->value);
		return -EINVAL;
	}
	return option_set(spec, values, value) ? -EINVAL : used;
}

/* As option_long(), for a group of letters such as `-rf` or `-n5`. */
static int option_letters(const struct option_group *groups, const char *arg,
			  const char *next)
{
	const struct option_spec *spec;
	const char *letter;
	void *values;

	for (letter = arg + 1; *letter; letter++) {
		spec = option_find(groups, "", 0, *letter, &values);
		if (!spec) {
			message("-%c: unknown option", *letter);
			return -EINVAL;
		}
		if (spec->kind == OPTION_FLAG) {
			option_set(spec, values, NULL);
			continue;
		}
		if (letter[1])
			return option_set(spec, values, letter + 1) ? -EINVAL : 1;
		if (!next) {
			message("-%c needs a %s", *letter, spec->value);
			return -EINVAL;
		}
		return option_set(spec, values, next) ? -EINVAL : 2;
	}
	return 1;
}

int options_parse(const struct option_group *groups, int argc, char **argv)
{
	bool more = true;
	int arguments = 0;
	int i = 1;

	while (i < argc) {
		const char *arg = argv[i];
		const char *next = i + 1 < argc ? argv[i + 1] : NULL;
		int used;

		if (!more || arg[0] != '-' || !arg[1]) {
			argv[++arguments] = argv[i++];
			continue;
		}
		if (!strcmp(arg, "--")) {
			more = false;
			i++;
			continue;
		}
		used = arg[1] == '-' ? option_long(groups, arg, next) :
				       option_letters(groups, arg, next);
		if (used < 0)
			return used;
		i += used;
	}
	argv[arguments + 1] = NULL;
	return arguments;
}

void options_help(FILE *out, const struct option_spec *specs)
{
	const struct option_spec *spec;
	char left[40];

	for (spec = specs; spec->name; spec++) {
		snprintf(left, sizeof(left), "--%s%s%s", spec->name,
			 spec->value ? " " : "", spec->value ? spec->value : "");
		if (spec->letter)
			fprintf(out, "  -%c, %-20s %s\n", spec->letter, left,
				spec->help);
		else
			fprintf(out, "      %-20s %s\n", left, spec->help);
	}
}

#define KEY_MAX 64

/* Turns the option's name into a valid name of a shell variable. */
static const char *option_key(char key[KEY_MAX], const char *owner,
			      const char *name)
{
	char *c;

	snprintf(key, KEY_MAX, "%s%s%s", owner ? owner : "", owner ? "_" : "",
		 name);
	for (c = key; *c; c++)
		if (*c == '-')
			*c = '_';
	return key;
}

static bool is_text(const struct option_spec *spec)
{
	return spec->kind >= OPTION_STRING;
}

static bool is_unsaid(const struct option_spec *spec, const void *field)
{
	if (spec->kind == OPTION_SIZE)
		return *(const uint64_t *)field == OPTION_UNSAID;
	return is_text(spec) && !*(char *const *)field;
}

void options_record(FILE *out, const char *owner,
		    const struct option_spec *specs, const void *values)
{
	const struct option_spec *spec;
	char key[KEY_MAX];

	for (spec = specs; spec->name; spec++) {
		const void *field = (const char *)values + spec->offset;

		if (is_unsaid(spec, field))
			continue;
		option_key(key, owner, spec->name);
		switch (spec->kind) {
		case OPTION_FLAG:
			fprintf(out, "%s=%d\n", key, *(const bool *)field);
			break;
		case OPTION_SIZE:
			fprintf(out, "%s=%llu\n", key,
				(unsigned long long)*(const uint64_t *)field);
			break;
		case OPTION_NUMBER:
			fprintf(out, "%s=%lld\n", key,
				(long long)*(const int64_t *)field);
			break;
		case OPTION_STRING:
		case OPTION_PATH:
		case OPTION_PLACE:
			key_value_put(out, key, *(char *const *)field);
			break;
		}
	}
}

/* Sets a field from @text, which it keeps or frees. */
static int option_recall(const struct option_spec *spec, void *field,
			 char *text)
{
	int err = 0;

	if (is_text(spec)) {
		*(const char **)field = text;
		return 0;
	}
	if (spec->kind == OPTION_FLAG)
		*(bool *)field = !strcmp(text, "1");
	else if (spec->kind == OPTION_SIZE)
		err = size_parse(text, field);
	else
		err = option_number(text, field);
	free(text);
	return err ? -EINVAL : 0;
}

int options_recall(const char *record, const char *owner,
		   const struct option_spec *specs, void *values)
{
	const struct option_spec *spec;
	char key[KEY_MAX], *text;
	int err;

	for (spec = specs; spec->name; spec++) {
		option_key(key, owner, spec->name);
		err = key_value_get_whole(record, key, &text);
		if (!err)
			err = option_recall(spec,
					    (char *)values + spec->offset,
					    text);
		if (err && err != -ENOENT)
			return err;
	}
	return 0;
}

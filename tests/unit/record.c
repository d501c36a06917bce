// SPDX-License-Identifier: GPL-2.0
/*
 * Records: values are found by their whole key, cut to the room there is; a
 * process is known by its pid and start.
 */
#include "core/record.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int number, failures;

static void check(bool good, const char *claim)
{
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, claim);
}

/* The value of @key is @want; NULL: there is none. ASan guards both ends. */
static bool has(const char *record, const char *key, size_t room,
		const char *want)
{
	char *text = strdup(record);
	char *value = malloc(room);
	bool found, good;

	memset(value, 'x', room);
	found = record_get(text, key, value, room);
	good = found == (want != NULL) && !strcmp(value, want ? want : "");
	free(value);
	free(text);
	return good;
}

static void test_get(void)
{
	const char *record = "id=5\nnode=/dev/ublkb5\nargument=a=b c\nempty=\n"
			     "size=64\nid=6\n";

	check(has(record, "id", 8, "5"), "the first of two");
	check(has(record, "node", 32, "/dev/ublkb5"), "one in the middle");
	check(has(record, "argument", 32, "a=b c"), "a value with = and space");
	check(has(record, "empty", 32, ""), "an empty value");
	check(has(record, "size", 32, "64"), "behind an empty value");
	check(has(record, "nod", 32, NULL), "a part of a key");
	check(has(record, "nodes", 32, NULL), "more than a key");
	check(has(record, "ode", 32, NULL), "the end of a key");
	check(has(record, "a", 32, NULL), "a value is no key");
	check(has(record, "none", 32, NULL), "no such key");
	check(has(record, "node", 5, "/dev"), "cut to the room");
	check(has(record, "node", 12, "/dev/ublkb5"), "just room enough");
	check(has(record, "node", 11, "/dev/ublkb"), "a byte too little");
	check(has(record, "node", 1, ""), "room for nothing");
	check(has("", "id", 8, NULL), "an empty record");
	check(has("\n\n\n", "id", 8, NULL), "empty lines");
	check(has("\n\nid=1", "id", 8, "1"), "the last line without an end");
	check(has("id", "id", 8, NULL), "a key without a value");
	check(has("id\nid=1\n", "id", 8, "1"), "one behind a broken line");
	check(has("=1\n", "id", 8, NULL), "a value without a key");
	check(has("id=", "id", 8, ""), "nothing behind =");
	check(has("xid=1\nid=2\n", "id", 8, "2"), "a longer key before");
}

static void test_process(void)
{
	unsigned long long started;
	pid_t child;

	started = record_process_started(getpid());
	check(started > 0, "this process started");
	check(record_process_runs(getpid(), started), "and runs");
	check(!record_process_runs(getpid(), started + 1),
	      "another of the same pid does not");
	check(!record_process_runs(getpid(), 0), "nor one without a start");
	check(!record_process_runs(0, started), "nor no process");
	check(!record_process_runs(-1, started), "nor -1");

	/* The name stands in brackets and may hold them. */
	prctl(PR_SET_NAME, ") S 1 ( x) 5");
	check(record_process_started(getpid()) == started,
	      "a name made to confuse does not");

	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	started = record_process_started(child);
	check(record_process_runs(child, started), "a child runs");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	check(!record_process_runs(child, started), "until it is killed");
}

int main(void)
{
	test_get();
	test_process();
	printf("1..%d\n", number);
	return failures != 0;
}

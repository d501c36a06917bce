// SPDX-License-Identifier: GPL-2.0
/*
 * The checks of the interface test, in TAP, with a guard against hangs; and
 * data that shows where it belongs.
 */
#include "tests/driver/interface-test.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct raw_ctrl ctrl;
bool ours;
int kernel;

static unsigned int checks;
static unsigned int failures;
static const char *group = "";
static char current[256];	/* the current step, for the guard */
static atomic_long step_began;

long seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

void step(const char *what)
{
	snprintf(current, sizeof(current), "%s: %s", group, what);
	atomic_store(&step_began, seconds_now());
}

void group_begin(const char *name)
{
	group = name;
	step("start");
}

static void *guard_run(void *unused)
{
	(void)unused;
	for (;;) {
		usleep(200000);
		if (seconds_now() - atomic_load(&step_began) < STEP_SECONDS)
			continue;
		printf("not ok %u - %s: hangs (this step, or the one after)\n"
		       "Bail out! a step did not end\n", checks + 1, current);
		fflush(stdout);
		_exit(1);
	}
	return NULL;
}

void guard_start(void)
{
	pthread_t thread;

	step("start");
	pthread_create(&thread, NULL, guard_run, NULL);
}

int checks_end(void)
{
	printf("1..%u\n", checks);
	return failures != 0;
}

static bool report(bool good, const char *name)
{
	checks++;
	failures += !good;
	printf("%s %u - %s\n", good ? "ok" : "not ok", checks, name);
	fflush(stdout);
	return good;
}

void note(const char *format, ...)
{
	va_list args;

	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

bool is(long long got, long long want, const char *what)
{
	const struct difference *other;
	char name[256];

	step(what);
	snprintf(name, sizeof(name), "%s: %s", group, what);
	other = difference_of(name);
	if (other) {
		want = other->linux_says;
		note("Linux's driver: %s", other->why);
	}
	if (report(got == want, name))
		return true;
	note("got %lld%s%s%s, wanted %lld%s%s%s", got,
	     got < 0 ? " (" : "", got < 0 ? strerror(-got) : "",
	     got < 0 ? ")" : "", want, want < 0 ? " (" : "",
	     want < 0 ? strerror(-want) : "", want < 0 ? ")" : "");
	return false;
}

bool ok(bool good, const char *what)
{
	return is(good, true, what);
}

bool unanswered(const char *what)
{
	const struct difference *other;
	char name[256];

	snprintf(name, sizeof(name), "%s: %s", group, what);
	other = difference_of(name);
	if (!other || other->linux_says != NOTHING)
		return false;
	skip(what, other->why);
	return true;
}

void skip(const char *what, const char *why)
{
	printf("ok %u - %s: %s # SKIP %s\n", ++checks, group, what, why);
}

void fill(void *to, size_t len, uint32_t seed)
{
	uint64_t *word = to;

	for (size_t i = 0; i < len / 8; i++)
		word[i] = (uint64_t)seed << 32 | i;
}

bool holds(const void *at, size_t len, uint32_t seed, size_t from)
{
	const uint64_t *word = at;

	for (size_t i = 0; i < len / 8; i++)
		if (word[i] != ((uint64_t)seed << 32 | (i + from / 8)))
			return false;
	return true;
}

bool all_bytes(const void *at, size_t len, unsigned char byte)
{
	const unsigned char *p = at;

	while (len--)
		if (*p++ != byte)
			return false;
	return true;
}

void *pages(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		puts("Bail out! no memory");
		exit(1);
	}
	return p;
}

uint64_t place(enum where where, void *here)
{
	static char *hole;

	switch (where) {
	case HERE:
		return (uintptr_t)here;
	case NOWHERE:
		return 0;
	case UNMAPPED:
		if (!hole) {
			hole = pages(4096);
			mprotect(hole, 4096, PROT_NONE);
		}
		return (uintptr_t)hole;
	case OF_KERNEL:
		return 0xffff888000000000;
	}
	return 0;
}

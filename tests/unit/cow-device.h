/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A device without a driver, and a base, for programs that test copy on write.
 * It implements the functions of target.h for a device. It remembers how they
 * were called, and makes them fail on demand. The functions for a queue are up
 * to the program. Also what both programs have: checks, and numbers at random.
 *
 * Include it once, after defining DISK_SIZE (bytes), QUEUES and DEPTH (tags per
 * queue).
 */
#ifndef TESTS_UNIT_COW_DEVICE_H
#define TESTS_UNIT_COW_DEVICE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/identity.h"
#include "core/target.h"
#include "targets/cow/cow.h"
#include "targets/cow/file.h"

static int number, failures;
static uint32_t seed = 88172645;

static void check(bool good, const char *claim)
{
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, claim);
}

/* Less than @sides; the same numbers each time. */
static uint32_t dice(uint32_t sides)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % sides;
}

struct ublk_device {
	bool read_only;
	bool resumed;
	int inherited[2];	/* the cow file, the memory */

	/* What fails. */
	const char *stale;	/* the name that is not what it was */
	int memory_error;

	/* What the target has done. */
	void *wrapper;		/* the state of copy on write */
	bool opens_base;
	bool unfinished;
	int files;		/* number of registered files */
	const struct ublk_target *instead;	/* what replaced the wrapper */
	unsigned int identities;
	struct {
		const char *name, *path;
		int fd;
		struct identity_contents contents;
	} identity[2];
};

static struct ublk_device device;
static struct cow_target cow;
static int memory = -1;		/* the last device's; outlives its servers */
static char base_path[] = "/tmp/base.XXXXXX";
static struct cow_base base = { .size = 100000 };
static int base_opened;		/* and not closed yet */

bool ublk_device_read_only(const struct ublk_device *self)
{
	return self->read_only || self->opens_base;
}

bool ublk_device_resumed(const struct ublk_device *self)
{
	return self->resumed;
}

unsigned int ublk_device_queues(const struct ublk_device *self)
{
	(void)self;
	return QUEUES;
}

unsigned int ublk_device_depth(const struct ublk_device *self)
{
	(void)self;
	return DEPTH;
}

int ublk_device_identify(struct ublk_device *self, const char *name,
			 const char *path, int fd,
			 const struct identity_contents *contents)
{
	unsigned int i = self->identities++;

	if (i == sizeof(self->identity) / sizeof(self->identity[0]))
		abort();
	self->identity[i].name = name;
	self->identity[i].path = path;
	self->identity[i].fd = fd;
	if (contents)
		self->identity[i].contents = *contents;
	return self->stale && !strcmp(self->stale, name) ? -ESTALE : 0;
}

void ublk_device_unfinished(struct ublk_device *self)
{
	self->unfinished = true;
}

int ublk_device_register_file(struct ublk_device *self, int fd,
			      const char *name)
{
	(void)fd;
	(void)name;
	return ++self->files;
}

int ublk_device_inherited_file(struct ublk_device *self, const char *name)
{
	return self->resumed && !strcmp(name, "cow") ? self->inherited[0] : -1;
}

static void forget_memory(void)
{
	if (memory >= 0)
		close(memory);
	memory = -1;
}

int ublk_device_memory(struct ublk_device *self, uint64_t size)
{
	if (self->memory_error)
		return self->memory_error;
	if (self->resumed)
		return self->inherited[1];
	forget_memory();
	memory = memfd_create("cow", MFD_CLOEXEC);
	return ftruncate(memory, size) ? -1 : dup(memory);
}

const struct ublk_target *ublk_device_target(const struct ublk_device *self)
{
	(void)self;
	return &cow.target;
}

void ublk_device_set_wrapper(struct ublk_device *self, void *state)
{
	self->wrapper = state;
}

void *ublk_device_wrapper(const struct ublk_device *self)
{
	return self->wrapper;
}

int ublk_device_open_base(struct ublk_device *self,
			  const struct ublk_target *target,
			  const char *argument, const void *settings,
			  struct ublk_disk *disk)
{
	int err;

	self->opens_base = true;
	err = target->open(self, argument, settings, disk);
	self->opens_base = false;
	return err;
}

int ublk_device_open_instead(struct ublk_device *self,
			     const struct ublk_target *target,
			     const char *argument, const void *settings,
			     struct ublk_disk *disk)
{
	self->instead = target;
	return target->open(self, argument, settings, disk);
}

/* Creates the base's file. */
static void make_base(void)
{
	static const char text[] = "a base that differs from others";

	base.fd = mkstemp(base_path);
	if (ftruncate(base.fd, base.size) ||
	    pwrite(base.fd, text, sizeof(text), 0) != sizeof(text))
		abort();
}

static void remove_base(void)
{
	close(base.fd);
	unlink(base_path);
}

static int base_open(struct ublk_device *self, const char *argument,
		     const void *settings, struct ublk_disk *disk)
{
	(void)self;
	(void)argument;
	(void)settings;
	disk->size = DISK_SIZE;
	disk->read_only = true;
	base_opened++;
	return 0;
}

static void base_close(struct ublk_device *self)
{
	(void)self;
	base_opened--;
}

static void base_is(const struct ublk_device *self, struct ublk_base *is)
{
	(void)self;
	*is = (struct ublk_base){ base_path, base.fd, base.offset, base.size };
}

#endif

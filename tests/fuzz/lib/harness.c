// SPDX-License-Identifier: GPL-2.0
/* Assertions, the backing store, the memory accounting, and messages. */
#include "tests/fuzz/lib/harness.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "lib/message.h"

void must(bool good, const char *what, ...)
{
	va_list args;

	if (good)
		return;
	va_start(args, what);
	fprintf(stderr, "\nnot so: ");
	vfprintf(stderr, what, args);
	fprintf(stderr, "\n");
	va_end(args);
	abort();
}

static struct {
	const uint8_t *data;
	size_t length;
	uint64_t bytes;
	unsigned int calls;
	unsigned int failing;	/* reads until one fails; 0: none will */
	bool failed;
} backing;

void backing_set(const uint8_t *data, size_t length)
{
	memset(&backing, 0, sizeof(backing));
	backing.data = data;
	backing.length = length;
}

void backing_fail_after(unsigned int good)
{
	backing.failing = good + 1;
}

bool backing_failed(void)
{
	bool failed = backing.failed;

	backing.failed = false;
	return failed;
}

uint64_t backing_bytes(void)
{
	return backing.bytes;
}

static void must_be_inside(size_t length, uint64_t offset)
{
	must(offset <= backing.length && length <= backing.length - offset,
	     "reads stay inside: %zu bytes at %llu of %zu", length,
	     (unsigned long long)offset, backing.length);
}

void backing_read(void *to, size_t length, uint64_t offset)
{
	must_be_inside(length, offset);
	memcpy(to, backing.data + offset, length);
	backing.bytes += length;
}

/* The linker makes every pread() of the program call this. */
ssize_t __wrap_pread(int fd, void *to, size_t length, off_t offset);

ssize_t __wrap_pread(int fd, void *to, size_t length, off_t offset)
{
	must(fd == BACKING_FD, "reads are of the image: descriptor %d", fd);
	/* The whole request must be inside, even if less is returned. */
	must_be_inside(length, offset);
	if (backing.failing && !--backing.failing) {
		backing.failed = true;
		errno = EIO;
		return -1;
	}
	backing.calls++;
	if (backing.calls % 5 == 3) {
		errno = EINTR;
		return -1;
	}
	if (backing.calls % 3 == 1)
		length = (length + 1) / 2;
	backing_read(to, length, offset);
	return length;
}

/* The input is on a device: what follows an image there need not be of it. */
bool __wrap_storage_is_device(int fd);

bool __wrap_storage_is_device(int fd)
{
	must(fd == BACKING_FD, "the image is looked at: descriptor %d", fd);
	return true;
}

/* From the sanitizer; gcc has no header for it. */
size_t __sanitizer_get_allocated_size(const volatile void *address);
int __sanitizer_install_malloc_and_free_hooks(
	void (*allocated)(const volatile void *, size_t),
	void (*freed)(const volatile void *));

/* Per thread; libFuzzer has another one. */
static struct memory memory;
static _Thread_local bool counting;

static void allocated(const volatile void *address, size_t size)
{
	if (!counting || !address)
		return;
	memory.count++;
	memory.live += size;
	if (memory.live > memory.peak)
		memory.peak = memory.live;
}

static void freed(const volatile void *address)
{
	if (counting && address)
		memory.live -= __sanitizer_get_allocated_size(address);
}

__attribute__((constructor))
static void watch_memory(void)
{
	if (!__sanitizer_install_malloc_and_free_hooks(allocated, freed))
		abort();
}

void memory_start(void)
{
	memset(&memory, 0, sizeof(memory));
	counting = true;
}

struct memory memory_stop(void)
{
	counting = false;
	return memory;
}

static unsigned int told;

unsigned int messages_told(void)
{
	unsigned int count = told;

	told = 0;
	return count;
}

/* Formats a message, since that is the reader's code, too, and drops it. */
static void tell(const char *format, va_list args)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, args);
	must(text[0], "a message has words");
	told++;
}

void message(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(format, args);
	va_end(args);
}

int message_fail(int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(format, args);
	va_end(args);
	return -abs(err);
}

uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

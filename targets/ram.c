// SPDX-License-Identifier: GPL-2.0
/*
 * The ram target: a disk in memory. A page is allocated when it is first
 * written, and freed when it is discarded. A page that was never written reads
 * as zeroes, without being allocated.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/memory.h"
#include "core/target.h"
#include "lib/bits.h"
#include "lib/build.h"
#include "lib/message.h"
#include "lib/size.h"

/*
 * The disk is a mapped file in memory. @written has a bit for each page that
 * has data. All queues share the bits. The bits need no order relative to the
 * data: users of a disk must order requests for the same page themselves. Each
 * server builds the bits again.
 */
struct ram {
	int fd;
	char *memory;		/* NULL: a base, which is all zeroes */
	uint64_t size;
	unsigned int page_shift;
	bits_word *written;
};

static void ram_free(struct ram *ram)
{
	if (ram->memory && ram->memory != MAP_FAILED)
		munmap(ram->memory, ram->size);
	if (ram->fd >= 0)
		close(ram->fd);
	free(ram->written);
	free(ram);
}

/* A larger disk could be created, but never filled. */
static int ram_check_size(uint64_t size)
{
	const uint64_t memory = memory_of_machine();
	char wanted[SIZE_TEXT_MAX], has[SIZE_TEXT_MAX];

	if (size <= memory)
		return 0;
	message("ram: %s is more than this machine's memory of %s",
		size_text(size, wanted), size_text(memory, has));
	return -ENOMEM;
}

/*
 * If another target wraps this one, that target stores what is written, and the
 * base is a file of zeroes. It is not mapped, because mlockall() would allocate
 * its pages.
 */
static int ram_zeroes(struct ublk_device *device, uint64_t size)
{
	int fd = ublk_device_inherited_file(device, "zeroes");
	int err;

	if (fd < 0)
		fd = memory_unnamed("ublk-zeroes");
	if (fd < 0)
		return -errno;
	if (!ftruncate(fd, size))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int ram_map(struct ram *ram, struct ublk_device *device)
{
	ram->fd = ublk_device_memory(device, ram->size);
	if (ram->fd < 0)
		return ram->fd;
	if (ram->size > SIZE_MAX)
		return -ENOMEM;
	ram->memory = mmap(NULL, ram->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   ram->fd, 0);
	return ram->memory == MAP_FAILED ? -errno : 0;
}

static int ram_open(struct ublk_device *device, const char *argument,
		    const void *settings, struct ublk_disk *disk)
{
	const bool is_base = ublk_device_is_base(device);
	struct ram *ram;
	int err;

	(void)settings;
	err = size_parse(argument, &disk->size);
	if (err || !disk->size) {
		message("%s: not the size of a disk, such as 64M%s%s", argument,
			err ? ": " : "", err ? size_why(argument) : "");
		return -EINVAL;
	}
	err = is_base ? 0 : ram_check_size(disk->size);
	if (err)
		return err;
	ram = calloc(1, sizeof(*ram));
	if (!ram)
		return message_fail(ENOMEM, "ram %s", argument);
	ram->size = disk->size;
	ram->page_shift = __builtin_ctzl(sysconf(_SC_PAGESIZE));
	if (is_base)
		ram->fd = ram_zeroes(device, ram->size);
	err = is_base ? ram->fd : ram_map(ram, device);
	if (err < 0) {
		message_fail(err, "ram %s", argument);
		ram_free(ram);
		return err;
	}
	ublk_device_register_file(device, ram->fd,
				  is_base ? "zeroes" : UBLK_DEVICE_MEMORY);
	disk->discard_granularity = 1u << ram->page_shift;
	disk->max_discard = 1u << 30;
	disk->max_write_zeroes = 1u << 30;
	ublk_device_set_data(device, ram);
	return 0;
}

/* Sets the bits of the pages that an earlier server has written. */
static void ram_find_written(struct ram *ram)
{
	uint64_t page = UINT64_C(1) << ram->page_shift;
	off_t at, end;

	for (at = lseek(ram->fd, 0, SEEK_DATA); at >= 0;
	     at = lseek(ram->fd, end, SEEK_DATA)) {
		end = lseek(ram->fd, at, SEEK_HOLE);
		if (end <= at)
			break;
		for (; at < end; at += page)
			bits_set(ram->written, at >> ram->page_shift);
	}
}

static void ram_close(struct ublk_device *device)
{
	ram_free(ublk_device_data(device));
}

static void ram_base(const struct ublk_device *device, struct ublk_base *base)
{
	const struct ram *ram = ublk_device_data(device);

	*base = (struct ublk_base){ .fd = ram->fd, .size = ram->size };
}

/* Returns how many of @length bytes at @offset are on its page. */
static uint32_t ram_on_page(const struct ram *ram, uint64_t offset,
			    uint32_t length)
{
	uint32_t page = 1u << ram->page_shift;
	uint32_t left = page - (offset & (page - 1));

	return length < left ? length : left;
}

static int ram_read(const struct ram *ram, const struct ublk_request *request)
{
	uint64_t offset = request->offset;
	uint32_t left = request->length;
	char *to = request->data;

	if (!ram->memory) {
		memset(to, 0, left);
		return left;
	}
	while (left) {
		uint32_t n = ram_on_page(ram, offset, left);

		if (bits_has(ram->written, offset >> ram->page_shift))
			memcpy(to, ram->memory + offset, n);
		else
			memset(to, 0, n);
		to += n;
		offset += n;
		left -= n;
	}
	return request->length;
}

static int ram_write(struct ram *ram, const struct ublk_request *request)
{
	uint64_t page = request->offset >> ram->page_shift;
	uint64_t last = (request->offset + request->length - 1) >>
			ram->page_shift;

	memcpy(ram->memory + request->offset, request->data, request->length);
	for (; page <= last; page++)
		bits_set(ram->written, page);
	return request->length;
}

/* Frees the pages that are completely in the range. */
static int ram_discard(struct ram *ram, uint64_t offset, uint32_t length)
{
	uint64_t page = UINT64_C(1) << ram->page_shift;
	uint64_t start = (offset + page - 1) & -page;
	uint64_t end = (offset + length) & -page;
	uint64_t at;

	/* The last page of the disk may be partial. */
	if (offset + length == ram->size)
		end = ram->size;
	if (start >= end)
		return 0;
	for (at = start; at < end; at += page)
		bits_clear(ram->written, at >> ram->page_shift);
	if (fallocate(ram->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      start, end - start))
		return -errno;
	return 0;
}

static int ram_write_zeroes(struct ram *ram, const struct ublk_request *request)
{
	uint64_t offset = request->offset;
	uint32_t left = request->length;

	while (left) {
		uint32_t n = ram_on_page(ram, offset, left);

		/* NOUNMAP: the page must be allocated afterwards. */
		if (request->flags & UBLK_IO_F_NOUNMAP)
			bits_set(ram->written, offset >> ram->page_shift);
		if (bits_has(ram->written, offset >> ram->page_shift) &&
		    (n < 1u << ram->page_shift ||
		     request->flags & UBLK_IO_F_NOUNMAP))
			memset(ram->memory + offset, 0, n);
		offset += n;
		left -= n;
	}
	if (request->flags & UBLK_IO_F_NOUNMAP)
		return 0;
	return ram_discard(ram, request->offset, request->length);
}

static int ram_submit(struct ublk_queue *queue, struct ublk_request *request)
{
	struct ram *ram = ublk_device_data(ublk_queue_device(queue));

	switch (request->op) {
	case UBLK_IO_OP_READ:
		return ram_read(ram, request);
	case UBLK_IO_OP_WRITE:
		return ram_write(ram, request);
	case UBLK_IO_OP_FLUSH:
		return 0;
	case UBLK_IO_OP_DISCARD:
		return ram_discard(ram, request->offset, request->length);
	case UBLK_IO_OP_WRITE_ZEROES:
		return ram_write_zeroes(ram, request);
	default:
		return -EOPNOTSUPP;
	}
}

static int ram_start(struct ublk_device *device)
{
	struct ram *ram = ublk_device_data(device);
	uint64_t pages = ((ram->size - 1) >> ram->page_shift) + 1;

	if (!ram->memory)
		return 0;
	ram->written = calloc(bits_words(pages), sizeof(*ram->written));
	if (!ram->written)
		return message_fail(ENOMEM, "ram");
	ram_find_written(ram);
	return 0;
}

const struct ublk_target target_ram = {
	.name = "ram",
	.argument = "SIZE",
	.summary = "serve a disk in memory",
	.manual = MANUAL("Memory is allocated as the disk is written, and freed when "
		  "blocks are discarded\n(fstrim, blkdiscard, mount -o "
		  "discard). The contents survive the server, so that\n`ublk "
		  "recover` finds them, and are lost when the device is "
		  "stopped.\n"
		  "\nWith --cow the disk starts as zeroes. It may be larger "
		  "than the machine's\nmemory.\n"),
	.system_calls = { SYS_fallocate },
	.open = ram_open,
	.start = ram_start,
	.close = ram_close,
	.submit = ram_submit,
	.base = ram_base,
};

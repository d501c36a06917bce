// SPDX-License-Identifier: GPL-2.0
/*
 * The file target: a regular file or a block device as a disk. Every request
 * becomes one operation on the queue's ring, which is continued if it transfers
 * less. For a file in memory (tmpfs, ramfs) the ring would pass each operation
 * to a thread, which takes longer than a small operation itself: the queue makes
 * its system call at once. No data is kept here between requests.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/target.h"
#include "lib/build.h"
#include "lib/gpt.h"
#include "lib/message.h"
#include "lib/storage.h"
#include "lib/whole-io.h"
#include "sources/uri.h"
#include "targets/backing.h"
#include "targets/file-settings.h"
#include "targets/nbd/nbd.h"

/*
 * Largest discards and zeroes, in bytes. The queue itself frees the pages of a
 * file in memory, and its other requests wait meanwhile: a few milliseconds.
 */
#define FREED_MAX (1u << 30)
#define FREED_MAX_IN_MEMORY (16u << 20)

/*
 * Largest READ or WRITE, in bytes, that the queue itself copies to or from a file
 * in memory. For a larger one waking a thread of io_uring is worth it, where there
 * is another processor: the queue goes on while the thread copies.
 */
#define COPIED_MAX (8u << 10)

#define FIELD(name) offsetof(struct file_settings, name)
const struct option_spec file_options[] = {
	{ "buffered", 0, OPTION_FLAG, FIELD(buffered), 0, 0, NULL,
	  "use the page cache even if direct I/O works" },
	{ "offset", 0, OPTION_SIZE, FIELD(offset), 0, 0, "SIZE",
	  "offset in the file where the disk begins (0)" },
	{ "size", 0, OPTION_SIZE, FIELD(size), 0, 0, "SIZE",
	  "size of the disk (the rest of the file)" },
	{ "timeout", 0, OPTION_NUMBER, FIELD(timeout), 1, 86400, "S",
	  "how long requests wait for an export (for ever)" },
	{ 0 }
};
#undef FIELD

struct file {
	int fd;
	int index;		/* among the registered files */
	bool inherited;		/* from an earlier program: already claimed */
	bool block_device;
	bool discard_only;	/* a block device without write zeroes */
	bool in_memory;		/* the file, and all of its data */
	bool at_once;		/* requests need no ring */
	uint32_t copied_max;	/* except larger READs and WRITEs, in bytes */
	uint64_t offset;	/* where the disk begins in the file */
	uint64_t size;
	char *path;		/* absolute */
};

/* A request in flight, and how many of its bytes are done. */
struct file_request {
	struct ublk_completion completion;
	struct ublk_request *request;
	uint32_t done;
};

static void file_find_discard(struct file *file, const struct stat *st,
			      uint64_t total, struct ublk_disk *disk)
{
	const uint32_t most = file->in_memory ? FREED_MAX_IN_MEMORY : FREED_MAX;

	/*
	 * The device discards whole blocks, and the disk's are not aligned to
	 * them.
	 */
	if (file->block_device && file->offset % disk->logical_block)
		return;
	if (backing_punches(file->fd, st, total)) {
		disk->discard_granularity = file->block_device ?
			disk->logical_block : (uint32_t)st->st_blksize;
	} else if (file->block_device &&
		   backing_limit(st->st_rdev, "discard_max_bytes")) {
		file->discard_only = true;
		disk->discard_granularity =
			backing_limit(st->st_rdev, "discard_granularity");
	} else {
		return;
	}
	if (disk->discard_granularity < disk->logical_block)
		disk->discard_granularity = disk->logical_block;
	disk->max_discard = most;
	if (!file->discard_only)
		disk->max_write_zeroes = most;
}

/* Sets the block sizes. Returns the size of the file in bytes, or -errno. */
static int64_t file_measure(struct file *file, const struct stat *st,
			    struct ublk_disk *disk)
{
	unsigned int physical;
	uint64_t total;
	int err = storage_size(file->fd, &total);
	int logical;

	if (err)
		return err;
	if (!file->block_device) {
		disk->physical_block = st->st_blksize < 4096 ? 512 : 4096;
		return total;
	}
	if (ioctl(file->fd, BLKSSZGET, &logical) ||
	    ioctl(file->fd, BLKPBSZGET, &physical))
		return -errno;
	disk->logical_block = logical;
	disk->physical_block = physical;
	return total;
}

/* Finds out which part of the @total bytes is the disk. */
static int file_set_range(struct file *file, uint64_t total,
			  const struct file_settings *settings,
			  struct ublk_disk *disk)
{
	uint64_t left, extra;

	if (!total) {
		message("%s: is empty, or tells no size, as files of /proc do",
			file->path);
		return -EINVAL;
	}
	if (settings->offset >= total ||
	    settings->size > total - settings->offset) {
		message("%s: has %llu bytes; --offset or --size reach beyond",
			file->path, (unsigned long long)total);
		return -EINVAL;
	}
	left = settings->size ? settings->size : total - settings->offset;
	extra = left % disk->logical_block;
	if (left == extra) {
		message("%s: not one block of %u bytes", file->path,
			disk->logical_block);
		return -EINVAL;
	}
	if (extra)
		message("%s: the last %u bytes do not fill a block of %u and "
			"are left out", file->path, (unsigned int)extra,
			disk->logical_block);
	file->offset = settings->offset;
	file->size = left - extra;
	disk->size = file->size;
	return 0;
}

/*
 * A partition table is valid for one logical block size only. The disk gets the
 * one that its table was made for, or the kernel would not find the partitions.
 */
static void file_find_block(const struct file *file, uint64_t offset,
			    struct ublk_disk *disk)
{
	uint8_t start[GPT_LOOK];
	uint32_t block;

	if (whole_pread(file->fd, start, sizeof(start), offset))
		return;
	block = gpt_block_size(start);
	if (block > disk->logical_block)
		disk->logical_block = block;
}

/*
 * Turns on direct I/O if the file supports it for the disk's block size. The
 * disk of a regular file has blocks of 512 bytes unless the user asks for
 * others, whatever the storage below needs: the contents of the disk may depend
 * on the size of its blocks.
 *
 * For a block device, no request is larger than the device's own limit. The
 * ring would pass a request that must be split to a worker thread, which is
 * slower.
 */
static void file_try_direct(const struct file *file, const struct stat *st,
			    uint64_t asked, struct ublk_disk *disk)
{
	bool direct = backing_try_direct(file->fd, file->offset,
					 asked > disk->logical_block ?
					 asked : disk->logical_block);

	if (direct && file->block_device)
		disk->max_transfer =
			backing_limit(st->st_rdev, "max_sectors_kb") << 10;
}

/* Whether the storage device moves the data; on a tmpfs, the CPU does. */
static bool file_is_direct(const struct file *file)
{
	return fcntl(file->fd, F_GETFL) & O_DIRECT && !file->in_memory;
}

/*
 * Finds out whether the file can transfer the pages of a request without a
 * copy, and how they must be aligned. The segments of a request are multiples
 * of 512 bytes. A program may change a page while it is written; storage that
 * computes a checksum or parity of the data needs a copy, which stays as it is.
 */
static void file_find_zero_copy(const struct file *file, const struct stat *st,
				struct ublk_disk *disk)
{
	dev_t dev = file->block_device ? st->st_rdev : st->st_dev;
	uint64_t mask;

	if (!(fcntl(file->fd, F_GETFL) & O_DIRECT)) {
		disk->zero_copy = true;
		return;
	}
	mask = backing_limit(dev, "dma_alignment");
	disk->zero_copy = disk->logical_block == 512 && mask < 512 &&
			  !backing_limit(dev, "stable_writes");
	/* 0 may mean that it is unknown; 512 is what a disk needs by default. */
	disk->memory_alignment = mask ? mask + 1 : 512;
}

static int file_setup(struct ublk_device *device, struct file *file,
		      const char *path, const struct file_settings *settings,
		      struct ublk_disk *disk)
{
	struct stat st;
	int64_t total;
	int err;

	err = backing_examine(file->fd, path, &st, &disk->read_only);
	if (err)
		return err;
	file->block_device = S_ISBLK(st.st_mode);
	file->in_memory = backing_in_memory(file->fd);
	/*
	 * An inherited file may have lost its path, like that of a root
	 * filesystem.
	 */
	file->path = file->inherited ? strdup(path) : realpath(path, NULL);
	if (!file->path)
		return message_fail(errno, "%s", path);
	/* An impossible range is refused later, by file_set_range(). */
	err = file->inherited ? 0 :
	      backing_claim(&file->fd, path, &st,
			    &(struct backing_use){
				.read_only = disk->read_only,
				.offset = settings->offset,
				.size = settings->size,
			    }, ublk_device_resumed(device));
	if (err)
		return err;
	total = file_measure(file, &st, disk);
	if (total < 0)
		return message_fail(total, "%s", path);
	if (!ublk_device_block_size(device))
		file_find_block(file, settings->offset, disk);
	err = file_set_range(file, total, settings, disk);
	if (err)
		return err;
	if (!settings->buffered)
		file_try_direct(file, &st, ublk_device_block_size(device), disk);
	if (!disk->read_only)
		file_find_discard(file, &st, total, disk);
	disk->flush = true;
	disk->fua = true;
	disk->direct = file_is_direct(file);
	file_find_zero_copy(file, &st, disk);
	disk->copies = file->in_memory;
	return 0;
}

static void file_free(struct file *file)
{
	close(file->fd);
	free(file->path);
	free(file);
}

/*
 * Whether @path is a URI of NBD, whose export is served instead. Other URIs are
 * refused as files.
 */
static bool file_is_export(const struct ublk_device *device, const char *path)
{
	struct uri uri;

	return WITH_NETWORK && !ublk_device_is_base(device) &&
	       uri_is_one(path) && !uri_parse(&uri, path) &&
	       uri.kind != URI_HTTP;
}

static int file_open(struct ublk_device *device, const char *path,
		     const void *settings, struct ublk_disk *disk)
{
	struct file *file;
	int err;

	if (file_is_export(device, path))
		return ublk_device_open_instead(device, &nbd_target, path,
						settings, disk);
	if (((const struct file_settings *)settings)->timeout) {
		message("--timeout is for an export of a server");
		return -EINVAL;
	}
	file = calloc(1, sizeof(*file));
	if (!file)
		return message_fail(ENOMEM, "%s", path);
	if (!strcmp(path, "-")) {
		free(file);
		return backing_refuse_standard_input();
	}
	disk->read_only = ublk_device_read_only(device);
	file->fd = ublk_device_inherited_file(device, "file");
	file->inherited = file->fd >= 0;
	if (!file->inherited)
		file->fd = backing_open(path, &disk->read_only);
	if (file->fd < 0) {
		err = file->fd;
		free(file);
		return err;
	}
	err = file_setup(device, file, path, settings, disk);
	if (!err)
		err = ublk_device_identify(device, "file", path, file->fd, NULL);
	if (err) {
		file_free(file);
		return err;
	}
	file->index = ublk_device_register_file(device, file->fd, "file");
	ublk_device_set_argument(device, file->path);
	ublk_device_set_data(device, file);
	return 0;
}

static int file_start(struct ublk_device *device)
{
	struct file *file = ublk_device_data(device);

	file->at_once = file->in_memory && !ublk_device_lends(device);
	file->copied_max = ublk_device_cpus(device) > 1 ? COPIED_MAX : UINT32_MAX;
	return 0;
}

static void file_close(struct ublk_device *device)
{
	file_free(ublk_device_data(device));
}

static void file_base(const struct ublk_device *device, struct ublk_base *base)
{
	const struct file *file = ublk_device_data(device);

	*base = (struct ublk_base){
		.path = file->path,
		.fd = file->fd,
		.offset = file->offset,
		.size = file->size,
	};
}

/*
 * If a device was removed or has shrunk, the kernel returns ENOSPC for a WRITE
 * beyond its end, and EINVAL for others. To the user of the disk, both are I/O
 * errors.
 */
static int file_result(const struct file *file,
		       const struct ublk_request *request, int result)
{
	uint64_t end = file->offset + request->offset + request->length;
	uint64_t size;

	if (result < 0 && file->block_device &&
	    !ioctl(file->fd, BLKGETSIZE64, &size) && size < end)
		return -EIO;
	return result;
}

static void file_answer(struct ublk_queue *queue,
			const struct file_request *state, int result)
{
	const struct file *file = ublk_device_data(ublk_queue_device(queue));

	ublk_request_done(queue, state->request,
			  file_result(file, state->request, result));
}

/* Submits the rest of a READ or WRITE. */
static void file_transfer(struct ublk_queue *queue, struct file_request *state)
{
	const struct file *file = ublk_device_data(ublk_queue_device(queue));
	const struct ublk_request *request = state->request;
	bool write = request->op == UBLK_IO_OP_WRITE;
	struct io_uring_sqe *sqe = ublk_queue_sqe(queue, &state->completion);

	ublk_queue_transfer(queue, sqe, write, (char *)request->data + state->done,
			    request->length - state->done);
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = file->index;
	sqe->off = file->offset + request->offset + state->done;
	if (write && request->flags & UBLK_IO_F_FUA)
		sqe->rw_flags = RWF_DSYNC;
}

static void file_transferred(struct ublk_queue *queue,
			     struct ublk_completion *self, int result)
{
	struct file_request *state = (struct file_request *)self;

	if (result > 0)
		state->done += result;
	if (state->done == state->request->length)
		result = state->done;
	else if (result > 0 || result == -EAGAIN || result == -EINTR)
		return file_transfer(queue, state);
	else if (!result)
		result = -EIO;	/* the file has shrunk */
	file_answer(queue, state, result);
}

static void file_finished(struct ublk_queue *queue,
			  struct ublk_completion *self, int result)
{
	file_answer(queue, (struct file_request *)self, result);
}

static int file_flush(struct ublk_queue *queue, struct file_request *state)
{
	const struct file *file = ublk_device_data(ublk_queue_device(queue));
	struct io_uring_sqe *sqe = ublk_queue_sqe(queue, &state->completion);

	state->completion.done = file_finished;
	sqe->opcode = IORING_OP_FSYNC;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = file->index;
	sqe->fsync_flags = IORING_FSYNC_DATASYNC;
	return UBLK_LATER;
}

static void file_fallocate(struct ublk_queue *queue, struct file_request *state,
			   int mode)
{
	const struct file *file = ublk_device_data(ublk_queue_device(queue));
	struct io_uring_sqe *sqe = ublk_queue_sqe(queue, &state->completion);

	sqe->opcode = IORING_OP_FALLOCATE;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = file->index;
	sqe->off = file->offset + state->request->offset;
	sqe->addr = state->request->length;	/* fallocate: the length */
	sqe->len = mode | FALLOC_FL_KEEP_SIZE;
}

/*
 * Some filesystems (tmpfs) cannot zero a range in place. A hole reads the same.
 */
static void file_zeroed(struct ublk_queue *queue, struct ublk_completion *self,
			int result)
{
	struct file_request *state = (struct file_request *)self;

	if (result != -EOPNOTSUPP)
		return file_answer(queue, state, result);
	self->done = file_finished;
	file_fallocate(queue, state, FALLOC_FL_PUNCH_HOLE);
}

static int file_discard(struct ublk_queue *queue, struct file_request *state)
{
	const struct file *file = ublk_device_data(ublk_queue_device(queue));
	uint64_t range[2] = {
		file->offset + state->request->offset, state->request->length
	};

	/* io_uring can discard only since Linux 6.12. */
	if (file->discard_only)
		return file_result(file, state->request,
				   ioctl(file->fd, BLKDISCARD, range) ?
					   -errno : 0);
	state->completion.done = file_finished;
	file_fallocate(queue, state, FALLOC_FL_PUNCH_HOLE);
	return UBLK_LATER;
}

static int file_write_zeroes(struct ublk_queue *queue,
			     struct file_request *state)
{
	if (state->request->flags & UBLK_IO_F_NOUNMAP) {
		state->completion.done = file_zeroed;
		file_fallocate(queue, state, FALLOC_FL_ZERO_RANGE);
	} else {
		state->completion.done = file_finished;
		file_fallocate(queue, state, FALLOC_FL_PUNCH_HOLE);
	}
	return UBLK_LATER;
}

/* Frees the range, or with NOUNMAP keeps it allocated where that is possible. */
static int file_free_range(const struct file *file,
			   const struct ublk_request *request)
{
	bool keep = request->op == UBLK_IO_OP_WRITE_ZEROES &&
		    request->flags & UBLK_IO_F_NOUNMAP;
	int mode = keep ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE;

	while (fallocate(file->fd, mode | FALLOC_FL_KEEP_SIZE,
			 file->offset + request->offset, request->length)) {
		if (errno == EOPNOTSUPP && mode == FALLOC_FL_ZERO_RANGE)
			mode = FALLOC_FL_PUNCH_HOLE;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/*
 * Does a request to a file in memory, without the ring. Nothing has to be waited
 * for but the memory of a page: one that is written for the first time, or that
 * the kernel has swapped out. A file that was truncated is no danger, because
 * nothing of it is mapped.
 */
static int file_do(const struct file *file, const struct ublk_request *request)
{
	const uint64_t offset = file->offset + request->offset;
	int err;

	switch (request->op) {
	case UBLK_IO_OP_READ:
		err = whole_pread(file->fd, request->data, request->length,
				  offset);
		if (err == -ENODATA)	/* the file has shrunk */
			err = -EIO;
		return err ? err : (int)request->length;
	case UBLK_IO_OP_WRITE:
		err = whole_pwrite(file->fd, request->data, request->length,
				   offset);
		if (!err && request->flags & UBLK_IO_F_FUA)
			err = whole_sync(file->fd);
		return err ? err : (int)request->length;
	case UBLK_IO_OP_FLUSH:
		return whole_sync(file->fd);
	case UBLK_IO_OP_DISCARD:
	case UBLK_IO_OP_WRITE_ZEROES:
		return file_free_range(file, request);
	default:
		return -EOPNOTSUPP;
	}
}

/* Whether the queue does a request itself. */
static bool file_does(const struct file *file,
		      const struct ublk_request *request)
{
	if (request->op == UBLK_IO_OP_READ || request->op == UBLK_IO_OP_WRITE)
		return file->at_once && request->length <= file->copied_max;
	return file->at_once;
}

static int file_submit(struct ublk_queue *queue, struct ublk_request *request)
{
	const struct file *file = ublk_device_data(ublk_queue_device(queue));
	struct file_request *state = request->state;

	if (file_does(file, request))
		return file_do(file, request);
	state->request = request;
	state->done = 0;
	switch (request->op) {
	case UBLK_IO_OP_READ:
	case UBLK_IO_OP_WRITE:
		state->completion.done = file_transferred;
		file_transfer(queue, state);
		return UBLK_LATER;
	case UBLK_IO_OP_FLUSH:
		return file_flush(queue, state);
	case UBLK_IO_OP_DISCARD:
		return file_discard(queue, state);
	case UBLK_IO_OP_WRITE_ZEROES:
		return file_write_zeroes(queue, state);
	default:
		return -EOPNOTSUPP;
	}
}

const struct ublk_target target_file = {
	.name = "file",
	.argument = "PATH",
	.summary = "serve a regular file or a block device",
	.manual = MANUAL("Uses direct I/O if PATH supports it for the logical blocks of "
		  "the disk, and the\npage cache otherwise. FLUSH and FUA "
		  "reach stable storage. A discard punches a\nhole in a file, "
		  "or is passed on to a device.\n"
		  "\nIf PATH cannot be written, the disk is read-only. A file "
		  "that another server\nwrites, or a block device that is "
		  "mounted, is refused.\n"
		  "\nPATH may be an export of a server of NBD: "
		  "nbd://HOST[:PORT]/EXPORT or\n"
		  "nbd+unix:///EXPORT?socket=PATH. While the server is away, "
		  "requests wait.\n"),
	.options = file_options,
	.settings_size = sizeof(struct file_settings),
	.request_size = sizeof(struct file_request),
	.system_calls = {
		SYS_ioctl, SYS_pread64, SYS_pwrite64, SYS_fallocate, SYS_fsync
	},
	.frees_memory = true,
	.open = file_open,
	.start = file_start,
	.close = file_close,
	.submit = file_submit,
	.base = file_base,
};

// SPDX-License-Identifier: GPL-2.0
/*
 * I/O that is in flight when the last reference is dropped, and pages that are
 * dirty then. Data contains its round, so that a lost write shows.
 */
#include "tests/driver/lastclose.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int open_path(const char *path, int flags)
{
	step("open");
	return must(open(path, flags | O_CLOEXEC, 0600), path);
}

void fill(void *data, unsigned long number)
{
	uint64_t *word = data;
	size_t i;

	for (i = 0; i < DIRTY_BYTES / sizeof(*word); i++)
		word[i] = ((uint64_t)number << 32) + i;
}

static void *dirty_buffer(void)
{
	static void *buffer;

	if (!buffer && posix_memalign(&buffer, 4096, DIRTY_BYTES))
		die(ENOMEM, "buffer");
	return buffer;
}

void dirty(int fd, unsigned long number)
{
	fill(dirty_buffer(), number);
	step("write into the page cache");
	if (must(pwrite(fd, dirty_buffer(), DIRTY_BYTES, DIRTY_AT),
		 "write") != DIRTY_BYTES)
		die(0, "short write");
}

void check(const char *path, unsigned long number)
{
	int fd = open_path(path, O_RDWR);
	void *wanted, *got = dirty_buffer();

	step("fsync");
	must(fsync(fd), "fsync");
	close(fd);
	fd = open_path(path, O_RDONLY | O_DIRECT);
	wanted = malloc(DIRTY_BYTES);
	if (!wanted)
		die(ENOMEM, "buffer");
	fill(wanted, number);
	step("read what was written");
	if (must(pread(fd, got, DIRTY_BYTES, DIRTY_AT), "read") != DIRTY_BYTES)
		die(0, "short read");
	if (memcmp(got, wanted, DIRTY_BYTES))
		die(0, "not what was written last");
	free(wanted);
	close(fd);
}

void *read_buffer(void)
{
	static void *buffer;

	if (!buffer && posix_memalign(&buffer, 4096, READS * READ_BYTES))
		die(ENOMEM, "buffer");
	return buffer;
}

void aio_read(struct aio *aio, int fd)
{
	struct iocb iocb[READS], *list[READS];
	int i;

	*aio = (struct aio){};
	must(syscall(SYS_io_setup, READS, &aio->ctx), "io_setup");
	for (i = 0; i < READS; i++) {
		iocb[i] = (struct iocb){
			.aio_lio_opcode = IOCB_CMD_PREAD,
			.aio_fildes = fd,
			.aio_buf = (uintptr_t)read_buffer() + i * READ_BYTES,
			.aio_nbytes = READ_BYTES,
			.aio_offset = READ_AT + i * READ_BYTES,
		};
		list[i] = &iocb[i];
	}
	step("io_submit");
	if (must(syscall(SYS_io_submit, aio->ctx, READS, list),
		 "io_submit") != READS)
		die(0, "not all submitted");
}

/* Handles completions, at least @least of them. */
static void aio_reap(struct aio *aio, unsigned int least)
{
	struct io_event event[READS];
	struct timespec now = {};
	long got, i;

	got = must(syscall(SYS_io_getevents, aio->ctx, least, READS, event,
			   least ? NULL : &now), "io_getevents");
	for (i = 0; i < got; i++)
		if (event[i].res != READ_BYTES)
			die(event[i].res < 0 ? -event[i].res : 0, "AIO read");
	aio->ended += got;
}

void aio_in_flight(struct aio *aio)
{
	aio_reap(aio, 0);
	if (aio->ended < READS)
		atomic_fetch_add(&progress->in_flight, 1);
}

void aio_end(struct aio *aio)
{
	step("io_getevents");
	while (aio->ended < READS)
		aio_reap(aio, READS - aio->ended);
	step("io_destroy");
	must(syscall(SYS_io_destroy, aio->ctx), "io_destroy");
}

void uring_read(struct io_uring *ring, int fd, bool registered)
{
	struct io_uring_sqe *sqe;
	int i, err = io_uring_queue_init(READS, ring, 0);

	if (!err && registered)
		err = io_uring_register_files(ring, &fd, 1);
	if (err)
		die(-err, "io_uring");
	for (i = 0; i < READS; i++) {
		sqe = io_uring_get_sqe(ring);
		io_uring_prep_read(sqe, registered ? 0 : fd,
				   (char *)read_buffer() + i * READ_BYTES,
				   READ_BYTES, READ_AT + i * READ_BYTES);
		if (registered)
			sqe->flags |= IOSQE_FIXED_FILE;
	}
	step("io_uring_submit");
	if (io_uring_submit(ring) != READS)
		die(0, "not all submitted");
}

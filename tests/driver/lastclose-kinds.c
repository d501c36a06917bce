// SPDX-License-Identifier: GPL-2.0
/*
 * The ways in which the last reference to a file, a mount or a disk can be
 * dropped while requests are in flight and pages are dirty. The release then
 * waits for the disk, so it must not run in the server.
 */
#include "tests/driver/lastclose.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void close_it(int fd)
{
	step("close");
	close(fd);
}

static pthread_t thread(void *(*function)(void *), void *arg)
{
	pthread_t id;
	int err = pthread_create(&id, NULL, function, arg);

	if (err)
		die(err, "thread");
	return id;
}

/* Reads, and closes @fd and a file with dirty pages, in both orders. */
static void aio_and_close(int fd, int cached, unsigned long number)
{
	struct aio aio;

	if (number % 2)
		close_it(cached);
	aio_read(&aio, fd);
	close_it(fd);
	if (number % 2 == 0)
		close_it(cached);
	aio_in_flight(&aio);
	aio_end(&aio);
}

static void round_aio(unsigned long number)
{
	int cached = open_path(node, O_RDWR);

	dirty(cached, number);
	aio_and_close(open_path(node, O_RDWR | O_DIRECT), cached, number);
}

/* Two threads close at the same time. */
static void *close_in_thread(void *fd)
{
	close((intptr_t)fd);
	return NULL;
}

static void round_threads(unsigned long number)
{
	int cached = open_path(node, O_RDWR), fd;
	pthread_t other;
	struct aio aio;

	dirty(cached, number);
	fd = open_path(node, O_RDWR | O_DIRECT);
	aio_read(&aio, fd);
	other = thread(close_in_thread, (void *)(intptr_t)cached);
	close_it(fd);
	aio_in_flight(&aio);
	pthread_join(other, NULL);
	aio_end(&aio);
}

static void uring_in_flight(struct io_uring *ring)
{
	if (io_uring_cq_ready(ring) < READS)
		atomic_fetch_add(&progress->in_flight, 1);
}

/* In turn: waits for the results, or closes the ring before them. */
static void round_uring(unsigned long number)
{
	int cached = open_path(node, O_RDWR), fd;
	struct io_uring_cqe *cqe;
	struct io_uring ring;

	dirty(cached, number);
	fd = open_path(node, O_RDWR | O_DIRECT);
	close_it(cached);
	uring_read(&ring, fd, number % 3 == 2);
	close_it(fd);
	uring_in_flight(&ring);
	if (number % 3 == 0) {
		step("io_uring_wait");
		must(io_uring_wait_cqe_nr(&ring, &cqe, READS), "io_uring_wait");
	}
	step("io_uring_queue_exit");
	io_uring_queue_exit(&ring);
}

struct transfer {
	int from, to;
	atomic_bool begun;
};

/*
 * On a busy board the descriptor may be closed before the call has got the file.
 * Then nothing is in flight, and that is no fault of the disk.
 */
static void transferred(ssize_t result, const char *call)
{
	if (result >= 0 || errno != EBADF)
		must(result, call);
}

static void *send_file(void *arg)
{
	struct transfer *transfer = arg;
	off_t at = READ_AT;

	transfer->begun = true;
	transferred(sendfile(transfer->to, transfer->from, &at,
			     READS * READ_BYTES), "sendfile");
	return NULL;
}

static void *splice_file(void *arg)
{
	struct transfer *transfer = arg;
	off_t at = READ_AT;

	transfer->begun = true;
	transferred(splice(transfer->from, &at, transfer->to, NULL,
			   READS * READ_BYTES, 0), "splice");
	return NULL;
}

/* To a pipe and to a file, from the page cache and with direct I/O. */
static void round_splice(unsigned long number)
{
	int direct = number % 2 ? O_DIRECT : 0;
	int cached = open_path(node, O_RDWR), pipes[2];
	bool piped = number / 2 % 2;
	struct transfer transfer = {};
	pthread_t other;

	dirty(cached, number);
	must(pipe(pipes), "pipe");
	must(fcntl(pipes[1], F_SETPIPE_SZ, READS * READ_BYTES), "pipe");
	transfer.from = open_path(node, O_RDONLY | direct);
	transfer.to = piped ? pipes[1] : memfd_create("to", MFD_CLOEXEC);
	must(transfer.to, "memfd");
	close_it(cached);
	other = thread(piped ? splice_file : send_file, &transfer);
	while (!transfer.begun)
		sched_yield();
	/* Most calls get the file before the descriptor is closed. */
	usleep(100);
	close_it(transfer.from);
	if (pthread_tryjoin_np(other, NULL)) {
		atomic_fetch_add(&progress->in_flight, 1);
		step("wait for the transfer");
		pthread_join(other, NULL);
	}
	if (!piped)
		close(transfer.to);
	close(pipes[0]);
	close(pipes[1]);
}

static void *read_in_thread(void *arg)
{
	int fd = (intptr_t)arg;

	for (;;)
		if (pread(fd, read_buffer(), READS * READ_BYTES, READ_AT) < 0)
			return NULL;
}

/* A process that exits or is killed with I/O in flight. */
static void __attribute__((noreturn)) end_of_process(unsigned long number)
{
	int cached = open_path(node, O_RDWR), fd;
	struct io_uring ring;
	struct aio aio;

	read_buffer();
	dirty(cached, number);
	fd = open_path(node, O_RDWR | O_DIRECT);
	if (number / 6 % 2)
		close_it(cached);
	switch (number % 3) {
	case 0:
		aio_read(&aio, fd);
		close(fd);
		aio_in_flight(&aio);
		break;
	case 1:
		uring_read(&ring, fd, number % 2);
		close(fd);
		uring_in_flight(&ring);
		break;
	default:
		thread(read_in_thread, (void *)(intptr_t)fd);
		usleep(number % 7 * 500);
		atomic_fetch_add(&progress->in_flight, 1);
	}
	if (number / 3 % 2)
		kill(getpid(), SIGKILL);
	_exit(0);
}

static void round_exit(unsigned long number)
{
	pid_t pid = must(fork(), "fork");
	int status;

	if (!pid)
		end_of_process(number);
	step("wait for the process");
	must(waitpid(pid, &status, 0), "waitpid");
	if (WIFEXITED(status) && WEXITSTATUS(status))
		die(0, "the process failed");
}

/* The mapping is the last reference to the file with dirty pages. */
static void round_mmap(unsigned long number)
{
	int cached = open_path(node, O_RDWR), fd;
	struct aio aio;
	void *map;

	map = mmap(NULL, DIRTY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		   cached, DIRTY_AT);
	if (map == MAP_FAILED)
		die(errno, "mmap");
	close_it(cached);
	step("write into the mapping");
	fill(map, number);
	fd = open_path(node, O_RDWR | O_DIRECT);
	if (number % 2)
		must(munmap(map, DIRTY_BYTES), "munmap");
	aio_read(&aio, fd);
	close_it(fd);
	step("munmap");
	if (number % 2 == 0)
		must(munmap(map, DIRTY_BYTES), "munmap");
	aio_in_flight(&aio);
	aio_end(&aio);
}

static void *scan(void *arg)
{
	int fd = open_path(node, O_RDONLY);

	(void)arg;
	if (ioctl(fd, BLKRRPART) && errno != EBUSY)
		die(errno, "BLKRRPART");
	close(fd);
	return NULL;
}

static void *open_again(void *arg)
{
	(void)arg;
	close(open_path(node, O_RDWR));
	return NULL;
}

/* Another thread has the disk's mutex, and waits for I/O itself. */
static void round_scan(unsigned long number)
{
	int cached = open_path(node, O_RDWR);
	pthread_t other;

	dirty(cached, number);
	other = thread(number % 4 < 2 ? scan : open_again, NULL);
	aio_and_close(open_path(node, O_RDWR | O_DIRECT), cached, number);
	step("wait for the scan");
	pthread_join(other, NULL);
}

static const char *in_folder(const char *name)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

/* A small image of the disk, fully allocated. */
static void image(const char *name)
{
	int fd = open_path(in_folder(name), O_RDWR | O_CREAT);

	step("make a file");
	must(ftruncate(fd, IMAGE_BYTES), "ftruncate");
	if (must(pwrite(fd, read_buffer(), READS * READ_BYTES, READ_AT),
		 "write") != READS * READ_BYTES)
		die(0, "short write");
	must(fsync(fd), "fsync");
	close(fd);
}

/*
 * The file is freed by its last close, which waits for the writeback of its
 * pages. That starts after the reads, so that it is in flight when they end.
 */
static void round_file(unsigned long number)
{
	int cached = open_path(in_folder("kept"), O_RDWR | O_CREAT), fd, pages;
	struct aio aio;

	image("unlinked");
	pages = open_path(in_folder("unlinked"), O_RDWR);
	fd = open_path(in_folder("unlinked"), O_RDWR | O_DIRECT);
	step("unlink");
	must(unlink(in_folder("unlinked")), "unlink");
	dirty(cached, number);
	dirty(pages, number);
	close_it(cached);
	aio_read(&aio, fd);
	step("sync_file_range");
	must(sync_file_range(pages, DIRTY_AT, DIRTY_BYTES,
			     SYNC_FILE_RANGE_WRITE), "sync_file_range");
	close_it(pages);
	close_it(fd);
	aio_in_flight(&aio);
	aio_end(&aio);
}

/* The mount is gone, except for the reads. Then nobody has the disk open. */
static void mount_it(void)
{
	step("mount");
	while (mount(node, folder, "ext4", 0, "")) {
		if (errno != EBUSY)
			die(errno, "mount");
		usleep(1000);
	}
}

static void round_umount(unsigned long number)
{
	struct aio aio;
	int cached, fd;

	mount_it();
	if (number)
		check(in_folder("kept"), number - 1);
	else
		image("kept");
	cached = open_path(in_folder("kept"), O_RDWR);
	fd = open_path(in_folder("kept"), O_RDWR | O_DIRECT);
	dirty(cached, number);
	close_it(cached);
	aio_read(&aio, fd);
	must(umount2(folder, MNT_DETACH), "umount");
	close_it(fd);
	aio_in_flight(&aio);
	aio_end(&aio);
}

/* Binds an autoclear loop device, and opens it. */
static int bind_loop(const char *path, int *number)
{
	struct loop_config config = {
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO,
	};
	int control = open_path("/dev/loop-control", O_RDWR), fd;
	char name[32];

	config.fd = open_path(path, O_RDWR);
	for (;;) {
		*number = must(ioctl(control, LOOP_CTL_GET_FREE), "free loop");
		snprintf(name, sizeof(name), "/dev/loop%d", *number);
		fd = open_path(name, O_RDWR);
		step("LOOP_CONFIGURE");
		if (!ioctl(fd, LOOP_CONFIGURE, &config))
			break;
		if (errno != EBUSY)
			die(errno, "LOOP_CONFIGURE");
		close(fd);
		usleep(1000);
	}
	close(config.fd);
	close(control);
	return fd;
}

static void loop_over(const char *path, unsigned long number)
{
	int loop, cached = bind_loop(path, &loop), fd;
	char name[64];

	snprintf(name, sizeof(name), "/dev/loop%d", loop);
	fd = open_path(name, O_RDWR | O_DIRECT);
	dirty(cached, number);
	aio_and_close(fd, cached, number);
	/*
	 * The next one must not write before everything of this one is written.
	 */
	snprintf(name, sizeof(name), "/sys/block/loop%d/loop", loop);
	step("wait until the loop device is free");
	while (!access(name, F_OK))
		usleep(500);
}

static void round_loop(unsigned long number)
{
	loop_over(node, number);
}

static void round_loop_file(unsigned long number)
{
	if (!number)
		image("kept");
	loop_over(in_folder("kept"), number);
}

const struct kind kinds[] = {
	{ "aio", false, NULL, round_aio },
	{ "threads", false, NULL, round_threads },
	{ "uring", false, NULL, round_uring },
	{ "splice", false, NULL, round_splice },
	{ "exit", false, NULL, round_exit },
	{ "mmap", false, NULL, round_mmap },
	{ "scan", false, NULL, round_scan },
	{ "loop", false, NULL, round_loop },
	{ "file", true, "kept", round_file },
	{ "umount", false, "kept", round_umount },
	{ "loop-file", true, "kept", round_loop_file },
	{}
};

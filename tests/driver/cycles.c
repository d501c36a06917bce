// SPDX-License-Identifier: GPL-2.0
/*
 * Disks that are created, written and deleted, one after the other, with the
 * time of every step. The server is a thread that serves from memory over the
 * raw interface, so that slowness is that of the driver or the block layer.
 */
#include "tests/driver/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
"Usage: cycles COUNT [MILLISECONDS]\n"
"\n"
"Adds a disk, writes it, reads it back, stops and deletes it; COUNT times. Every\n"
"fourth cycle ends with the end of the server, and every second leaves dirty pages\n"
"to the last close. Prints the longest wait of each step.\n"
"\n"
"Exit status: 0; 1 a step failed, data is wrong, or a step took longer than\n"
"MILLISECONDS; 2 wrong usage.\n";

#define DISK_BYTES	(1UL << 20)
#define DEPTH		4
#define MAX_IO		(64UL << 10)

enum step { ADD, PARAMS, OPEN, FETCH, START, WRITE, CLOSE, READ, STOP, SERVER,
	    DELETE, STEPS };

static const char *const step_names[STEPS] = {
	"add", "set parameters", "open the node", "fetch", "start", "write",
	"close", "read", "stop", "end of the server", "delete",
};

static struct {
	unsigned long longest;	/* us */
	unsigned long cycle;
} waits[STEPS];

static unsigned long cycle;
static unsigned long began;

/* The C library that programs get prints no floating point. */
static unsigned long clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000UL + now.tv_nsec / 1000;
}

/* Records how long @step took. Ends the program if @result is -errno. */
static int ended(enum step step, int result)
{
	unsigned long now = clock_us();

	if (result < 0) {
		printf("cycle %lu: %s: %s\n", cycle, step_names[step],
		       strerror(-result));
		fflush(stdout);
		_exit(1);
	}
	if (now - began > waits[step].longest) {
		waits[step].longest = now - began;
		waits[step].cycle = cycle;
	}
	began = clock_us();
	return result;
}

/* The result of a system call, in the form that raw.h returns. */
static int or_errno(long result)
{
	return result < 0 ? -errno : 0;
}

struct server {
	struct raw_ctrl *ctrl;
	struct raw_queue queue;
	int cdev;
	bool dies;		/* by itself, when all is written and read */
	atomic_bool served;
	pthread_t thread;
	char disk[DISK_BYTES];
};

static void answer(struct server *server, unsigned int tag)
{
	struct raw_queue *queue = &server->queue;
	const struct ublksrv_io_desc *desc = &queue->desc[tag];
	size_t bytes = (size_t)desc->nr_sectors << 9;
	char *at = server->disk + (desc->start_sector << 9);

	switch (ublksrv_get_op(desc)) {
	case UBLK_IO_OP_READ:
		memcpy(raw_data(queue, tag), at, bytes);
		break;
	case UBLK_IO_OP_WRITE:
		memcpy(at, raw_data(queue, tag), bytes);
		break;
	default:
		bytes = 0;
		break;
	}
	raw_commit(queue, tag, bytes);
}

/* Serves until its commands are aborted, or until it shall die. */
static void *serve(void *argument)
{
	struct server *server = argument;
	struct raw_done done;

	for (unsigned int tag = 0; tag < DEPTH; tag++)
		raw_fetch(&server->queue, tag);
	for (;;) {
		int err = raw_reap(&server->queue, &done, 10);

		if (err == -ETIME && !(server->dies && server->served))
			continue;
		if (err || done.result)
			return NULL;
		answer(server, done.tag);
	}
}

/* Every byte differs from cycle to cycle: the server keeps its old data. */
static void fill(uint64_t *data)
{
	for (size_t i = 0; i < DISK_BYTES / sizeof(*data); i++)
		data[i] = ((uint64_t)cycle << 32 | i) * 0x9e3779b97f4a7c15;
}

static void write_and_read(int id)
{
	static uint64_t *data, *back;
	int fd;

	if (!data) {
		data = mmap(NULL, 2 * DISK_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ended(WRITE, data == MAP_FAILED ? -ENOMEM : 0);
		back = data + DISK_BYTES / sizeof(*data);
	}
	fill(data);
	fd = ended(WRITE, raw_open_disk(id, O_RDWR, 5000));
	ended(WRITE, or_errno(pwrite(fd, data, DISK_BYTES, 0)));
	if (cycle % 2)
		ended(WRITE, or_errno(fsync(fd)));
	ended(CLOSE, or_errno(close(fd)));
	fd = ended(READ, raw_open_disk(id, O_RDONLY | O_DIRECT, 5000));
	ended(READ, or_errno(pread(fd, back, DISK_BYTES, 0)));
	ended(READ, memcmp(data, back, DISK_BYTES) ? -EILSEQ : 0);
	ended(CLOSE, or_errno(close(fd)));
}

static void one_cycle(struct raw_ctrl *ctrl, struct server *server)
{
	struct ublksrv_ctrl_dev_info info = {
		.nr_hw_queues = 1,
		.queue_depth = DEPTH,
		.max_io_buf_bytes = MAX_IO,
		.dev_id = -1,
	};
	struct ublk_params params;
	int id;

	server->dies = cycle % 4 == 3;
	server->served = false;
	raw_params(&params, DISK_BYTES, MAX_IO);
	began = clock_us();
	ended(ADD, raw_add(ctrl, &info));
	id = info.dev_id;
	ended(PARAMS, raw_set_params(ctrl, id, &params));
	server->cdev = ended(OPEN, raw_open_char(id, 5000));
	ended(OPEN, raw_queue_open(&server->queue, ctrl, server->cdev, 0, DEPTH,
				   MAX_IO));
	ended(FETCH, -pthread_create(&server->thread, NULL, serve, server));
	ended(START, raw_start(ctrl, id, getpid()));
	write_and_read(id);
	server->served = true;
	if (!server->dies)
		ended(STOP, raw_stop(ctrl, id));
	ended(SERVER, -pthread_join(server->thread, NULL));
	raw_queue_close(&server->queue);
	ended(SERVER, or_errno(close(server->cdev)));
	ended(DELETE, raw_del(ctrl, id));
}

int main(int argc, char *argv[])
{
	static struct server server;
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long most = argc > 2 ? strtoul(argv[2], NULL, 10) : 0, start;
	struct raw_ctrl ctrl;
	int status = 0;

	if (argc > 3 || !count || (argc > 2 && !most)) {
		fputs(usage, stderr);
		return 2;
	}
	start = clock_us();
	began = start;
	ended(ADD, raw_ctrl_open(&ctrl));
	for (cycle = 0; cycle < count; cycle++)
		one_cycle(&ctrl, &server);
	raw_ctrl_close(&ctrl);
	start = clock_us() - start;
	printf("%lu cycles in %lu.%lu s\n", count, start / 1000000,
	       start / 100000 % 10);
	for (int i = 0; i < STEPS; i++) {
		printf("%s: %lu.%lu ms at most, cycle %lu\n", step_names[i],
		       waits[i].longest / 1000, waits[i].longest / 100 % 10,
		       waits[i].cycle);
		if (most && waits[i].longest > most * 1000)
			status = 1;
	}
	return status;
}

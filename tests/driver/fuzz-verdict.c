// SPDX-License-Identifier: GPL-2.0
/*
 * Checks the driver after the fuzzer: every device can be deleted, with its
 * nodes and the processes that it blocked; no process waits for it in the
 * kernel; and a new device works like a disk.
 */
#include "tests/driver/fuzz.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int each_node(const char *prefix, void (*each)(int id, void *data), void *data)
{
	size_t length = strlen(prefix);
	DIR *dir = opendir("/dev");
	struct dirent *entry;
	int nodes = 0;

	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, prefix, length) ||
		    !isdigit((unsigned char)entry->d_name[length]))
			continue;
		nodes++;
		if (each)
			each(atoi(entry->d_name + length), data);
	}
	if (dir)
		closedir(dir);
	return nodes;
}

static void remove_device(int id, void *data)
{
	struct raw_ctrl *ctrl = data;
	int stopped = raw_stop(ctrl, id), deleted = raw_del(ctrl, id);

	if (deleted && deleted != -ENODEV)
		printf("ublk%d: STOP_DEV %d, DEL_DEV %d\n", id, stopped,
		       deleted);
}

void remove_all(void)
{
	struct raw_ctrl ctrl;

	if (raw_ctrl_open(&ctrl))
		_exit(1);
	each_node("ublkc", remove_device, &ctrl);
	fflush(stdout);
	_exit(0);
}

static int stuck;

static void tell_stuck(int pid, char state, int parent, const char *name)
{
	char path[64], line[256];
	FILE *file;

	(void)parent;
	if (state != 'D')
		return;
	stuck++;
	printf("in state D: %d %s\n", pid, name);
	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		printf("  %s", line);
	if (file)
		fclose(file);
}

static void count_stuck(int pid, char state, int parent, const char *name)
{
	(void)pid;
	(void)parent;
	(void)name;
	stuck += state == 'D';
}

/* No process may be in state D for longer than a normal operation takes. */
static bool none_stuck(void)
{
	int64_t end = now_ms() + 2000;

	do {
		stuck = 0;
		each_process(count_stuck);
		if (!stuck)
			return true;
		wait_ms(50);
	} while (now_ms() < end);
	stuck = 0;
	each_process(tell_stuck);
	return !stuck;
}

#define DISK_SIZE	(1UL << 20)

/* The server of the last device: a correct disk in memory. */
static void *serve_well(void *argument)
{
	struct raw_queue *queue = argument;
	static char disk[DISK_SIZE];
	struct raw_done done;
	unsigned int tag;

	for (tag = 0; tag < queue->depth; tag++)
		raw_fetch(queue, tag);
	while (!raw_reap(queue, &done, PATIENCE_MS) && done.result >= 0) {
		const struct ublksrv_io_desc *desc = &queue->desc[done.tag];
		size_t size = (size_t)desc->nr_sectors << 9;
		char *at = disk + (desc->start_sector << 9);

		if (ublksrv_get_op(desc) == UBLK_IO_OP_READ)
			memcpy(raw_data(queue, done.tag), at, size);
		else if (ublksrv_get_op(desc) == UBLK_IO_OP_WRITE)
			memcpy(at, raw_data(queue, done.tag), size);
		raw_commit(queue, done.tag, size);
	}
	return NULL;
}

/* Unless @good, prints a line and ends the process. */
static void need(bool good, const char *what, int result)
{
	if (good)
		return;
	printf("a new device: %s: %d\n", what, result);
	fflush(stdout);
	_exit(1);
}

/* Writes the whole disk and reads it back. */
static void write_and_verify(int id)
{
	int fd = raw_open_disk(id, O_RDWR | O_DIRECT, 5000);
	uint32_t *data, i;
	size_t words = DISK_SIZE / sizeof(*data);

	need(fd >= 0, "open", fd);
	data = mmap(NULL, DISK_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(data != MAP_FAILED, "mmap", errno);
	for (i = 0; i < words; i++)
		data[i] = i * 2654435761U;
	need(pwrite(fd, data, DISK_SIZE, 0) == (ssize_t)DISK_SIZE, "write",
	     errno);
	need(!fsync(fd), "fsync", errno);
	memset(data, 0, DISK_SIZE);
	need(pread(fd, data, DISK_SIZE, 0) == (ssize_t)DISK_SIZE, "read",
	     errno);
	for (i = 0; i < words; i++)
		need(data[i] == i * 2654435761U, "another content", i);
	close(fd);
}

static void new_device(void)
{
	struct ublksrv_ctrl_dev_info info = {
		.nr_hw_queues = 1,
		.queue_depth = 16,
		.max_io_buf_bytes = 65536,
		.dev_id = -1,
		.ublksrv_pid = getpid(),
		.flags = UBLK_F_CMD_IOCTL_ENCODE,
	};
	struct raw_ctrl ctrl;
	struct raw_queue queue;
	struct ublk_params params;
	pthread_t thread;
	int id, ret, cdev;

	need(!raw_ctrl_open(&ctrl), "control", errno);
	ret = raw_add(&ctrl, &info);
	need(!ret, "ADD_DEV", ret);
	id = info.dev_id;
	raw_params(&params, DISK_SIZE, info.max_io_buf_bytes);
	ret = raw_set_params(&ctrl, id, &params);
	need(!ret, "SET_PARAMS", ret);
	cdev = raw_open_char(id, 5000);
	need(cdev >= 0, "open /dev/ublkcN", cdev);
	ret = raw_queue_open(&queue, &ctrl, cdev, 0, info.queue_depth,
			     info.max_io_buf_bytes);
	need(!ret, "queue", ret);
	need(!pthread_create(&thread, NULL, serve_well, &queue), "thread", 0);
	ret = raw_start(&ctrl, id, getpid());
	need(!ret, "START_DEV", ret);
	write_and_verify(id);
	ret = raw_stop(&ctrl, id);
	need(!ret, "STOP_DEV", ret);
	pthread_join(thread, NULL);
	raw_queue_close(&queue);
	close(cdev);
	ret = raw_del(&ctrl, id);
	need(!ret, "DEL_DEV", ret);
	_exit(0);
}

bool well(void)
{
	int64_t start = now_ms();
	bool good = true;

	/* Processes that a disk blocks end when it is deleted, not before. */
	kill_all(now_ms() + 1000);
	if (!in_time("removing devices", remove_all))
		good = false;
	if (!kill_all(now_ms() + PATIENCE_MS)) {
		printf("processes do not die\n");
		good = false;
	}
	if (each_node("ublkc", NULL, NULL) || each_node("ublkb", NULL, NULL)) {
		printf("nodes are left\n");
		good = false;
	}
	good &= none_stuck();
	printf("all was gone after %ld ms\n", (long)(now_ms() - start));
	good &= in_time("a new device", new_device);
	return good;
}

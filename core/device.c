// SPDX-License-Identifier: GPL-2.0
/*
 * Creates a device, serves it until it is stopped, deletes it. The main thread
 * does the control work and waits for signals; queues have threads of their
 * own. Knows no target by name.
 */
#include "core/device.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "core/ctrl.h"
#include "core/message.h"
#include "core/process.h"
#include "core/queue.h"
#include "core/record.h"
#include "core/size.h"
#include "core/verb.h"

#define NODE_WAIT_MS 5000	/* for udev or mdev to make a node */

const struct serve_settings serve_defaults = {
	.id = -1,
	.queues = 1,
	.depth = 64,
	.max_io = 128 << 10,
};

#define FIELD(name) offsetof(struct serve_settings, name)
const struct option_spec serve_options[] = {
	{ "id", 'n', OPTION_NUMBER, FIELD(id), 0, (1 << 20) - 1, "N",
	  "number of the device (default: the first free)" },
	{ "queues", 'q', OPTION_NUMBER, FIELD(queues), 1, 4096, "N",
	  "hardware queues, a thread each; at most one a CPU (1)" },
	{ "depth", 'd', OPTION_NUMBER, FIELD(depth), 1, UBLK_MAX_QUEUE_DEPTH,
	  "N", "requests of a queue under way at once (64)" },
	{ "read-only", 'r', OPTION_FLAG, FIELD(read_only), 0, 0, NULL,
	  "the disk cannot be written" },
	{ "foreground", 'f', OPTION_FLAG, FIELD(foreground), 0, 0, NULL,
	  "stay until the device is stopped or SIGINT comes" },
	{ "max-io", 0, OPTION_SIZE, FIELD(max_io), 4096, 32 << 20, "SIZE",
	  "largest request (128K)" },
	{ "block-size", 0, OPTION_SIZE, FIELD(block_size), 512, 4096, "SIZE",
	  "logical block (the target's own)" },
	{ "rootfs", 0, OPTION_FLAG, FIELD(rootfs), 0, 0, NULL,
	  "holds a root: all memory locked, no signal stops it" },
	{ 0 }
};
#undef FIELD

struct ublk_device {
	const struct ublk_target *target;
	const char *argument;
	const void *target_settings;
	const struct serve_settings *settings;
	void *data;			/* the target's */
	struct ublk_disk disk;

	struct ublk_ctrl ctrl;
	struct ublksrv_ctrl_dev_info info;	/* as the driver granted */
	int files[1 + UBLK_DEVICE_FILES];	/* /dev/ublkcN, the target's */
	unsigned int file_count;

	struct ublk_queue_setup setup;
	struct ublk_queue *queues;
	unsigned int started;		/* threads to join */
	sem_t reports;			/* posted for each report of a queue */
	int ended_fd;			/* readable when a queue has ended */
	_Atomic int failed;		/* -errno of the first queue to fail */
	int signal_fd;			/* SIGINT, SIGTERM, SIGHUP */
};

/* In a queue's thread. */
static void device_reported(struct ublk_device *device, int state)
{
	const uint64_t one = 1;
	int none = 0;

	if (state < 0)
		atomic_compare_exchange_strong(&device->failed, &none, state);
	if (state && write(device->ended_fd, &one, sizeof(one)) < 0)
		message_fail(errno, "a queue that ended");
	sem_post(&device->reports);
}

void device_node(int id, char node[DEVICE_NODE_MAX])
{
	snprintf(node, DEVICE_NODE_MAX, "/dev/ublkb%d", id);
}

bool device_in_use(int id)
{
	char node[DEVICE_NODE_MAX];
	int fd;

	/* The kernel grants this open only where nobody has a claim. */
	device_node(id, node);
	fd = open(node, O_RDONLY | O_EXCL | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == EBUSY;
}

/*
 * Opens a node that the kernel has just announced: at once with devtmpfs, but
 * udev or mdev may take their time over it. Returns the descriptor or -errno
 * after telling.
 */
static int open_new_node(const char *node, int flags)
{
	const struct timespec tick = { .tv_nsec = 2000000 };
	int waited, fd;

	for (waited = 0; waited < NODE_WAIT_MS; waited += 2) {
		fd = open(node, flags | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		if (errno != ENOENT && errno != ENXIO && errno != EACCES)
			break;
		nanosleep(&tick, NULL);
	}
	if (errno == ENOENT)
		message("%s did not appear; is devtmpfs mounted on /dev?",
			node);
	else
		message_fail(errno, "%s", node);
	return -errno;
}

static int device_check_settings(const struct ublk_device *device)
{
	uint64_t block = device->settings->block_size;

	if (device->settings->max_io % 4096) {
		message("--max-io must be a multiple of 4096");
		return -EINVAL;
	}
	if (block & (block - 1)) {
		message("--block-size must be a power of two");
		return -EINVAL;
	}
	/* A record is lines. */
	if (strchr(device->argument, '\n')) {
		message("a path with a newline in it cannot be served");
		return -EINVAL;
	}
	return 0;
}

/* What the target promised, against what was asked for. */
static int device_check_disk(struct ublk_device *device)
{
	const struct serve_settings *settings = device->settings;
	struct ublk_disk *disk = &device->disk;

	if (settings->block_size) {
		if (settings->block_size < disk->logical_block) {
			message("--block-size: %s needs at least %u",
				device->argument, disk->logical_block);
			return -EINVAL;
		}
		disk->logical_block = settings->block_size;
	}
	if (disk->physical_block < disk->logical_block)
		disk->physical_block = disk->logical_block;
	if (!disk->size || disk->size % disk->logical_block) {
		message("%s: a size of %llu bytes is not a multiple of the "
			"block size %u, or nothing", device->argument,
			(unsigned long long)disk->size, disk->logical_block);
		return -EINVAL;
	}
	if (disk->size >> 9 > INT64_MAX >> 9) {
		message("%s: larger than a disk can be", device->argument);
		return -EINVAL;
	}
	disk->read_only |= settings->read_only;
	return 0;
}

/* The smallest power of two not below @value, as an exponent. */
static unsigned int shift_of(uint32_t value)
{
	unsigned int shift = 0;

	while (shift < 31 && 1u << shift < value)
		shift++;
	return shift;
}

static int device_set_params(struct ublk_device *device)
{
	const struct ublk_disk *disk = &device->disk;
	struct ublk_params params = {
		.types = UBLK_PARAM_TYPE_BASIC,
		.basic = {
			.logical_bs_shift = shift_of(disk->logical_block),
			.physical_bs_shift = shift_of(disk->physical_block),
			.io_min_shift = shift_of(disk->physical_block),
			.io_opt_shift = shift_of(disk->io_optimal ?
						 disk->io_optimal :
						 disk->physical_block),
			.max_sectors = device->setup.max_io >> 9,
			.dev_sectors = disk->size >> 9,
		},
	};

	if (disk->read_only)
		params.basic.attrs |= UBLK_ATTR_READ_ONLY;
	if (disk->rotational)
		params.basic.attrs |= UBLK_ATTR_ROTATIONAL;
	if (disk->flush)
		params.basic.attrs |= UBLK_ATTR_VOLATILE_CACHE;
	if (disk->flush && disk->fua)
		params.basic.attrs |= UBLK_ATTR_FUA;
	if (!disk->read_only && (disk->max_discard || disk->max_write_zeroes)) {
		params.types |= UBLK_PARAM_TYPE_DISCARD;
		params.discard.discard_granularity = disk->discard_granularity;
		params.discard.max_discard_sectors = disk->max_discard >> 9;
		params.discard.max_write_zeroes_sectors =
			disk->max_write_zeroes >> 9;
		params.discard.max_discard_segments = 1;
	}
	return ctrl_set_params(&device->ctrl, device->info.dev_id, &params);
}

/* Adds the device and opens its /dev/ublkcN. */
static int device_add(struct ublk_device *device)
{
	const struct serve_settings *settings = device->settings;
	long page = sysconf(_SC_PAGESIZE);
	char node[DEVICE_NODE_MAX];
	int err;

	device->info = (struct ublksrv_ctrl_dev_info){
		.dev_id = settings->id,
		.nr_hw_queues = settings->queues,
		.queue_depth = settings->depth,
		.max_io_buf_bytes = (settings->max_io + page - 1) & -page,
		.flags = device->ctrl.encoded ? UBLK_F_CMD_IOCTL_ENCODE : 0,
	};
	err = ctrl_add_dev(&device->ctrl, &device->info);
	if (err == -EEXIST) {
		message("device %d exists already; choose another --id, or "
			"`ublk stop %d`", (int)settings->id, (int)settings->id);
		return err;
	}
	if (err)
		return message_fail(err, "cannot add a device");

	snprintf(node, sizeof(node), "/dev/ublkc%d", device->info.dev_id);
	device->files[0] = open_new_node(node, O_RDWR);
	if (device->files[0] < 0) {
		ctrl_del_dev(&device->ctrl, device->info.dev_id);
		return device->files[0];
	}
	return 0;
}

int device_delete(struct ublk_ctrl *ctrl, int id)
{
	int err;

	record_remove(id);
	err = ctrl_del_dev(ctrl, id);
	if (err == -EBUSY)
		message("device %d is gone; its number is free when the last "
			"program has closed it", id);
	else if (err && err != -ENODEV)
		return message_fail(err, "cannot delete device %d", id);
	return 0;
}

static void device_fill_record(FILE *out, const void *arg)
{
	const struct ublk_device *device = arg;
	struct serve_settings settings = *device->settings;
	char node[DEVICE_NODE_MAX];

	settings.id = device->info.dev_id;
	settings.queues = device->info.nr_hw_queues;
	settings.depth = device->info.queue_depth;
	settings.max_io = device->info.max_io_buf_bytes;
	settings.block_size = device->disk.logical_block;
	settings.read_only = device->disk.read_only;
	device_node(device->info.dev_id, node);
	options_record(out, NULL, serve_options, &settings);
	fprintf(out, "node=%s\ntarget=%s\nargument=%s\n", node,
		device->target->name, device->argument);
	fprintf(out, "size=%llu\npid=%d\nstarted=%llu\n",
		(unsigned long long)device->disk.size, (int)getpid(),
		record_process_started(getpid()));
	if (device->target->options)
		options_record(out, device->target->name,
			       device->target->options,
			       device->target_settings);
}

static int device_start_queue(struct ublk_device *device, unsigned int id)
{
	struct ublk_queue *queue = &device->queues[id];
	int err;

	queue->setup = &device->setup;
	queue->id = id;
	err = ctrl_get_queue_affinity(&device->ctrl, device->info.dev_id, id,
				      &queue->cpus);
	if (err)
		return message_fail(err, "CPUs of queue %u", id);
	err = queue_start(queue);
	if (err)
		return message_fail(err, "thread of queue %u", id);
	device->started++;
	return 0;
}

/*
 * Starts every queue and waits until each has fetched its tags, also when one
 * cannot be started: the driver gives back only tags that were fetched.
 */
static int device_start_queues(struct ublk_device *device)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < device->info.nr_hw_queues; i++)
		err = device_start_queue(device, i);
	for (i = 0; i < device->started; i++)
		while (sem_wait(&device->reports))
			;
	if (!err && device->failed)
		err = message_fail(device->failed, "cannot start a queue");
	return err;
}

/*
 * Ends the queues: the driver takes their tags back when the disk is gone. A
 * disk that never appeared is no error here.
 */
static void device_stop_queues(struct ublk_device *device)
{
	ctrl_stop_dev(&device->ctrl, device->info.dev_id);
	while (device->started)
		queue_join(&device->queues[--device->started]);
}

/* Makes the disk appear, and returns when its node can be used. */
static int device_start_disk(struct ublk_device *device)
{
	int id = device->info.dev_id;
	char node[DEVICE_NODE_MAX];
	int err, fd;

	err = ctrl_start_dev(&device->ctrl, id, getpid(), device->ended_fd);
	if (err)
		return message_fail(device->failed ? device->failed : err,
				    "cannot start device %d", id);
	device_node(id, node);
	fd = open_new_node(node, O_RDONLY);
	if (fd < 0)
		return fd;
	close(fd);
	return process_ready(node);
}

/* Returns when the device shall end: it was stopped, or a signal asks for it. */
static void device_wait(struct ublk_device *device)
{
	struct pollfd events[] = {
		{ .fd = device->ended_fd, .events = POLLIN },
		{ .fd = device->signal_fd, .events = POLLIN },
	};
	struct signalfd_siginfo signal;

	for (;;) {
		if (poll(events, 2, -1) < 0)
			continue;
		if (events[0].revents)
			return;
		if (read(device->signal_fd, &signal, sizeof(signal)) < 0 ||
		    device->settings->rootfs)
			continue;
		if (!device_in_use(device->info.dev_id))
			return;
		message("device %d is in use and goes on; unmount it first",
			device->info.dev_id);
	}
}

/* From the threads to the end of the device, which exists at the driver. */
static int device_live(struct ublk_device *device)
{
	int err;

	device->setup = (struct ublk_queue_setup){
		.device = device,
		.target = device->target,
		.files = device->files,
		.file_count = device->file_count,
		.depth = device->info.queue_depth,
		.max_io = device->info.max_io_buf_bytes,
		.encoded = device->ctrl.encoded,
		.talks = device->info.nr_hw_queues > 1,
		.report = device_reported,
	};
	device->queues = calloc(device->info.nr_hw_queues,
				sizeof(*device->queues));
	if (!device->queues)
		return message_fail(ENOMEM, "queues");
	err = device_set_params(device);
	if (err)
		return message_fail(err, "the driver refuses the parameters");
	err = device_start_queues(device);
	if (!err)
		err = device_start_disk(device);
	if (!err)
		device_wait(device);
	device_stop_queues(device);
	if (!err && device->failed)
		err = device->failed;
	return err;
}

/* With the target open: everything from ADD_DEV to DEL_DEV. */
static int device_at_driver(struct ublk_device *device)
{
	int err;

	err = ctrl_open(&device->ctrl);
	if (err)
		return err;
	err = device_add(device);
	if (err) {
		ctrl_close(&device->ctrl);
		return err;
	}
	process_protect(device->settings->rootfs);
	if (device->settings->rootfs)
		err = process_serve_root();
	if (!err)
		err = record_write(device->info.dev_id, device_fill_record,
				   device);
	if (!err) {
		err = device_live(device);
		free(device->queues);
	}
	close(device->files[0]);
	device_delete(&device->ctrl, device->info.dev_id);
	ctrl_close(&device->ctrl);
	return err;
}

/*
 * From ADD_DEV on a signal must not kill us with the device half made; it
 * waits until device_wait() asks.
 */
static int device_hold_signals(struct ublk_device *device)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	device->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	device->ended_fd = eventfd(0, EFD_CLOEXEC);
	if (device->signal_fd < 0 || device->ended_fd < 0)
		return message_fail(errno, "signals");
	return 0;
}

static int device_run(void *arg)
{
	struct ublk_device *device = arg;
	int err;

	device->disk.logical_block = 512;
	device->disk.physical_block = 4096;
	device->file_count = 1;
	sem_init(&device->reports, 0, 0);
	if (device_check_settings(device))
		return EXIT_USAGE;
	if (device->target->open(device, device->argument,
				 device->target_settings, &device->disk))
		return EXIT_FAILED;
	err = device_check_disk(device);
	if (!err)
		err = device_hold_signals(device);
	if (!err)
		err = device_at_driver(device);
	device->target->close(device);
	return err ? EXIT_FAILED : EXIT_DONE;
}

int device_serve(const struct ublk_target *target, const char *argument,
		 const void *target_settings,
		 const struct serve_settings *settings)
{
	struct ublk_device device = {
		.target = target,
		.argument = argument,
		.target_settings = target_settings,
		.settings = settings,
	};

	if (settings->foreground)
		return device_run(&device);
	return process_background(device_run, &device);
}

void ublk_device_set_data(struct ublk_device *device, void *data)
{
	device->data = data;
}

void *ublk_device_data(const struct ublk_device *device)
{
	return device->data;
}

unsigned int ublk_device_queues(const struct ublk_device *device)
{
	return device->settings->queues;
}

unsigned int ublk_device_depth(const struct ublk_device *device)
{
	return device->settings->depth;
}

bool ublk_device_read_only(const struct ublk_device *device)
{
	return device->settings->read_only;
}

uint64_t ublk_device_block_size(const struct ublk_device *device)
{
	return device->settings->block_size;
}

void ublk_device_set_argument(struct ublk_device *device, const char *argument)
{
	device->argument = argument;
}

int ublk_device_register_file(struct ublk_device *device, int fd)
{
	device->files[device->file_count] = fd;
	return device->file_count++;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Opening a disk with copy on write: the header of its file, the wrapper around
 * a target, and what is left open or written after an error.
 *
 * No request is made, so the functions for a queue are those of core/queue.c,
 * which are never called.
 */
#include "targets/cow/cow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "targets/backing.h"
#include "targets/cow/layer.h"

#define QUEUES 2
#define DEPTH 4
/*
 * More blocks than one page of the map has bits, and the last one is partial.
 */
#define DISK_SIZE ((32768ULL + 20) * COW_BLOCK + 3 * 512)

#include "tests/unit/cow-device.h"

static char directory[] = "/tmp/cow-open.XXXXXX", cow_path[64];
static int base_error, start_error;
static unsigned int base_starts;
static bool base_is_wrapped;	/* it was opened as a base */
static bool base_has_path = true;
static int allocation_fails;	/* the next is 1; 0: none */

/*
 * Replaces the C library's. The first calls come before AddressSanitizer is
 * ready, so its checks are left out here.
 */
void *__interceptor_calloc(size_t count, size_t size);

__attribute__((no_sanitize("address", "undefined")))
void *calloc(size_t count, size_t size)
{
	if (allocation_fails && !--allocation_fails) {
		errno = ENOMEM;
		return NULL;
	}
	return __interceptor_calloc(count, size);
}

static int open_base(struct ublk_device *self, const char *argument,
		     const void *settings, struct ublk_disk *disk)
{
	base_is_wrapped = self->opens_base;
	return base_error ? base_error :
			    base_open(self, argument, settings, disk);
}

static int start_base(struct ublk_device *self)
{
	(void)self;
	base_starts++;
	return start_error;
}

static void describe_base(const struct ublk_device *self, struct ublk_base *is)
{
	base_is(self, is);
	if (!base_has_path)
		is->path = NULL;
}

static const struct ublk_target base_target = {
	.name = "base",
	.open = open_base,
	.start = start_base,
	.close = base_close,
	.base = describe_base,
};

/* Tries to use an existing file that starts with @bytes. */
static int try_file(const uint8_t *bytes, size_t length, bool make_empty,
		    const struct cow_base *below, uint64_t disk_size)
{
	char path[] = "/tmp/cow.XXXXXX";
	struct cow_file file;
	int fd = mkstemp(path), err;

	if (!make_empty && ftruncate(fd, cow_layout(disk_size).size))
		abort();
	if (pwrite(fd, bytes, length, 0) != (ssize_t)length)
		abort();
	err = cow_file_open(&file, path, below, disk_size, false, -1, false);
	if (!err)
		close(file.fd);
	close(fd);
	unlink(path);
	return err;
}

/* Reads the header of a new file. */
static void read_header(uint8_t header[COW_BLOCK])
{
	struct cow_file file;

	if (cow_file_open(&file, cow_path, &base, DISK_SIZE, false, -1,
			  false) ||
	    pread(file.fd, header, COW_BLOCK, 0) != COW_BLOCK)
		abort();
	close(file.fd);
	unlink(cow_path);
}

static void test_header(void)
{
	static _Alignas(COW_BLOCK) uint8_t header[COW_BLOCK];
	uint8_t torn[COW_BLOCK];
	struct cow_base other = base;
	unsigned int i, bad = 0;
	struct cow_file file;

	check(!try_file(header, 0, true, &base, DISK_SIZE),
	      "an empty file is new");
	check(!try_file(header, 0, false, &base, DISK_SIZE),
	      "and so is one of zeroes");
	read_header(header);
	memset(torn, 0xff, sizeof(torn));
	check(!try_file(torn, sizeof(torn), false, &base, DISK_SIZE),
	      "erased flash is new");
	memset(torn, 0, 1536);
	check(!try_file(torn, sizeof(torn), false, &base, DISK_SIZE),
	      "also if the power failed while its map was zeroed");
	torn[600] = 0xff;
	check(try_file(torn, sizeof(torn), false, &base, DISK_SIZE) == -EINVAL,
	      "ones and zeroes in a sector are something else");
	check(!try_file(header, sizeof(header), false, &base, DISK_SIZE),
	      "its own header is taken");
	for (i = 0; i < 1000; i++) {
		unsigned int j, cut = i < 64 ? i : 64;

		memset(torn, 0, sizeof(torn));
		for (j = 0; j < cut; j++)
			torn[j] = i < 64 || dice(2) ? header[j] : 0;
		bad += try_file(torn, sizeof(torn), false, &base,
				DISK_SIZE) != 0;
	}
	check(!bad, "a header of which parts were written is written again");
	for (i = 0; i < 64; i++) {
		memcpy(torn, header, sizeof(torn));
		torn[i] ^= 0x55;
		bad += try_file(torn, sizeof(torn), false, &base,
				DISK_SIZE) != -EINVAL;
	}
	check(!bad, "a header with any other byte is refused");
	check(try_file(header, sizeof(header), true, &base, DISK_SIZE) ==
	      -EINVAL, "a file that is too short is refused");
	check(try_file(header, sizeof(header), false, &base,
		       DISK_SIZE + COW_BLOCK) == -EINVAL,
	      "a disk of another size is refused");
	other.size--;
	check(try_file(header, sizeof(header), false, &other, DISK_SIZE) ==
	      -EINVAL, "so is a base of another size");
	if (pwrite(base.fd, "x", 1, base.size - 1) != 1)
		abort();
	check(try_file(header, sizeof(header), false, &base, DISK_SIZE) ==
	      -EINVAL, "and a base with other contents");
	memset(torn, 0, sizeof(torn));
	torn[1080] = 0x53;
	check(try_file(torn, sizeof(torn), false, &base, DISK_SIZE) == -EINVAL,
	      "something else is refused");
	check(cow_file_open(&file, "/dev/there/is/none", &base, DISK_SIZE,
			    false, -1, false) == -ENOENT,
	      "a device that is not there is not made");
}

/* A wrapper around a target that has options and system calls of its own. */
static void test_wrapper(void)
{
	struct base_settings {
		uint64_t size;
		bool flag;
	};
	/* The size is no multiple of a pointer's. */
	const size_t settings_size = offsetof(struct base_settings, flag) + 1;
	static const struct base_settings defaults = {
		.size = 7, .flag = true,
	};
	static const struct option_spec options[] = {
		{ "flag", 0, OPTION_FLAG, offsetof(struct base_settings, flag),
		  0, 0, NULL, "" },
		{ "size", 0, OPTION_SIZE, offsetof(struct base_settings, size),
		  0, 0, "SIZE", "" },
		{ 0 }
	};
	struct ublk_target target = base_target;
	const struct ublk_target *outer;
	struct ublk_disk disk = { 0 };
	const int *calls;

	target.options = options;
	target.defaults = &defaults;
	target.settings_size = settings_size;
	target.system_calls[0] = SYS_fallocate;
	outer = cow_around(&cow, &target);
	calls = outer->system_calls;
	check(!strcmp(outer->name, "base") && !outer->base,
	      "the wrapper has its base's name");
	check(!strcmp(outer->options[0].name, "flag") &&
	      !strcmp(outer->options[1].name, "size") &&
	      !strcmp(outer->options[2].name, "cow") &&
	      outer->options[2].offset >= settings_size &&
	      outer->options[2].offset % sizeof(char *) == 0 &&
	      !outer->options[3].name, "its options, and --cow");
	check(outer->settings_size ==
	      outer->options[2].offset + sizeof(char *) &&
	      !memcmp(outer->defaults, &defaults, settings_size) &&
	      !*(const char *const *)((const char *)outer->defaults +
				      outer->options[2].offset),
	      "its defaults, and none for --cow");
	check(calls[0] == SYS_fallocate && calls[1] == SYS_pread64 &&
	      calls[2] == SYS_pwrite64 && calls[3] == SYS_fsync && !calls[4] &&
	      !target.system_calls[1],
	      "its system calls, and those of copy on write, each once");
	device = (struct ublk_device){ 0 };
	check(!outer->open(&device, "", outer->defaults, &disk) &&
	      device.instead == &target && disk.read_only && base_opened == 1,
	      "without --cow the base serves the device alone");
	check(!base_is_wrapped && !device.wrapper && !device.files &&
	      !device.identities, "and nothing of copy on write is left");
	target.close(&device);
}

/* Opens a disk of a new device whose writes go to @place. */
static int open_disk(const struct ublk_device *as, const char *place,
		     struct ublk_disk *disk)
{
	_Alignas(uint64_t) char settings[UBLK_SETTINGS_MAX] = { 0 };

	device = *as;
	*disk = (struct ublk_disk){
		.logical_block = 512, .fua = true, .zero_copy = true,
	};
	*(const char **)(settings + cow.place) = place;
	return cow.target.open(&device, "", settings, disk);
}

static void close_disk(void)
{
	if (device.wrapper)
		cow.target.close(&device);
}

/* Opens it as the first server does. It must succeed. */
static struct cow *open_new(const char *place, struct ublk_disk *disk)
{
	if (open_disk(&(struct ublk_device){ 0 }, place, disk))
		abort();
	return device.wrapper;
}

static unsigned int count_descriptors(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/*
 * Whether opening fails with @err, and leaves nothing open. AddressSanitizer
 * finds memory that is left.
 */
static bool is_refused(struct ublk_device as, const char *place, int err)
{
	struct ublk_disk disk;
	unsigned int before;
	int got;

	forget_memory();
	before = count_descriptors();
	got = open_disk(&as, place, &disk);
	forget_memory();
	return got == err && !base_opened && !device.wrapper &&
	       count_descriptors() == before;
}

static void test_memory(void)
{
	const unsigned int before = count_descriptors();
	struct ublk_disk disk;
	struct cow *made = open_new("8K", &disk);

	check(made->limit == 2 && device.files == 1,
	      "a size limits the blocks in memory");
	check(device.instead == NULL && base_is_wrapped && base_opened == 1,
	      "the base is opened as one");
	check(!disk.read_only && !disk.flush && !disk.fua && !disk.zero_copy,
	      "the disk can be written, and has no cache to flush");
	check(disk.physical_block == COW_BLOCK && disk.max_write_zeroes &&
	      disk.discard_granularity == COW_BLOCK && disk.max_discard,
	      "and discards blocks");
	check(!device.unfinished && !cow.target.finish(&device),
	      "nothing is left to do when it ends");
	check(device.identities == 1, "only the base is identified");
	close_disk();
	forget_memory();
	check(!base_opened && count_descriptors() == before,
	      "closing it closes everything, once");
	base_has_path = false;
	open_new("8K", &disk);
	check(!device.identities, "a base without a path is not identified");
	close_disk();
	base_has_path = true;
	check(is_refused((struct ublk_device){ 0 }, "0", -EINVAL) &&
	      is_refused((struct ublk_device){ 0 }, "4095", -EINVAL),
	      "less than a block is refused");
}

static void test_file(void)
{
	unsigned int before;
	struct ublk_disk disk;
	struct cow *made;
	uint32_t samples;

	forget_memory();
	before = count_descriptors();
	made = open_new(cow_path, &disk);
	check(!made->limit && device.files == 2, "what is no size is a file");
	check(!disk.read_only && disk.flush && !disk.fua && !disk.zero_copy,
	      "the disk can be written, and must be flushed");
	check(device.unfinished, "its map must be written at the end");
	check(device.identities == 2 &&
	      !strcmp(device.identity[0].name, "file") &&
	      device.identity[0].path == base_path &&
	      device.identity[0].fd == base.fd, "the base is identified");
	check(!backing_samples(base.fd, 0, base.size, COW_SAMPLES, &samples) &&
	      device.identity[0].contents.size == base.size &&
	      device.identity[0].contents.sampled &&
	      device.identity[0].contents.samples == samples,
	      "with samples of its contents");
	check(device.identities == 2 &&
	      !strcmp(device.identity[1].name, "cow") &&
	      device.identity[1].path == cow_path &&
	      device.identity[1].fd == made->file.fd, "and so is the file");
	close_disk();
	forget_memory();
	check(!base_opened && count_descriptors() == before,
	      "closing it closes everything, once");
	check(!open_disk(&(struct ublk_device){ .read_only = true }, cow_path,
			 &disk) && disk.read_only && !disk.flush &&
	      !device.unfinished && !cow.target.finish(&device),
	      "only to be read, it has nothing to flush");
	close_disk();
	unlink(cow_path);
}

static void test_failures(void)
{
	base_error = -EIO;
	check(is_refused((struct ublk_device){ 0 }, "8K", -EIO),
	      "an error of the base is the disk's, and the base stays closed");
	base_error = 0;
	check(is_refused((struct ublk_device){ .stale = "file" }, cow_path,
			 -ESTALE) && access(cow_path, F_OK),
	      "a base that is not what it was is refused, before the file "
	      "is made");
	check(is_refused((struct ublk_device){ .stale = "file" }, "8K",
			 -ESTALE), "also with memory");
	check(is_refused((struct ublk_device){ .stale = "cow" }, cow_path,
			 -ESTALE), "and so is a file that is not what it was");
	check(is_refused((struct ublk_device){ .memory_error = -ENOSPC }, "8K",
			 -ENOSPC) &&
	      is_refused((struct ublk_device){ .memory_error = -ENOSPC },
			 cow_path, -ENOSPC), "without room in memory it fails");
	check(is_refused((struct ublk_device){ 0 }, directory, -EISDIR),
	      "a directory is refused");
	unlink(cow_path);
}

/* Opens with one of its @count allocations failing, and with none. */
static void test_shortage(const char *place, int count, const char *claim)
{
	struct ublk_disk disk;
	unsigned int bad = 0;

	for (int n = 1; n <= count; n++) {
		allocation_fails = n;
		bad += !is_refused((struct ublk_device){ 0 }, place, -ENOMEM);
	}
	allocation_fails = count + 1;
	open_new(place, &disk);
	check(!bad && allocation_fails == 1, claim);
	allocation_fails = 0;
	close_disk();
}

static void test_start(void)
{
	struct ublk_disk disk;
	unsigned int bad = 0;

	open_new("8K", &disk);
	base_starts = 0;
	check(!cow.target.start(&device) && base_starts == 1,
	      "its base is started first");
	close_disk();
	open_new("8K", &disk);
	start_error = -EIO;
	check(cow.target.start(&device) == -EIO, "and can fail");
	start_error = 0;
	close_disk();
	for (int n = 1; n <= 2; n++) {
		open_new("8K", &disk);
		allocation_fails = n;
		bad += cow.target.start(&device) != -ENOMEM;
		allocation_fails = 0;
		close_disk();
	}
	check(!bad && !base_opened, "a lack of memory is ENOMEM there, too");
}

/* The first byte of each page of the file's map. */
static bool map_has(uint8_t first, uint8_t second)
{
	int fd = open(cow_path, O_RDONLY | O_CLOEXEC);
	uint8_t got[2] = { 0 };
	bool same = pread(fd, got, 1, COW_MAP_AT) == 1 &&
		    pread(fd, got + 1, 1, COW_MAP_AT + COW_BLOCK) == 1 &&
		    got[0] == first && got[1] == second;

	close(fd);
	return same;
}

/*
 * Opens as a server does that replaces a dead one. @fd is the file if that is
 * inherited, or -1.
 */
static int open_resumed(int fd)
{
	struct ublk_disk disk;

	return open_disk(&(struct ublk_device){
				.resumed = true,
				.inherited = { fd, dup(memory) },
			 }, cow_path, &disk);
}

static void test_map(void)
{
	const size_t second = COW_BLOCK / sizeof(bits_word);
	struct ublk_disk disk;
	struct cow *made = open_new(cow_path, &disk);
	int fd;

	made->present[0] = 1;
	made->present[second] = 2;
	check(!cow.target.start(&device) && map_has(0, 0) &&
	      !cow.target.finish(&device) && map_has(1, 2),
	      "at the end the map is written");
	close_disk();
	made = open_new(cow_path, &disk);
	check(made->present[0] == 1 && made->present[second] == 2,
	      "and read by the next device");
	made->present[0] = 5;
	close_disk();
	if (open_resumed(-1))
		abort();
	made = device.wrapper;
	check(made->present[0] == 5 && made->present[second] == 2,
	      "the next server of a device has its newer map, in memory");
	/* `ublk stop` does so for a dead server, and starts nothing. */
	check(!cow.target.finish(&device) && map_has(5, 2),
	      "which is written also if no server was started");
	close_disk();
	fd = open(cow_path, O_RDWR | O_CLOEXEC);
	if (open_resumed(fd))
		abort();
	made = device.wrapper;
	check(made->file.fd == fd, "it uses a file that it inherits");
	close_disk();
	fd = open(cow_path, O_RDWR | O_CLOEXEC);
	if (pwrite(fd, "\010", 1, COW_MAP_AT + COW_BLOCK) != 1)
		abort();
	close(fd);
	check(open_resumed(-1) == -ESTALE && !base_opened,
	      "a file that was written by another device is refused");
	unlink(cow_path);
	check(open_resumed(-1) == -ENOENT && access(cow_path, F_OK),
	      "and none is made where it is missing");
	forget_memory();
}

int main(void)
{
	/* A report of AddressSanitizer must not lose what was printed. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!mkdtemp(directory))
		return 1;
	snprintf(cow_path, sizeof(cow_path), "%s/kept", directory);
	make_base();
	test_header();
	test_wrapper();
	cow_around(&cow, &base_target);
	test_memory();
	test_file();
	test_failures();
	test_shortage("8K", 1, "a lack of memory for the state is ENOMEM");
	test_shortage(cow_path, 3, "and so it is with a file");
	test_start();
	unlink(cow_path);
	test_map();
	forget_memory();
	remove_base();
	rmdir(directory);
	printf("1..%d\n", number);
	return failures != 0;
}

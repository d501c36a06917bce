// SPDX-License-Identifier: GPL-2.0
/*
 * Writes to a disk or filesystem, and reports after each FLUSH, FUA and fsync
 * which writes must be permanent. After a power cut, or a replay of the log,
 * checks that they are all there. The contents of a write depend only on its
 * region's name and its number, so that only the last acknowledged number must
 * be remembered.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dm-ioctl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512
#define WRITE_MAX 32		/* sectors of one write */
#define READ_SECTORS 8		/* sectors of one read in a check */
#define FILE_MAX 24576		/* bytes of one file */
#define COMPLAINTS_MAX 3	/* messages about one region */
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const char usage[] =
"Usage: writer fill REGION...\n"
"       writer write STEPS REGION        print `ack NAME NUMBER` each time that all\n"
"                                        writes up to NUMBER must be kept\n"
"       writer mark DEVICE STEPS REGION  the same as marks in the log of DEVICE, a\n"
"                                        device mapper's log-writes\n"
"       writer check ACKED REGION...     look for what the file ACKED has such lines\n"
"                                        of, and for what cannot be there\n"
"\n"
"REGION is NAME:HOW:PATH[:OFFSET:BYTES]; the part of a device or file, of BYTES that\n"
"are a multiple of 4096, is written by direct I/O and by this writer alone. HOW is\n"
"  flush  some writes, then fdatasync\n"
"  dsync  each write with O_DSYNC, which is FUA where that is enough\n"
"  files  PATH is a folder: a new file, fsync, its name, fsync\n"
"\n"
"Exit status: 0, 1 failed or something is missing, 2 wrong usage.\n";

enum how { FLUSH, DSYNC, FILES };
static const char *const hows[] = { "flush", "dsync", "files" };

struct region {
	const char *name;
	enum how how;
	const char *path;
	uint64_t offset;
	uint32_t sectors;
	uint64_t seed;
	int fd;			/* of the file, device or directory */
};

/* A write or, with HOW files, a file, of which only the length matters. */
struct step {
	uint32_t first;
	uint32_t count;
	uint32_t bytes;
	bool promised;		/* everything so far is synced after it */
	bool renamed;		/* the file is renamed after it was written */
};

/* A sector contains its place and its write; the rest depends on these. */
struct sector {
	uint64_t seed;
	uint64_t number;
	uint64_t index;
	uint64_t filling[SECTOR / 8 - 3];
};

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *format, ...)
{
	int reason = errno;
	va_list args;

	fputs("writer: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(reason));
	exit(1);
}

static void __attribute__((noreturn)) wrong(void)
{
	fputs(usage, stderr);
	exit(2);
}

/* splitmix64 */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static uint64_t seed_of(const char *name)
{
	uint64_t seed = 0;

	for (; *name; name++) {
		seed ^= (unsigned char)*name;
		draw(&seed);
		seed *= 0x100000001b3ULL;
	}
	return draw(&seed);
}

static struct step step_of(const struct region *region, uint64_t number)
{
	uint64_t random = region->seed + number * 0x632be59bd9b4e019ULL;
	struct step step = { 0 };

	if (region->how == FILES) {
		step.bytes = 1 + draw(&random) % FILE_MAX;
		step.count = (step.bytes + SECTOR - 1) / SECTOR;
		step.renamed = draw(&random) % 3 == 0;
		step.promised = true;
		return step;
	}
	step.first = draw(&random) % region->sectors;
	step.count = 1 + draw(&random) % WRITE_MAX;
	if (step.count > region->sectors - step.first)
		step.count = region->sectors - step.first;
	step.bytes = step.count * SECTOR;
	step.promised = region->how == DSYNC || draw(&random) % 6 == 0;
	return step;
}

static bool covers(const struct step *step, uint64_t index)
{
	return index >= step->first && index - step->first < step->count;
}

static void make_sector(const struct region *region, uint64_t number,
			uint64_t index, struct sector *sector)
{
	uint64_t random;
	unsigned int i;

	sector->seed = region->seed;
	sector->number = number;
	sector->index = index;
	random = sector->seed ^ number << 32 ^ index;
	for (i = 0; i < LENGTH(sector->filling); i++)
		sector->filling[i] = draw(&random);
}

/* All sectors of one step, in memory for direct I/O. */
static const struct sector *make_data(const struct region *region,
				      uint64_t number, const struct step *step)
{
	static struct sector data[FILE_MAX / SECTOR]
		__attribute__((aligned(4096)));
	uint32_t i;

	_Static_assert(sizeof(struct sector) == SECTOR, "padding");
	_Static_assert(WRITE_MAX <= LENGTH(data), "a write is no longer");
	for (i = 0; i < step->count; i++)
		make_sector(region, number, step->first + i, &data[i]);
	return data;
}

static void put(int fd, const void *data, size_t bytes, off_t offset,
		const char *what)
{
	ssize_t done = pwrite(fd, data, bytes, offset);

	if (done >= 0 && (size_t)done != bytes)
		errno = ENOSPC;
	if (done < 0 || (size_t)done != bytes)
		die("%s", what);
}

static struct region parse_region(char *text)
{
	struct region region = { 0 };
	const char *how, *offset, *bytes;

	region.name = strsep(&text, ":");
	how = strsep(&text, ":");
	region.path = strsep(&text, ":");
	offset = strsep(&text, ":");
	bytes = strsep(&text, ":");
	if (!how || !region.path || text)
		wrong();
	while (strcmp(how, hows[region.how]))
		if (++region.how == LENGTH(hows))
			wrong();
	if ((region.how == FILES) != !bytes)
		wrong();
	if (bytes) {
		region.offset = strtoull(offset, NULL, 10);
		region.sectors = strtoull(bytes, NULL, 10) / SECTOR;
		if (!region.sectors || region.sectors % READ_SECTORS)
			wrong();
	}
	region.seed = seed_of(region.name);
	return region;
}

static void open_region(struct region *region, int flags)
{
	if (region->how == FILES)
		flags = O_RDONLY | O_DIRECTORY;
	else if (region->how == DSYNC)
		flags |= O_DIRECT | O_DSYNC;
	else
		flags |= O_DIRECT;
	region->fd = open(region->path, flags | O_CLOEXEC, 0644);
	if (region->fd < 0)
		die("%s", region->path);
}

/* Write number 0: fills every sector. */
static void fill(struct region *region)
{
	struct step step;
	uint32_t done;

	if (region->how == FILES) {
		if (mkdir(region->path, 0755))
			die("%s", region->path);
		return;
	}
	open_region(region, O_WRONLY | O_CREAT);
	for (done = 0; done < region->sectors; done += step.count) {
		step = (struct step){ .first = done, .count = WRITE_MAX };
		if (step.count > region->sectors - done)
			step.count = region->sectors - done;
		put(region->fd, make_data(region, 0, &step),
		    step.count * SECTOR, region->offset + done * SECTOR,
		    region->path);
	}
	if (fsync(region->fd))
		die("%s", region->path);
	close(region->fd);
}

static void write_file(const struct region *region, uint64_t number,
		       const struct step *step)
{
	const char *first_name;
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "%" PRIu64, number);
	first_name = step->renamed ? "new" : name;
	fd = openat(region->fd, first_name,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		die("%s/%s", region->path, first_name);
	put(fd, make_data(region, number, step), step->bytes, 0, region->path);
	if (fsync(fd))
		die("%s/%s", region->path, first_name);
	close(fd);
	if (step->renamed &&
	    renameat(region->fd, first_name, region->fd, name))
		die("%s/%s", region->path, name);
	if (fsync(region->fd))
		die("%s", region->path);
}

static void write_sectors(const struct region *region, uint64_t number,
			  const struct step *step)
{
	put(region->fd, make_data(region, number, step), step->bytes,
	    region->offset + (uint64_t)step->first * SECTOR, region->path);
	if (region->how == FLUSH && step->promised && fdatasync(region->fd))
		die("%s", region->path);
}

/* Printed with one write, because the power may fail at any time. */
static void print_ack(const struct region *region, uint64_t number)
{
	char line[160];
	int length = snprintf(line, sizeof(line), "ack %s %" PRIu64 "\n",
			      region->name, number);

	if (write(STDOUT_FILENO, line, length) != length)
		die("standard output");
}

/* As `dmsetup message DEVICE 0 mark 'ack\ NAME\ NUMBER'`. */
static void mark_ack(const struct region *region, uint64_t number, int control,
		     const char *device)
{
	struct {
		struct dm_ioctl ioctl;
		struct dm_target_msg target;
		char message[160];
	} command = {
		.ioctl = {
			.version = { DM_VERSION_MAJOR, 0, 0 },
			.data_size = sizeof(command),
			.data_start = sizeof(command.ioctl),
		},
	};

	snprintf(command.ioctl.name, sizeof(command.ioctl.name), "%s", device);
	snprintf(command.message, sizeof(command.message),
		 "mark ack\\ %s\\ %" PRIu64, region->name, number);
	if (ioctl(control, DM_TARGET_MSG, &command))
		die("mark on %s", device);
}

/* @device: where acknowledgements become marks; NULL: they are printed. */
static void write_region(struct region *region, uint64_t steps,
			 const char *device)
{
	struct step step;
	uint64_t number;
	int control = -1;

	if (device) {
		control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
		if (control < 0)
			die("/dev/mapper/control");
	}
	open_region(region, O_WRONLY);
	for (number = 1; number <= steps; number++) {
		step = step_of(region, number);
		if (region->how == FILES)
			write_file(region, number, &step);
		else
			write_sectors(region, number, &step);
		if (step.promised && device)
			mark_ack(region, number, control, device);
		else if (step.promised)
			print_ack(region, number);
	}
}

/* The last number for the region in a file of acknowledgements. */
static uint64_t acked_of(const struct region *region, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[256], name[128];
	uint64_t acked = 0, number;
	char end;

	if (!file)
		die("%s", path);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "ack %127s %" SCNu64 "%c", name, &number,
			   &end) == 3 && end == '\n' &&
		    !strcmp(name, region->name) && number > acked)
			acked = number;
	fclose(file);
	return acked;
}

/* Errors; at most COMPLAINTS_MAX are printed. */
struct findings {
	const struct region *region;
	unsigned int complaints;
	unsigned int newer;
};

static void __attribute__((format(printf, 2, 3)))
complain(struct findings *findings, const char *format, ...)
{
	va_list args;

	if (++findings->complaints > COMPLAINTS_MAX)
		return;
	printf("%s: ", findings->region->name);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* The last write that may have been sent when @acked was acknowledged. */
static uint64_t last_sent(const struct region *region, uint64_t acked)
{
	struct step step;

	do {
		step = step_of(region, ++acked);
	} while (!step.promised);
	return acked;
}

/* A sector must have the last acknowledged write to it, or a newer one. */
static void check_sector(struct findings *findings, uint32_t index,
			 const struct sector *sector, uint64_t wanted,
			 uint64_t acked, uint64_t last)
{
	const struct region *region = findings->region;
	uint64_t number = sector->number;
	struct sector whole;
	struct step step;

	if (sector->seed != region->seed || sector->index != index) {
		complain(findings, "sector %u: none of its writes, but %" PRIu64
			 " was acknowledged", index, wanted);
		return;
	}
	make_sector(region, number, index, &whole);
	if (memcmp(&whole, sector, SECTOR)) {
		complain(findings, "sector %u: of write %" PRIu64 " in part",
			 index, number);
		return;
	}
	if (number == wanted)
		return;
	step = step_of(region, number);
	if (number < wanted) {
		complain(findings, "sector %u: of write %" PRIu64 ", but %"
			 PRIu64 " was acknowledged", index, number, wanted);
	} else if (number <= acked || number > last ||
		   !covers(&step, index)) {
		complain(findings, "sector %u: of write %" PRIu64
			 ", which cannot be there", index, number);
	} else {
		findings->newer++;
	}
}

static void check_sectors(struct findings *findings, uint64_t acked)
{
	static struct sector data[READ_SECTORS] __attribute__((aligned(4096)));
	const struct region *region = findings->region;
	uint64_t *wanted = calloc(region->sectors, sizeof(*wanted));
	uint64_t number, last = last_sent(region, acked);
	struct step step;
	uint32_t index;

	if (!wanted)
		die("%s", region->name);
	for (number = 1; number <= acked; number++) {
		step = step_of(region, number);
		while (step.count--)
			wanted[step.first++] = number;
	}
	for (index = 0; index < region->sectors; index++) {
		if (index % READ_SECTORS == 0 &&
		    pread(region->fd, data, sizeof(data), region->offset +
			  (uint64_t)index * SECTOR) <= 0)
			die("%s", region->path);
		check_sector(findings, index, &data[index % READ_SECTORS],
			     wanted[index], acked, last);
	}
	free(wanted);
}

static void check_files(struct findings *findings, uint64_t acked)
{
	const struct region *region = findings->region;
	char found[FILE_MAX + 1], name[32];
	struct step step;
	uint64_t number;
	ssize_t length;
	int fd;

	for (number = 1; number <= acked; number++) {
		step = step_of(region, number);
		snprintf(name, sizeof(name), "%" PRIu64, number);
		fd = openat(region->fd, name, O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			complain(findings, "file %s is not there", name);
			continue;
		}
		length = read(fd, found, sizeof(found));
		close(fd);
		if (length < 0 || (size_t)length != step.bytes)
			complain(findings, "file %s has %zd bytes, not %u",
				 name, length, step.bytes);
		else if (memcmp(found, make_data(region, number, &step),
				length))
			complain(findings, "file %s has other contents", name);
	}
}

static bool check(struct region *region, const char *path)
{
	uint64_t acked = acked_of(region, path);
	struct findings findings = { .region = region };

	open_region(region, O_RDONLY);
	if (region->how == FILES)
		check_files(&findings, acked);
	else
		check_sectors(&findings, acked);
	close(region->fd);
	printf("%s: %" PRIu64 " acknowledged, %u sectors are newer, "
	       "%u are wrong\n", region->name, acked, findings.newer,
	       findings.complaints);
	return !findings.complaints;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	struct region region;
	bool good = true;
	int i;

	if (!strcmp(verb, "fill") && argc > 2) {
		for (i = 2; i < argc; i++) {
			region = parse_region(argv[i]);
			fill(&region);
		}
	} else if (!strcmp(verb, "write") && argc == 4) {
		region = parse_region(argv[3]);
		write_region(&region, strtoull(argv[2], NULL, 10), NULL);
	} else if (!strcmp(verb, "mark") && argc == 5) {
		region = parse_region(argv[4]);
		write_region(&region, strtoull(argv[3], NULL, 10), argv[2]);
	} else if (!strcmp(verb, "check") && argc > 3) {
		for (i = 3; i < argc; i++) {
			region = parse_region(argv[i]);
			good &= check(&region, argv[2]);
		}
	} else {
		wrong();
	}
	return good ? 0 : 1;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Replays the log of device mapper's log-writes step by step. Each run
 * continues to the next point where data was promised to be permanent. The
 * kernel documents the format of the log in
 * admin-guide/device-mapper/log-writes.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512
#define LOG_MAGIC 0x6a736677736872ULL
#define LOG_VERSION 1

enum {
	ENTRY_FLUSH = 1,
	ENTRY_FUA = 2,
	ENTRY_DISCARD = 4,
	ENTRY_MARK = 8,
	ENTRY_STOPS = ENTRY_FLUSH | ENTRY_FUA | ENTRY_MARK,
};

static const char usage[] =
"Usage: replay LOG FROM DEVICE\n"
"\n"
"Writes to DEVICE what the log has from its sector FROM on, 0 for the beginning, up\n"
"to and with the next FLUSH, FUA or mark. Prints the sector to go on from and what\n"
"it was: `flush`, `fua`, `mark TEXT`. The last mark is `mark dm-log-writes-end`.\n"
"\n"
"Exit status: 0, 1 failed, 2 wrong usage.\n";

/* Little-endian. */
struct log_super {
	uint64_t magic;
	uint64_t version;
	uint64_t entries;
	uint32_t sector_size;
};

struct log_entry {
	uint64_t sector;
	uint64_t sectors;
	uint64_t flags;
	uint64_t text_length;
	char text[SECTOR - 32];
};

struct replay {
	int log;
	int device;
	uint64_t at;		/* sector of the log */
};

static void __attribute__((noreturn)) die(const char *what, const char *why)
{
	fprintf(stderr, "replay: %s: %s\n", what, why);
	exit(1);
}

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		die(path, strerror(errno));
	return fd;
}

/* Reads the next sector of the log. */
static void read_log(struct replay *replay, void *sector)
{
	if (pread(replay->log, sector, SECTOR, replay->at * SECTOR) != SECTOR)
		die("the log", "it ends too early");
	replay->at++;
}

static void read_super(struct replay *replay)
{
	union {
		struct log_super super;
		char sector[SECTOR];
	} first;

	read_log(replay, &first);
	if (le64toh(first.super.magic) != LOG_MAGIC ||
	    le64toh(first.super.version) != LOG_VERSION ||
	    le32toh(first.super.sector_size) != SECTOR)
		die("the log", "it is none with sectors of 512 bytes");
}

static void copy(struct replay *replay, uint64_t sector, uint64_t sectors)
{
	char data[SECTOR];

	while (sectors--) {
		read_log(replay, data);
		if (pwrite(replay->device, data, SECTOR,
			   sector++ * SECTOR) != SECTOR)
			die("the device", "a write failed");
	}
}

/*
 * Replays one entry. Returns its flags. Discarded blocks may have any contents,
 * such as the old ones.
 */
static uint64_t replay_entry(struct replay *replay, struct log_entry *entry)
{
	uint64_t flags, sectors;

	_Static_assert(sizeof(*entry) == SECTOR, "padding");
	read_log(replay, entry);
	flags = le64toh(entry->flags);
	sectors = le64toh(entry->sectors);
	/* There is nothing after the last entry. */
	if (!sectors && !(flags & ENTRY_STOPS))
		die("the log", "no more entries, and no mark of the end");
	if (!(flags & ENTRY_DISCARD))
		copy(replay, le64toh(entry->sector), sectors);
	return flags;
}

int main(int argc, char **argv)
{
	struct log_entry entry;
	struct replay replay;
	uint64_t flags;

	if (argc != 4) {
		fputs(usage, stderr);
		return 2;
	}
	replay.log = open_or_die(argv[1], O_RDONLY);
	replay.at = strtoull(argv[2], NULL, 10);
	replay.device = open_or_die(argv[3], O_WRONLY);
	if (!replay.at)
		read_super(&replay);
	do {
		flags = replay_entry(&replay, &entry);
	} while (!(flags & ENTRY_STOPS));
	printf("%" PRIu64 " ", replay.at);
	if (flags & ENTRY_MARK)
		printf("mark %.*s\n", (int)sizeof(entry.text) - 1, entry.text);
	else
		puts(flags & ENTRY_FLUSH ? "flush" : "fua");
	return 0;
}

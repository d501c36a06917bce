// SPDX-License-Identifier: GPL-2.0
/*
 * Reads a disk by direct I/O, sector by sector or in blocks of so many bytes, to
 * the standard output, with zeroes for a block that cannot be read; prints the
 * number of these to the standard error. Its memory is aligned as every disk
 * wants it. BusyBox's dd does not align its own, and reads through the page cache
 * when that is refused: whole pages, and so no sector beside one that cannot be
 * read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512

static _Alignas(4096) char block[4096];

int main(int argc, char **argv)
{
	unsigned int i, count, bytes = SECTOR, failed = 0;
	int fd;

	if (argc == 4)
		bytes = strtoul(argv[3], NULL, 10);
	if (argc < 3 || argc > 4 || !bytes || bytes % SECTOR ||
	    bytes > sizeof(block)) {
		fprintf(stderr, "Usage: sectors DISK COUNT [BYTES]\n");
		return 2;
	}
	count = strtoul(argv[2], NULL, 10);
	fd = open(argv[1], O_RDONLY | O_DIRECT);
	if (fd < 0) {
		perror(argv[1]);
		return 1;
	}
	for (i = 0; i < count; i++) {
		ssize_t n = pread(fd, block, bytes, (off_t)i * bytes);

		if (n < 0 && errno == EIO) {
			failed++;
			memset(block, 0, bytes);
		} else if (n != (ssize_t)bytes) {
			perror(argv[1]);
			return 1;
		}
		if (fwrite(block, bytes, 1, stdout) != 1) {
			perror("standard output");
			return 1;
		}
	}
	fprintf(stderr, "%u\n", failed);
	return fflush(stdout) ? 1 : 0;
}

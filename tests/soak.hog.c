// SPDX-License-Identifier: GPL-2.0
/*
 * Takes nearly all memory of the board for a moment, or more than there is: then
 * the OOM killer ends it, and nobody else. For `make soak`.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define STEP (256 * 1024)

static const char usage[] =
"Usage: hog KEEP HOLD\n"
"\n"
"Takes memory until only KEEP KiB are available (0: and on), and gives it back\n"
"after HOLD milliseconds.\n";

/* Nobody must end instead of this process. False: that cannot be had. */
static int be_first_victim(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	int done = fd >= 0 && write(fd, "1000", 4) == 4;

	if (fd >= 0)
		close(fd);
	return done;
}

/* In KiB. */
static uint64_t available(void)
{
	char text[512], *line;
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[length > 0 ? length : 0] = '\0';
	line = strstr(text, "MemAvailable:");
	return line ? strtoull(line + strlen("MemAvailable:"), NULL, 10) : 0;
}

int main(int argc, char **argv)
{
	struct timespec hold;
	uint64_t keep, ms;
	void *memory;

	if (argc != 3) {
		fputs(usage, stderr);
		return 2;
	}
	keep = strtoull(argv[1], NULL, 10);
	ms = strtoull(argv[2], NULL, 10);
	if (!be_first_victim())
		return 1;
	while (!keep || available() > keep) {
		memory = mmap(NULL, STEP, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (memory == MAP_FAILED)
			return 1;
		memset(memory, 1, STEP);
	}
	hold.tv_sec = ms / 1000;
	hold.tv_nsec = ms % 1000 * 1000000;
	nanosleep(&hold, NULL);
	return 0;
}

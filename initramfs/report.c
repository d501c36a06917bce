// SPDX-License-Identifier: GPL-2.0
/*
 * Messages of init: to the kernel log, and to the console if it would not show
 * them.
 */
#include "initramfs/report.h"
#include "lib/message.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LEVEL_WIDTH 3	/* "<3>" */

/* Whether the console shows kernel messages of this level. */
static int report_is_shown(int level)
{
	char text[8] = "";
	int fd = open("/proc/sys/kernel/printk", O_RDONLY | O_CLOEXEC);
	int shown = 0;

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) > 0)
		shown = level < atoi(text);
	close(fd);
	return shown;
}

/*
 * Opens the log for each line, because the kernel limits the rate for each open
 * file.
 */
static int report_log(const char *line, size_t length)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	ssize_t done;

	if (fd < 0)
		return 0;
	done = write(fd, line, length);
	close(fd);
	return done >= 0;
}

static void report_line(int level, int err, const char *format, va_list args)
{
	char prefix[LEVEL_WIDTH + sizeof("ublk: init: ")];
	char line[MESSAGE_MAX];
	size_t length;

	snprintf(prefix, sizeof(prefix), "<%d>ublk: init: ", level);
	length = message_text(line, prefix, err, format, args);
	if (report_log(line, length) &&
	    (level > REPORT_WARNING || report_is_shown(level)))
		return;
	/* If this fails, there is no way left to report it. */
	if (write(STDERR_FILENO, line + LEVEL_WIDTH, length - LEVEL_WIDTH) < 0)
		return;
}

void report(int level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report_line(level, 0, format, args);
	va_end(args);
}

int report_fail(int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report_line(REPORT_ERROR, err, format, args);
	va_end(args);
	return -abs(err);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Messages for the user: on standard error, or in the kernel log once the
 * server has left its caller. Each message is one write(), so that lines of
 * several processes do not mix.
 */
#include "lib/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINE_MAX_BYTES 512

static int message_fd = STDERR_FILENO;

/* "ublk: " + text + ": " + reason + newline; cut if it is too long. */
static void message_line(const char *format, va_list args, const char *reason)
{
	char line[LINE_MAX_BYTES];
	size_t room = sizeof(line) - 1;
	size_t used = 0;
	int n;

	n = snprintf(line, room, "ublk: ");
	used += n;
	n = vsnprintf(line + used, room - used, format, args);
	used = (size_t)n < room - used ? used + n : room - 1;
	if (reason) {
		n = snprintf(line + used, room - used, ": %s", reason);
		used = (size_t)n < room - used ? used + n : room - 1;
	}
	line[used++] = '\n';
	/* If this fails, there is no way left to report it. */
	if (write(message_fd, line, used) < 0)
		return;
}

void message(const char *format, ...)
{
	int saved = errno;
	va_list args;

	va_start(args, format);
	message_line(format, args, NULL);
	va_end(args);
	errno = saved;
}

/* The C library's text, with a hint where that alone does not help. */
static const char *reason_of(int err)
{
	if (err == EFBIG)
		return "File too large (for its filesystem, or for the limit "
		       "of `ulimit -f`)";
	return strerror(err);
}

int message_fail(int err, const char *format, ...)
{
	va_list args;

	err = abs(err);
	va_start(args, format);
	message_line(format, args, reason_of(err));
	va_end(args);
	return -err;
}

void message_to_kernel_log(void)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		message_fd = fd;
}

int message_redirect(int fd)
{
	int before = message_fd;

	message_fd = fd;
	return before;
}

void message_close_others(void)
{
	const unsigned int first = STDERR_FILENO + 1, kept = message_fd;

	if (kept > first)
		syscall(SYS_close_range, first, kept - 1, 0);
	syscall(SYS_close_range, kept < first ? first : kept + 1, ~0U, 0);
}

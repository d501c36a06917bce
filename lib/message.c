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

static int message_fd = STDERR_FILENO;

/* The C library's text, with a hint where that alone does not help. */
static const char *message_reason(int err)
{
	if (err == EFBIG)
		return "File too large (for its filesystem, or for the limit "
		       "of `ulimit -f`)";
	return strerror(err);
}

size_t message_text(char line[MESSAGE_MAX], const char *prefix, int err,
		    const char *format, va_list args)
{
	const size_t room = MESSAGE_MAX - 1;	/* for the newline */
	size_t used = 0;
	int n;

	n = snprintf(line, room, "%s", prefix);
	used += n;
	n = vsnprintf(line + used, room - used, format, args);
	used = (size_t)n < room - used ? used + n : room - 1;
	if (err) {
		n = snprintf(line + used, room - used, ": %s",
			     message_reason(abs(err)));
		used = (size_t)n < room - used ? used + n : room - 1;
	}
	line[used++] = '\n';
	return used;
}

static void message_print(int err, const char *format, va_list args)
{
	char line[MESSAGE_MAX];
	size_t length = message_text(line, "ublk: ", err, format, args);

	/* If this fails, there is no way left to report it. */
	if (write(message_fd, line, length) < 0)
		return;
}

void message(const char *format, ...)
{
	int saved = errno;
	va_list args;

	va_start(args, format);
	message_print(0, format, args);
	va_end(args);
	errno = saved;
}

int message_fail(int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message_print(err, format, args);
	va_end(args);
	return -abs(err);
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

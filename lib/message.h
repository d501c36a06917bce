/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages for the user. Each is one line, `ublk: object: reason`, on standard
 * error. A server that has left its caller's terminal writes to the kernel log
 * instead. Nothing here writes to standard output, which is for results (a
 * node, a table).
 *
 * "After printing why", in other headers, means on error: -errno is returned,
 * and the reason has been printed with one of these functions.
 */
#ifndef LIB_MESSAGE_H
#define LIB_MESSAGE_H

#include <stdarg.h>
#include <stddef.h>

#define MESSAGE_MAX 512		/* bytes of a line; a longer one is cut */

/* Prints one line; @format has no newline. Keeps errno. */
void message(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Prints one line that ends with the reason @err, an errno value of either
 * sign. Returns -|err|, so that `return message_fail(errno, "%s", path);`
 * prints the error and returns it.
 */
int message_fail(int err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Composes a line for a message that goes elsewhere: @prefix and the text; a colon
 * and the reason unless @err is 0; a newline. Returns its length in bytes.
 */
size_t message_text(char line[MESSAGE_MAX], const char *prefix, int err,
		    const char *format, va_list args)
	__attribute__((format(printf, 4, 0)));

/*
 * Sends later messages to the kernel log (/dev/kmsg, which is opened here and
 * stays open). Without /dev/kmsg, messages still go to standard error.
 */
void message_to_kernel_log(void);

/*
 * Sends later messages to @fd. Returns the previous descriptor, to restore it
 * with another call.
 */
int message_redirect(int fd);

/*
 * Closes all descriptors but the three standard ones and the one for messages.
 */
void message_close_others(void);

#endif

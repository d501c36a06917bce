/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the program says to people. Every message is one line, `ublk: object:
 * reason`, on standard error; a server that has left its caller's terminal
 * speaks to the kernel log instead. Standard output is never used here: it
 * belongs to results (a node, a table).
 */
#ifndef LIB_MESSAGE_H
#define LIB_MESSAGE_H

/* One line, without the newline. Keeps errno. */
void message(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * One line that ends in the reason @err (an errno value, positive or
 * negative). Returns -|err|, so that `return message_fail(errno, "%s", path);`
 * both tells and fails.
 */
int message_fail(int err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * From now on messages go to the kernel log (/dev/kmsg, opened here and kept
 * open). Without /dev/kmsg they are lost.
 */
void message_to_kernel_log(void);

/*
 * Messages go to @fd from now on. Returns where they went before, to be given
 * back in the same way.
 */
int message_redirect(int fd);

/* Closes all files but the three standard ones and that of messages. */
void message_close_others(void);

#endif

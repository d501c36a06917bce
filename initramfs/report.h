/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages of init. Each line goes to the kernel log. Warnings and errors also
 * go to the console, even if its log level would not show them. Nothing here
 * needs /dev or /proc: without them, messages go to standard error.
 */
#ifndef INITRAMFS_REPORT_H
#define INITRAMFS_REPORT_H

/* The levels of the kernel log. */
enum {
	REPORT_ERROR = 3,
	REPORT_WARNING = 4,
	REPORT_INFO = 6,
};

/* Prints one line; @format has no newline. */
void report(int level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Prints an error that ends with the reason @err, an errno value of either
 * sign. Returns -|err|.
 */
int report_fail(int err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What init says. Every line goes to the kernel log, where it is found later;
 * a warning or an error is also seen on the console, whatever level of the log
 * the console shows. Nothing here needs /dev or /proc: without them all goes to
 * standard error.
 */
#ifndef INITRAMFS_REPORT_H
#define INITRAMFS_REPORT_H

/* The levels of the kernel log. */
enum {
	REPORT_ERROR = 3,
	REPORT_WARNING = 4,
	REPORT_INFO = 6,
};

/* One line, without the newline. */
void report(int level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * An error that ends in the reason @err, an errno value of either sign. Returns
 * -|err|.
 */
int report_fail(int err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The options of the file target, which serves local files and devices (file.c),
 * and opens what is on a server instead (nbd/nbd.c).
 */
#ifndef TARGETS_FILE_SETTINGS_H
#define TARGETS_FILE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/option.h"

struct file_settings {
	bool buffered;
	uint64_t offset;
	uint64_t size;		/* 0: the rest of the file */
	int64_t timeout;	/* of an export, in seconds; 0: none */
};

extern const struct option_spec file_options[];

#endif

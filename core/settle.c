// SPDX-License-Identifier: GPL-2.0
/*
 * Completes what a dead server left undone. It asks the driver nothing and
 * deletes nothing.
 */
#include "core/settle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/device.h"
#include "core/memory.h"
#include "core/record.h"
#include "core/resume.h"
#include "lib/key-value.h"
#include "lib/message.h"

/* Whether the record asks for it, and the memory that it needs still exists. */
static bool is_unfinished(int id)
{
	char *text, value[4] = "";

	if (record_read(id, &text) >= 0)
		key_value_get(text, "unfinished", value, sizeof(value));
	free(text);
	/*
	 * After a reboot, or if the memory had no name, there is nothing to
	 * save.
	 */
	return !strcmp(value, "1") && memory_is_kept(id);
}

int settle_device(int id)
{
	struct ublk_device device = { 0 };
	int err;

	if (!is_unfinished(id))
		return 0;
	err = resume_record(&device, id);
	if (err)
		return err;
	device.disk.logical_block = 512;
	device.disk.physical_block = 4096;
	device.file_count = 1;
	err = device.target->open(&device, device.argument,
				  device.target_settings, &device.disk);
	if (err)
		return err;
	err = device.target->finish ? device.target->finish(&device) : 0;
	device.target->close(&device);
	if (!err)
		message("device %d: all writes are in the --cow file now", id);
	return err;
}

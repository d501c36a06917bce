// SPDX-License-Identifier: GPL-2.0
/*
 * `ublk features`: shows what the driver of this kernel offers, and what ublk
 * uses of that.
 */
#include <errno.h>
#include <stdio.h>

#include "commands/verb.h"
#include "core/ctrl.h"
#include "core/device.h"
#include "lib/build.h"
#include "lib/message.h"

/*
 * Flags of GET_FEATURES, by bit. Flags that are not listed are shown by their
 * number.
 */
static const char *const feature_names[] = {
	"SUPPORT_ZERO_COPY", "URING_CMD_COMP_IN_TASK", "NEED_GET_DATA",
	"USER_RECOVERY", "USER_RECOVERY_REISSUE", "UNPRIVILEGED_DEV",
	"CMD_IOCTL_ENCODE", "USER_COPY", "ZONED", "USER_RECOVERY_FAIL_IO",
	"UPDATE_SIZE", "AUTO_BUF_REG", "QUIESCE", "PER_IO_DAEMON",
	"BUF_REG_OFF_DAEMON", "BATCH_IO", "INTEGRITY", "SAFE_STOP_DEV",
	"NO_AUTO_PART_SCAN", "SHMEM_ZC", "IO_DESC_SIZE",
};
#define FEATURE_NAMES (sizeof(feature_names) / sizeof(feature_names[0]))

/* Flags that devices get, and the one that `ublk stop` uses. */
#define FEATURES_USED (DEVICE_FEATURES | UBLK_F_SAFE_STOP_DEV)

static const char *feature_state(uint64_t flag, uint64_t offered)
{
	if (!(offered & flag))
		return "no";
	return FEATURES_USED & flag ? "yes used" : "yes";
}

static int features_run(const void *values, int argc, char **argv)
{
	struct ublk_ctrl ctrl;
	unsigned int bit;

	(void)values;
	(void)argc;
	(void)argv;
	if (ctrl_open(&ctrl))
		return EXIT_FAILED;
	for (bit = 0; bit < 64; bit++) {
		const char *state = feature_state(1ULL << bit, ctrl.features);

		if (bit < FEATURE_NAMES)
			printf("%-24s %s\n", feature_names[bit], state);
		else if (ctrl.features >> bit & 1)
			printf("bit %-20u %s\n", bit, state);
	}
	ctrl_close(&ctrl);
	if (fflush(stdout)) {
		message_fail(errno, "standard output");
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

const struct verb verb_features = {
	.name = "features",
	.summary = "show which features the kernel's driver offers",
	.manual = MANUAL("Prints one feature per line: the name of its UBLK_F_ flag, "
		  "and yes or no. `used`\nfollows if ublk uses the feature for "
		  "any of its devices. Before Linux 6.5 the\ndriver cannot be "
		  "asked, and the list is what that version is known to offer.\n"),
	.run = features_run,
};

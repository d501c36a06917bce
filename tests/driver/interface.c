// SPDX-License-Identifier: GPL-2.0
/*
 * Every command of the ublk interface with right and wrong arguments, and what
 * the driver answers. The expectations are the same for our driver and for
 * Linux's, but for the list of differences below. Prints TAP.
 *
 * interface [-l] [GROUP...]: all groups of checks or those named; -l lists them.
 */
#include "tests/driver/interface-control.h"
#include "tests/driver/interface-io.h"
#include "tests/driver/interface-recovery.h"

#include <sys/utsname.h>

#define UNCHECKED "sets parameters that START_DEV or the block layer chokes on"

static const struct difference differences[] = {
	{ "params: physical blocks of 2^255 bytes", 0, UNCHECKED },
	{ "params: smallest I/O of 2^32 bytes", 0, UNCHECKED },
	{ "params: best I/O of 2^32 bytes", 0, UNCHECKED },
	{ "params: a capacity of 2^64 - 1 sectors", 0, UNCHECKED },
	{ "params: a capacity of 2^55 sectors", 0, UNCHECKED },
	{ "user-copy: a part that ends with the request", 8192,
	  "tells what was asked for, not what was copied" },
	{ "user-copy: its second half, no more than there is", 8192,
	  "tells what was asked for, not what was copied" },
	{ "user-copy: to memory that is not there", 0,
	  "does not tell a fault from the end" },
};

static const struct difference *difference_of(const char *check)
{
	for (size_t i = 0; i < sizeof(differences) / sizeof(*differences); i++)
		if (!strcmp(differences[i].check, check))
			return &differences[i];
	return NULL;
}

static const struct group {
	const char *name;
	void (*run)(void);
	uint64_t needs;		/* features, or it is skipped */
} groups[] = {
	{ "features", test_features, 0 },
	{ "opcodes", test_opcodes, 0 },
	{ "arguments", test_arguments, 0 },
	{ "sqe64", test_sqe64, 0 },
	{ "add", test_add, 0 },
	{ "add-answer", test_add_answer, 0 },
	{ "affinity", test_affinity, 0 },
	{ "params", test_params, 0 },
	{ "params-refused", test_params_refused, 0 },
	{ "start", test_start, 0 },
	{ "disk", test_disk, 0 },
	{ "mmap", test_mmap, 0 },
	{ "second-opener", test_second_opener, 0 },
	{ "del-async", test_del_async, 0 },
	{ "descriptors", test_descriptors, 0 },
	{ "cache", test_cache, 0 },
	{ "results", test_results, 0 },
	{ "short", test_short, 0 },
	{ "idle", test_idle, 0 },
	{ "fetch64", test_fetch64, 0 },
	{ "wrong", test_wrong, 0 },
	{ "buffers", test_buffers, 0 },
	{ "stop-serving", test_stop_serving, 0 },
	{ "queues", test_queues, 0 },
	{ "swap", test_swap, 0 },
	{ "need-get-data", test_need_get_data, UBLK_F_NEED_GET_DATA },
	{ "user-copy", test_user_copy, UBLK_F_USER_COPY },
	{ "recovery-wait", test_recovery_wait, UBLK_F_USER_RECOVERY },
	{ "recovery-reissue", test_recovery_reissue,
	  UBLK_F_USER_RECOVERY_REISSUE },
	{ "recovery-fail", test_recovery_fail, UBLK_F_USER_RECOVERY_FAIL_IO },
	{ "recovery-flags", test_recovery_flags, UBLK_F_USER_RECOVERY_FAIL_IO },
	{ "per-io-daemon", test_per_io_daemon, UBLK_F_PER_IO_DAEMON },
	{ "per-io-two", test_per_io_two, UBLK_F_PER_IO_DAEMON },
	{ "unprivileged", test_unprivileged, UBLK_F_UNPRIVILEGED_DEV },
	{ "update-size", test_update_size, UBLK_F_UPDATE_SIZE },
	{ "quiesce", test_quiesce, UBLK_F_QUIESCE },
};

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc == 1;
}

static void run_group(const struct group *g)
{
	group = g->name;
	step("start");
	if ((ctrl.features & g->needs) == g->needs)
		g->run();
	else
		skip("all", "the driver does not offer it");
}

static int which_kernel(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	uname(&name);
	sscanf(name.release, "%d.%d", &major, &minor);
	return 100 * major + minor;
}

int main(int argc, char **argv)
{
	const size_t count = sizeof(groups) / sizeof(*groups);
	int err;

	if (argc > 1 && !strcmp(argv[1], "-l")) {
		for (size_t i = 0; i < count; i++)
			puts(groups[i].name);
		return 0;
	}
	kernel = which_kernel();
	err = raw_ctrl_open(&ctrl);
	if (err) {
		printf("Bail out! /dev/ublk-control: %s\n", strerror(-err));
		return 1;
	}
	ours = ctrl.features == FEATURES_OF_OURS;
	note("%s driver, features %#llx", ours ? "our" : "Linux's",
	     (unsigned long long)ctrl.features);
	guard_start();
	for (size_t i = 0; i < count; i++)
		if (wanted(groups[i].name, argc, argv))
			run_group(&groups[i]);
	printf("1..%u\n", checks);
	return failures != 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Every command of the ublk interface with valid and invalid arguments, and the
 * driver's answers. The expected answers are the same for our driver and for
 * Linux's, except for the list of differences below. Prints TAP.
 *
 * interface [-l] [GROUP...]: all groups of checks or those named; -l: list them
 */
#include "tests/driver/interface-test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#define UNCHECKED "sets parameters that START_DEV or the block layer chokes on"

#define ANY_SIZE "takes every size, also more than there are bytes"

#define AT_ONCE "does not wait for what the server has"

#define LATE "waits for the queues before it looks"

static const struct difference differences[] = {
	{ "arguments: START_DEV without parameters", NOTHING, LATE, 612 },
	{ "params-refused: no START_DEV then", NOTHING, LATE, 612 },
	{ "params-late: it is not started with the bad ones", NOTHING,
	  "looks at them before it waits, or never again", 0 },
	{ "add: no depth", NOTHING, "the kernel warns that it was asked", 612 },
	{ "add: 4097 queues", 0, "has no limit", 612 },
	{ "add: id -2", NOTHING, "the kernel warns that it was asked", 612 },
	{ "add: id 2^31 - 1", 0, "takes every id", 612 },
	{ "add: id 2^20, more than there are minors", 0, "takes every id", 612 },
	{ "add-answer: no owner but root", 77, "hands back what was there", 612 },
	{ "add-answer: descriptors of the usual size", 77,
	  "knows one size only, and hands back what was there", 703 },
	{ "desc-size: as large as it asked for, or as usual", 48,
	  "knows one size only, and hands back what was there", 703 },
	{ "params: requests of no sector", 0, UNCHECKED, 612 },
	{ "params: requests of less than a page", 0, UNCHECKED, 612 },
	{ "params: numbers of nodes", 0, "takes them and forgets them", 612 },
	{ "start: tells numbers of nodes", 0, "does not", 612 },
	{ "start: major of /dev/ublkcN", 0, "does not tell", 612 },
	{ "start: major of /dev/ublkbN", 0, "does not tell", 612 },
	{ "mmap: it never becomes writable", 0, "lets it", 612 },
	{ "params: chunks of less than a block", 0, UNCHECKED, 0 },
	{ "idle: FETCH of an armed slot", -EBUSY,
	  "says that of every command to it", 703 },
	{ "idle: FETCH after STOP_DEV", -EINVAL, "says that of any wrong one", 700 },
	{ "idle: START_DEV while that server is there", NOTHING,
	  "starts without a command", 700 },
	{ "successor: 30 times, nothing that it fetches comes back", 120,
	  "gives it back with the old disk", 700 },
	{ "need-get-data: NEED_GET_DATA to what is not there", NOTHING,
	  "asks for it again, for ever", 0 },
	{ "results: WRITE: 0 is all of it", NOTHING, "serves it again", 700 },
	{ "params: physical blocks of 2^255 bytes", 0, UNCHECKED, 703 },
	{ "params: smallest I/O of 2^32 bytes", 0, UNCHECKED, 703 },
	{ "params: best I/O of 2^32 bytes", 0, UNCHECKED, 703 },
	{ "params: a capacity of 2^64 - 1 sectors", 0, UNCHECKED, 0 },
	{ "params: a capacity of 2^55 sectors", 0, UNCHECKED, 0 },
	{ "user-copy: a part that ends with the request", 8192,
	  "tells what was asked for, not what was copied", 703 },
	{ "user-copy: its second half, no more than there is", 8192,
	  "tells what was asked for, not what was copied", 703 },
	{ "user-copy: to memory that is not there", 0,
	  "does not tell a fault from the end", 0 },
	{ "update-size: 2^64 - 1 sectors", 0, ANY_SIZE, 0 },
	{ "update-size: 2^55 sectors", 0, ANY_SIZE, 0 },
	{ "update-size: they change nothing", LONG_MAX - 511, ANY_SIZE, 0 },
	{ "quiesce: it does not wait longer than it should", NOTHING, AT_ONCE, 0 },
	{ "quiesce-faulting: it waits for the WRITE", NOTHING, AT_ONCE, 0 },
	{ "try-stop-scan: which interrupts it", NOTHING,
	  "cannot be interrupted", 0 },
	{ "scan-successor: no untrusted server while a table is being read", 0,
	  "lets any server go on with the scan", 0 },
	{ "scan-successor: its table is not looked at", 0,
	  "lets any server go on with the scan", 0 },
	{ "lent: REGISTER at 2^32", NOTHING, "takes the lower half of it", 0 },
	{ "lent-result: the command comes back", -ETIME,
	  "gives none back whose tag has a request still", 0 },
	{ "killed-lent-committed: the WRITE ends as it was committed", NOTHING,
	  "holds a command until the ring lets go, which that waits for", 0 },
	{ "batch-flags: one tag", -EINVAL, "has no queue as short as that", 0 },
	{ "batch-auto: one tag", NOTHING, "has no such queue", 0 },
	{ "batch-fallback: one tag", NOTHING, "has no such queue", 0 },
	{ "batch-auto-untold: one tag", NOTHING, "has no such queue", 0 },
	{ "batch-quiesce: a WRITE waits", NOTHING,
	  "fails what comes while it is quiesced", 0 },
	{ "batch-tasks: the other one gets the WRITE", NOTHING,
	  "leaves it to the next FETCH that comes", 0 },
	{ "batch-killed-left: what it had fetched fails", NOTHING,
	  "waits until nobody has the node open", 0 },
	{ "killed-lent-committed-reissue: the WRITE ends as it was committed",
	  NOTHING, "holds a command until the ring lets go", 0 },
};

#define EARLY "delivers as soon as it has all tags"

/* What Linux's driver answers since 7.0; in 6.12 it is the same as ours. */
static const struct difference later[] = {
	{ "idle: a control command's number", -EBUSY,
	  "looks at the slot before it looks at the number", 0 },
	{ "short: the rest of the WRITE", NOTHING,
	  "takes a WRITE for whole, however little of it the server says", 0 },
	{ "recovery-wait: nothing is delivered before END_USER_RECOVERY",
	  NOTHING, EARLY, 0 },
	{ "recovery-reissue: nothing is delivered before END_USER_RECOVERY",
	  NOTHING, EARLY, 0 },
	{ "recovery-fail: nothing is delivered before END_USER_RECOVERY",
	  NOTHING, EARLY, 0 },
};

static const struct difference *in_table(const struct difference *table,
					 size_t count, const char *check)
{
	for (const struct difference *row = table; row < table + count; row++)
		if (!strcmp(row->check, check) &&
		    (!row->before || kernel < row->before))
			return row;
	return NULL;
}

const struct difference *difference_of(const char *check)
{
	const struct difference *other = NULL;

	if (ours)
		return NULL;
	if (kernel >= 700)
		other = in_table(later, sizeof(later) / sizeof(*later), check);
	return other ? other :
	       in_table(differences, sizeof(differences) / sizeof(*differences),
			check);
}

static const struct group *const parts[] = {
	control_groups, device_groups, io_groups, data_groups, lent_groups,
	task_groups, recovery_groups, killed_groups, batch_groups,
	batch_server_groups, user_groups, slow_groups, scan_groups,
};

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc == 1;
}

static void run_group(const struct group *group)
{
	group_begin(group->name);
	if ((ctrl.features & group->needs) == group->needs)
		group->run();
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
	const size_t count = sizeof(parts) / sizeof(*parts);
	const struct group *group;
	size_t i;
	int err;

	if (argc > 1 && !strcmp(argv[1], "-l")) {
		for (i = 0; i < count; i++)
			for (group = parts[i]; group->name; group++)
				puts(group->name);
		return 0;
	}
	kernel = which_kernel();
	err = raw_ctrl_open(&ctrl);
	if (err) {
		printf("Bail out! /dev/ublk-control: %s\n", strerror(-err));
		return 1;
	}
	/* Linux's driver has zoned devices, and ours never will. */
	ours = ctrl.features & UBLK_F_UPDATE_SIZE &&
	       !(ctrl.features & UBLK_F_ZONED);
	note("%s driver, features %#llx", ours ? "our" : "Linux's",
	     (unsigned long long)ctrl.features);
	guard_start();
	for (i = 0; i < count; i++)
		for (group = parts[i]; group->name; group++)
			if (wanted(group->name, argc, argv))
				run_group(group);
	return checks_end();
}

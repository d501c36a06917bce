// SPDX-License-Identifier: GPL-2.0
/*
 * Who looks for partitions of a new disk, and when, in the interface test; and
 * TRY_STOP_DEV, which asks who has the disk open.
 */
#include "tests/driver/interface-test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A DOS label with one partition, from sector 8 on. */
static void label(char sector[512])
{
	static const unsigned char entry[16] = {
		[4] = 0x83, [8] = 8, [12] = 16,
	};

	memset(sector, 0, 512);
	memcpy(sector + 446, entry, sizeof(entry));
	sector[510] = 0x55;
	sector[511] = (char)0xaa;
}

/* A server that gives the label to whoever reads it, until it is stopped. */
struct labeller {
	struct rig *rig;
	pthread_t thread;
	bool trusted;
	int err;
};

/* For this thread only, which the C library does not offer. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { 0 };

	return syscall(SYS_capset, &header, none) ? -errno : 0;
}

static void *labeller_run(void *arg)
{
	struct labeller *labeller = arg;
	struct rig *rig = labeller->rig;

	labeller->err = labeller->trusted ? 0 : drop_capabilities();
	if (labeller->err || !rig_server(rig))
		return NULL;
	rig_fetch_all(rig);
	for (;;) {
		int result = rig_next(rig, 0, 100);

		if (result == -ETIME)
			continue;
		if (result)
			return NULL;
		memset(rig_data(rig, 0), 0, rig_bytes(rig, 0));
		if (!rig_desc(rig, 0)->start_sector)
			label(rig_data(rig, 0));
		commit(rig, rig_bytes(rig, 0));
	}
}

static bool labeller_begin(struct labeller *labeller, struct rig *rig,
			   uint64_t flags, bool trusted)
{
	if (!rig_add(rig, flags, 1, 4))
		return false;
	*labeller = (struct labeller){ .rig = rig, .trusted = trusted };
	is(raw_set_params(&ctrl, rig->id, &rig->params), 0, "SET_PARAMS");
	pthread_create(&labeller->thread, NULL, labeller_run, labeller);
	return is(raw_start(&ctrl, rig->id, getpid()), 0, "START_DEV");
}

static void labeller_end(struct labeller *labeller)
{
	struct rig *rig = labeller->rig;

	is(raw_stop(&ctrl, rig->id), 0, "STOP_DEV");
	pthread_join(labeller->thread, NULL);
	is(labeller->err, 0, "the server had what it needs");
	rig_down(rig);
}

static bool has_partition(const struct rig *rig)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/block/ublkb%d/ublkb%dp1", rig->id,
		 rig->id);
	return !access(path, F_OK);
}

static bool partition_comes(const struct rig *rig)
{
	for (int tries = 0; tries < IO_MS / 20; tries++) {
		if (has_partition(rig))
			return true;
		usleep(20000);
	}
	return false;
}

/* Who can open the disk can see its partitions. */
static void test_scan(void)
{
	struct labeller labeller;
	struct rig rig;

	rig_scans = true;
	if (labeller_begin(&labeller, &rig, 0, true)) {
		ok(rig_open_disk(&rig) >= 0, "open the disk");
		ok(ours ? has_partition(&rig) : partition_comes(&rig),
		   "its partition is there");
		rig_close_disk(&rig);
	}
	rig_scans = false;
	labeller_end(&labeller);
}

static void test_scan_off(void)
{
	struct labeller labeller;
	struct rig rig;

	if (labeller_begin(&labeller, &rig, 0, true)) {
		ok(rig_open_disk(&rig) >= 0, "open the disk");
		usleep(QUIET_MS * 1000);
		ok(!has_partition(&rig), "nobody has looked");
		is(ioctl(rig.disk, BLKRRPART), 0, "BLKRRPART looks");
		ok(has_partition(&rig), "its partition is there");
		rig_close_disk(&rig);
	}
	labeller_end(&labeller);
}

/*
 * A table that is written by who may not do everything is not parsed, whoever
 * added the device.
 */
static void test_scan_untrusted(void)
{
	struct labeller labeller;
	struct rig rig;

	rig_scans = true;
	if (labeller_begin(&labeller, &rig, 0, false)) {
		ok(rig_open_disk(&rig) >= 0, "open the disk");
		usleep(QUIET_MS * 1000);
		ok(!has_partition(&rig), "nobody has looked");
		is(ioctl(rig.disk, BLKRRPART) ? -errno : 0, -EINVAL,
		   "and nobody can");
		rig_close_disk(&rig);
	}
	rig_scans = false;
	labeller_end(&labeller);
}

/* A disk that recovers, and whose table is being read. */
static bool scan_begin(struct rig *rig)
{
	bool added;

	rig_scans = true;
	added = rig_add(rig, UBLK_F_USER_RECOVERY |
			UBLK_F_USER_RECOVERY_REISSUE, 1, 4);
	rig_scans = false;
	if (!added)
		return false;
	is(raw_set_params(&ctrl, rig->id, &rig->params), 0, "SET_PARAMS");
	if (!rig_server(rig))
		return false;
	rig_fetch_all(rig);
	is(raw_start(&ctrl, rig->id, getpid()), 0, "START_DEV");
	return is(rig_next(rig, 0, IO_MS), 0, "the table is being read");
}

/* The server dies over it, and the next one is asked. */
static bool scan_recovers(struct rig *rig)
{
	rig_server_dies(rig);
	rig_becomes(rig, UBLK_S_DEV_QUIESCED, "the device is QUIESCED");
	return rig_recovered(rig) &&
	       is(rig_next(rig, 0, IO_MS), 0, "it is read again");
}

/* START_DEV does not wait for it, and the disk outlives a death over it. */
static void test_scan_death(void)
{
	struct rig rig;

	if (scan_begin(&rig) && scan_recovers(&rig)) {
		label(rig_data(&rig, 0));
		commit(&rig, rig_bytes(&rig, 0));
		rig_serve_rest(&rig);
		ok(partition_comes(&rig), "its partition is there");
	}
	rig_down(&rig);
}

static int try_stop(const struct rig *rig)
{
	return raw_command(&ctrl, UBLK_U_CMD_TRY_STOP_DEV, rig->id, NULL, 0, 0);
}

static void test_try_stop(void)
{
	struct rig rig;

	if (!rig_add(&rig, 0, 1, 2))
		return;
	is(try_stop(&rig), -ENODEV, "TRY_STOP_DEV before there is a disk");
	if (!rig_up(&rig))
		goto end;
	is(try_stop(&rig), -EBUSY, "TRY_STOP_DEV while the disk is open");
	is(raw_state(&ctrl, rig.id), UBLK_S_DEV_LIVE, "it goes on");
	rig_close_disk(&rig);
	is(try_stop(&rig), 0, "TRY_STOP_DEV when it is closed");
	is(raw_state(&ctrl, rig.id), UBLK_S_DEV_DEAD, "it is stopped");
	is(raw_open_disk(rig.id, O_RDONLY, 0), -ENOENT, "there is no disk");
	is(try_stop(&rig), -ENODEV, "TRY_STOP_DEV again");
	rig_server_dies(&rig);
	if (rig_up(&rig))
		is(try_stop(&rig), -EBUSY, "the next disk can be opened");
end:
	rig_down(&rig);
}

/*
 * While partitions are looked for, and nobody answers: who asks in this way
 * waits, and keeps no other command from it. The scan is one that a death leaves
 * to the next server, whose END_USER_RECOVERY must come through.
 */
static void test_try_stop_scan(void)
{
	struct raw_ctrl other;
	struct rig rig;

	is(raw_ctrl_open(&other), 0, "another one has /dev/ublk-control");
	if (!scan_begin(&rig))
		goto end;
	is(raw_command_send(&other, UBLK_U_CMD_TRY_STOP_DEV, rig.id, 0), 0,
	   "TRY_STOP_DEV");
	is(raw_ctrl_answer(&other, QUIET_MS), -ETIME, "it waits for that");
	is(raw_ctrl_cancel(&other), 0, "it is cancelled");
	is(raw_ctrl_answer(&other, IO_MS), -EINTR, "which interrupts it");
	is(raw_command_send(&other, UBLK_U_CMD_TRY_STOP_DEV, rig.id, 0), 0,
	   "TRY_STOP_DEV again");
	is(raw_ctrl_answer(&other, QUIET_MS), -ETIME, "it waits again");
	if (!scan_recovers(&rig))
		goto end;
	memset(rig_data(&rig, 0), 0, rig_bytes(&rig, 0));
	commit(&rig, rig_bytes(&rig, 0));
	rig_serve_rest(&rig);
	is(raw_ctrl_answer(&other, IO_MS), 0, "it stops what nobody has open");
	is(raw_state(&ctrl, rig.id), UBLK_S_DEV_DEAD, "it is stopped");
end:
	raw_ctrl_close(&other);
	rig_down(&rig);
}

/*
 * Scans that wait for servers that never answer, more than the workers of a
 * queue: each disk can be stopped all the same, once its server is gone.
 */
static void test_scans_stuck(void)
{
	enum { DISKS = 280 };
	struct rig *rigs = calloc(DISKS, sizeof(*rigs));
	const struct rlimit files = { 8192, 8192 };
	int i, wrong = 0;

	is(setrlimit(RLIMIT_NOFILE, &files), 0, "many files");
	rig_scans = true;
	for (i = 0; i < DISKS; i++) {
		struct rig *rig = &rigs[i];

		if (!rig_add(rig, UBLK_F_USER_RECOVERY, 1, 1))
			break;
		step("servers that answer nothing");
		if (raw_set_params(&ctrl, rig->id, &rig->params) ||
		    !rig_server(rig))
			wrong++;
		rig_fetch_all(rig);
		if (raw_start(&ctrl, rig->id, getpid()))
			wrong++;
		/* their tables are being read, or wait for a worker */
		rig_server_dies(rig);
	}
	rig_scans = false;
	is(i, DISKS, "so many disks");
	is(wrong, 0, "each is started");
	while (i--)
		rig_down(&rigs[i]);
	free(rigs);
}

const struct group scan_groups[] = {
	{ "scan", test_scan, 0 },
	{ "scan-off", test_scan_off, UBLK_F_NO_AUTO_PART_SCAN },
	{ "scan-untrusted", test_scan_untrusted, 0 },
	{ "scan-death", test_scan_death, UBLK_F_NO_AUTO_PART_SCAN },
	{ "try-stop", test_try_stop, UBLK_F_SAFE_STOP_DEV },
	{ "try-stop-scan", test_try_stop_scan,
	  UBLK_F_SAFE_STOP_DEV | UBLK_F_NO_AUTO_PART_SCAN },
	{ "scans-stuck", test_scans_stuck, UBLK_F_NO_AUTO_PART_SCAN },
	{ NULL, NULL, 0 },
};

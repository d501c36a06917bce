// SPDX-License-Identifier: GPL-2.0
/*
 * The partition scan of a new disk in the interface test: who causes it, and
 * when; and TRY_STOP_DEV, which depends on who has the disk open.
 */
#include "tests/driver/interface-test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A DOS partition table with one partition, from sector 8 on. */
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

/* When a server drops its capabilities. */
enum drops { NEVER, AT_FIRST, BETWEEN_QUEUES, WHEN_FETCHED };

/*
 * A server that returns the table for every READ, until it is stopped or dies.
 */
struct labeller {
	struct rig *rig;
	pthread_t thread;
	enum drops drops;
	atomic_bool leaves;
	int err;
};

/* For this thread only; the C library has no such function. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { 0 };

	return syscall(SYS_capset, &header, none) ? -errno : 0;
}

static void labeller_drops(struct labeller *labeller, enum drops now)
{
	if (labeller->drops == now)
		labeller->err = drop_capabilities();
}

static void labeller_fetch(struct labeller *labeller, int q)
{
	struct rig *rig = labeller->rig;

	for (int tag = 0; tag < rig->info.queue_depth; tag++)
		raw_fetch(&rig->queue[q], tag);
	raw_submit(&rig->queue[q]);
}

/*
 * Answers one request of a queue. Returns 0, or another result of rig_next().
 */
static int labeller_answer(struct rig *rig, int q)
{
	int result = rig_next(rig, q, 20);

	if (result)
		return result;
	memset(rig_data(rig, q), 0, rig_bytes(rig, q));
	if (!rig_desc(rig, q)->start_sector)
		label(rig_data(rig, q));
	raw_commit(&rig->queue[q], rig->done.tag, rig_bytes(rig, q));
	raw_submit(&rig->queue[q]);
	return 0;
}

static void *labeller_run(void *arg)
{
	struct labeller *labeller = arg;
	struct rig *rig = labeller->rig;
	int q, ret = 0;

	labeller_drops(labeller, AT_FIRST);
	if (labeller->err || !rig_server(rig))
		return NULL;
	for (q = 0; q < rig->info.nr_hw_queues; q++) {
		if (q)
			labeller_drops(labeller, BETWEEN_QUEUES);
		labeller_fetch(labeller, q);
	}
	labeller_drops(labeller, WHEN_FETCHED);
	while ((!ret || ret == -ETIME) && !atomic_load(&labeller->leaves))
		for (q = 0; q < rig->info.nr_hw_queues; q++) {
			ret = labeller_answer(rig, q);
			if (ret && ret != -ETIME)
				break;
		}
	return NULL;
}

static void labeller_comes(struct labeller *labeller, struct rig *rig,
			   enum drops drops)
{
	labeller->rig = rig;
	labeller->drops = drops;
	labeller->err = 0;
	atomic_store(&labeller->leaves, false);
	pthread_create(&labeller->thread, NULL, labeller_run, labeller);
}

/* It dies, and does not wait until it is stopped. */
static void labeller_goes(struct labeller *labeller)
{
	atomic_store(&labeller->leaves, true);
	pthread_join(labeller->thread, NULL);
	is(labeller->err, 0, "the server had what it needs");
	rig_server_dies(labeller->rig);
}

static bool labeller_begin(struct labeller *labeller, struct rig *rig,
			   uint64_t flags, enum drops drops)
{
	if (!rig_add(rig, flags, drops == BETWEEN_QUEUES ? 2 : 1, 4))
		return false;
	is(raw_set_params(&ctrl, rig->id, &rig->params), 0, "SET_PARAMS");
	labeller_comes(labeller, rig, drops);
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

/* Whoever can open the disk sees its partitions. */
static void test_scan(void)
{
	struct labeller labeller;
	struct rig rig;

	rig_scans = true;
	if (labeller_begin(&labeller, &rig, 0, NEVER)) {
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

	if (labeller_begin(&labeller, &rig, 0, NEVER)) {
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
 * A table from a server without all capabilities is not parsed, whoever added
 * the device.
 */
static void unscanned(enum drops drops)
{
	struct labeller labeller;
	struct rig rig;

	rig_scans = true;
	if (labeller_begin(&labeller, &rig, 0, drops)) {
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

static void test_scan_untrusted(void)
{
	unscanned(AT_FIRST);
}

/* It is enough if such a server fetches the last tags. */
static void test_scan_untrusted_half(void)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		skip("a server with two queues", "one processor, one queue");
		return;
	}
	unscanned(BETWEEN_QUEUES);
}

/*
 * A server that fetches with all capabilities is trusted, and may then drop
 * them.
 */
static void test_scan_dropped(void)
{
	struct labeller labeller;
	struct rig rig;

	rig_scans = true;
	if (labeller_begin(&labeller, &rig, 0, WHEN_FETCHED)) {
		ok(rig_open_disk(&rig) >= 0, "open the disk");
		ok(ours ? has_partition(&rig) : partition_comes(&rig),
		   "its partition is there");
		rig_close_disk(&rig);
	}
	rig_scans = false;
	labeller_end(&labeller);
}

/* A disk with recovery, during its scan. */
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

/* The server dies during the scan, and the next one gets the READ. */
static bool scan_recovers(struct rig *rig)
{
	rig_server_dies(rig);
	rig_becomes(rig, UBLK_S_DEV_QUIESCED, "the device is QUIESCED");
	return rig_recovered(rig) &&
	       is(rig_next(rig, 0, IO_MS), 0, "it is read again");
}

/* START_DEV does not wait for the scan. The disk survives a death during it. */
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

/*
 * The next server lacks capabilities. Returns the result of END_USER_RECOVERY.
 */
static int untrusted_succeeds(struct labeller *labeller, struct rig *rig)
{
	is(rig_start_recovery(rig), 0, "START_USER_RECOVERY");
	labeller_comes(labeller, rig, AT_FIRST);
	step("END_USER_RECOVERY of one who is not trusted");
	return raw_end_recovery_send(&ctrl, rig->id, getpid()) ?:
	       raw_ctrl_answer(&ctrl, IO_MS);
}

/* Such a server cannot take over during a scan, either. */
static void test_scan_successor(void)
{
	struct labeller labeller;
	struct rig rig;
	int ret;

	if (!scan_begin(&rig))
		goto end;
	rig_server_dies(&rig);
	rig_becomes(&rig, UBLK_S_DEV_QUIESCED, "the device is QUIESCED");
	ret = untrusted_succeeds(&labeller, &rig);
	is(ret, -EBUSY, "no untrusted server while a table is being read");
	if (!ret)
		usleep(QUIET_MS * 1000);
	ok(!has_partition(&rig), "its table is not looked at");
	labeller_goes(&labeller);
	rig_becomes(&rig, UBLK_S_DEV_QUIESCED, "the device waits on");
	if (!ret || !rig_recovered(&rig))
		goto end;
	is(rig_next(&rig, 0, IO_MS), 0, "a trusted one is asked");
	label(rig_data(&rig, 0));
	commit(&rig, rig_bytes(&rig, 0));
	rig_serve_rest(&rig);
	ok(partition_comes(&rig), "its partition is there");
	rig_server_dies(&rig);
	rig_becomes(&rig, UBLK_S_DEV_QUIESCED, "the device is QUIESCED again");

	is(untrusted_succeeds(&labeller, &rig), 0,
	   "an untrusted one when nobody reads it");
	ok(rig_open_disk(&rig) >= 0, "open the disk");
	is(ioctl(rig.disk, BLKRRPART) ? -errno : 0, -EINVAL,
	   "nobody can look again");
	rig_close_disk(&rig);
	labeller_goes(&labeller);
end:
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
 * During a scan that nobody answers, TRY_STOP_DEV waits, and blocks no other
 * command. After a death, the scan waits for the next server, whose
 * END_USER_RECOVERY must succeed.
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
	if (!unanswered("which interrupts it")) {
		is(raw_ctrl_cancel(&other), 0, "it is cancelled");
		is(raw_ctrl_answer(&other, IO_MS), -EINTR,
		   "which interrupts it");
		is(raw_command_send(&other, UBLK_U_CMD_TRY_STOP_DEV, rig.id,
				    0), 0, "TRY_STOP_DEV again");
		is(raw_ctrl_answer(&other, QUIET_MS), -ETIME, "it waits again");
	}
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
 * Scans that wait for servers that never answer, more than a workqueue has
 * workers. Still, each disk can be stopped once its server is gone.
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
		/* their scans are in progress, or wait for a worker */
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
	{ "scan-untrusted-half", test_scan_untrusted_half, 0 },
	{ "scan-dropped", test_scan_dropped, 0 },
	{ "scan-death", test_scan_death, UBLK_F_NO_AUTO_PART_SCAN },
	{ "scan-successor", test_scan_successor, UBLK_F_NO_AUTO_PART_SCAN },
	{ "try-stop", test_try_stop, UBLK_F_SAFE_STOP_DEV },
	{ "try-stop-scan", test_try_stop_scan,
	  UBLK_F_SAFE_STOP_DEV | UBLK_F_NO_AUTO_PART_SCAN },
	{ "scans-stuck", test_scans_stuck, UBLK_F_NO_AUTO_PART_SCAN },
	{ NULL, NULL, 0 },
};

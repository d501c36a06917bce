/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by the parts of the interface test: checks in TAP with a guard against
 * hangs, disk I/O from a second thread, and a device whose server takes one
 * step at a time.
 *
 *   interface.c               the program, and where Linux's driver differs
 *   interface-check.c         checks, contents, places
 *   interface-rig.c           the device, its server and its users
 *   interface-control.c       control commands
 *   interface-device.c        parameters, start, nodes and size of a device
 *   interface-io.c            requests, their results, invalid I/O commands
 *   interface-data.c          the ways to transfer data
 *   interface-lent.c          pages that are lent to a ring
 *   interface-killed.c        servers that are killed when they have some
 *   interface-batch.c         commands for many tags at once
 *   interface-batch-server.c  servers of these that die, or have several tasks
 *   interface-tasks.c         which task gets a request
 *   interface-recovery.c      servers that die, and their successors
 *   interface-users.c         devices of ordinary users
 *   interface-slow.c          slow servers
 *   interface-scan.c          partitions, and who has the disk open
 */
#ifndef TESTS_DRIVER_INTERFACE_TEST_H
#define TESTS_DRIVER_INTERFACE_TEST_H

#include "tests/driver/raw.h"

#include <limits.h>
#include <pthread.h>
#include <sys/types.h>

#define FEATURES_OF_OURS						\
	(UBLK_F_URING_CMD_COMP_IN_TASK | UBLK_F_NEED_GET_DATA |		\
	 UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_REISSUE |		\
	 UBLK_F_USER_RECOVERY_FAIL_IO | UBLK_F_UNPRIVILEGED_DEV |	\
	 UBLK_F_CMD_IOCTL_ENCODE | UBLK_F_USER_COPY |			\
	 UBLK_F_UPDATE_SIZE | UBLK_F_QUIESCE | UBLK_F_PER_IO_DAEMON |	\
	 UBLK_F_SAFE_STOP_DEV | UBLK_F_NO_AUTO_PART_SCAN)
/* Those that need the io_uring of Linux 6.15. */
#define FEATURES_OF_OURS_615						\
	(UBLK_F_SUPPORT_ZERO_COPY | UBLK_F_AUTO_BUF_REG |		\
	 UBLK_F_BUF_REG_OFF_DAEMON)
/* Those that need the io_uring of Linux 6.18. */
#define FEATURES_OF_OURS_618	UBLK_F_BATCH_IO

#define STEP_SECONDS	60	/* a call that takes longer has hung */
#define IO_MS		10000	/* a request that takes longer is lost */
#define QUIET_MS	300	/* how long to wait for what must not come */

#define KIB		1024UL
#define MAX_IO		(64 * KIB)
#define DISK_BYTES	(1024 * KIB)
#define ANY_ID		(-1)

/*
 * A group of checks. The list of each file ends with an entry without a name.
 */
struct group {
	const char *name;
	void (*run)(void);
	uint64_t needs;		/* features; skipped without them */
};

extern const struct group control_groups[], device_groups[], io_groups[],
	data_groups[], task_groups[], recovery_groups[], slow_groups[],
	scan_groups[], user_groups[], lent_groups[], killed_groups[],
	batch_groups[], batch_server_groups[];

/*
 * A check that Linux's driver answers differently, and why. Everything that is
 * not in the tables of interface.c is the same on both.
 */
struct difference {
	const char *check;
	long linux_says;
	const char *why;
	int before;		/* only before this kernel; 0: on all kernels */
};

#define NOTHING		LONG_MIN	/* Linux's driver never answers */

/* For this kernel. NULL: our driver and Linux's must answer the same. */
const struct difference *difference_of(const char *check);

extern struct raw_ctrl ctrl;
extern bool ours;		/* this is our driver, not Linux's */
extern int kernel;		/* 612 is Linux 6.12 */

/* Checks. */

/* Starts the guard: a step that takes STEP_SECONDS ends the program. */
void guard_start(void);
void group_begin(const char *name);
/* Prints the plan. Returns the exit status. */
int checks_end(void);

/* Names the next step. Every check also does this, with its own name. */
void step(const char *what);
/* The check's name is "group: what". */
bool is(long long got, long long want, const char *what);
bool ok(bool good, const char *what);
/*
 * Whether the expected answer is NOTHING: then skip the check and do not ask.
 */
bool unanswered(const char *what);
void skip(const char *what, const char *why);
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

long seconds_now(void);

/* Contents: every eight bytes show to whom and where they belong. */

void fill(void *to, size_t len, uint32_t seed);
/* Whether @len bytes hold what fill() wrote with @seed, from byte @from on. */
bool holds(const void *at, size_t len, uint32_t seed, size_t from);
bool all_bytes(const void *at, size_t len, unsigned char byte);

/* Allocates whole pages, as O_DIRECT and mprotect() need. */
void *pages(size_t len);

/* Where a command's argument is. */
enum where { HERE, NOWHERE, UNMAPPED, OF_KERNEL };

uint64_t place(enum where where, void *here);

/* Disk I/O, from another thread: the caller is the server. */

enum io { IO_READ, IO_WRITE, IO_WRITE_DSYNC, IO_FSYNC, IO_DISCARD,
	  IO_ZEROOUT, IO_PUNCH, IO_READAHEAD };

struct job {
	enum io io;
	int fd;
	char *data;
	size_t len;
	off_t offset;
	pthread_t thread;
	long result;
};

void job_start(struct job *job, enum io io, int fd, void *data, size_t len,
	       off_t offset);
/* Whether the job is still waiting after QUIET_MS. */
bool job_waits(struct job *job);
/*
 * Returns a number of bytes, 0 or -errno; -ETIME if the job has not ended in
 * time.
 */
long job_end(struct job *job);

/* A device and its server, which does only what the test says. */

#define RIG_QUEUES 2

struct rig {
	struct ublksrv_ctrl_dev_info info;
	struct ublk_params params;
	int id;
	int cdev;
	int disk;
	struct raw_queue queue[RIG_QUEUES];
	struct raw_done done;	/* the last completion */
};

/*
 * ADD_DEV with ordinary parameters, which are not set yet. Unless rig_scans is
 * set, there is no partition scan if the driver can do without: each request is
 * the test's own.
 */
extern bool rig_scans;
bool rig_add(struct rig *rig, uint64_t flags, unsigned int queues,
	     unsigned int depth);
/* All further steps, up to the open disk. */
bool rig_up(struct rig *rig);
/* Both of the above. */
bool rig_begin(struct rig *rig, uint64_t flags, unsigned int queues,
	       unsigned int depth);
/* Removes everything, from any state; the id is free again. */
void rig_down(struct rig *rig);

/*
 * The server opens the node and maps the queues. With AUTO_BUF_REG, its rings
 * get buffer tables.
 */
bool rig_server(struct rig *rig);
/* The server ends, in the way the kernel sees the end of its process. */
void rig_server_dies(struct rig *rig);

void rig_fetch_all(struct rig *rig);
int rig_start(struct rig *rig);
int rig_open_disk(struct rig *rig);
void rig_close_disk(struct rig *rig);

/* Bytes of a tag's buffer; 0 with USER_COPY. */
size_t rig_buffers(const struct rig *rig);

/*
 * Returns the result of a queue's next completion, which is stored in
 * rig->done, or -ETIME.
 */
int rig_next(struct rig *rig, int q, int timeout_ms);
/* Of the last request that was delivered. */
const struct ublksrv_io_desc *rig_desc(const struct rig *rig, int q);
size_t rig_bytes(const struct rig *rig, int q);
char *rig_data(const struct rig *rig, int q);

/*
 * Waits for the command that was sent over ctrl, and serves meanwhile:
 * START_DEV reads the partition table.
 */
int rig_answer(struct rig *rig);
/* Serves pending requests, until none has come for a while. */
void rig_serve_rest(struct rig *rig);

/*
 * The next server: START_USER_RECOVERY, which needs the old server to be gone;
 * all tags; END_USER_RECOVERY.
 */
int rig_start_recovery(const struct rig *rig);
bool rig_recovered(struct rig *rig);

/* A server in its own process, which reports each step. */
struct rig_child {
	pid_t pid;		/* 0: none */
	int news;		/* a byte for each step; -1: none */
};

/*
 * Everything up to the open disk, for a device that was added. @serve runs in
 * the child: it fetches all tags, reports that with rig_child_tell(), and does
 * not return.
 */
bool rig_child_begin(struct rig *rig, struct rig_child *child,
		     void (*serve)(void *arg, int news), void *arg);
void rig_child_tell(int news);
/* Checks that the child has taken the next step. */
bool rig_child_step(struct rig_child *child, const char *what);
void rig_child_kill(struct rig_child *child);
/* Kills the child, if there is one, and cleans up. */
void rig_child_end(struct rig_child *child);

/* Each queue delivers the requests of its own CPUs; two tags per queue. */
void rig_queues_deliver(uint64_t flags);

/* Waits for a state. */
bool rig_becomes(const struct rig *rig, int state, const char *what);

/* Queue 0 of a rig, one request after the other. */

/* Checks that the next request is this one. */
bool delivered(struct rig *rig, uint32_t op_flags, uint64_t sector,
	       uint32_t sectors, const char *what);
void commit(struct rig *rig, int result);
/* Returns the result of an invalid command, or -ETIME if it was accepted. */
int wrong(struct rig *rig, uint32_t op, unsigned int q_id, unsigned int tag,
	  uint64_t addr);
/* The same, from a thread other than the queue's. */
int of_stranger(struct rig *rig, uint32_t op, unsigned int tag);
/* Pages that are lent to a ring. */

#define LENT_BUFFERS 4

/* Gives the ring a table for pages: buffers 0 to LENT_BUFFERS - 1. */
bool takes_pages(struct io_uring *ring);
/*
 * Returns the result of @op, REGISTER_IO_BUF or UNREGISTER_IO_BUF, for buffer
 * @index.
 */
int lend(struct raw_queue *queue, uint32_t op, unsigned int q_id,
	 unsigned int tag, uint64_t index);
/*
 * Reads a file to buffer @index of a ring, or writes it. Returns bytes or
 * -errno.
 */
int by_buffer(struct io_uring *ring, bool reads, int fd, size_t len,
	      off_t offset, unsigned int index);
/* The same, without waiting for the result. */
bool by_buffer_send(struct io_uring *ring, bool reads, int fd, size_t len,
		    off_t offset, unsigned int index);

/* For a FETCH with two errors, of which either may be reported. */
bool refused(int result);

#endif

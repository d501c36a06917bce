/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fuzzer of the ublk driver. Several processes send commands that are random
 * or nearly right, serve devices badly, and use the disks; they are killed at
 * any moment and others take their place. Afterwards everything must be gone or
 * go when told to, and a new device must work.
 *
 * It takes all ublk devices of the board for its own, and so refuses to start
 * where there is one. It opens no other device. What a process does follows
 * from the seed; when it does it is the scheduler's.
 *
 *   fuzz.c          the program: the birth and death of the processes
 *   fuzz-lives.c    what a process does in between: chaos, a server, a client
 *   fuzz-actions.c  what a thread can do at any time: commands, mmap, fork
 *   fuzz-values.c   random numbers, and what is put into commands
 *   fuzz-counts.c   how often each was sent, and what was answered
 *   fuzz-verdict.c  is the driver well afterwards?
 */
#ifndef TESTS_DRIVER_FUZZ_H
#define TESTS_DRIVER_FUZZ_H

#include "tests/driver/raw.h"

#include <stdatomic.h>
#include <sys/types.h>

#define IDS		4	/* of devices that are mostly meant */
#define PATIENCE_MS	15000	/* for the end, under emulation */
#define BUFFERS		16	/* of a ring, for pages of requests, and for tags */
#define TAGS		8	/* of one of the latter */

#define NR_OF(list)	(sizeof(list) / sizeof(*(list)))

/* Counts. */

/* What is counted; fuzz-counts.c has their names. */
enum kind {
	ADD_DEV, DEL_DEV, DEL_DEV_ASYNC, START_DEV, STOP_DEV, SET_PARAMS,
	GET_PARAMS, GET_DEV_INFO, GET_DEV_INFO2, GET_QUEUE_AFFINITY,
	GET_FEATURES, START_USER_RECOVERY, END_USER_RECOVERY, UPDATE_SIZE,
	QUIESCE_DEV, TRY_STOP_DEV, OTHER_CONTROL, FETCH_REQ,
	COMMIT_AND_FETCH_REQ, NEED_GET_DATA, REGISTER_IO_BUF,
	UNREGISTER_IO_BUF, PREP_IO_CMDS, COMMIT_IO_CMDS, FETCH_IO_CMDS,
	OTHER_IO, OPEN_CHAR, OPEN_DISK, MMAP, PREAD, PWRITE,
	BUFFER_IO, DISK_READ, DISK_WRITE, DISK_FSYNC, DISK_FALLOCATE,
	DISK_OTHER, KINDS
};

/* Answers: 0 is success, 1 to 133 an errno, then another number. */
#define ANSWERS		135

/* Shared by all processes. */
extern struct shared {
	atomic_ulong sent;
	atomic_ulong count[KINDS][ANSWERS + 1];	/* the last: sent */
	atomic_bool over;			/* live no longer */
} *shared;

void sent(enum kind kind);
/* @result: 0 or more, or -errno. */
void answered(enum kind kind, int result);
/* Of a system call that is made and answered at once; returns @ret. */
long called(enum kind kind, long ret);
/* A line for each kind, with its answers. */
void print_counts(void);

/* Values. */

struct random {
	uint64_t state;
};

struct random seeded(uint64_t seed);
uint64_t number(struct random *random);
unsigned int below(struct random *random, unsigned int limit);
bool chance(struct random *random, unsigned int percent);

#define one_of(random, list)	((list)[below(random, NR_OF(list))])

/*
 * Mostly right: the id of a device, what ADD_DEV and SET_PARAMS want, and the
 * result of a request.
 */
int some_id(struct random *random);
struct ublksrv_ctrl_dev_info some_info(struct random *random, int id);
struct ublk_params some_params(struct random *random);
int some_result(struct random *random);
/* The opcode as it is, plain, of another size or direction, or any. */
uint32_t bent(struct random *random, uint32_t op);

/* Actions. */

/*
 * One thread of a process: its random numbers, a ring for commands, one for
 * those with 64-byte entries, and memory for buffers.
 */
struct thread {
	struct random random;
	struct io_uring ring;
	struct io_uring small;
	bool has_small;
	int control;
	int cdev;		/* or -1 */
	int id;			/* of cdev */
	int queues;		/* as far as known */
	int depth;
	uint64_t flags;		/* of the device it serves */
	int file;		/* what it reads into buffers and writes */
	int silent;		/* a file that is read for ever */
	char *arena;		/* for data; what follows has no access */
	char *read_only;	/* a page */
	char *arguments;	/* of the last control commands, in turn */
	unsigned int argument;	/* how many so far */
	const struct ublksrv_io_desc *desc[2];	/* when it serves */
	uint16_t (*tags)[TAGS];	/* buffers that a FETCH_IO_CMDS writes tags to */
};

bool thread_open(struct thread *t, uint64_t seed);
void thread_close(struct thread *t);

/* Of the device that a thread serves, the driver copies nothing. */
bool copies_nothing(const struct thread *t);

/* An address for data, where the kernel may read and write or, mostly, not. */
uint64_t address(struct thread *t, bool right);

/* user_data: what was sent, and with which queue and tag. */
uint64_t user_data(enum kind kind, unsigned int queue, unsigned int tag);
enum kind kind_of(uint64_t data);

/*
 * Prepares a control command with the argument it wants at @data, or, when it
 * is not to be @right, with something else in one place or another.
 */
void control(struct thread *t, enum kind kind, int id, const void *data,
	     size_t size, uint64_t value, bool right);
/* The argument of the last one, into which the driver answers. */
const void *last_argument(const struct thread *t);

/* Prepares an I/O command: this one, or any. */
void io(struct thread *t, enum kind kind, unsigned int queue, unsigned int tag,
	int result, uint64_t addr);
void some_io(struct thread *t);

/* Gives buffers for tags to the ring: so many from one on. */
void give_tags(struct thread *t, unsigned int first, unsigned int count);
/*
 * Prepares a command of a batch for @count tags from one on, or those in @tags, or
 * when it is not to be @right, with something else in one place or another.
 */
void batch(struct thread *t, enum kind kind, unsigned int queue,
	   unsigned int first, const uint16_t *tags, unsigned int count,
	   bool right);

/* The buffer of its ring that a thread has for a tag's pages. */
unsigned int buffer_of(unsigned int queue, unsigned int tag);
/* Prepares I/O between a file and such a buffer. */
void buffer_io(struct thread *t, unsigned int index);

/* Opens a device's character node, if it is there and nobody has it. */
bool open_char(struct thread *t, int id);

/* One of everything. */
void anything(struct thread *t);

/* The same program, doing nothing, with whatever was open. */
_Noreturn void execute_sleep(void);

/* Lives. */

/* A process, from its birth to its own end if it comes to it. */
_Noreturn void life(uint64_t seed);

/* Processes. */

int64_t now_ms(void);
void wait_ms(int ms);

/* Runs @function in a process that must end well in time. */
bool in_time(const char *what, void (*function)(void));

/* Calls @each for all processes of the board. */
void each_process(void (*each)(int pid, char state, int parent,
			       const char *name));

/* Kills all of ours and waits for them, until a time. */
bool kill_all(int64_t end_ms);

/* The verdict. */

/* Calls @each with the id of all /dev/PREFIXn; returns how many there are. */
int each_node(const char *prefix, void (*each)(int id, void *data), void *data);

/* Stops and deletes every device; for in_time(). */
_Noreturn void remove_all(void);

/* Says what is not well. */
bool well(void);

#endif

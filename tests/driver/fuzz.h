/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fuzzer of the ublk driver. Several processes send commands that are random
 * or almost right, serve devices badly, and use the disks. They are killed at
 * any moment and replaced. Afterwards everything must be gone, or be deletable,
 * and a new device must work.
 *
 * It uses all ublk devices of the board, so it refuses to start if there is
 * one. It opens no other device. The seed decides what a process does; the
 * scheduler decides when.
 *
 *   fuzz.c          the program: start and end of the processes
 *   fuzz-lives.c    what a process does in between: chaos, server, client
 *   fuzz-actions.c  what a thread can do at any time: commands, mmap, fork
 *   fuzz-values.c   random numbers and the values in commands
 *   fuzz-counts.c   how often each command was sent, and the results
 *   fuzz-verdict.c  is the driver all right afterwards?
 */
#ifndef TESTS_DRIVER_FUZZ_H
#define TESTS_DRIVER_FUZZ_H

#include "tests/driver/raw.h"

#include <stdatomic.h>
#include <sys/types.h>

#define IDS		4	/* device ids that are mostly used */
#define PATIENCE_MS	15000	/* for the end, under emulation */
#define BUFFERS		16	/* in a ring, for pages; and for tags */
#define TAGS		8	/* in each buffer for tags */

/* Bytes of a page of the kernel. */
size_t page_bytes(void);

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

/* Results: 0 is success, 1 to 133 an errno, then any other number. */
#define ANSWERS		135

/* Shared by all processes. */
extern struct shared {
	atomic_ulong sent;
	atomic_ulong count[KINDS][ANSWERS + 1];	/* the last: how often sent */
	atomic_bool over;			/* end all lives */
} *shared;

void sent(enum kind kind);
/* @result is 0 or more, or -errno. */
void answered(enum kind kind, int result);
/* For a system call that returns its result at once; returns @ret. */
long called(enum kind kind, long ret);
/* Prints a line for each kind, with its results. */
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
 * Mostly valid: a device's id, the arguments of ADD_DEV and SET_PARAMS, and the
 * result of a request.
 */
int some_id(struct random *random);
struct ublksrv_ctrl_dev_info some_info(struct random *random, int id);
struct ublk_params some_params(struct random *random);
int some_result(struct random *random);
/*
 * The opcode as it is, plain, with another size or direction, or a random one.
 */
uint32_t bent(struct random *random, uint32_t op);

/* Actions. */

/*
 * A thread of a process: its random numbers, a ring for commands, one with
 * 64-byte SQEs, and memory for buffers.
 */
struct thread {
	struct random random;
	struct io_uring ring;
	struct io_uring small;
	bool has_small;
	int control;
	int cdev;		/* or -1 */
	int id;			/* of the device that cdev is for */
	int queues;		/* as far as known */
	int depth;
	uint64_t flags;		/* of the device that the thread serves */
	int file;		/* for reads to buffers, and for writes */
	int silent;		/* a read from it never ends */
	char *arena;		/* for data; no access after it */
	char *read_only;	/* one page */
	char *arguments;	/* of the last control commands, a ring */
	unsigned int argument;	/* number of arguments so far */
	const struct ublksrv_io_desc *desc[2];	/* per queue, if it serves */
	uint16_t (*tags)[TAGS];	/* to which FETCH_IO_CMDS writes tags */
};

bool thread_open(struct thread *t, uint64_t seed);
void thread_close(struct thread *t);

/* Whether the driver copies no data for the device of this thread. */
bool copies_nothing(const struct thread *t);

/* Returns an address for data: accessible if @right, else mostly not. */
uint64_t address(struct thread *t, bool right);

/* Encodes what was sent, for which queue and tag, in user_data. */
uint64_t user_data(enum kind kind, unsigned int queue, unsigned int tag);
enum kind kind_of(uint64_t data);

/*
 * Prepares a control command with the argument at @data or, unless @right, with
 * some field changed.
 */
void control(struct thread *t, enum kind kind, int id, const void *data,
	     size_t size, uint64_t value, bool right);
/* The argument of the last command, where the driver writes its answer. */
const void *last_argument(const struct thread *t);

/* Prepares an I/O command: this one or a random one. */
void io(struct thread *t, enum kind kind, unsigned int queue, unsigned int tag,
	int result, uint64_t addr);
void some_io(struct thread *t);

/* Gives buffers for tags to the ring, starting with @first. */
void give_tags(struct thread *t, unsigned int first, unsigned int count);
/*
 * Prepares a batch command for consecutive tags or for those in @tags or,
 * unless @right, with some field changed.
 */
void batch(struct thread *t, enum kind kind, unsigned int queue,
	   unsigned int first, const uint16_t *tags, unsigned int count,
	   bool right);

/* The index of a tag's buffer in the thread's ring. */
unsigned int buffer_of(unsigned int queue, unsigned int tag);
/* Prepares I/O between a file and a registered buffer. */
void buffer_io(struct thread *t, unsigned int index);

/* Opens a device's character node if it exists and nobody has it open. */
bool open_char(struct thread *t, int id);

/* Does a random action. */
void anything(struct thread *t);

/* Executes this program again, which sleeps with the inherited files. */
_Noreturn void execute_sleep(void);

/* Lives. */

/* A process, from its start to its own end if it gets there. */
_Noreturn void life(uint64_t seed);

/* Processes. */

int64_t now_ms(void);
void wait_ms(int ms);

/* Runs @function in a process, which must succeed in time. */
bool in_time(const char *what, void (*function)(void));

/* Calls @each for every process of the board. */
void each_process(void (*each)(int pid, char state, int parent,
			       const char *name));

/* Kills all our processes, and waits for them until @end_ms. */
bool kill_all(int64_t end_ms);

/* The verdict. */

/* Calls @each for the id of every /dev/PREFIXn. Returns how many there are. */
int each_node(const char *prefix, void (*each)(int id, void *data), void *data);

/* Stops and deletes every device; for in_time(). */
_Noreturn void remove_all(void);

/* Prints what is wrong. */
bool well(void);

#endif

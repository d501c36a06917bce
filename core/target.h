/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The contract between a target and the server. A target is what stores the
 * data of a disk: memory, a file, an image. It is one `const struct
 * ublk_target`, at the end of its source file, and one line in the table in
 * ublk.c. It serves requests, and sees no control command. targets/null.c is
 * the shortest example.
 *
 * Order of the calls: open(); start(); for each queue queue_start(), then
 * submit() and work(), then queue_stop(); finish(); close().
 *
 * Processes: several processes may serve a device, one after the other. open()
 * runs once, in a process that keeps running. start() runs in each process that
 * serves requests: that is the same process or a child forked from it, and what
 * open() set up is there unchanged.
 *
 * Threads: open(), start(), finish() and close() run in the main thread, while
 * no queue runs. Every function that gets a queue runs in the thread of that
 * queue. So only what queues share needs locks or atomics. If start() creates
 * threads, the target must end them itself, and each must call rights_drop()
 * itself.
 *
 * Errors: "after printing why" is explained in lib/message.h.
 */
#ifndef CORE_TARGET_H
#define CORE_TARGET_H

#include <liburing.h>
#include <linux/ublk_cmd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/rights.h"
#include "lib/option.h"

struct ublk_device;
struct ublk_queue;

/* What a target promises of its disk, filled in by open(). Sizes in bytes. */
struct ublk_disk {
	uint64_t size;			/* a multiple of logical_block */
	uint32_t logical_block;		/* power of two, 512 to 4096 */
	uint32_t physical_block;	/* power of two, >= logical_block */
	uint32_t io_optimal;		/* 0: unknown */
	uint32_t max_transfer;		/* of one READ or WRITE; 0: no limit */
	bool read_only;
	bool rotational;
	bool flush;	/* has a volatile cache: needs FLUSH */
	bool fua;	/* handles FUA on a WRITE; needs flush */
	/*
	 * The storage device reads and writes request->data by DMA: the CPU
	 * does not copy the data.
	 */
	bool direct;
	/*
	 * The target moves data only with ublk_queue_transfer(), and never
	 * accesses request->data: there may be no memory at that address.
	 */
	bool zero_copy;
	/*
	 * How the pages that are lent must be aligned in memory, in bytes: a
	 * power of two, or 0 if it does not matter.
	 */
	uint32_t memory_alignment;
	/*
	 * The target copies data in less time than the ring moves it. So a new
	 * device gets no pages lent, even with @zero_copy. A device that an
	 * earlier program made may have them: see ublk_device_lends().
	 */
	bool copies;
	uint32_t discard_granularity;
	uint32_t max_discard;		/* of one request; 0: no discard */
	uint32_t max_write_zeroes;	/* of one request; 0: not supported */
};

/* One request. It belongs to a tag, and is valid until it is answered. */
struct ublk_request {
	uint16_t tag;
	uint8_t op;		/* UBLK_IO_OP_* */
	uint32_t flags;		/* UBLK_IO_F_* */
	uint64_t offset;	/* bytes, from the start of the disk */
	uint32_t length;	/* bytes; 0 for FLUSH */
	void *data;		/* of READ or WRITE; page aligned */
	void *state;		/* request_size bytes for the target's use */
	uint64_t arrived;	/* the queue's: when, in ns; 0: not measured */

	/*
	 * NULL for a request of the driver. Set if one part of a target makes a
	 * request to another part: it then gets the result instead of the
	 * driver.
	 */
	void (*done)(struct ublk_queue *queue, struct ublk_request *self,
		     int result);
};

/*
 * An operation that the target submits to the queue's ring, or a message to
 * another queue. The target embeds it in its own state and sets done. It must
 * not move until done() has been called, which happens exactly once.
 */
struct ublk_completion {
	void (*done)(struct ublk_queue *queue, struct ublk_completion *self,
		     int result);

	/* For the queue, while a message is on its way. */
	struct ublk_completion *next;
	int result;
};

/* Result of submit() if ublk_request_done() will answer the request later. */
#define UBLK_LATER (-4095)

/* Largest settings_size, in bytes. */
#define UBLK_SETTINGS_MAX 256

/* Where the bytes of a disk come from: @size bytes at @offset of @fd. */
struct ublk_base {
	const char *path;	/* NULL: from no existing file */
	int fd;
	uint64_t offset;
	uint64_t size;
};

struct ublk_target {
	const char *name;	/* also the command that serves it */
	const char *argument;	/* `SIZE`, `PATH`: for the usage line */
	const char *summary;
	const char *manual;
	const char *manual_end;	/* printed after manual; may be NULL */
	const struct option_spec *options;	/* or NULL */
	const void *defaults;
	size_t settings_size;
	size_t request_size;	/* bytes of request->state; zeroed */
	int system_calls[RIGHTS_CALLS];	/* of its requests; see rights.h */
	bool sends_messages;	/* its own threads use ublk_queue_send() */

	/*
	 * Writing to this disk may be what frees memory on the board. So the
	 * memory for requests is allocated and locked before the disk exists,
	 * unless the disk is read-only. (The same is done for every writable
	 * disk with @flush.)
	 */
	bool frees_memory;

	/*
	 * Checks @argument and @settings, opens the storage, and fills in
	 * @disk, which is zeroed except for logical_block 512 and
	 * physical_block 4096. Stores the target's state with
	 * ublk_device_set_data(). Returns 0, or -errno after printing why: then
	 * nothing is left open.
	 */
	int (*open)(struct ublk_device *device, const char *argument,
		    const void *settings, struct ublk_disk *disk);

	/*
	 * Allocates what only requests need, before the first queue starts.
	 * Returns 0, or -errno after printing why. May be NULL.
	 */
	int (*start)(struct ublk_device *device);

	/*
	 * Writes out what is not permanent yet. Called after the disk is gone
	 * and all requests are answered, and only if open() called
	 * ublk_device_unfinished(). Runs in any process that has the target
	 * open. Returns 0, or -errno after printing why: then it is called
	 * again, in this or in another process. May be NULL.
	 */
	int (*finish)(struct ublk_device *device);

	/*
	 * Releases what open() and, if it was called, start() acquired. Changes
	 * nothing else.
	 */
	void (*close)(struct ublk_device *device);

	/*
	 * Set up and free the state of one queue; see ublk_queue_set_data().
	 * queue_start() returns 0 or -errno. May be NULL.
	 */
	int (*queue_start)(struct ublk_queue *queue);
	void (*queue_stop)(struct ublk_queue *queue);

	/*
	 * Starts one request. Returns UBLK_LATER or the result: the number of
	 * bytes done, or -errno. The result of a successful FLUSH, DISCARD or
	 * WRITE_ZEROES is 0.
	 */
	int (*submit)(struct ublk_queue *queue, struct ublk_request *request);

	/*
	 * Does a small piece of long work, each time the queue has handled all
	 * completions. Returns whether there may be more to do: then the queue
	 * checks for requests and completions, but does not sleep. May be NULL.
	 */
	bool (*work)(struct ublk_queue *queue);

	/*
	 * Fills in *@base, which stays valid until close(). A wrapper calls
	 * this after open(). A target that is wrapped is read-only: it gets no
	 * request except READ, and no finish(). NULL: this target cannot be
	 * wrapped.
	 */
	void (*base)(const struct ublk_device *device, struct ublk_base *base);
};

/*
 * Finds a target by name in the table in ublk.c. Returns NULL if there is none.
 * For a target that can be wrapped, the result is valid until the next call.
 */
const struct ublk_target *ublk_target_find(const char *name);

/*
 * The device, for all functions of a target. The depth is valid from start()
 * on.
 */
void ublk_device_set_data(struct ublk_device *device, void *data);
void *ublk_device_data(const struct ublk_device *device);
unsigned int ublk_device_queues(const struct ublk_device *device); /* at most */
unsigned int ublk_device_depth(const struct ublk_device *device);  /* at most */
unsigned int ublk_device_cpus(const struct ublk_device *device); /* usable */

/* From start() on: the number of the device. */
int ublk_device_id(const struct ublk_device *device);

/*
 * From start() on: whether the driver lends the pages of requests. Then there
 * is no memory at request->data, and only ublk_queue_transfer() moves data.
 */
bool ublk_device_lends(const struct ublk_device *device);

/* Whether the target must not write to what it opens. */
bool ublk_device_read_only(const struct ublk_device *device);

/*
 * Whether the device already exists, and open() is for a new server that
 * replaces a dead one. The dead server's locks may take a moment to disappear.
 */
bool ublk_device_resumed(const struct ublk_device *device);

/*
 * The logical block size that the user asked for, in bytes; 0: the target
 * chooses.
 */
uint64_t ublk_device_block_size(const struct ublk_device *device);

/*
 * From open(): sets the argument that the record keeps, such as an absolute
 * path for a relative one. @argument must live as long as the device.
 */
void ublk_device_set_argument(struct ublk_device *device, const char *argument);

/*
 * From open(), before it changes the storage: identifies @fd, so that a later
 * server of the device cannot take another file for it. @path is for messages.
 * @name is the key in the record, and starts with a letter. @contents (may be
 * NULL) are properties that must not change either; see identity.h. Returns 0,
 * or -errno after printing why: -ESTALE if the device exists and was served
 * from something else.
 */
struct identity_contents;
int ublk_device_identify(struct ublk_device *device, const char *name,
			 const char *path, int fd,
			 const struct identity_contents *contents);

/*
 * The same for what has no descriptor: @text, of less than IDENTITY_MAX
 * characters, is compared instead.
 */
int ublk_device_identify_text(struct ublk_device *device, const char *name,
			      const char *path, const char *text);

/* From open(): the server must call finish() when the disk is gone. */
void ublk_device_unfinished(struct ublk_device *device);

/*
 * For a wrapper, which is a target that wraps another one. The wrapped target
 * uses ublk_device_data() and ublk_queue_data() as always. The wrapper's own
 * state is ublk_device_wrapper().
 */
const struct ublk_target *ublk_device_target(const struct ublk_device *device);
void ublk_device_set_wrapper(struct ublk_device *device, void *state);
void *ublk_device_wrapper(const struct ublk_device *device);

/*
 * From the wrapper's open(): calls @base->open(). Meanwhile
 * ublk_device_read_only() is true, and ublk_device_identify() does nothing:
 * identifying is up to the wrapper.
 */
int ublk_device_open_base(struct ublk_device *device,
			  const struct ublk_target *base, const char *argument,
			  const void *settings, struct ublk_disk *disk);

/* In open(): whether ublk_device_open_base() called it. */
bool ublk_device_is_base(const struct ublk_device *device);

/*
 * From the wrapper's open(), if there is nothing to wrap: makes @target the
 * device's target, and opens it.
 */
int ublk_device_open_instead(struct ublk_device *device,
			     const struct ublk_target *target,
			     const char *argument, const void *settings,
			     struct ublk_disk *disk);

/*
 * From open(): registers @fd with the ring of every queue. A target can
 * register UBLK_DEVICE_FILES files. It still owns @fd, and close() closes it.
 * @name, at most 15 characters, is how other versions of the program know the
 * file: its meaning must never change. Returns the index to use as the fd of an
 * SQE with IOSQE_FIXED_FILE.
 */
#define UBLK_DEVICE_FILES 4
int ublk_device_register_file(struct ublk_device *device, int fd,
			      const char *name);

/*
 * From open(): as ublk_device_register_file(), for a place where each queue
 * will have a file of its own, as ublk_queue_replace_file() says. There is none
 * at first. The queues can use IORING_OP_TIMEOUT and IORING_OP_ASYNC_CANCEL,
 * too.
 */
int ublk_device_reserve_file(struct ublk_device *device, const char *name);

/*
 * From open(): returns the descriptor that an earlier program of this device
 * registered as @name (see `ublk upgrade`), or -1: then open() must open the
 * file itself. The target owns the descriptor. If it does not ask for every
 * inherited file, the device is refused.
 */
int ublk_device_inherited_file(struct ublk_device *device, const char *name);

/*
 * From open(), for a target that keeps the disk in memory: returns a descriptor
 * of a file of @size bytes in memory, for the target to register by this name
 * and to map. The file is empty, or has what an earlier server of the device
 * wrote. The target owns the descriptor. On error returns -errno, and prints
 * nothing.
 */
#define UBLK_DEVICE_MEMORY "memory"
int ublk_device_memory(struct ublk_device *device, uint64_t size);

/* The queue. */
struct ublk_device *ublk_queue_device(const struct ublk_queue *queue);
unsigned int ublk_queue_id(const struct ublk_queue *queue);
void ublk_queue_set_data(struct ublk_queue *queue, void *data);
void *ublk_queue_data(const struct ublk_queue *queue);

/*
 * Returns a cleared SQE whose completion calls @completion->done(). It is
 * submitted together with the other SQEs of this turn of the loop. Never
 * returns NULL: if the ring is full, it submits first.
 */
struct io_uring_sqe *ublk_queue_sqe(struct ublk_queue *queue,
				    struct ublk_completion *completion);

/*
 * Sets up @sqe to read @length bytes to @data, or to write them from there. The
 * caller sets the file and the offset. If @data is in a request's registered
 * buffer, this uses it, so that the kernel need not look up its pages. If the
 * driver lends the pages of the request, this uses those. Otherwise @data may
 * be any memory.
 */
void ublk_queue_transfer(struct ublk_queue *queue, struct io_uring_sqe *sqe,
			 bool write, void *data, uint32_t length);

/*
 * Replaces the file at @index, which ublk_device_reserve_file() returned, in the
 * ring of this queue. In the thread of @queue. Operations that use the last one
 * must have ended. Returns 0 or -errno.
 */
int ublk_queue_replace_file(struct ublk_queue *queue, int index, int fd);

/*
 * Sends a message: calls @completion->done(to, completion, result) in the
 * thread of @to. Call this from another thread: that of another queue or, if
 * target->sends_messages is set, one of the target's own. @to must not end
 * before the message arrives: it must have an unanswered request that waits for
 * the message, or a reference from ublk_queue_get().
 */
void ublk_queue_send(struct ublk_queue *to, struct ublk_completion *completion,
		     int result);

/*
 * Take and drop a reference to the queue: while it has any, it does not end,
 * even after it has answered all requests. To be called in the thread of
 * @queue.
 */
void ublk_queue_get(struct ublk_queue *queue);
void ublk_queue_put(struct ublk_queue *queue);

/*
 * Counts for `ublk stat`, besides the requests themselves: adds @n. In the thread
 * of @queue.
 */
enum ublk_count {
	UBLK_COUNT_HITS,	/* pieces of requests that the cache had */
	UBLK_COUNT_MISSES,	/* those that had to wait for it to be loaded */
	UBLK_COUNT_LOADS,	/* chunks that were loaded, also in advance */
	UBLK_COUNT_KEPT,	/* bytes of blocks that --cow began to keep */
	UBLK_COUNTS,
};
void ublk_queue_count(struct ublk_queue *queue, enum ublk_count what,
		      uint64_t n);

/*
 * Answers a request for which submit() returned UBLK_LATER: once, in the thread
 * of @queue. @result is as for submit().
 */
void ublk_request_done(struct ublk_queue *queue, struct ublk_request *request,
		       int result);

#endif

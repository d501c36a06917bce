/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The contract between a target (what holds the data: memory, a file, an
 * image) and the server. A target is one file that ends in one `const struct
 * ublk_target`; it sees requests, never a control command.
 *
 * Processes: a device may be served by one process after the other. open() runs
 * once, in a process that stays; start() in each that serves, which is that one
 * or a copy of it, so that what open() left is there as it was then.
 *
 * Threads: open(), start() and close() run in the main thread, before the first
 * and after the last queue. Everything that gets a queue runs in that queue's own
 * thread; only what a target shares between queues needs care. Threads that start()
 * makes are the target's to end; they give their rights away themselves.
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

/* What a target promises of its disk; sizes in bytes, filled in by open(). */
struct ublk_disk {
	uint64_t size;			/* a multiple of logical_block */
	uint32_t logical_block;		/* power of two, 512 to 4096 */
	uint32_t physical_block;	/* power of two, >= logical_block */
	uint32_t io_optimal;		/* 0: nothing to say */
	uint32_t max_transfer;		/* one READ or WRITE; 0: any */
	bool read_only;
	bool rotational;
	bool flush;	/* has a volatile cache: wants FLUSH */
	bool fua;	/* takes FUA on WRITE itself */
	/* Storage itself reads and writes request->data: nobody copies it. */
	bool direct;
	/*
	 * Data of requests is moved by ublk_queue_transfer() and in no other way:
	 * request->data may be an address without memory.
	 */
	bool zero_copy;
	uint32_t discard_granularity;
	uint32_t max_discard;		/* one request; 0: no discard */
	uint32_t max_write_zeroes;	/* one request; 0: none */
};

/* One request, the slot of its tag; valid until it is answered. */
struct ublk_request {
	uint16_t tag;
	uint8_t op;		/* UBLK_IO_OP_* */
	uint32_t flags;		/* UBLK_IO_F_* */
	uint64_t offset;	/* bytes; within the disk */
	uint32_t length;	/* bytes; 0 for FLUSH */
	void *data;		/* READ: to fill; WRITE: the data; page aligned */
	void *state;		/* the target's own request_size bytes */

	/*
	 * Who gets the answer in place of the driver, of a request that one
	 * part of a target makes to another; else NULL.
	 */
	void (*done)(struct ublk_queue *queue, struct ublk_request *self,
		     int result);
};

/*
 * An operation of the target's own on the queue's ring, or a message from
 * another queue. It is embedded in the target's state, which sets done, and
 * must stay where it is until done() was called, once.
 */
struct ublk_completion {
	void (*done)(struct ublk_queue *queue, struct ublk_completion *self,
		     int result);

	/* The queue's own, while a message is on its way. */
	struct ublk_completion *next;
	int result;
};

/* submit() answers later, by ublk_request_done(). */
#define UBLK_LATER (-4095)

/* The most bytes that a target's settings have. */
#define UBLK_SETTINGS_MAX 256

/* The bytes that a disk is made of: @size of them at @offset of @fd. */
struct ublk_base {
	const char *path;	/* NULL: of nothing that was there before */
	int fd;
	uint64_t offset;
	uint64_t size;
};

struct ublk_target {
	const char *name;	/* also the verb that serves it */
	const char *argument;	/* `SIZE`, `PATH`: what the usage line shows */
	const char *summary;
	const char *manual;
	const char *manual_end;	/* printed behind it; may be NULL */
	const struct option_spec *options;	/* or NULL */
	const void *defaults;
	size_t settings_size;
	size_t request_size;	/* bytes of state for each request, zeroed */
	int system_calls[RIGHTS_CALLS];	/* that its requests make; see rights.h */
	bool tells;		/* threads of its own use ublk_queue_tell() */

	/*
	 * The board may have to write to its disks before it has memory again. So
	 * buffers are taken before the disk is there, unless it is read only. (Also
	 * those of a disk that has something to flush.)
	 */
	bool frees_memory;

	/*
	 * Checks @argument and @settings, opens what holds the data, fills in
	 * @disk (zeroed but for logical_block 512, physical_block 4096) and
	 * leaves its own state in ublk_device_set_data(). Has told what is
	 * wrong when it returns -errno; nothing is left open then.
	 */
	int (*open)(struct ublk_device *device, const char *argument,
		    const void *settings, struct ublk_disk *disk);

	/*
	 * Takes what only requests need (memory above all), before the first
	 * queue. Returns 0 or -errno after telling. May be NULL.
	 */
	int (*start)(struct ublk_device *device);

	/*
	 * The disk is gone, and its requests are answered: makes permanent what
	 * is not yet, in a process that has the target open. Returns 0 or -errno
	 * after telling: then it is called again, in that or another process.
	 * Only of a device with ublk_device_unfinished(). May be NULL.
	 */
	int (*finish)(struct ublk_device *device);

	/* Gives back all that open() and start() took; changes nothing else. */
	void (*close)(struct ublk_device *device);

	/* State of one queue, by ublk_queue_set_data(). May be NULL. */
	int (*queue_start)(struct ublk_queue *queue);
	void (*queue_stop)(struct ublk_queue *queue);

	/*
	 * Starts one request. Returns the bytes done or -errno, or UBLK_LATER.
	 * FLUSH, DISCARD and WRITE_ZEROES return 0 when done.
	 */
	int (*submit)(struct ublk_queue *queue, struct ublk_request *request);

	/*
	 * Does a piece of what takes long, whenever the queue has done all else.
	 * Returns whether there may be more of it: then the queue looks for
	 * requests and completions, but does not wait for them. May be NULL.
	 */
	bool (*work)(struct ublk_queue *queue);

	/*
	 * Fills in *@base, which is valid until close(). Called once open() has
	 * returned, by a target that wraps this one; then @device is read only,
	 * and neither finish() nor any request but READ comes. NULL: the target
	 * cannot be wrapped.
	 */
	void (*base)(const struct ublk_device *device, struct ublk_base *base);
};

/*
 * The target of that name, or NULL. The table is in ublk.c. A target that is
 * wrapped is valid until the next call.
 */
const struct ublk_target *ublk_target_find(const char *name);

/* The device: for open(), close() and queues. */
void ublk_device_set_data(struct ublk_device *device, void *data);
void *ublk_device_data(const struct ublk_device *device);
unsigned int ublk_device_queues(const struct ublk_device *device); /* at most */
unsigned int ublk_device_depth(const struct ublk_device *device);  /* at most */
unsigned int ublk_device_cpus(const struct ublk_device *device); /* to run on */

/* Whether the target must not write to what it opens. */
bool ublk_device_read_only(const struct ublk_device *device);

/*
 * The device exists, and open() is for a server that takes the place of one that
 * has just died: what that one had claimed may be free only in a moment.
 */
bool ublk_device_resumed(const struct ublk_device *device);

/* The logical block that was asked for, in bytes; 0: the target's choice. */
uint64_t ublk_device_block_size(const struct ublk_device *device);

/*
 * Says what the record shall keep as the argument (an absolute path in place
 * of a relative one). @argument must live as long as the device.
 */
void ublk_device_set_argument(struct ublk_device *device, const char *argument);

/*
 * From open(), before anything is changed there: what the disk is made of is what
 * lies in @fd, which @path is a name of. @name (a letter and more) is how the
 * record calls it. @contents, if not NULL, must not change either. Returns 0; or
 * -ESTALE, after telling, where the device exists and was served from another one;
 * or another -errno after telling.
 */
struct identity_contents;
int ublk_device_identify(struct ublk_device *device, const char *name,
			 const char *path, int fd,
			 const struct identity_contents *contents);

/* From open(): there is something for finish() to do when the disk is gone. */
void ublk_device_unfinished(struct ublk_device *device);

/*
 * For a target that wraps another one. The wrapped target has ublk_device_data()
 * and the data of queues; the wrapper's own state is ublk_device_wrapper().
 */
const struct ublk_target *ublk_device_target(const struct ublk_device *device);
void ublk_device_set_wrapper(struct ublk_device *device, void *state);
void *ublk_device_wrapper(const struct ublk_device *device);

/*
 * From the wrapper's open(): calls that of @base. Meanwhile the device is read
 * only, and ublk_device_identify() does nothing: that is left to the wrapper.
 */
int ublk_device_open_base(struct ublk_device *device,
			  const struct ublk_target *base, const char *argument,
			  const void *settings, struct ublk_disk *disk);

/* In open(): whether ublk_device_open_base() calls it. */
bool ublk_device_is_base(const struct ublk_device *device);

/*
 * From the wrapper's open(), where there is nothing for it to do: opens @target,
 * which is the device's from then on.
 */
int ublk_device_open_instead(struct ublk_device *device,
			     const struct ublk_target *target,
			     const char *argument, const void *settings,
			     struct ublk_disk *disk);

/*
 * Registers @fd with every queue's ring; from open() only, at most
 * UBLK_DEVICE_FILES. The descriptor stays the target's. @name, of 15 characters
 * at most, is what other versions of the program know the file by: what it
 * means never changes. Returns the index to use as the fd of an SQE with
 * IOSQE_FIXED_FILE.
 */
#define UBLK_DEVICE_FILES 4
int ublk_device_register_file(struct ublk_device *device, int fd,
			      const char *name);

/*
 * The file that an earlier program of this device registered as @name and left
 * open (see `ublk upgrade`), or -1 where open() has to open it itself. It is the
 * target's as any other. One that nobody asks for is refused with the device.
 */
int ublk_device_inherited_file(struct ublk_device *device, const char *name);

/*
 * From open() only, for a target that keeps the disk in memory: a file of @size
 * bytes in memory to be registered and mapped. It is empty, or has what an
 * earlier server of the device wrote there. Returns the descriptor, which is
 * the target's and is registered under this name, or -errno without telling.
 */
#define UBLK_DEVICE_MEMORY "memory"
int ublk_device_memory(struct ublk_device *device, uint64_t size);

/* The queue. */
struct ublk_device *ublk_queue_device(const struct ublk_queue *queue);
unsigned int ublk_queue_id(const struct ublk_queue *queue);
void ublk_queue_set_data(struct ublk_queue *queue, void *data);
void *ublk_queue_data(const struct ublk_queue *queue);

/*
 * A cleared SQE whose completion calls @completion->done(). It is submitted
 * with everything else of this batch. Never NULL: submits first when the ring
 * is full.
 */
struct io_uring_sqe *ublk_queue_sqe(struct ublk_queue *queue,
				    struct ublk_completion *completion);

/*
 * Makes @sqe read to @data, or write from there, @length bytes; its file and offset
 * are the caller's to set. Where the ring knows the buffer of the request that @data
 * lies in, the kernel need not look for its pages; and where the driver lends the
 * request's own, they take the buffer's place. Else @data may lie anywhere.
 */
void ublk_queue_transfer(struct ublk_queue *queue, struct io_uring_sqe *sqe,
			 bool write, void *data, uint32_t length);

/*
 * Calls @completion->done(to, completion, result) in the thread of @to; to be
 * called from any other thread: another queue's, or if target->tells one of the
 * target's own. @to must have a request that waits for it, or be held, or it may
 * have ended.
 */
void ublk_queue_tell(struct ublk_queue *to, struct ublk_completion *completion,
		     int result);

/*
 * Between these two the queue does not end, though all requests are answered.
 * In its own thread.
 */
void ublk_queue_hold(struct ublk_queue *queue);
void ublk_queue_release(struct ublk_queue *queue);

/* Answers a request that submit() left for later. */
void ublk_request_done(struct ublk_queue *queue, struct ublk_request *request,
		       int result);

#endif

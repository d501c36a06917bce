/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ublk driver's own structures and their ownership rules.
 *
 * A device has queues, and a queue has one slot per tag. A request travels
 * between the block layer and the server through its slot, and the state of the
 * slot says who owns it. device.c creates and deletes devices, params.c checks
 * their parameters. queue.c delivers requests to the server, and commit.c
 * completes them. copy.c and lend.c move their data. chardev.c and batch.c are
 * the server's interface, recovery.c handles its death and the next server, and
 * ctrl.c the control commands.
 */
#ifndef _UBLK_H
#define _UBLK_H

#include <linux/blk-mq.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/sched/signal.h>
#include <linux/semaphore.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "ublk_cmd.h"

/*
 * Features that need rings which take the pages of a request as a registered
 * buffer.
 */
#ifdef UBLK_HAVE_LENT_PAGES
#define UBLK_LENT_FEATURES (UBLK_F_SUPPORT_ZERO_COPY |	\
			    UBLK_F_AUTO_BUF_REG |	\
			    UBLK_F_BUF_REG_OFF_DAEMON)
#else
#define UBLK_LENT_FEATURES 0ULL
#endif

/* Features that need commands which complete more than once. */
#ifdef UBLK_HAVE_BATCH_IO
#define UBLK_BATCH_FEATURES UBLK_F_BATCH_IO
#else
#define UBLK_BATCH_FEATURES 0ULL
#endif

#define UBLK_FEATURES (UBLK_F_URING_CMD_COMP_IN_TASK |	\
		       UBLK_F_NEED_GET_DATA |		\
		       UBLK_F_USER_RECOVERY |		\
		       UBLK_F_USER_RECOVERY_REISSUE |	\
		       UBLK_F_USER_RECOVERY_FAIL_IO |	\
		       UBLK_F_UNPRIVILEGED_DEV |	\
		       UBLK_F_CMD_IOCTL_ENCODE |	\
		       UBLK_F_USER_COPY |		\
		       UBLK_F_UPDATE_SIZE |		\
		       UBLK_F_QUIESCE |			\
		       UBLK_F_PER_IO_DAEMON |		\
		       UBLK_F_SAFE_STOP_DEV |		\
		       UBLK_F_NO_AUTO_PART_SCAN |	\
		       UBLK_LENT_FEATURES |		\
		       UBLK_BATCH_FEATURES)

/*
 * With one of these flags the driver does not copy data: the server uses
 * pread() and pwrite(), or gets the pages themselves. Users of such a request
 * are counted in slot->refs.
 */
#define UBLK_COUNTED_FLAGS (UBLK_FEATURES &		\
			    (UBLK_F_USER_COPY |		\
			     UBLK_F_SUPPORT_ZERO_COPY |	\
			     UBLK_F_AUTO_BUF_REG))

#define UBLK_RECOVERY_FLAGS (UBLK_F_USER_RECOVERY |		\
			     UBLK_F_USER_RECOVERY_REISSUE |	\
			     UBLK_F_USER_RECOVERY_FAIL_IO)

/* The parameter types that the driver knows. It clears others. */
#define UBLK_PARAM_TYPES (UBLK_PARAM_TYPE_BASIC |	\
			  UBLK_PARAM_TYPE_DISCARD |	\
			  UBLK_PARAM_TYPE_DEVT |	\
			  UBLK_PARAM_TYPE_ZONED |	\
			  UBLK_PARAM_TYPE_DMA_ALIGN |	\
			  UBLK_PARAM_TYPE_SEGMENT)

#define UBLK_MAX_IO_BYTES	((u32)BIT(UBLK_IO_BUF_BITS))

/*
 * Results that no server can give. The request goes back to the block layer: as
 * one that the server may have begun (RECLAIM), or has never seen (UNSERVED).
 */
#define UBLK_RESULT_RECLAIM	INT_MIN
#define UBLK_RESULT_UNSERVED	(INT_MIN + 1)

/*
 * The states of a slot. Whoever changes a state by cmpxchg owns what the old
 * state protected, and nobody else changes it.
 *
 *   IDLE       -> ARMED       the server's FETCH
 *   ARMED      -> CLAIMED     ublk_queue_rq() has a request with this tag
 *   ARMED      -> IDLE        the command is given back: ublk_slot_abort()
 *   CLAIMED    -> SERVING     delivery, in the server's context
 *   CLAIMED    -> ARMED       delivery failed, the command is still held
 *   CLAIMED    -> IDLE        the server died before delivery
 *   SERVING    -> COMMITTING  the server's COMMIT, while it copies data
 *   COMMITTING -> ARMED       the COMMIT is held for the next request
 *   COMMITTING -> SERVING     NEED_GET_DATA is done
 *   SERVING    -> IDLE        the request is taken back: ublk_slot_reclaim()
 *
 * A slot is also COMMITTING for a moment while its command or request is taken
 * back. Whoever arms a slot that had a request then calls ublk_slot_armed():
 * the device may have stopped delivering in the meantime, or QUIESCE_DEV may
 * wait for this request.
 *
 * The public interface knows the states IDLE, ARMED and SERVING. The other two
 * last only while somebody works on the slot.
 *
 * With BATCH_IO no command belongs to a slot: PREP_IO_CMDS arms it, and it
 * stays CLAIMED until a FETCH_IO_CMDS can deliver the request. There are two
 * more steps:
 *
 *   CLAIMED    -> ARMED       the tag could not be delivered
 *   CLAIMED    -> IDLE        the server died before delivery
 */
enum ublk_slot_state {
	UBLK_SLOT_IDLE,
	UBLK_SLOT_ARMED,
	UBLK_SLOT_CLAIMED,
	UBLK_SLOT_SERVING,
	UBLK_SLOT_COMMITTING,
};

/*
 * One tag of one queue, in one cache line. @cmd is valid while the slot is
 * ARMED or CLAIMED, and always NULL with BATCH_IO. @rq is valid from CLAIMED on
 * until the request is ended. @task changes only under the device's lock, and
 * not while the slot is in use.
 */
struct ublk_slot {
	atomic_t state;			/* enum ublk_slot_state */
	bool wants_data;		/* a WRITE delivered without its data */
	bool lend_may_fail;		/* with BATCH_IO: see lent_index */
	u16 lent_index;			/* see lent_ring; BATCH_IO: the next one */
	struct io_uring_cmd *cmd;	/* the server's, held */
	struct request *rq;
	u64 addr;			/* the server's buffer */
	/*
	 * The only task that may use the slot. With BATCH_IO, the one that
	 * armed it first.
	 */
	struct task_struct *task;
	struct llist_node node;		/* in the queue's pending list */

	/*
	 * With UBLK_COUNTED_FLAGS, the request is ended with @result by whoever
	 * drops the last reference. Delivery sets one reference, which COMMIT
	 * or ublk_slot_reclaim() drops. pread() and pwrite() hold their own
	 * while they copy, and so does each ring that has the pages. So the
	 * request may still exist when the slot is armed again. These fields
	 * change only when another request claims the slot, and that is not
	 * possible before this one has ended. The next server does not come
	 * while there are references.
	 */
	refcount_t refs;
	int result;
	/* The ring to which delivery lent the pages (AUTO_BUF_REG), or NULL. */
	const void *lent_ring;
} ____cacheline_aligned_in_smp;

/*
 * With BATCH_IO: the FETCH_IO_CMDS that a queue holds, in the order in which
 * they take requests. Only the one that set @active takes requests from
 * @pending, until it clears @active; it is not in the list meanwhile. @backlog
 * are requests that were taken from @pending and not delivered yet, oldest
 * first.
 */
struct ublk_batch {
	spinlock_t lock;		/* protects @fetches and @active */
	bool active;
	struct list_head fetches;
	struct llist_node *backlog;
};

struct ublk_queue {
	struct ublk_device *dev;
	unsigned int depth;
	u64 flags;			/* UBLK_F_* of the device */
	struct ublksrv_io_desc *descs;	/* [depth], mapped by the server */

	/*
	 * Claimed requests are collected in @pending. One task work delivers
	 * them all: that of the command of the first request. This works only
	 * if all commands come from one ring and one task. @ring and @task are
	 * those of the first FETCH; once a command came from others, @mixed is
	 * set, and each request is delivered by its own command. With BATCH_IO
	 * a queue is always @mixed; see @batch.
	 */
	const void *ring;
	const struct task_struct *task;
	bool mixed;
	struct llist_head pending ____cacheline_aligned_in_smp;
	struct ublk_batch batch;

	struct ublk_slot slots[] __counted_by(depth);
};

/* What happens to new requests. */
enum ublk_service {
	UBLK_NOT_STARTED,	/* there is no disk */
	UBLK_DELIVER,		/* the server gets them; slots are armed */
	UBLK_HOLD,		/* they wait for the next server */
	UBLK_FAIL,		/* they end with EIO */
};

/*
 * A device, from ADD_DEV until its nodes have no users any more. @device counts
 * the references.
 *
 * @mutex serialises control commands that change the device. START_DEV and
 * END_USER_RECOVERY do not hold it while they wait for the server. @lock
 * protects the fields that the death of a server changes, which may happen
 * during any command: @service, @stopping, @owned, @fetched, @broken,
 * @untrusted, @leaving, @deaths, @fetchable, and the tasks of slots and queues.
 * The I/O path does not take it while the server is alive.
 *
 * A session is the time in which one server has /dev/ublkcN open. FETCH checks
 * that it is permitted and makes the slot the session's own (@owned) in one
 * step; the slot counts as @fetched once it is armed. To end a session, mark it
 * @broken, then give back all armed commands. A FETCH that runs at the same
 * time finds @broken after arming its slot, and gives its command back itself.
 */
struct ublk_device {
	struct device device;
	struct cdev cdev;
	struct mutex mutex;	/* for control commands */
	spinlock_t lock;	/* for the death of a server */

	struct ublksrv_ctrl_dev_info info;
	struct ublk_params params;	/* types == 0: not set */
	struct blk_mq_tag_set tags;
	struct gendisk *disk;		/* between START and STOP */
	bool closed;			/* cannot be opened; disk->open_mutex */
	struct ublk_queue **queues;	/* [info.nr_hw_queues] */

	enum ublk_service service;
	bool stopping;			/* requests fail without a server */
	bool fetchable;			/* FETCH is allowed */
	bool broken;			/* this session has ended */
	bool leaving;			/* closed; see ublk_server_left() */
	bool untrusted;			/* fetched without CAP_SYS_ADMIN */
	unsigned int deaths;		/* sessions that ended */
	bool quiescing;			/* QUIESCE_DEV waits for commits */
	/* Slots that a task has fetched, and FETCH_IO_CMDS. */
	unsigned int owned;
	unsigned int fetched;		/* owned slots that were armed */

	unsigned long in_use;		/* bit 0: an open gets -EBUSY */
	bool deleted;			/* by DEL_DEV, under ublk_devices_lock */
	wait_queue_head_t wait;		/* for every condition of the device */

	struct work_struct abort_work;	/* takes back commands and requests */
	struct work_struct remove_work;	/* removes the disk after that */
	struct work_struct left_work;	/* lets the next server in */
	struct work_struct scan_work;	/* reads the partition table */
	struct gendisk *scanned;	/* of scan_work, with a reference */
	struct semaphore job;		/* down while a job runs */
};

/*
 * Taking back requests must work whatever else waits, even for memory, so it
 * has a workqueue to itself. All other work may wait for I/O. A workqueue runs
 * only a limited number of works at a time, so partition scans also have their
 * own: they wait as long as no server answers, and must not keep STOP_DEV
 * waiting.
 */
extern struct workqueue_struct *ublk_abort_wq;
extern struct workqueue_struct *ublk_wq;

/* What the driver keeps with a held command. */
struct ublk_cmd_pdu {
	struct ublk_queue *queue;
	struct ublk_slot *slot;
	struct ublk_auto_buf_reg lend;	/* with AUTO_BUF_REG; already checked */
};

static inline struct ublk_cmd_pdu *ublk_cmd_pdu(struct io_uring_cmd *cmd)
{
	return io_uring_cmd_to_pdu(cmd, struct ublk_cmd_pdu);
}

static inline enum ublk_slot_state ublk_slot_state(struct ublk_slot *slot)
{
	return atomic_read_acquire(&slot->state);
}

/* Returns true if the slot was in state @from: then the caller owns it. */
static inline bool ublk_slot_take(struct ublk_slot *slot,
				  enum ublk_slot_state from,
				  enum ublk_slot_state to)
{
	return atomic_cmpxchg(&slot->state, from, to) == from;
}

/* Ends the caller's ownership of a slot. */
static inline void ublk_slot_give(struct ublk_slot *slot,
				  enum ublk_slot_state to)
{
	atomic_set_release(&slot->state, to);
}

/*
 * The number of a command, which is also its plain opcode, or -1. An encoded
 * opcode also has a size and a direction, whose encoding differs between
 * processors. Some servers use x86's everywhere, so only the number is
 * compared, as Linux does.
 */
static inline unsigned int ublk_op_number(u32 op)
{
	return _IOC_TYPE(op) == 'u' || !_IOC_TYPE(op) ? _IOC_NR(op) : -1U;
}

/* Whether the server's commands are for a queue, not for a slot. */
static inline bool ublk_batches(const struct ublk_queue *queue)
{
	return queue->flags & UBLK_FEATURES & UBLK_F_BATCH_IO;
}

static inline bool ublk_dev_batches(const struct ublk_device *dev)
{
	return dev->info.flags & UBLK_FEATURES & UBLK_F_BATCH_IO;
}

/* Whether the current task is being killed. */
static inline bool ublk_is_killed(void)
{
	/* signals are set under a lock that readers do not take */
	return data_race(fatal_signal_pending(current));
}

/* Whether the process that has /dev/ublkcN open can fetch nothing more. */
static inline bool ublk_session_ended(const struct ublk_device *dev)
{
	lockdep_assert_held(&dev->lock);
	return dev->broken || READ_ONCE(dev->deleted);
}

/* Other requests only describe a range of the disk. */
static inline bool ublk_request_has_data(const struct request *rq)
{
	return req_op(rq) == REQ_OP_READ || req_op(rq) == REQ_OP_WRITE;
}

/* Whether the pages of every request are lent to the server's ring. */
static inline bool ublk_lends(const struct ublk_queue *queue)
{
	return queue->flags & UBLK_FEATURES & UBLK_F_AUTO_BUF_REG;
}

/*
 * The bytes that can be completed if the server has done @bytes: whole blocks,
 * at most the request.
 */
static __always_inline unsigned int ublk_whole_blocks(struct request *rq,
						      size_t bytes)
{
	if (likely(bytes >= blk_rq_bytes(rq)))
		return blk_rq_bytes(rq);
	return round_down(bytes, queue_logical_block_size(rq->q));
}

static inline struct ublksrv_io_desc *ublk_desc(struct ublk_queue *queue,
						struct ublk_slot *slot)
{
	return &queue->descs[slot - queue->slots];
}

static inline bool ublk_dev_recovers(const struct ublk_device *dev)
{
	return dev->info.flags & UBLK_F_USER_RECOVERY;
}

/* device.c */

/* Returns the device with this id and a reference to it, or NULL. */
struct ublk_device *ublk_device_get(u32 id);
void ublk_device_put(struct ublk_device *dev);

/*
 * Adds a device as @info asks, and updates @info. Returns 0 or -errno; -EEXIST
 * if the id is in use.
 */
int ublk_device_add(struct ublksrv_ctrl_dev_info *info);

/*
 * Creates the disk after process @server has fetched all slots, and has its
 * partition table read. The caller holds the mutex. Returns 0, -ENODEV if the
 * server died meanwhile, or an error of the block layer.
 */
int ublk_device_start(struct ublk_device *dev, pid_t server);

/*
 * Removes the disk, and then gives the server its commands back. While there is
 * a server, the disk's I/O completes first. The caller holds the mutex.
 */
void ublk_device_stop(struct ublk_device *dev);

/*
 * Stops the device and removes its nodes. The caller holds a reference. Returns
 * 0, or -ENODEV if it is already being deleted.
 */
int ublk_device_delete(struct ublk_device *dev);

/*
 * Waits until no deleted device has this id: its nodes have no users then. The
 * caller must not hold a reference. Returns 0 or -EINTR.
 */
int ublk_device_wait_gone(u32 id);

int ublk_devices_init(void);
void ublk_devices_exit(void);

/* params.c */

/* Returns 0, or -EINVAL if no disk can be created with these parameters. */
int ublk_params_check(const struct ublk_device *dev,
		      const struct ublk_params *params);

/* The queue limits for the device's parameters. */
struct queue_limits ublk_params_limits(const struct ublk_device *dev);

/* queue.c */

extern const struct blk_mq_ops ublk_mq_ops;

/* Allocate and free dev->queues. Returns 0 or -ENOMEM. */
int ublk_queues_alloc(struct ublk_device *dev);
void ublk_queues_free(struct ublk_device *dev);

/* Pages of a queue's descriptors, which is what the server maps. */
unsigned long ublk_queue_descs_pages(unsigned int depth);

/* The server's NEED_GET_DATA. */
int ublk_slot_get_data(struct ublk_queue *queue, struct ublk_slot *slot,
		       u64 addr);

/*
 * For BATCH_IO. Whoever takes requests from a queue owns their slots, which are
 * CLAIMED. ublk_slot_prepare() copies or lends the data, to the ring of @fetch,
 * and fills in the descriptor; if it returns false, there is nothing to
 * deliver, and the caller no longer owns the slot. ublk_slot_announce() makes a
 * prepared slot SERVING, before its tag is posted. ublk_slot_withdraw() takes
 * back a prepared slot, announced or not, whose tag could not be posted.
 * ublk_slot_unserved() takes back a slot that was not prepared, because the
 * server is gone.
 */
bool ublk_slot_prepare(struct ublk_queue *queue, struct ublk_slot *slot,
		       struct io_uring_cmd *fetch, unsigned int issue_flags);
void ublk_slot_announce(struct ublk_queue *queue, struct ublk_slot *slot);
void ublk_slot_withdraw(struct ublk_queue *queue, struct ublk_slot *slot,
			struct io_uring_cmd *fetch, bool announced,
			unsigned int issue_flags);
void ublk_slot_unserved(struct ublk_queue *queue, struct ublk_slot *slot);

/* commit.c */

/*
 * Holds @cmd for the next request of a slot that the caller owns. From then on
 * @cmd may complete at any time.
 */
void ublk_slot_arm(struct ublk_queue *queue, struct ublk_slot *slot,
		   struct io_uring_cmd *cmd, u64 addr, unsigned int issue_flags);

/*
 * To be called after a slot was armed again: gives its command back if the
 * device has stopped delivering meanwhile.
 */
void ublk_slot_armed(struct ublk_queue *queue, struct ublk_slot *slot,
		     unsigned int issue_flags);

/*
 * Gives an armed command back to the server. Returns false if there was none.
 */
bool ublk_slot_abort(struct ublk_slot *slot, unsigned int issue_flags);

/* Takes a request back from a server that is gone. */
void ublk_slot_reclaim(struct ublk_queue *queue, struct ublk_slot *slot);

/* The server's COMMIT_AND_FETCH_REQ. */
int ublk_slot_commit(struct ublk_queue *queue, struct ublk_slot *slot,
		     struct io_uring_cmd *cmd, int result, u64 addr,
		     unsigned int issue_flags);

/*
 * One element of PREP_IO_CMDS, for an idle slot, or of COMMIT_IO_CMDS, which is
 * @cmd. The latter returns 0 or -errno.
 */
void ublk_slot_prep(struct ublk_slot *slot, u64 addr,
		    struct ublk_auto_buf_reg lend);
int ublk_slot_commit_batch(struct ublk_queue *queue, struct ublk_slot *slot,
			   struct io_uring_cmd *cmd, int result, u64 addr,
			   struct ublk_auto_buf_reg lend,
			   unsigned int issue_flags);

/* The error for a command to a slot that has no request at the server. */
int ublk_slot_refused(struct ublk_slot *slot);

/*
 * A reference to the request of a slot, for pread(), pwrite() and rings. get
 * returns the request, or NULL if the server has none.
 */
struct request *ublk_slot_request_get(struct ublk_slot *slot);
void ublk_slot_request_put(struct ublk_queue *queue, struct ublk_slot *slot,
			   struct request *rq);

/*
 * Handles a request that this server will not complete: it fails, or waits for
 * the next server.
 */
void ublk_request_unserved(struct ublk_device *dev, struct request *rq);

/* Ends a request that has left its slot. */
void ublk_request_end(struct request *rq, blk_status_t status);

/* copy.c */

/*
 * Copy data between a request and the current task's memory. They return how
 * many bytes were copied.
 */
size_t ublk_copy_to_server(struct request *rq, void __user *buffer,
			   size_t bytes);
size_t ublk_copy_from_server(struct request *rq, const void __user *buffer,
			     size_t bytes);

/*
 * Faults in memory of the current task that could not be written. Returns 0,
 * -EFAULT if the task may not write there, or another error (no memory, a fatal
 * signal) after which the copy may be tried again.
 */
int ublk_fault_in(void __user *buffer);

/*
 * Copies from @offset in the request on, for pread() and pwrite(). Returns how
 * many bytes were copied.
 */
size_t ublk_copy_iter(struct request *rq, size_t offset, struct iov_iter *iter);

/* lend.c */

/*
 * REGISTER_IO_BUF and UNREGISTER_IO_BUF: register the pages of the slot's
 * request as buffer @index of the ring of @cmd, and remove that buffer from the
 * ring.
 */
int ublk_lend(struct ublk_queue *queue, struct ublk_slot *slot,
	      struct io_uring_cmd *cmd, u64 index, unsigned int issue_flags);
int ublk_lend_end(struct ublk_device *dev, struct io_uring_cmd *cmd, u64 index,
		  unsigned int issue_flags);

/*
 * For AUTO_BUF_REG. ublk_lend_wanted() stores with a command where the pages of
 * the next request go; it returns false if the server's values are invalid.
 * ublk_lend_deliver() lends the pages of a request that @cmd delivers; it
 * returns the number of rings that got them, or -errno. ublk_lend_commit()
 * removes them from the ring of @cmd if ublk_lend_deliver() put them there.
 */
bool ublk_lend_wanted(struct io_uring_cmd *cmd);
int ublk_lend_deliver(struct ublk_slot *slot, struct io_uring_cmd *cmd,
		      unsigned int index, unsigned int issue_flags);
void ublk_lend_commit(struct ublk_slot *slot, struct io_uring_cmd *cmd,
		      unsigned int issue_flags);

/* chardev.c */

extern const struct file_operations ublk_chardev_fops;
extern const struct file_operations ublk_batch_fops;	/* with BATCH_IO */

/* batch.c */

/*
 * A command of a server with BATCH_IO. Any task that has /dev/ublkcN open may
 * send it.
 */
int ublk_batch_command(struct io_uring_cmd *cmd, unsigned int issue_flags);

/* Delivers a claimed request as soon as a FETCH_IO_CMDS can take it. */
void ublk_batch_send(struct ublk_queue *queue, struct ublk_slot *slot);

/*
 * Gives back all FETCH_IO_CMDS that are not delivering at the moment, and takes
 * back claimed requests that nobody will deliver.
 */
void ublk_batch_abort(struct ublk_queue *queue);

/* Whether the queue holds no FETCH_IO_CMDS. */
bool ublk_batch_is_idle(struct ublk_queue *queue);

/* recovery.c */

/* Handles the end of the server: work items take back all that it has. */
void ublk_server_gone(struct ublk_device *dev);

/* As ublk_server_gone(), for a caller that holds the device's lock. */
void ublk_session_gone(struct ublk_device *dev);

/* The last step: the server has closed /dev/ublkcN. */
void ublk_server_closed(struct ublk_device *dev);

/*
 * Ends the session if anything was fetched in it: nothing more can be. The
 * caller holds the device's lock, and afterwards gives back what is armed.
 */
void ublk_session_break(struct ublk_device *dev);

/* Gives back all armed commands and, with @reclaim, takes back all requests. */
void ublk_device_abort(struct ublk_device *dev, bool reclaim);

/*
 * Waits until every slot has a command. Returns 0, -EINTR, -EBUSY if a server
 * whose session has ended still has the node open, or -ENODEV if the server
 * died meanwhile or the device was deleted.
 */
int ublk_wait_fetched(struct ublk_device *dev);

/* Whether every slot has a command. The caller holds the device's lock. */
bool ublk_is_fetched(const struct ublk_device *dev);

/*
 * Queues a work item of the device with a reference, which the work item drops.
 */
void ublk_queue_work(struct ublk_device *dev, struct workqueue_struct *wq,
		     struct work_struct *work);

void ublk_recovery_init(struct ublk_device *dev);
int ublk_recovery_start(struct ublk_device *dev);
int ublk_recovery_end(struct ublk_device *dev, pid_t server);
int ublk_quiesce(struct ublk_device *dev, u64 timeout_ms);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ublk driver's own structures, and who may touch what when.
 *
 * A device is made of queues, a queue of slots, one for each tag. A request
 * travels between the block layer and the server through its slot, and the
 * state of the slot says who owns it. Devices live in device.c, parameters in
 * params.c, requests on their way to the server in queue.c and back in commit.c,
 * their data in copy.c and lend.c, the server's side in chardev.c and batch.c, its
 * death and succession in recovery.c, control in ctrl.c.
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

/* What needs a ring that takes the pages of a request as a buffer. */
#ifdef UBLK_HAVE_LENT_PAGES
#define UBLK_LENT_FEATURES (UBLK_F_SUPPORT_ZERO_COPY |	\
			    UBLK_F_AUTO_BUF_REG |	\
			    UBLK_F_BUF_REG_OFF_DAEMON)
#else
#define UBLK_LENT_FEATURES 0ULL
#endif

/* What needs commands that complete more than once. */
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
 * The driver copies nothing: the server has the data by pread() and pwrite(), or
 * has the pages themselves. Who has such a request is counted.
 */
#define UBLK_COUNTED_FLAGS (UBLK_FEATURES &		\
			    (UBLK_F_USER_COPY |		\
			     UBLK_F_SUPPORT_ZERO_COPY |	\
			     UBLK_F_AUTO_BUF_REG))

#define UBLK_RECOVERY_FLAGS (UBLK_F_USER_RECOVERY |		\
			     UBLK_F_USER_RECOVERY_REISSUE |	\
			     UBLK_F_USER_RECOVERY_FAIL_IO)

/* Types of parameters that are known; others are cleared. */
#define UBLK_PARAM_TYPES (UBLK_PARAM_TYPE_BASIC |	\
			  UBLK_PARAM_TYPE_DISCARD |	\
			  UBLK_PARAM_TYPE_DEVT |	\
			  UBLK_PARAM_TYPE_ZONED |	\
			  UBLK_PARAM_TYPE_DMA_ALIGN |	\
			  UBLK_PARAM_TYPE_SEGMENT)

#define UBLK_MAX_IO_BYTES	((u32)BIT(UBLK_IO_BUF_BITS))

/*
 * A result that no server can give: the request goes back to the block layer,
 * as one that was begun (RECLAIM) or that nobody has seen yet (UNSERVED).
 */
#define UBLK_RESULT_RECLAIM	INT_MIN
#define UBLK_RESULT_UNSERVED	(INT_MIN + 1)

/*
 * The states of a slot. Whoever changes a state by cmpxchg owns what the old
 * state protected; nobody else changes it.
 *
 *   IDLE     -> ARMED	   the server's FETCH
 *   ARMED    -> CLAIMED   a request with this tag: ublk_queue_rq()
 *   ARMED    -> IDLE	   the command is taken back: ublk_slot_abort()
 *   CLAIMED  -> SERVING   delivery, in the server's context
 *   CLAIMED  -> ARMED	   delivery failed, the command is still held
 *   CLAIMED  -> IDLE	   the server died before delivery
 *   SERVING  -> COMMITTING   the server's COMMIT, while it copies
 *   COMMITTING -> ARMED   and is held for the next request
 *   COMMITTING -> SERVING a request for data was answered
 *   SERVING  -> IDLE	   the request is taken back: ublk_slot_reclaim()
 *
 * What is taken back is COMMITTING in between, while its owner reads the slot.
 * Whoever arms a slot that had a request calls ublk_slot_armed() then: the
 * device may have stopped delivering, or QUIESCE_DEV waits for just this.
 *
 * The three states that the interface knows are IDLE, ARMED and SERVING; the
 * other two last only while somebody works on the slot.
 *
 * With BATCH_IO no command belongs to a slot: PREP_IO_CMDS arms it, and CLAIMED
 * lasts until the server has a FETCH_IO_CMDS that takes the request. Then there
 * are two steps more:
 *
 *   CLAIMED  -> ARMED	   the server could not be told of it
 *   CLAIMED  -> IDLE	   the server died, and nobody had taken the request
 */
enum ublk_slot_state {
	UBLK_SLOT_IDLE,
	UBLK_SLOT_ARMED,
	UBLK_SLOT_CLAIMED,
	UBLK_SLOT_SERVING,
	UBLK_SLOT_COMMITTING,
};

/*
 * One tag of one queue, in one cache line. @cmd is valid while ARMED or
 * CLAIMED, and NULL with BATCH_IO; @rq is valid from CLAIMED on until the request
 * is ended. @task changes only under the device's lock, and not while the slot is
 * in use.
 */
struct ublk_slot {
	atomic_t state;			/* enum ublk_slot_state */
	bool wants_data;		/* a WRITE delivered without its data */
	bool lend_may_fail;		/* with BATCH_IO: see lent_index */
	u16 lent_index;			/* see lent_ring; with BATCH_IO, the next one */
	struct io_uring_cmd *cmd;	/* the server's, held */
	struct request *rq;
	u64 addr;			/* the server's buffer */
	struct task_struct *task;	/* the only one that may use the slot... */
					/* ...but with BATCH_IO: who armed it first */
	struct llist_node node;		/* in the queue's pending list */

	/*
	 * With UBLK_COUNTED_FLAGS: the request is ended by whoever drops the
	 * last reference, with this result. Delivery sets one, which COMMIT or
	 * reclaiming drops; pread() and pwrite() have their own, and each ring
	 * that has its pages. So the request may be there still when the slot
	 * is armed again, even by the next server, and only when it has ended
	 * another one can claim the slot and change these.
	 */
	refcount_t refs;
	int result;
	/* That which delivery lent the pages to (AUTO_BUF_REG), or NULL. */
	const void *lent_ring;
} ____cacheline_aligned_in_smp;

/*
 * With BATCH_IO: the FETCH_IO_CMDS that a queue holds, in the order in which they
 * take requests. Whoever sets @active is the only one to take requests from
 * @pending, until it is cleared. What was taken and has not been delivered is
 * @backlog, oldest first. A fetch that is active is not in the list.
 */
struct ublk_batch {
	spinlock_t lock;		/* for @fetches and @active */
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
	 * Requests that are claimed are collected in @pending and delivered by
	 * one task work, which is that of the command of the first of them.
	 * That needs all commands to be of one ring and one task: @ring is
	 * that of the first FETCH and @task who sent it, and once another one
	 * was seen (@mixed) each request is delivered by its own command. With
	 * BATCH_IO a queue is @mixed from the beginning: see @batch.
	 */
	const void *ring;
	const struct task_struct *task;
	bool mixed;
	struct llist_head pending ____cacheline_aligned_in_smp;
	struct ublk_batch batch;

	struct ublk_slot slots[] __counted_by(depth);
};

/* What happens to requests. */
enum ublk_service {
	UBLK_NOT_STARTED,	/* there is no disk */
	UBLK_DELIVER,		/* the server gets them: each slot is armed */
	UBLK_HOLD,		/* it waits for the next server */
	UBLK_FAIL,		/* it ends with EIO */
};

/*
 * A device, from ADD_DEV until the last user of its nodes is gone. References
 * are those of @device.
 *
 * @mutex serialises control commands that change the device; START_DEV and
 * END_USER_RECOVERY wait for the server without it. @lock guards what the
 * death of a server touches, which may happen under any of those: @service,
 * @stopping, @owned, @fetched, @broken, @untrusted, @leaving, @deaths,
 * @fetchable and the tasks of slots and queues. It is never taken for a
 * request while the server is well.
 *
 * A session is the time in which one server has /dev/ublkcN open. FETCH makes
 * a slot its own (@owned) in the step that permits it, and the slot counts as
 * @fetched once it is armed. Whoever ends a session marks it @broken and then
 * gives back what is armed; a FETCH in between finds @broken after arming and
 * takes its command back itself.
 */
struct ublk_device {
	struct device device;
	struct cdev cdev;
	struct mutex mutex;	/* for control commands */
	spinlock_t lock;	/* for the death of a server */

	struct ublksrv_ctrl_dev_info info;
	struct ublk_params params;	/* types == 0: none were set */
	struct blk_mq_tag_set tags;
	struct gendisk *disk;		/* between START and STOP */
	bool closed;			/* to new openers; its open_mutex */
	struct ublk_queue **queues;	/* [info.nr_hw_queues] */

	enum ublk_service service;
	bool stopping;			/* requests fail, now or at a death */
	bool fetchable;			/* FETCH is allowed */
	bool broken;			/* this session has ended */
	bool leaving;			/* closed, but its disk is still there */
	bool untrusted;			/* fetched without CAP_SYS_ADMIN */
	unsigned int deaths;		/* sessions that ended */
	bool quiescing;			/* QUIESCE_DEV waits for commits */
	unsigned int owned;		/* slots that a task has fetched... */
					/* ...and each FETCH_IO_CMDS */
	unsigned int fetched;		/* those that were armed since */

	unsigned long in_use;		/* bit 0: /dev/ublkcN is not free */
	bool deleted;			/* by DEL_DEV, under ublk_devices_lock */
	wait_queue_head_t wait;		/* for all that is waited for here */

	struct work_struct abort_work;	/* takes back commands and requests */
	struct work_struct remove_work;	/* and then the disk */
	struct work_struct scan_work;	/* looks for partitions */
	struct gendisk *scanned;	/* by that work, with a reference */
	struct semaphore job;		/* taken while a job runs */
};

/*
 * What takes requests back must be able to run whatever else waits, also for
 * memory, so it has a queue to itself. Everything else may wait for I/O. A queue
 * has some hundred workers at most, so scans for partitions have one of their
 * own: they wait as long as no server answers, and STOP_DEV must come through.
 */
extern struct workqueue_struct *ublk_abort_wq;
extern struct workqueue_struct *ublk_wq;

/* What a held command has to find its way back. */
struct ublk_cmd_pdu {
	struct ublk_queue *queue;
	struct ublk_slot *slot;
	struct ublk_auto_buf_reg lend;	/* with AUTO_BUF_REG, and checked */
};

static inline struct ublk_cmd_pdu *ublk_cmd_pdu(struct io_uring_cmd *cmd)
{
	return io_uring_cmd_to_pdu(cmd, struct ublk_cmd_pdu);
}

static inline enum ublk_slot_state ublk_slot_state(struct ublk_slot *slot)
{
	return atomic_read_acquire(&slot->state);
}

/* True when the slot was in state @from: then it is the caller's to handle. */
static inline bool ublk_slot_take(struct ublk_slot *slot,
				  enum ublk_slot_state from,
				  enum ublk_slot_state to)
{
	return atomic_cmpxchg(&slot->state, from, to) == from;
}

/* Gives a slot that the caller owns away again. */
static inline void ublk_slot_give(struct ublk_slot *slot,
				  enum ublk_slot_state to)
{
	atomic_set_release(&slot->state, to);
}

/*
 * The number of a command, which is its plain form, or -1. The encoded forms
 * say a size and a direction as well, in other places on other processors:
 * there are servers with those of x86 everywhere, and Linux looks at the
 * number only.
 */
static inline unsigned int ublk_op_number(u32 op)
{
	return _IOC_TYPE(op) == 'u' || !_IOC_TYPE(op) ? _IOC_NR(op) : -1U;
}

/* Do commands of the server stand for a queue, not for a slot? */
static inline bool ublk_batches(const struct ublk_queue *queue)
{
	return queue->flags & UBLK_FEATURES & UBLK_F_BATCH_IO;
}

static inline bool ublk_dev_batches(const struct ublk_device *dev)
{
	return dev->info.flags & UBLK_FEATURES & UBLK_F_BATCH_IO;
}

/* True when the current task is being killed. */
static inline bool ublk_is_killed(void)
{
	/* signals are sent under a lock that nobody takes to look for them */
	return data_race(fatal_signal_pending(current));
}

/* True when nothing more can be fetched by who has /dev/ublkcN open now. */
static inline bool ublk_session_ended(const struct ublk_device *dev)
{
	lockdep_assert_held(&dev->lock);
	return dev->broken || READ_ONCE(dev->deleted);
}

/* Else it is about a range of the disk only. */
static inline bool ublk_request_has_data(const struct request *rq)
{
	return req_op(rq) == REQ_OP_READ || req_op(rq) == REQ_OP_WRITE;
}

/* Does the driver lend the pages of all requests, without being asked to? */
static inline bool ublk_lends(const struct ublk_queue *queue)
{
	return queue->flags & UBLK_FEATURES & UBLK_F_AUTO_BUF_REG;
}

/* How much of a request the server can be answered for; at least a block. */
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

/* The device with that id and a reference to it, or NULL. */
struct ublk_device *ublk_device_get(u32 id);
void ublk_device_put(struct ublk_device *dev);

/*
 * Adds a device as @info says and updates it with what it became. Returns 0 or
 * -errno: -EEXIST for an id that is taken.
 */
int ublk_device_add(struct ublksrv_ctrl_dev_info *info);

/*
 * Makes the disk appear, once all slots are fetched by the process @server, and
 * has its partitions looked for. The caller has the mutex. Returns 0, -ENODEV
 * when the server died meanwhile, or what the block layer answered.
 */
int ublk_device_start(struct ublk_device *dev, pid_t server);

/*
 * Removes the disk, after its I/O as long as there is a server, and gives the
 * server its commands back. The caller has the mutex.
 */
void ublk_device_stop(struct ublk_device *dev);

/*
 * Stops the device and removes its nodes; the caller has a reference. Returns
 * 0, or -ENODEV when another one is deleting it.
 */
int ublk_device_delete(struct ublk_device *dev);

/*
 * Waits until no deleted device has the id any more: when its nodes have no
 * user, nor the caller a reference. Returns 0 or -EINTR.
 */
int ublk_device_wait_gone(u32 id);

int ublk_devices_init(void);
void ublk_devices_exit(void);

/* params.c */

/* 0, or -EINVAL for parameters that no disk can be made with. */
int ublk_params_check(const struct ublk_device *dev,
		      const struct ublk_params *params);

/* The limits of the disk that the device's parameters ask for. */
struct queue_limits ublk_params_limits(const struct ublk_device *dev);

/* queue.c */

extern const struct blk_mq_ops ublk_mq_ops;

/* Allocates or frees dev->queues. Returns 0 or -ENOMEM. */
int ublk_queues_alloc(struct ublk_device *dev);
void ublk_queues_free(struct ublk_device *dev);

/* Pages of a queue's descriptors: what the server maps. */
unsigned long ublk_queue_descs_pages(unsigned int depth);

/* The server's NEED_GET_DATA. */
int ublk_slot_get_data(struct ublk_queue *queue, struct ublk_slot *slot,
		       u64 addr);

/*
 * With BATCH_IO. Whoever takes requests from a queue owns their slots, which are
 * CLAIMED. ublk_slot_prepare() copies or lends the data, by the ring of @fetch,
 * and fills the descriptor; false: there is nothing to deliver, and the slot was
 * given away. ublk_slot_announce() makes a prepared one SERVING, before the
 * server is told. ublk_slot_withdraw() takes back a prepared one, announced or
 * not, that the server was not told of. ublk_slot_unserved() gives away one that
 * was not prepared, as the server is gone.
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
 * Holds @cmd for the next request of a slot that the caller owns; it may be
 * completed from now on.
 */
void ublk_slot_arm(struct ublk_queue *queue, struct ublk_slot *slot,
		   struct io_uring_cmd *cmd, u64 addr, unsigned int issue_flags);

/*
 * To be called when a slot was armed again: gives its command back where the device
 * has stopped delivering meanwhile.
 */
void ublk_slot_armed(struct ublk_queue *queue, struct ublk_slot *slot,
		     unsigned int issue_flags);

/* Gives an armed command back to the server. False if there was none. */
bool ublk_slot_abort(struct ublk_slot *slot, unsigned int issue_flags);

/* Takes a request back from a server that is gone. */
void ublk_slot_reclaim(struct ublk_queue *queue, struct ublk_slot *slot);

/* The server's COMMIT_AND_FETCH_REQ. */
int ublk_slot_commit(struct ublk_queue *queue, struct ublk_slot *slot,
		     struct io_uring_cmd *cmd, int result, u64 addr,
		     unsigned int issue_flags);

/*
 * One element of PREP_IO_CMDS, for an idle slot, or of COMMIT_IO_CMDS, by @cmd.
 * The latter returns 0 or -errno.
 */
void ublk_slot_prep(struct ublk_slot *slot, u64 addr,
		    struct ublk_auto_buf_reg lend);
int ublk_slot_commit_batch(struct ublk_queue *queue, struct ublk_slot *slot,
			   struct io_uring_cmd *cmd, int result, u64 addr,
			   struct ublk_auto_buf_reg lend,
			   unsigned int issue_flags);

/* What an answer to a slot that is not being served gets. */
int ublk_slot_refused(struct ublk_slot *slot);

/*
 * References to the request of a slot for pread() and pwrite(), and for rings.
 * Returns the request, or NULL when none is being served.
 */
struct request *ublk_slot_request_get(struct ublk_slot *slot);
void ublk_slot_request_put(struct ublk_queue *queue, struct ublk_slot *slot,
			   struct request *rq);

/* A request that this server will not answer fails, or waits for the next. */
void ublk_request_unserved(struct ublk_device *dev, struct request *rq);

/* Ends a request that is in no slot any more. */
void ublk_request_end(struct request *rq, blk_status_t status);

/* copy.c */

/*
 * Copies data of a request from or to the current task's memory and returns
 * how many bytes were copied.
 */
size_t ublk_copy_to_server(struct request *rq, void __user *buffer,
			   size_t bytes);
size_t ublk_copy_from_server(struct request *rq, const void __user *buffer,
			     size_t bytes);

/*
 * Makes memory of the current task present that could not be written. Returns
 * 0, -EFAULT for what is not the task's to write, or another error, after which
 * it may be tried again: no memory now, or a fatal signal.
 */
int ublk_fault_in(void __user *buffer);

/* The same from @offset in the request on, for pread() and pwrite(). */
size_t ublk_copy_iter(struct request *rq, size_t offset, struct iov_iter *iter);

/* lend.c */

/*
 * REGISTER_IO_BUF and UNREGISTER_IO_BUF: the pages of the request that a slot
 * serves become buffer @index of the ring of @cmd, or it lets go of that buffer.
 */
int ublk_lend(struct ublk_queue *queue, struct ublk_slot *slot,
	      struct io_uring_cmd *cmd, u64 index, unsigned int issue_flags);
int ublk_lend_end(struct ublk_device *dev, struct io_uring_cmd *cmd, u64 index,
		  unsigned int issue_flags);

/*
 * For a queue that lends. ublk_lend_wanted() keeps with a command that is to be
 * held what it says about the pages of the next request; false: that is wrong.
 * ublk_lend_deliver() lends those of a request that is being delivered by @cmd:
 * returns how many rings have them, or why none has. ublk_lend_commit() takes
 * them back from the ring of @cmd if that has them by this.
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

/* A command of a server with BATCH_IO: of any task that has /dev/ublkcN open. */
int ublk_batch_command(struct io_uring_cmd *cmd, unsigned int issue_flags);

/* Has a claimed request delivered, when there is a FETCH_IO_CMDS that can. */
void ublk_batch_send(struct ublk_queue *queue, struct ublk_slot *slot);

/*
 * Gives all FETCH_IO_CMDS back that are not delivering just now, and takes back
 * what was claimed if nobody delivers any more.
 */
void ublk_batch_abort(struct ublk_queue *queue);

/* Does the queue hold no FETCH_IO_CMDS? */
bool ublk_batch_is_idle(struct ublk_queue *queue);

/* recovery.c */

/* The server is no more. Takes back all that it has, from another context. */
void ublk_server_gone(struct ublk_device *dev);

/* The same for a caller who has the device's lock. */
void ublk_session_gone(struct ublk_device *dev);

/* The last part of it, when the server has closed /dev/ublkcN. */
void ublk_server_closed(struct ublk_device *dev);

/*
 * Ends the session, if anything was fetched in it: nothing more can be. The
 * caller has the device's lock, and gives back afterwards what is armed.
 */
void ublk_session_break(struct ublk_device *dev);

/* Gives all armed commands back; @reclaim: and takes all requests back. */
void ublk_device_abort(struct ublk_device *dev, bool reclaim);

/*
 * Waits until every slot has a command. Returns 0, -EINTR, -EBUSY when there is
 * still a server whose session has ended, or -ENODEV when the server died over
 * it or the device was deleted.
 */
int ublk_wait_fetched(struct ublk_device *dev);

/* The same without waiting. The caller has the device's lock. */
bool ublk_is_fetched(const struct ublk_device *dev);

/* Queues a work of the device, which then holds a reference and drops it. */
void ublk_queue_work(struct ublk_device *dev, struct workqueue_struct *wq,
		     struct work_struct *work);

void ublk_recovery_init(struct ublk_device *dev);
int ublk_recovery_start(struct ublk_device *dev);
int ublk_recovery_end(struct ublk_device *dev, pid_t server);
int ublk_quiesce(struct ublk_device *dev, u64 timeout_ms);

#endif

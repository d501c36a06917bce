// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The delivery of requests: from the block layer to a slot (ublk_queue_rq), and
 * from there, in the server's own context, to the server (ublk_deliver).
 * commit.c handles the way back. Nothing here waits, and while there is a
 * server no lock is taken.
 */
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "ublk.h"

/*
 * A thread may end while all requests that it fetched are being served. It has
 * no held command then, so io_uring has nothing to cancel, and the process may
 * carry on and keep the device open. The block layer's timeout finds such
 * requests.
 */
#define UBLK_TASK_CHECK		HZ

/*
 * An unprivileged server that does not answer a request in this time is killed.
 */
#define UBLK_USER_PATIENCE	(30 * HZ)

static __always_inline u32 ublk_desc_flags(const struct request *rq)
{
	u32 flags = 0;

	/* most requests have none of these */
	if (likely(!(rq->cmd_flags & (REQ_FAILFAST_MASK | REQ_META | REQ_FUA |
				      REQ_NOUNMAP | REQ_SWAP))))
		return 0;
	if (rq->cmd_flags & REQ_FAILFAST_DEV)
		flags |= UBLK_IO_F_FAILFAST_DEV;
	if (rq->cmd_flags & REQ_FAILFAST_TRANSPORT)
		flags |= UBLK_IO_F_FAILFAST_TRANSPORT;
	if (rq->cmd_flags & REQ_FAILFAST_DRIVER)
		flags |= UBLK_IO_F_FAILFAST_DRIVER;
	if (rq->cmd_flags & REQ_META)
		flags |= UBLK_IO_F_META;
	if (rq->cmd_flags & REQ_FUA)
		flags |= UBLK_IO_F_FUA;
	if (rq->cmd_flags & REQ_NOUNMAP)
		flags |= UBLK_IO_F_NOUNMAP;
	if (rq->cmd_flags & REQ_SWAP)
		flags |= UBLK_IO_F_SWAP;
	return flags;
}

/*
 * The UBLK_IO_OP_* of a request, or -1 for an operation that the disk does not
 * offer.
 */
static __always_inline int ublk_desc_op(const struct request *rq)
{
	switch (req_op(rq)) {
	case REQ_OP_READ:
		return UBLK_IO_OP_READ;
	case REQ_OP_WRITE:
		return UBLK_IO_OP_WRITE;
	case REQ_OP_FLUSH:
		return UBLK_IO_OP_FLUSH;
	case REQ_OP_DISCARD:
		return UBLK_IO_OP_DISCARD;
	case REQ_OP_WRITE_ZEROES:
		return UBLK_IO_OP_WRITE_ZEROES;
	default:
		return -1;
	}
}

/* Delay before a retry when the server's buffer could not get memory. */
#define UBLK_MEMORY_WAIT_MS	10

/*
 * None of a WRITE's data could be copied to the server's buffer. If the buffer
 * is not the server's memory, the request fails. Otherwise it is requeued, as
 * if it had not come yet.
 */
static void ublk_undelivered(struct ublk_queue *queue, struct ublk_slot *slot,
			     int error, unsigned int issue_flags)
{
	struct request *rq = slot->rq;

	ublk_slot_give(slot, UBLK_SLOT_ARMED);
	ublk_slot_armed(queue, slot, issue_flags);
	if (error == -EFAULT) {
		ublk_request_end(rq, BLK_STS_IOERR);
		return;
	}
	blk_mq_requeue_request(rq, false);
	blk_mq_delay_kick_requeue_list(rq->q, UBLK_MEMORY_WAIT_MS);
}

/*
 * The server's task is ending: takes back the request that was to be delivered.
 */
static void ublk_deliver_to_dead(struct ublk_queue *queue,
				 struct ublk_slot *slot,
				 unsigned int issue_flags)
{
	struct io_uring_cmd *cmd = slot->cmd;
	struct request *rq = slot->rq;

	ublk_server_gone(queue->dev);
	ublk_slot_give(slot, UBLK_SLOT_IDLE);
	ublk_request_unserved(queue->dev, rq);
	if (cmd)
		io_uring_cmd_done(cmd, UBLK_IO_RES_ABORT, issue_flags);
}

/*
 * Copies the data of a WRITE to the server's buffer. Returns the copied bytes,
 * in whole blocks, or an error of ublk_fault_in().
 */
static __always_inline int ublk_deliver_data(struct ublk_slot *slot)
{
	void __user *buffer = u64_to_user_ptr(slot->addr);
	struct request *rq = slot->rq;
	size_t copied = ublk_copy_to_server(rq, buffer, blk_rq_bytes(rq));
	int error;

	if (likely(ublk_whole_blocks(rq, copied)))
		return ublk_whole_blocks(rq, copied);
	error = ublk_fault_in(buffer + copied);
	if (error)
		return error;
	copied = ublk_copy_to_server(rq, buffer, blk_rq_bytes(rq));
	return ublk_whole_blocks(rq, copied) ?: -EAGAIN;
}

/*
 * The pages of a request could not be lent, and the server did not ask for a
 * fallback. Without memory the request is requeued, otherwise it fails.
 */
static void ublk_unlent(struct ublk_queue *queue, struct ublk_slot *slot,
			int error, unsigned int issue_flags)
{
	if (ublk_is_killed())
		ublk_deliver_to_dead(queue, slot, issue_flags);
	else
		ublk_undelivered(queue, slot,
				 error == -ENOMEM ? error : -EFAULT,
				 issue_flags);
}

/*
 * Prepares a request completely: its data and its descriptor. @cmd delivers it
 * later: with BATCH_IO (@batch) a command of the queue, otherwise the slot's
 * own, and @answer is changed if the command's result is not OK. Returns how
 * many rings have the pages, or -1 if there is nothing to deliver; then the
 * caller no longer owns the slot.
 */
static __always_inline int
ublk_slot_make_ready(struct ublk_queue *queue, struct ublk_slot *slot,
		     struct io_uring_cmd *cmd, int *answer, bool batch,
		     unsigned int issue_flags)
{
	struct ublksrv_io_desc *desc = ublk_desc(queue, slot);
	struct request *rq = slot->rq;
	int bytes = blk_rq_bytes(rq);
	u32 flags = 0;
	int lent = 0;

	slot->wants_data = false;
	if (req_op(rq) == REQ_OP_WRITE &&
	    !(queue->flags & UBLK_COUNTED_FLAGS)) {
		if (!batch && queue->flags & UBLK_F_NEED_GET_DATA) {
			slot->wants_data = true;
			*answer = UBLK_IO_RES_NEED_GET_DATA;
		} else {
			bytes = ublk_deliver_data(slot);
			if (unlikely(ublk_is_killed())) {
				ublk_deliver_to_dead(queue, slot, issue_flags);
				return -1;
			}
			if (unlikely(bytes < 0)) {
				ublk_undelivered(queue, slot, bytes,
						 issue_flags);
				return -1;
			}
		}
	}
	if (ublk_lends(queue)) {
		lent = ublk_lend_deliver(slot, cmd,
					 batch ? slot->lent_index :
					 ublk_cmd_pdu(cmd)->lend.index,
					 issue_flags);
		if (unlikely(lent < 0)) {
			if (!(batch ? slot->lend_may_fail :
			      ublk_cmd_pdu(cmd)->lend.flags &
			      UBLK_AUTO_BUF_REG_FALLBACK)) {
				ublk_unlent(queue, slot, lent, issue_flags);
				return -1;
			}
			flags = UBLK_IO_F_NEED_REG_BUF;
			lent = 0;
		}
	}
	desc->op_flags = ublk_desc_op(rq) | ublk_desc_flags(rq) | flags;
	desc->nr_sectors = bytes >> SECTOR_SHIFT;
	desc->start_sector = blk_rq_pos(rq);
	desc->addr = slot->addr;
	return lent;
}

/*
 * Sets the references of a request: one for its delivery, and @lent for rings.
 */
static __always_inline void ublk_slot_count(const struct ublk_queue *queue,
					    struct ublk_slot *slot, int lent)
{
	if (queue->flags & UBLK_COUNTED_FLAGS) {
		smp_wmb(); /* pairs with that of ublk_slot_request_get() */
		refcount_set(&slot->refs, 1 + lent);
	}
}

/*
 * Delivers one request. @issue_flags are those of the ring of its command.
 * @dead: the server's task is ending, and nothing can be delivered.
 */
static void ublk_deliver_slot(struct ublk_queue *queue, struct ublk_slot *slot,
			      bool dead, unsigned int issue_flags)
{
	struct io_uring_cmd *cmd = slot->cmd;
	int answer = UBLK_IO_RES_OK;
	int lent;

	if (unlikely(dead)) {
		ublk_deliver_to_dead(queue, slot, issue_flags);
		return;
	}
	lent = ublk_slot_make_ready(queue, slot, cmd, &answer, false,
				    issue_flags);
	if (unlikely(lent < 0))
		return;
	ublk_slot_count(queue, slot, lent);
	ublk_slot_give(slot, UBLK_SLOT_SERVING);
	io_uring_cmd_done(cmd, answer, issue_flags);
	/*
	 * The session may have ended while the slot was still claimed; then
	 * ublk_device_abort() did not see it.
	 */
	smp_mb(); /* pairs with that of ublk_device_abort() */
	if (unlikely(READ_ONCE(queue->dev->service) != UBLK_DELIVER))
		ublk_slot_reclaim(queue, slot);
}

/*
 * A task that is being killed still runs, but must get no more requests: they
 * would be lost, and its memory may be unavailable.
 */
static bool ublk_task_is_dead(const struct ublk_slot *slot)
{
	return current != slot->task || ublk_is_killed();
}

/* Call cond_resched() after this many requests: a queue may have 4,096. */
#define UBLK_COPIES_AT_ONCE	32

/* Task work of a command: delivers all requests that are pending. */
static void ublk_deliver(struct io_uring_cmd *cmd, unsigned int issue_flags,
			 bool dead)
{
	struct ublk_queue *queue = ublk_cmd_pdu(cmd)->queue;
	struct llist_node *pending = llist_del_all(&queue->pending);
	struct ublk_slot *slot, *next;
	unsigned int copied = 0;

	dead = dead || ublk_task_is_dead(ublk_cmd_pdu(cmd)->slot);
	/* The list begins with the newest. */
	pending = llist_reverse_order(pending);
	llist_for_each_entry_safe(slot, next, pending, node) {
		if (unlikely(++copied % UBLK_COPIES_AT_ONCE == 0))
			cond_resched();
		ublk_deliver_slot(queue, slot,
				  dead || ublk_is_killed(),
				  issue_flags);
	}
}

UBLK_TASK_WORK(ublk_deliver)

/*
 * As ublk_deliver(), but for one request, when commands come from several
 * rings.
 */
static void ublk_deliver_one(struct io_uring_cmd *cmd, unsigned int issue_flags,
			     bool dead)
{
	struct ublk_cmd_pdu *pdu = ublk_cmd_pdu(cmd);

	ublk_deliver_slot(pdu->queue, pdu->slot,
			  dead || ublk_task_is_dead(pdu->slot), issue_flags);
}

UBLK_TASK_WORK(ublk_deliver_one)

/*
 * Claims the slot of a request. Returns false if it has no command, or one of a
 * server that has not taken over yet.
 */
static bool ublk_claim(struct ublk_queue *queue, struct request *rq)
{
	struct ublk_slot *slot = &queue->slots[rq->tag];

	if (unlikely(READ_ONCE(queue->dev->service) != UBLK_DELIVER ||
		     !ublk_slot_take(slot, UBLK_SLOT_ARMED,
				     UBLK_SLOT_CLAIMED)))
		return false;
	blk_mq_start_request(rq);
	slot->rq = rq;
	return true;
}

/*
 * Starts the delivery of one claimed request: by its slot's own command, or by
 * one of the queue.
 */
static void ublk_send_one(struct ublk_queue *queue, struct ublk_slot *slot)
{
	if (ublk_batches(queue))
		ublk_batch_send(queue, slot);
	else
		io_uring_cmd_complete_in_task(slot->cmd, ublk_deliver_one_work);
}

/*
 * Starts the delivery of a list of claimed requests, with the newest first and
 * @oldest last. If no request was pending, the command of @oldest delivers the
 * whole list.
 */
static void ublk_send(struct ublk_queue *queue, struct ublk_slot *youngest,
		      struct ublk_slot *oldest)
{
	if (llist_add_batch(&youngest->node, &oldest->node, &queue->pending))
		io_uring_cmd_complete_in_task(oldest->cmd, ublk_deliver_work);
}

static blk_status_t ublk_queue_rq(struct blk_mq_hw_ctx *hctx,
				  const struct blk_mq_queue_data *data)
{
	struct ublk_queue *queue = hctx->driver_data;
	struct request *rq = data->rq;
	struct ublk_slot *slot = &queue->slots[rq->tag];

	if (unlikely(ublk_desc_op(rq) < 0))
		return BLK_STS_NOTSUPP;
	if (unlikely(!ublk_claim(queue, rq))) {
		blk_mq_start_request(rq);
		ublk_request_unserved(queue->dev, rq);
		return BLK_STS_OK;
	}
	if (unlikely(READ_ONCE(queue->mixed)))
		ublk_send_one(queue, slot);
	else
		ublk_send(queue, slot, slot);
	return BLK_STS_OK;
}

/*
 * Claims all requests of a plug, and sends those of one queue together.
 * Requests that cannot be claimed stay on @requests, for ublk_queue_rq().
 */
static void ublk_queue_rqs(struct rq_list *requests)
{
	struct ublk_slot *youngest = NULL, *oldest = NULL;
	struct ublk_queue *queue = NULL;
	struct rq_list rest = {};
	struct request *rq;

	while ((rq = rq_list_pop(requests))) {
		struct ublk_slot *slot;

		if (rq->mq_hctx->driver_data != queue) {
			if (youngest)
				ublk_send(queue, youngest, oldest);
			youngest = NULL;
			queue = rq->mq_hctx->driver_data;
		}
		slot = &queue->slots[rq->tag];
		if (unlikely(ublk_desc_op(rq) < 0 || !ublk_claim(queue, rq))) {
			rq_list_add_tail(&rest, rq);
		} else if (unlikely(READ_ONCE(queue->mixed))) {
			ublk_send_one(queue, slot);
		} else {
			slot->node.next = youngest ? &youngest->node : NULL;
			if (!youngest)
				oldest = slot;
			youngest = slot;
		}
	}
	if (youngest)
		ublk_send(queue, youngest, oldest);
	*requests = rest;
}

int ublk_slot_get_data(struct ublk_queue *queue, struct ublk_slot *slot,
		       u64 addr)
{
	struct request *rq;
	int ret = UBLK_IO_RES_OK;

	if (!addr)
		return -EINVAL;
	if (!ublk_slot_take(slot, UBLK_SLOT_SERVING, UBLK_SLOT_COMMITTING))
		return ublk_slot_refused(slot);
	rq = slot->rq;
	if (!slot->wants_data) {
		ret = -EINVAL;
	} else if (ublk_copy_to_server(rq, u64_to_user_ptr(addr),
				       blk_rq_bytes(rq)) < blk_rq_bytes(rq)) {
		/*
		 * the server may try again with another buffer, or commit an
		 * error
		 */
		ret = -EFAULT;
	} else {
		slot->wants_data = false;
		slot->addr = addr;
		ublk_desc(queue, slot)->addr = addr;
	}
	ublk_slot_give(slot, UBLK_SLOT_SERVING);
	return ret;
}

/*
 * For batch.c. Without BATCH_IO, the inline functions above have one caller
 * only.
 */
#ifdef UBLK_HAVE_BATCH_IO
bool ublk_slot_prepare(struct ublk_queue *queue, struct ublk_slot *slot,
		       struct io_uring_cmd *fetch, unsigned int issue_flags)
{
	int answer;

	return ublk_slot_make_ready(queue, slot, fetch, &answer, true,
				    issue_flags) >= 0;
}

/* How many rings got the pages when the slot was prepared. */
static int ublk_slot_lent(const struct ublk_queue *queue,
			  const struct ublk_slot *slot)
{
	return ublk_lends(queue) && slot->lent_ring;
}

void ublk_slot_announce(struct ublk_queue *queue, struct ublk_slot *slot)
{
	ublk_slot_count(queue, slot, ublk_slot_lent(queue, slot));
	ublk_slot_give(slot, UBLK_SLOT_SERVING);
}

void ublk_slot_withdraw(struct ublk_queue *queue, struct ublk_slot *slot,
			struct io_uring_cmd *fetch, bool announced,
			unsigned int issue_flags)
{
	struct request *rq;

	if (!announced)
		ublk_slot_count(queue, slot, ublk_slot_lent(queue, slot));
	else if (!ublk_slot_take(slot, UBLK_SLOT_SERVING,
				 UBLK_SLOT_COMMITTING))
		return;
	rq = slot->rq;
	slot->result = UBLK_RESULT_UNSERVED;
	if (ublk_lends(queue))
		ublk_lend_commit(slot, fetch, issue_flags);
	ublk_slot_give(slot, UBLK_SLOT_ARMED);
	ublk_slot_armed(queue, slot, issue_flags);
	if (queue->flags & UBLK_COUNTED_FLAGS)
		ublk_slot_request_put(queue, slot, rq);
	else
		ublk_request_unserved(queue->dev, rq);
}

void ublk_slot_unserved(struct ublk_queue *queue, struct ublk_slot *slot)
{
	struct request *rq = slot->rq;

	ublk_slot_give(slot, UBLK_SLOT_IDLE);
	ublk_request_unserved(queue->dev, rq);
}
#endif

/*
 * Whether nobody is left who could commit the requests of a slot that @task
 * armed. With BATCH_IO, any thread of its process could, and so could other
 * processes that have a FETCH_IO_CMDS here.
 */
static bool ublk_task_is_gone(struct ublk_queue *queue,
			      struct task_struct *task)
{
	if (ublk_batches(queue))
		return !atomic_read(&task->signal->live) &&
		       ublk_batch_is_idle(queue);
	/* exit() does not use WRITE_ONCE() */
	return data_race(READ_ONCE(task->flags)) & PF_EXITING;
}

/* Kills the process of @task. The task itself may have ended already. */
static void ublk_task_kill(struct task_struct *task)
{
	struct pid *process;

	rcu_read_lock();
	process = task_tgid(task);
	if (process)
		kill_pid(process, SIGKILL, 1);
	rcu_read_unlock();
}

static enum blk_eh_timer_return ublk_timeout(struct request *rq)
{
	struct ublk_queue *queue = rq->mq_hctx->driver_data;
	struct ublk_device *dev = queue->dev;
	/*
	 * With an I/O scheduler, a request that is requeued at the same time
	 * has no tag any more. The block layer does not use WRITE_ONCE().
	 */
	const unsigned int tag = data_race(READ_ONCE(rq->tag));
	struct task_struct *task;

	if (tag >= queue->depth)
		return BLK_EH_RESET_TIMER;
	/*
	 * Under the lock: otherwise the session that ends could be the next
	 * server's.
	 */
	spin_lock(&dev->lock);
	task = queue->slots[tag].task;
	if (task && ublk_task_is_gone(queue, task))
		ublk_session_gone(dev);
	else if (task && queue->flags & UBLK_F_UNPRIVILEGED_DEV)
		/* An unprivileged server must not make others wait for ever. */
		ublk_task_kill(task);
	spin_unlock(&dev->lock);
	return BLK_EH_RESET_TIMER;
}

static int ublk_init_hctx(struct blk_mq_hw_ctx *hctx, void *data,
			  unsigned int index)
{
	struct ublk_device *dev = data;

	hctx->driver_data = dev->queues[index];
	return 0;
}

const struct blk_mq_ops ublk_mq_ops = {
	.queue_rq	= ublk_queue_rq,
	.queue_rqs	= ublk_queue_rqs,
	.timeout	= ublk_timeout,
	.init_hctx	= ublk_init_hctx,
};

unsigned long ublk_queue_descs_pages(unsigned int depth)
{
	return PAGE_ALIGN(depth * sizeof(struct ublksrv_io_desc)) >>
	       PAGE_SHIFT;
}

void ublk_queues_free(struct ublk_device *dev)
{
	unsigned int i;

	for (i = 0; dev->queues && i < dev->info.nr_hw_queues; i++) {
		if (!dev->queues[i])
			continue;
		vfree(dev->queues[i]->descs);
		kvfree(dev->queues[i]);
	}
	kfree(dev->queues);
}

int ublk_queues_alloc(struct ublk_device *dev)
{
	const unsigned int depth = dev->info.queue_depth;
	struct ublk_queue *queue;
	unsigned int i;

	dev->queues = kcalloc(dev->info.nr_hw_queues, sizeof(*dev->queues),
			      GFP_KERNEL);
	if (!dev->queues)
		return -ENOMEM;
	for (i = 0; i < dev->info.nr_hw_queues; i++) {
		queue = kvzalloc(struct_size(queue, slots, depth), GFP_KERNEL);
		if (!queue)
			return -ENOMEM;
		dev->queues[i] = queue;
		queue->dev = dev;
		queue->depth = depth;
		queue->flags = dev->info.flags;
		queue->mixed = ublk_batches(queue);
		spin_lock_init(&queue->batch.lock);
		INIT_LIST_HEAD(&queue->batch.fetches);
		init_llist_head(&queue->pending);
		queue->descs = vmalloc_user(ublk_queue_descs_pages(depth) <<
					    PAGE_SHIFT);
		if (!queue->descs)
			return -ENOMEM;
	}
	dev->tags = (struct blk_mq_tag_set) {
		.ops = &ublk_mq_ops,
		.nr_hw_queues = dev->info.nr_hw_queues,
		.queue_depth = depth,
		.numa_node = NUMA_NO_NODE,
		.timeout = dev->info.flags & UBLK_F_UNPRIVILEGED_DEV ?
			   UBLK_USER_PATIENCE : UBLK_TASK_CHECK,
		.flags = BLK_MQ_F_SHOULD_MERGE | BLK_MQ_F_NO_SCHED_BY_DEFAULT,
		.driver_data = dev,
	};
	return 0;
}

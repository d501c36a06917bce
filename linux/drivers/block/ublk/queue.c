// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The way of a request to its server: from the block layer to its slot
 * (ublk_queue_rq), and from there, in the server's own context, to the server
 * (ublk_deliver). How it comes back is in commit.c. Nothing here waits, and no lock
 * is taken as long as there is a server.
 */
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "ublk.h"

/*
 * A thread may end while all that it fetched is being served. It holds no
 * command then, so that io_uring has nothing to cancel, and the process may
 * go on and keep the device open. Requests that take so long are looked after
 * by the block layer's timer.
 */
#define UBLK_TASK_CHECK		HZ

/* A user's server that does not answer for so long is killed. */
#define UBLK_USER_PATIENCE	(30 * HZ)

static __always_inline u32 ublk_desc_flags(const struct request *rq)
{
	u32 flags = 0;

	/* most have none of them */
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

/* UBLK_IO_OP_* of a request, or -1 for what was never offered. */
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

/* How long to wait for memory that the server's buffer needs. */
#define UBLK_MEMORY_WAIT_MS	10

/*
 * Nothing of a WRITE could be copied to the server's buffer. Where that is not
 * the server's memory at all, the request fails; else it is as if it had not
 * come yet, and comes again.
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

/* The server's task ends: what was to be delivered to it goes back. */
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
 * Copies the data of a WRITE to the server's buffer. Returns how much of it, in
 * whole blocks, or why nothing: see ublk_fault_in().
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
 * The pages of a request could not be lent: nothing is delivered to a server that
 * cannot do without. Where there was no memory, the request comes again.
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
 * Has all ready for the server, except that it is not told. @cmd is what it will
 * be told by: with BATCH_IO (@batch) one of the queue, else the slot's own, and
 * @answer what that says. Returns how many rings have the pages, or -1 when
 * there is nothing to deliver; then the slot was given away.
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

/* The first references to a request: @lent rings have its pages. */
static __always_inline void ublk_slot_count(const struct ublk_queue *queue,
					    struct ublk_slot *slot, int lent)
{
	if (queue->flags & UBLK_COUNTED_FLAGS) {
		smp_wmb(); /* pairs with that of ublk_slot_request_get() */
		refcount_set(&slot->refs, 1 + lent);
	}
}

/*
 * Delivers one request; @issue_flags are those of the ring of its command.
 * @dead: the server's task ends, nothing can be delivered any more.
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
	/* Another thread's end may have passed by while this was claimed. */
	smp_mb(); /* pairs with that of ublk_device_abort() */
	if (unlikely(READ_ONCE(queue->dev->service) != UBLK_DELIVER))
		ublk_slot_reclaim(queue, slot);
}

/*
 * A task that is being killed cannot serve any more, though it still runs: what
 * is delivered to it would be lost with it, and its memory may not be had.
 */
static bool ublk_task_is_dead(const struct ublk_slot *slot)
{
	return current != slot->task || ublk_is_killed();
}

/* Give way after this many copies: a queue may have 4,096 requests. */
#define UBLK_COPIES_AT_ONCE	32

/* Task work of a command: delivers what was claimed so far. */
static void ublk_deliver(struct io_uring_cmd *cmd, unsigned int issue_flags,
			 bool dead)
{
	struct ublk_queue *queue = ublk_cmd_pdu(cmd)->queue;
	struct llist_node *pending = llist_del_all(&queue->pending);
	struct ublk_slot *slot, *next;
	unsigned int copied = 0;

	dead = dead || ublk_task_is_dead(ublk_cmd_pdu(cmd)->slot);
	/* The youngest is the first in the list. */
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

/* The same where commands are of several rings: one request each. */
static void ublk_deliver_one(struct io_uring_cmd *cmd, unsigned int issue_flags,
			     bool dead)
{
	struct ublk_cmd_pdu *pdu = ublk_cmd_pdu(cmd);

	ublk_deliver_slot(pdu->queue, pdu->slot,
			  dead || ublk_task_is_dead(pdu->slot), issue_flags);
}

UBLK_TASK_WORK(ublk_deliver_one)

/*
 * Claims the slot of a request. False: there is no command, or it is that of a
 * server whose time has not come yet.
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
 * Has a claimed request delivered by itself: by the command of its own slot, or
 * by one of the queue.
 */
static void ublk_send_one(struct ublk_queue *queue, struct ublk_slot *slot)
{
	if (ublk_batches(queue))
		ublk_batch_send(queue, slot);
	else
		io_uring_cmd_complete_in_task(slot->cmd, ublk_deliver_one_work);
}

/*
 * Has a list of claimed requests delivered, youngest first and @oldest at its
 * end. If none was pending, the command of the oldest takes them all along.
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
 * A plug full of requests: all of one queue are sent at once. What cannot be
 * claimed stays on @requests for ublk_queue_rq(), one by one.
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
		/* it may ask again with a better one, or commit an error */
		ret = -EFAULT;
	} else {
		slot->wants_data = false;
		slot->addr = addr;
		ublk_desc(queue, slot)->addr = addr;
	}
	ublk_slot_give(slot, UBLK_SLOT_SERVING);
	return ret;
}

/* For batch.c; without it, there is only one of each that is inlined above. */
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
 * Is nobody left who could answer the requests of a slot that @task armed? With
 * BATCH_IO that can be any thread of its process, and others that have a command
 * with us.
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

/* Kills the process of a task, which may have ended before the others of it. */
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
	 * With a scheduler, one that goes back meanwhile has none any more; the
	 * block layer does not use WRITE_ONCE().
	 */
	const unsigned int tag = data_race(READ_ONCE(rq->tag));
	struct task_struct *task;

	if (tag >= queue->depth)
		return BLK_EH_RESET_TIMER;
	/* In one step: a moment later there may be another server. */
	spin_lock(&dev->lock);
	task = queue->slots[tag].task;
	if (task && ublk_task_is_gone(queue, task))
		ublk_session_gone(dev);
	else if (task && queue->flags & UBLK_F_UNPRIVILEGED_DEV)
		/* Nobody need wait for ever for what a user serves. */
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

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Servers with BATCH_IO. Their commands are for a queue, and may come from any
 * task. PREP_IO_CMDS arms slots and COMMIT_IO_CMDS completes requests, many
 * with one command. FETCH_IO_CMDS is held and completes again and again: each
 * completion delivers tags, in a buffer that io_uring picks from those that the
 * server has provided.
 *
 * Claimed requests wait in the queue for a fetch that can deliver them. One
 * fetch at a time is active. If there is none, the next one to come delivers
 * them. If the server is gone, the requests are taken back: see
 * ublk_batch_run().
 */
#include <linux/capability.h>
#include <linux/io_uring/cmd.h>
#include <linux/mm.h>
#include <linux/sched/task.h>
#include <linux/uaccess.h>

#include "ublk.h"

/*
 * Most tags in one completion, and most completions before another fetch has
 * its turn.
 */
#define UBLK_BATCH_TAGS		128
#define UBLK_BATCH_ROUNDS	32

/* Call cond_resched() after this many elements. */
#define UBLK_BATCH_AT_ONCE	32

/* What the driver keeps with a held FETCH_IO_CMDS. */
struct ublk_fetch_pdu {
	struct ublk_queue *queue;
	struct list_head node;	/* in the queue's list, unless it is active */
	u16 buffers;		/* the server's buffer group */
};

/*
 * One element of a PREP or COMMIT. @addr is only there if the command's flags
 * say so.
 */
struct ublk_batch_elem {
	struct ublk_elem_header header;
	u64 addr;
};

static struct ublk_fetch_pdu *ublk_fetch_pdu(struct io_uring_cmd *cmd)
{
	return io_uring_cmd_to_pdu(cmd, struct ublk_fetch_pdu);
}

static struct io_uring_cmd *ublk_fetch_cmd(struct ublk_fetch_pdu *fetch)
{
	return container_of((void *)fetch, struct io_uring_cmd, pdu);
}

/* Whether there are requests that have not been delivered. */
static bool ublk_batch_has_work(struct ublk_queue *queue)
{
	return queue->batch.backlog || !llist_empty(&queue->pending);
}

/* Removes the first fetch from the list. Returns NULL if there is none. */
static struct io_uring_cmd *ublk_batch_first(struct ublk_batch *batch)
{
	struct ublk_fetch_pdu *fetch;

	lockdep_assert_held(&batch->lock);
	fetch = list_first_entry_or_null(&batch->fetches, struct ublk_fetch_pdu,
					 node);
	if (!fetch)
		return NULL;
	list_del_init(&fetch->node);
	return ublk_fetch_cmd(fetch);
}

/*
 * Moves pending requests to an empty backlog. Returns whether the backlog has
 * any. For the active fetch.
 */
static bool ublk_batch_take(struct ublk_queue *queue)
{
	if (!queue->batch.backlog)
		queue->batch.backlog =
			llist_reverse_order(llist_del_all(&queue->pending));
	return queue->batch.backlog;
}

/* Removes the oldest request from the backlog. */
static struct ublk_slot *ublk_batch_pop(struct ublk_queue *queue)
{
	struct llist_node *oldest = queue->batch.backlog;

	queue->batch.backlog = oldest->next;
	return llist_entry(oldest, struct ublk_slot, node);
}

/*
 * Takes back all requests that were not delivered, because the server is gone.
 */
static void ublk_batch_unserved(struct ublk_queue *queue)
{
	while (ublk_batch_take(queue))
		ublk_slot_unserved(queue, ublk_batch_pop(queue));
}

UBLK_TASK_WORK_DECLARE(ublk_batch_deliver);

/*
 * Starts the delivery of requests, unless a fetch is active or there is none.
 * If there is no server, takes the requests back here. To be called after
 * adding a request or a fetch, after clearing @active, and, at the end of a
 * session, after changing dev->service. So the last of these calls sees what
 * the others have left.
 */
static void ublk_batch_run(struct ublk_queue *queue)
{
	const struct ublk_device *dev = queue->dev;
	struct ublk_batch *batch = &queue->batch;
	struct io_uring_cmd *cmd = NULL;
	bool gone;

	do {
		gone = false;
		spin_lock(&batch->lock);
		if (!batch->active && ublk_batch_has_work(queue)) {
			cmd = ublk_batch_first(batch);
			gone = !cmd && READ_ONCE(dev->service) != UBLK_DELIVER;
			batch->active = cmd || gone;
		}
		spin_unlock(&batch->lock);
		if (unlikely(gone)) {
			ublk_batch_unserved(queue);
			spin_lock(&batch->lock);
			batch->active = false;
			spin_unlock(&batch->lock);
		}
	} while (unlikely(gone));
	if (cmd)
		io_uring_cmd_complete_in_task(cmd, ublk_batch_deliver_work);
}

void ublk_batch_send(struct ublk_queue *queue, struct ublk_slot *slot)
{
	if (llist_add(&slot->node, &queue->pending))
		ublk_batch_run(queue);
}

bool ublk_batch_is_idle(struct ublk_queue *queue)
{
	bool idle;

	spin_lock(&queue->batch.lock);
	idle = !queue->batch.active && list_empty(&queue->batch.fetches);
	spin_unlock(&queue->batch.lock);
	return idle;
}

void ublk_batch_abort(struct ublk_queue *queue)
{
	struct io_uring_cmd *cmd;

	do {
		spin_lock(&queue->batch.lock);
		cmd = ublk_batch_first(&queue->batch);
		spin_unlock(&queue->batch.lock);
		if (cmd)
			io_uring_cmd_done(cmd, UBLK_IO_RES_ABORT,
					  IO_URING_F_UNLOCKED);
	} while (cmd);
	ublk_batch_run(queue);
}

/*
 * io_uring cancels a fetch. An active fetch is completed by its task work
 * instead.
 */
static void ublk_batch_cancel(struct io_uring_cmd *cmd,
			      unsigned int issue_flags)
{
	struct ublk_fetch_pdu *fetch = ublk_fetch_pdu(cmd);
	struct ublk_queue *queue = fetch->queue;
	bool mine;

	ublk_server_gone(queue->dev);
	spin_lock(&queue->batch.lock);
	mine = !list_empty(&fetch->node);
	list_del_init(&fetch->node);
	spin_unlock(&queue->batch.lock);
	if (mine)
		io_uring_cmd_done(cmd, UBLK_IO_RES_ABORT, issue_flags);
}

/* Gives io_uring back the buffer that was selected for @fetch. */
static void ublk_batch_put_buffer(struct io_uring_cmd *fetch,
				  struct io_br_sel *buffer,
				  unsigned int issue_flags)
{
	buffer->val = 0;
	io_uring_mshot_cmd_post_cqe(fetch, buffer, issue_flags);
}

/* Lists the tags of the oldest requests, at most @room. Returns how many. */
static unsigned int ublk_batch_tags(const struct ublk_queue *queue, u16 *tags,
				    unsigned int room)
{
	const struct llist_node *node = queue->batch.backlog;
	unsigned int count;

	for (count = 0; node && count < room; node = node->next)
		tags[count++] = llist_entry(node, struct ublk_slot, node) -
				queue->slots;
	return count;
}

/*
 * Prepares the oldest @count requests. Replaces @tags by the tags of those that
 * can be delivered, and returns how many.
 */
static unsigned int ublk_batch_prepare(struct ublk_queue *queue,
				       struct io_uring_cmd *fetch, u16 *tags,
				       unsigned int count,
				       unsigned int issue_flags)
{
	unsigned int i, ready = 0;

	for (i = 0; i < count; i++) {
		struct ublk_slot *slot = ublk_batch_pop(queue);

		if (unlikely((i + 1) % UBLK_BATCH_AT_ONCE == 0))
			cond_resched();
		if (unlikely(ublk_is_killed())) {
			ublk_server_gone(queue->dev);
			ublk_slot_unserved(queue, slot);
		} else if (ublk_slot_prepare(queue, slot, fetch, issue_flags)) {
			tags[ready++] = slot - queue->slots;
		}
	}
	return ready;
}

static void ublk_batch_withdraw(struct ublk_queue *queue,
				struct io_uring_cmd *fetch, const u16 *tags,
				unsigned int count, bool announced,
				unsigned int issue_flags)
{
	while (count--)
		ublk_slot_withdraw(queue, &queue->slots[*tags++], fetch,
				   announced, issue_flags);
}

/* Posts @count prepared requests to the server. Returns 0 or -ENOBUFS. */
static int ublk_batch_announce(struct ublk_queue *queue,
			       struct io_uring_cmd *fetch, const u16 *tags,
			       unsigned int count, struct io_br_sel *buffer,
			       unsigned int issue_flags)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		ublk_slot_announce(queue, &queue->slots[tags[i]]);
	buffer->val = count * sizeof(*tags);
	if (unlikely(io_uring_mshot_cmd_post_cqe(fetch, buffer, issue_flags))) {
		ublk_batch_withdraw(queue, fetch, tags, count, true,
				    issue_flags);
		return -ENOBUFS;
	}
	/*
	 * The session may have ended while these were still claimed; then
	 * ublk_device_abort() did not see them.
	 */
	smp_mb(); /* pairs with that of ublk_device_abort() */
	if (unlikely(READ_ONCE(queue->dev->service) != UBLK_DELIVER)) {
		for (i = 0; i < count; i++)
			ublk_slot_reclaim(queue, &queue->slots[tags[i]]);
	}
	return 0;
}

/*
 * Delivers as many requests as fit into one buffer. Returns 0, or -ENOBUFS if
 * there is no buffer, it cannot be written, or there is no room for a
 * completion. Then the requests wait for the next fetch, as if nothing had been
 * tried.
 */
static int ublk_batch_deliver_some(struct ublk_queue *queue,
				   struct io_uring_cmd *fetch,
				   unsigned int issue_flags)
{
	u16 tags[UBLK_BATCH_TAGS];
	struct io_br_sel buffer;
	unsigned int count, ready;
	void __user *to;
	size_t bytes = 0;
	int ret = 0;

	buffer = io_uring_cmd_buffer_select(fetch,
					    ublk_fetch_pdu(fetch)->buffers,
					    &bytes, issue_flags);
	if (buffer.val < 0 || !buffer.addr)
		return -ENOBUFS;
	to = buffer.addr;
	count = ublk_batch_tags(queue, tags,
				min(bytes, sizeof(tags)) / sizeof(*tags));
	/*
	 * Before anything else, because preparing a request cannot be undone
	 * without side effects.
	 */
	if (!count || copy_to_user(to, tags, count * sizeof(*tags))) {
		ublk_batch_put_buffer(fetch, &buffer, issue_flags);
		return -ENOBUFS;
	}
	ready = ublk_batch_prepare(queue, fetch, tags, count, issue_flags);
	if (unlikely(ublk_is_killed())) {
		ublk_server_gone(queue->dev);
		ret = UBLK_IO_RES_ABORT;
	} else if (unlikely(ready < count) &&
		   copy_to_user(to, tags, ready * sizeof(*tags))) {
		ret = -ENOBUFS;
	}
	if (likely(ready && !ret))
		return ublk_batch_announce(queue, fetch, tags, ready, &buffer,
					   issue_flags);
	ublk_batch_withdraw(queue, fetch, tags, ready, false, issue_flags);
	ublk_batch_put_buffer(fetch, &buffer, issue_flags);
	return ret;
}

/*
 * Delivers what has been claimed. Returns 0 when all is delivered or another
 * fetch should have its turn; otherwise the result that completes @fetch.
 */
static int ublk_batch_deliver_all(struct ublk_queue *queue,
				  struct io_uring_cmd *fetch,
				  unsigned int issue_flags)
{
	unsigned int rounds = 0;
	int ret = 0;

	while (!ret && rounds++ < UBLK_BATCH_ROUNDS && ublk_batch_take(queue)) {
		if (unlikely(READ_ONCE(queue->dev->service) != UBLK_DELIVER))
			ublk_batch_unserved(queue);
		else
			ret = ublk_batch_deliver_some(queue, fetch,
						      issue_flags);
	}
	return ret;
}

/* Task work of a fetch that was made active. */
static void ublk_batch_deliver(struct io_uring_cmd *cmd,
			       unsigned int issue_flags, bool dead)
{
	struct ublk_fetch_pdu *fetch = ublk_fetch_pdu(cmd);
	struct ublk_queue *queue = fetch->queue;
	struct ublk_batch *batch = &queue->batch;
	int ret;

	if (unlikely(dead || ublk_is_killed())) {
		ublk_server_gone(queue->dev);
		ret = UBLK_IO_RES_ABORT;
	} else {
		ret = ublk_batch_deliver_all(queue, cmd, issue_flags);
	}

	spin_lock(&batch->lock);
	batch->active = false;
	/* Whoever ended the session has set @broken before reading the list. */
	if (unlikely(!ret && READ_ONCE(queue->dev->broken)))
		ret = UBLK_IO_RES_ABORT;
	if (!ret)
		list_add_tail(&fetch->node, &batch->fetches);
	spin_unlock(&batch->lock);
	/*
	 * From here on the fetch may be completed elsewhere, unless it ends
	 * here.
	 */
	ublk_batch_run(queue);
	if (unlikely(ret))
		io_uring_cmd_done(cmd, ret, issue_flags);
}

UBLK_TASK_WORK(ublk_batch_deliver)

/* FETCH_IO_CMDS: is held until the session ends or delivery fails. */
static int ublk_batch_fetch(struct ublk_device *dev, struct io_uring_cmd *cmd,
			    const struct ublk_batch_io *body,
			    unsigned int issue_flags)
{
	struct ublk_fetch_pdu *fetch = ublk_fetch_pdu(cmd);
	struct ublk_queue *queue;
	bool taken;

	if (body->q_id >= dev->info.nr_hw_queues || body->flags ||
	    body->elem_bytes != sizeof(u16) ||
	    !(cmd->flags & IORING_URING_CMD_MULTISHOT))
		return -EINVAL;
	queue = dev->queues[body->q_id];
	fetch->queue = queue;
	fetch->buffers = READ_ONCE(cmd->sqe->buf_index);
	INIT_LIST_HEAD(&fetch->node);
	/*
	 * Before it is in the list, because from then on it may complete at any
	 * time.
	 */
	io_uring_cmd_mark_cancelable(cmd, issue_flags);

	spin_lock(&dev->lock);
	/* A new server may fetch only after START_USER_RECOVERY. */
	taken = !ublk_session_ended(dev) &&
		(dev->fetchable || dev->service == UBLK_DELIVER);
	if (taken) {
		/* so that its session can end */
		dev->owned++;
		spin_lock(&queue->batch.lock);
		list_add_tail(&fetch->node, &queue->batch.fetches);
		spin_unlock(&queue->batch.lock);
	}
	spin_unlock(&dev->lock);
	if (taken)
		ublk_batch_run(queue);
	else
		io_uring_cmd_done(cmd, UBLK_IO_RES_ABORT, issue_flags);
	return -EIOCBQUEUED;
}

/* Checks what PREP and COMMIT have in common, apart from their elements. */
static int ublk_batch_check(const struct ublk_device *dev,
			    const struct ublk_batch_io *body)
{
	const bool copies = !(dev->info.flags & UBLK_COUNTED_FLAGS);
	unsigned int bytes = sizeof(struct ublk_elem_header);
	unsigned int flags = 0;

	if (copies)
		flags = UBLK_BATCH_F_HAS_BUF_ADDR;
	else if (dev->info.flags & UBLK_F_AUTO_BUF_REG)
		flags = UBLK_BATCH_F_AUTO_BUF_REG_FALLBACK;
	if (body->q_id >= dev->info.nr_hw_queues)
		return -EINVAL;
	if (body->nr_elem > dev->info.queue_depth)
		return -E2BIG;
	if (body->flags & UBLK_BATCH_F_HAS_BUF_ADDR)
		bytes += sizeof(u64);
	return body->flags & ~flags || body->elem_bytes != bytes ? -EINVAL : 0;
}

/* Where the pages of the next request with this element's tag go. */
static struct ublk_auto_buf_reg
ublk_batch_lend(const struct ublk_batch_io *body,
		const struct ublk_batch_elem *elem)
{
	return (struct ublk_auto_buf_reg) {
		.index = elem->header.buf_index,
		.flags = body->flags & UBLK_BATCH_F_AUTO_BUF_REG_FALLBACK ?
			 UBLK_AUTO_BUF_REG_FALLBACK : 0,
	};
}

/* Reads element @index of the server's array. Returns 0 or -EFAULT. */
static int ublk_batch_read(struct ublk_batch_elem *elem,
			   const struct ublk_batch_io *body,
			   const void __user *from, unsigned int index)
{
	elem->addr = 0;
	return copy_from_user(elem, from + index * body->elem_bytes,
			      body->elem_bytes) ? -EFAULT : 0;
}

/*
 * Reads the whole array of a PREP, which is executed as one step, and checks
 * what needs no lock.
 */
static int ublk_batch_read_all(const struct ublk_device *dev,
			       struct ublk_batch_elem *elems,
			       const struct ublk_batch_io *body,
			       const void __user *from)
{
	const bool copies = !(dev->info.flags & UBLK_COUNTED_FLAGS);
	unsigned int i;

	for (i = 0; i < body->nr_elem; i++) {
		if (ublk_batch_read(&elems[i], body, from, i))
			return -EFAULT;
	}
	for (i = 0; i < body->nr_elem; i++) {
		if (elems[i].header.tag >= dev->info.queue_depth ||
		    (copies && !elems[i].addr))
			return -EINVAL;
	}
	return 0;
}

/*
 * Assigns the slots of all elements to the current task. Returns 0, or -errno
 * with nothing changed; -EINVAL if a slot has been prepared already.
 */
static int ublk_batch_own(struct ublk_queue *queue,
			  const struct ublk_batch_elem *elems,
			  unsigned int count)
{
	struct ublk_device *dev = queue->dev;
	unsigned int i;

	lockdep_assert_held(&dev->lock);
	if (ublk_session_ended(dev))
		return -ENODEV;
	if (!dev->fetchable || ublk_is_fetched(dev))
		return -EBUSY;
	for (i = 0; i < count; i++) {
		struct ublk_slot *slot = &queue->slots[elems[i].header.tag];

		if (slot->task)
			break;
		WRITE_ONCE(slot->task, get_task_struct(current));
	}
	if (i == count)
		return 0;
	while (i--) {
		WRITE_ONCE(queue->slots[elems[i].header.tag].task, NULL);
		put_task_struct(current);
	}
	return -EINVAL;
}

/*
 * PREP_IO_CMDS: arms all of its slots, or none. This is one step with regard to
 * the end of the session: before it PREP is refused, after it all commands are
 * given back.
 */
static int ublk_batch_prep(struct ublk_device *dev, struct io_uring_cmd *cmd,
			   const struct ublk_batch_io *body)
{
	const void __user *from = u64_to_user_ptr(READ_ONCE(cmd->sqe->addr));
	const bool trusted = capable(CAP_SYS_ADMIN);
	struct ublk_batch_elem *elems;
	struct ublk_queue *queue;
	unsigned int i;
	int ret;

	ret = ublk_batch_check(dev, body);
	if (ret || !body->nr_elem)
		return ret;
	queue = dev->queues[body->q_id];
	elems = kvmalloc_array(body->nr_elem, sizeof(*elems), GFP_KERNEL);
	if (!elems)
		return -ENOMEM;
	ret = ublk_batch_read_all(dev, elems, body, from);
	if (ret)
		goto free_elems;

	spin_lock(&dev->lock);
	ret = ublk_batch_own(queue, elems, body->nr_elem);
	if (!ret) {
		for (i = 0; i < body->nr_elem; i++)
			ublk_slot_prep(&queue->slots[elems[i].header.tag],
				       elems[i].addr,
				       ublk_batch_lend(body, &elems[i]));
		dev->owned += body->nr_elem;
		dev->fetched += body->nr_elem;
		dev->untrusted |= !trusted;
	}
	spin_unlock(&dev->lock);
	wake_up_all(&dev->wait);
free_elems:
	kvfree(elems);
	return ret;
}

/*
 * COMMIT_IO_CMDS: executes the elements in order, up to the first invalid one.
 * Returns the size of those before it in bytes, or -errno if the first is
 * invalid.
 */
static int ublk_batch_commit(struct ublk_device *dev, struct io_uring_cmd *cmd,
			     const struct ublk_batch_io *body,
			     unsigned int issue_flags)
{
	const void __user *from = u64_to_user_ptr(READ_ONCE(cmd->sqe->addr));
	struct ublk_batch_elem elem;
	struct ublk_queue *queue;
	struct ublk_slot *slot;
	unsigned int i;
	int ret;

	ret = ublk_batch_check(dev, body);
	if (ret)
		return ret;
	queue = dev->queues[body->q_id];
	for (i = 0; i < body->nr_elem; i++) {
		if (unlikely((i + 1) % UBLK_BATCH_AT_ONCE == 0))
			cond_resched();
		ret = ublk_batch_read(&elem, body, from, i);
		if (!ret && elem.header.tag >= queue->depth)
			ret = -EINVAL;
		if (ret)
			break;
		slot = &queue->slots[elem.header.tag];
		ret = ublk_slot_commit_batch(queue, slot, cmd,
					     elem.header.result, elem.addr,
					     ublk_batch_lend(body, &elem),
					     issue_flags);
		if (ret)
			break;
	}
	return i ? i * body->elem_bytes : ret;
}

/* The other commands that BATCH_IO servers share: those that lend pages. */
static int ublk_batch_other(struct ublk_device *dev, struct io_uring_cmd *cmd,
			    unsigned int op, unsigned int issue_flags)
{
	const struct ublksrv_io_cmd *body =
		io_uring_sqe_cmd(cmd->sqe, struct ublksrv_io_cmd);
	const unsigned int q_id = READ_ONCE(body->q_id);
	const unsigned int tag = READ_ONCE(body->tag);
	const u64 addr = READ_ONCE(body->addr);
	struct ublk_queue *queue;

	if (op == _IOC_NR(UBLK_U_IO_UNREGISTER_IO_BUF))
		return ublk_lend_end(dev, cmd, addr, issue_flags);
	if (q_id >= dev->info.nr_hw_queues || tag >= dev->info.queue_depth)
		return -EINVAL;
	if (op != _IOC_NR(UBLK_U_IO_REGISTER_IO_BUF))
		return -EOPNOTSUPP;
	queue = dev->queues[q_id];
	return ublk_lend(queue, &queue->slots[tag], cmd, addr, issue_flags);
}

static int ublk_batch_execute(struct io_uring_cmd *cmd,
			      unsigned int issue_flags)
{
	/*
	 * The server may change the SQE at any time, so each field is read
	 * once.
	 */
	const struct ublk_batch_io *shared =
		io_uring_sqe_cmd(cmd->sqe, struct ublk_batch_io);
	const struct ublk_batch_io body = {
		.q_id = READ_ONCE(shared->q_id),
		.flags = READ_ONCE(shared->flags),
		.nr_elem = READ_ONCE(shared->nr_elem),
		.elem_bytes = READ_ONCE(shared->elem_bytes),
	};
	struct ublk_device *dev = cmd->file->private_data;
	const unsigned int op = ublk_op_number(cmd->cmd_op);

	switch (op) {
	case _IOC_NR(UBLK_U_IO_COMMIT_IO_CMDS):
		return ublk_batch_commit(dev, cmd, &body, issue_flags);
	case _IOC_NR(UBLK_U_IO_PREP_IO_CMDS):
		return ublk_batch_prep(dev, cmd, &body);
	case _IOC_NR(UBLK_U_IO_FETCH_IO_CMDS):
		return ublk_batch_fetch(dev, cmd, &body, issue_flags);
	default:
		return ublk_batch_other(dev, cmd, op, issue_flags);
	}
}

/* Task work of a command that came from an io-wq worker. */
static void ublk_batch_handed_back(struct io_uring_cmd *cmd,
				   unsigned int issue_flags, bool dead)
{
	int ret = -ECANCELED;

	if (likely(!dead))
		ret = ublk_batch_execute(cmd, issue_flags);
	if (ret != -EIOCBQUEUED)
		io_uring_cmd_done(cmd, ret, issue_flags);
}

UBLK_TASK_WORK(ublk_batch_handed_back)

int ublk_batch_command(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	if (unlikely(issue_flags & IO_URING_F_CANCEL)) {
		ublk_batch_cancel(cmd, issue_flags);
		return 0;
	}
	/*
	 * An io-wq worker (IOSQE_ASYNC) does not hold the ring's lock, which
	 * multishot completions and buffer selection need, and is short-lived.
	 * So the submitter's task executes the command.
	 */
	if (unlikely(issue_flags & IO_URING_F_IOWQ)) {
		io_uring_cmd_complete_in_task(cmd, ublk_batch_handed_back_work);
		return -EIOCBQUEUED;
	}
	return ublk_batch_execute(cmd, issue_flags);
}

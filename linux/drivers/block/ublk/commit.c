// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The end of a request: the server commits it (ublk_slot_commit), or it is
 * taken back from a server that is gone (ublk_slot_reclaim). ublk_slot_abort()
 * gives back the command that a slot holds. Nothing here waits, and while there
 * is a server no lock is taken.
 */
#include <linux/bottom_half.h>

#include "ublk.h"

/*
 * Every request ends here or in ublk_request_progress(), possibly in the
 * server's own task. The end of a bio can drop the last reference to a file.
 * With bottom halves enabled, the final fput() would become task work of the
 * server, and wait there for dirty pages of the disk that the server itself has
 * to write. With bottom halves disabled, a kernel worker does it.
 */
void ublk_request_end(struct request *rq, blk_status_t status)
{
	local_bh_disable();
	blk_mq_end_request(rq, status);
	local_bh_enable();
}

/* Ends the first @bytes of a request and requeues the rest. */
static void ublk_request_progress(struct request *rq, unsigned int bytes)
{
	bool rest;

	local_bh_disable();
	rest = blk_update_request(rq, BLK_STS_OK, bytes);
	if (likely(!rest))
		__blk_mq_end_request(rq, BLK_STS_OK);
	local_bh_enable();
	if (unlikely(rest))
		blk_mq_requeue_request(rq, true);
}

/*
 * Completes a request with the server's result, a byte count or -errno. A
 * server that only reports that a WRITE succeeded may return 0. If the driver
 * does not copy the data, it cannot know which part was done, and completes the
 * whole request.
 */
static void ublk_request_answer(const struct ublk_queue *queue,
				struct request *rq, int result)
{
	const bool reads = req_op(rq) == REQ_OP_READ;
	unsigned int bytes;

	if (result < 0) {
		ublk_request_end(rq, errno_to_blk_status(result));
	} else if (!ublk_request_has_data(rq) || (!result && !reads)) {
		ublk_request_end(rq, BLK_STS_OK);
	} else if (result && queue->flags & UBLK_COUNTED_FLAGS) {
		ublk_request_end(rq, BLK_STS_OK);
	} else {
		bytes = ublk_whole_blocks(rq, result);
		if (likely(bytes))
			ublk_request_progress(rq, bytes);
		else
			ublk_request_end(rq, BLK_STS_IOERR);
	}
}

void ublk_request_unserved(struct ublk_device *dev, struct request *rq)
{
	blk_status_t status = BLK_STS_IOERR;
	bool waits;

	/*
	 * Under the lock: when the next server takes over, the requeue list is
	 * kicked once. If it has taken over by now, this request must kick the
	 * list itself.
	 */
	spin_lock(&dev->lock);
	waits = dev->service == UBLK_HOLD || dev->service == UBLK_DELIVER;
	if (waits)
		blk_mq_requeue_request(rq, dev->service == UBLK_DELIVER);
	else if (!dev->stopping &&
		 dev->info.flags & UBLK_F_USER_RECOVERY_FAIL_IO)
		status = BLK_STS_TARGET;
	spin_unlock(&dev->lock);
	if (!waits)
		ublk_request_end(rq, status);
}

/*
 * Takes back a request that the server may have begun. Without REISSUE it must
 * not be done twice, so it fails.
 */
static void ublk_request_reclaim(struct ublk_queue *queue, struct request *rq)
{
	if (queue->flags & UBLK_F_USER_RECOVERY_REISSUE)
		ublk_request_unserved(queue->dev, rq);
	else
		ublk_request_end(rq, BLK_STS_IOERR);
}

/* Handles a request that has left its slot with this result. */
static void ublk_request_finish(struct ublk_queue *queue, struct request *rq,
				int result)
{
	if (unlikely(result == UBLK_RESULT_RECLAIM))
		ublk_request_reclaim(queue, rq);
	else if (unlikely(result == UBLK_RESULT_UNSERVED))
		ublk_request_unserved(queue->dev, rq);
	else
		ublk_request_answer(queue, rq, result);
}

struct request *ublk_slot_request_get(struct ublk_slot *slot)
{
	if (ublk_slot_state(slot) != UBLK_SLOT_SERVING ||
	    !refcount_inc_not_zero(&slot->refs))
		return NULL;
	/*
	 * The reference may be to a later request than the one that was
	 * SERVING. Together with the barrier of ublk_slot_count(), everything
	 * read from here on is at least as new as the reference.
	 */
	smp_acquire__after_ctrl_dep();
	return slot->rq;
}

void ublk_slot_request_put(struct ublk_queue *queue, struct ublk_slot *slot,
			   struct request *rq)
{
	struct ublk_device *dev = queue->dev;

	if (!refcount_dec_and_test(&slot->refs))
		return;
	/*
	 * The next server may be waiting for these pages. The device may go as
	 * soon as the request has ended, so this comes first.
	 */
	smp_mb__after_atomic(); /* pairs with that of ublk_server_left() */
	if (unlikely(READ_ONCE(dev->leaving)))
		ublk_queue_work(dev, ublk_abort_wq, &dev->left_work);
	ublk_request_finish(queue, rq, slot->result);
}

void ublk_slot_reclaim(struct ublk_queue *queue, struct ublk_slot *slot)
{
	struct request *rq;
	int result;

	if (!ublk_slot_take(slot, UBLK_SLOT_SERVING, UBLK_SLOT_COMMITTING))
		return;
	rq = slot->rq;
	/* A WRITE without its data cannot have been begun. */
	result = slot->wants_data ? UBLK_RESULT_UNSERVED : UBLK_RESULT_RECLAIM;
	slot->result = result;
	ublk_slot_give(slot, UBLK_SLOT_IDLE);
	if (queue->flags & UBLK_COUNTED_FLAGS)
		ublk_slot_request_put(queue, slot, rq);
	else
		ublk_request_finish(queue, rq, result);
}

bool ublk_slot_abort(struct ublk_slot *slot, unsigned int issue_flags)
{
	struct io_uring_cmd *cmd;

	if (!ublk_slot_take(slot, UBLK_SLOT_ARMED, UBLK_SLOT_COMMITTING))
		return false;
	cmd = slot->cmd;
	ublk_slot_give(slot, UBLK_SLOT_IDLE);
	if (cmd)
		io_uring_cmd_done(cmd, UBLK_IO_RES_ABORT, issue_flags);
	return true;
}

void ublk_slot_arm(struct ublk_queue *queue, struct ublk_slot *slot,
		   struct io_uring_cmd *cmd, u64 addr, unsigned int issue_flags)
{
	if (unlikely(cmd_to_io_kiocb(cmd)->ctx != queue->ring ||
		     current != queue->task))
		WRITE_ONCE(queue->mixed, true);
	ublk_cmd_pdu(cmd)->queue = queue;
	ublk_cmd_pdu(cmd)->slot = slot;
	slot->cmd = cmd;
	slot->addr = addr;
	io_uring_cmd_mark_cancelable(cmd, issue_flags);
	ublk_slot_give(slot, UBLK_SLOT_ARMED);
}

/*
 * Whoever stops delivery changes dev->service and then looks at all slots. Here
 * the slot is armed first and dev->service read afterwards, so at least one
 * side sees the other. The same holds for QUIESCE_DEV, which waits until no
 * slot has a request.
 */
void ublk_slot_armed(struct ublk_queue *queue, struct ublk_slot *slot,
		     unsigned int issue_flags)
{
	struct ublk_device *dev = queue->dev;

	smp_mb(); /* pairs with ublk_device_abort() and ublk_quiesce() */
	if (unlikely(READ_ONCE(dev->service) != UBLK_DELIVER))
		ublk_slot_abort(slot, issue_flags);
	if (unlikely(READ_ONCE(dev->quiescing)))
		wake_up_all(&dev->wait);
}

int ublk_slot_refused(struct ublk_slot *slot)
{
	switch (ublk_slot_state(slot)) {
	case UBLK_SLOT_ARMED:
	case UBLK_SLOT_CLAIMED:
		return -EBUSY;
	default:
		return -EINVAL;
	}
}

/*
 * A READ needs a buffer to copy from, and without NEED_GET_DATA so does the
 * next request.
 */
static bool ublk_commit_addr_ok(const struct ublk_queue *queue,
				const struct request *rq, u64 addr)
{
	if (queue->flags & UBLK_COUNTED_FLAGS)
		return !addr;
	if (queue->flags & UBLK_F_NEED_GET_DATA)
		return addr || req_op(rq) != REQ_OP_READ;
	return addr;
}

/* Determines the effective result, after copying the data of a READ. */
static __always_inline int
ublk_commit_result(struct ublk_queue *queue, struct ublk_slot *slot, int result,
		   u64 addr)
{
	struct request *rq = slot->rq;
	unsigned int bytes, copied;

	if (unlikely(result < -MAX_ERRNO))
		return -EIO;
	if (result <= 0 || queue->flags & UBLK_COUNTED_FLAGS)
		return result;
	switch (req_op(rq)) {
	case REQ_OP_READ:
		bytes = min_t(unsigned int, result, blk_rq_bytes(rq));
		copied = ublk_copy_from_server(rq, u64_to_user_ptr(addr),
					       bytes);
		/*
		 * The copy was cut short by the end of the server. That says
		 * nothing about the data, and reading again does no harm.
		 */
		if (unlikely(copied < bytes && ublk_is_killed()))
			return UBLK_RESULT_UNSERVED;
		return copied;
	case REQ_OP_WRITE:
		/* only a part may have been delivered */
		bytes = ublk_desc(queue, slot)->nr_sectors << SECTOR_SHIFT;
		return min_t(unsigned int, result, bytes);
	default:
		return result;
	}
}

/*
 * Commits a request. @cmd is held for the next request; with BATCH_IO (@batch)
 * it commits several, and @lend says where the pages of this slot's next
 * request go. Returns 0 or -errno.
 */
static __always_inline int
ublk_slot_answer(struct ublk_queue *queue, struct ublk_slot *slot,
		 struct io_uring_cmd *cmd, int result, u64 addr, bool batch,
		 struct ublk_auto_buf_reg lend, unsigned int issue_flags)
{
	struct request *rq;

	if (unlikely(!ublk_slot_take(slot, UBLK_SLOT_SERVING,
				     UBLK_SLOT_COMMITTING)))
		return batch ? -EBUSY : ublk_slot_refused(slot);
	rq = slot->rq;
	/* A WRITE without its data can only have failed. */
	if (unlikely((slot->wants_data && result >= 0) ||
		     !ublk_commit_addr_ok(queue, rq, addr) ||
		     (!batch && ublk_lends(queue) && !ublk_lend_wanted(cmd)))) {
		ublk_slot_give(slot, UBLK_SLOT_SERVING);
		return -EINVAL;
	}
	result = ublk_commit_result(queue, slot, result, addr);
	if (unlikely(result == UBLK_RESULT_UNSERVED))
		ublk_server_gone(queue->dev);
	slot->result = result;
	if (ublk_lends(queue))
		ublk_lend_commit(slot, cmd, issue_flags);

	/*
	 * Armed first: the tag is free as soon as the request has ended, and
	 * its next request must find a command.
	 */
	if (batch)
		ublk_slot_prep(slot, addr, lend);
	else
		ublk_slot_arm(queue, slot, cmd, addr, issue_flags);
	ublk_slot_armed(queue, slot, issue_flags);
	if (queue->flags & UBLK_COUNTED_FLAGS)
		ublk_slot_request_put(queue, slot, rq);
	else
		ublk_request_finish(queue, rq, result);
	return 0;
}

int ublk_slot_commit(struct ublk_queue *queue, struct ublk_slot *slot,
		     struct io_uring_cmd *cmd, int result, u64 addr,
		     unsigned int issue_flags)
{
	const struct ublk_auto_buf_reg none = {};

	return ublk_slot_answer(queue, slot, cmd, result, addr, false, none,
				issue_flags) ?: -EIOCBQUEUED;
}

void ublk_slot_prep(struct ublk_slot *slot, u64 addr,
		    struct ublk_auto_buf_reg lend)
{
	slot->addr = addr;
	slot->lent_index = lend.index;
	slot->lend_may_fail = lend.flags & UBLK_AUTO_BUF_REG_FALLBACK;
	ublk_slot_give(slot, UBLK_SLOT_ARMED);
}

/* For batch.c. Without BATCH_IO, ublk_slot_answer() has one caller only. */
#ifdef UBLK_HAVE_BATCH_IO
int ublk_slot_commit_batch(struct ublk_queue *queue, struct ublk_slot *slot,
			   struct io_uring_cmd *cmd, int result, u64 addr,
			   struct ublk_auto_buf_reg lend,
			   unsigned int issue_flags)
{
	return ublk_slot_answer(queue, slot, cmd, result, addr, true, lend,
				issue_flags);
}
#endif

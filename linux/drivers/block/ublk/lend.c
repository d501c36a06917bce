// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lends the pages of a request to a ring of the server, as one of the ring's
 * registered buffers: on the server's command, or at each delivery. I/O on that
 * buffer is I/O on the pages, without a copy. A ring gives the pages back when
 * the buffer has been unregistered and no I/O uses it any more, or when the
 * ring ends. The request is not ended before.
 */
#include "ublk.h"

/*
 * Called when a ring gives the pages back. The last user of a request ends it.
 */
static void ublk_lent_back(void *priv)
{
	struct request *rq = priv;
	struct ublk_queue *queue = rq->mq_hctx->driver_data;

	ublk_slot_request_put(queue, &queue->slots[rq->tag], rq);
}

/* Ring indices are 32-bit. Rings refuse an index that they do not have. */
static unsigned int ublk_lend_index(u64 index)
{
	return min_t(u64, index, UINT_MAX);
}

int ublk_lend(struct ublk_queue *queue, struct ublk_slot *slot,
	      struct io_uring_cmd *cmd, u64 index, unsigned int issue_flags)
{
	struct request *rq;
	int ret = -EINVAL;

	if (!(queue->flags & UBLK_FEATURES & UBLK_F_SUPPORT_ZERO_COPY))
		return -EINVAL;
	rq = ublk_slot_request_get(slot);
	if (!rq)
		return READ_ONCE(slot->task) == current &&
		       !ublk_batches(queue) ? ublk_slot_refused(slot) : -EINVAL;
	if (ublk_request_has_data(rq))
		ret = io_buffer_register_request(cmd, rq, ublk_lent_back,
						 ublk_lend_index(index),
						 issue_flags);
	if (ret)
		ublk_slot_request_put(queue, slot, rq);
	return ret;
}

int ublk_lend_end(struct ublk_device *dev, struct io_uring_cmd *cmd, u64 index,
		  unsigned int issue_flags)
{
	if (!(dev->info.flags & UBLK_F_SUPPORT_ZERO_COPY))
		return -EINVAL;
	return io_buffer_unregister(cmd, ublk_lend_index(index), issue_flags);
}

bool ublk_lend_wanted(struct io_uring_cmd *cmd)
{
	struct ublk_auto_buf_reg lend;

	/* The server may change the SQE at any time, so it is read once. */
	lend = ublk_sqe_addr_to_auto_buf_reg(READ_ONCE(cmd->sqe->addr));
	if (lend.reserved0 || lend.reserved1 ||
	    lend.flags & ~UBLK_AUTO_BUF_REG_F_MASK)
		return false;
	ublk_cmd_pdu(cmd)->lend = lend;
	return true;
}

/*
 * The caller counts the references afterwards. That is not too late: it holds
 * the ring's lock, so that the buffer cannot be unregistered before.
 */
int ublk_lend_deliver(struct ublk_slot *slot, struct io_uring_cmd *cmd,
		      unsigned int index, unsigned int issue_flags)
{
	int ret;

	slot->lent_ring = NULL;
	if (!ublk_request_has_data(slot->rq))
		return 0;
	ret = io_buffer_register_request(cmd, slot->rq, ublk_lent_back, index,
					 issue_flags);
	if (ret)
		return ret;
	slot->lent_index = index;
	slot->lent_ring = cmd_to_io_kiocb(cmd)->ctx;
	return 1;
}

void ublk_lend_commit(struct ublk_slot *slot, struct io_uring_cmd *cmd,
		      unsigned int issue_flags)
{
	if (slot->lent_ring == cmd_to_io_kiocb(cmd)->ctx)
		io_buffer_unregister(cmd, slot->lent_index, issue_flags);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /dev/ublkcN, the server's interface: its commands, the mapping of the
 * descriptors, and with USER_COPY the data of requests. It can be open once at
 * a time, and its last close is the end of the server.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/task.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>

#include "ublk.h"

static int ublk_chardev_open(struct inode *inode, struct file *file)
{
	struct ublk_device *dev = container_of(inode->i_cdev,
					       struct ublk_device, cdev);

	if (test_and_set_bit(0, &dev->in_use))
		return -EBUSY;
	get_device(&dev->device);
	file->private_data = dev;
	return 0;
}

static int ublk_chardev_release(struct inode *inode, struct file *file)
{
	struct ublk_device *dev = file->private_data;

	ublk_server_closed(dev);
	ublk_device_put(dev);
	return 0;
}

/* Maps the descriptors of one queue, completely and read-only. */
static int ublk_chardev_mmap(struct file *file, struct vm_area_struct *vma)
{
	const unsigned long stride =
		ublk_queue_descs_pages(UBLK_MAX_QUEUE_DEPTH);
	struct ublk_device *dev = file->private_data;
	const unsigned long queue = vma->vm_pgoff / stride;

	BUILD_BUG_ON(UBLKSRV_CMD_BUF_OFFSET);
	if (vma->vm_flags & VM_WRITE)
		return -EPERM;
	if (vma->vm_pgoff % stride || queue >= dev->info.nr_hw_queues ||
	    vma_pages(vma) != ublk_queue_descs_pages(dev->info.queue_depth))
		return -EINVAL;
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP, VM_MAYWRITE);
	return remap_vmalloc_range(vma, dev->queues[queue]->descs, 0);
}

/*
 * FETCH: gives the slot to the current task. Allowed only before START_DEV or
 * between the two recovery commands, and not in a session that has ended.
 */
static int ublk_fetch(struct ublk_queue *queue, struct ublk_slot *slot,
		      struct io_uring_cmd *cmd, u64 addr,
		      unsigned int issue_flags)
{
	const bool trusted = capable(CAP_SYS_ADMIN);
	struct ublk_device *dev = queue->dev;
	bool ended;

	if (queue->flags & UBLK_COUNTED_FLAGS ? addr != 0 :
	    !addr && !(queue->flags & UBLK_F_NEED_GET_DATA))
		return -EINVAL;
	if (ublk_lends(queue) && !ublk_lend_wanted(cmd))
		return -EINVAL;

	spin_lock(&dev->lock);
	if (ublk_session_ended(dev)) {
		spin_unlock(&dev->lock);
		return -ENODEV;
	}
	if (!dev->fetchable || ublk_is_fetched(dev)) {
		spin_unlock(&dev->lock);
		return -EBUSY;
	}
	if (slot->task) {
		spin_unlock(&dev->lock);
		return -EINVAL;
	}
	WRITE_ONCE(slot->task, get_task_struct(current));
	dev->owned++;
	dev->untrusted |= !trusted;
	if (!queue->ring) {
		queue->ring = cmd_to_io_kiocb(cmd)->ctx;
		queue->task = current;
	}
	spin_unlock(&dev->lock);

	ublk_slot_arm(queue, slot, cmd, addr, issue_flags);

	/*
	 * If the session ended meanwhile, ublk_device_abort() may have missed
	 * this slot.
	 */
	spin_lock(&dev->lock);
	ended = ublk_session_ended(dev);
	if (!ended)
		dev->fetched++;
	spin_unlock(&dev->lock);
	wake_up_all(&dev->wait);
	if (ended)
		ublk_slot_abort(slot, issue_flags);
	return -EIOCBQUEUED;
}

/* io_uring cancels a held command, because its task or its ring ends. */
static void ublk_cancel(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct ublk_cmd_pdu *pdu = ublk_cmd_pdu(cmd);

	ublk_server_gone(pdu->queue->dev);
	/*
	 * A command that is delivering is completed by its task work instead.
	 */
	ublk_slot_abort(pdu->slot, issue_flags);
}

static int ublk_chardev_execute(struct io_uring_cmd *cmd,
				unsigned int issue_flags)
{
	struct ublk_device *dev = cmd->file->private_data;
	const struct ublksrv_io_cmd *shared;
	struct ublksrv_io_cmd body;
	struct ublk_queue *queue;
	struct ublk_slot *slot;
	unsigned int op;

	/*
	 * The server may change the SQE at any time, so each field is read
	 * once.
	 */
	shared = io_uring_sqe_cmd(cmd->sqe, struct ublksrv_io_cmd);
	body.q_id = READ_ONCE(shared->q_id);
	body.tag = READ_ONCE(shared->tag);
	body.result = READ_ONCE(shared->result);
	body.addr = READ_ONCE(shared->addr);

	op = ublk_op_number(cmd->cmd_op);
	/* This command is for a buffer, not for a slot. */
	if (UBLK_LENT_FEATURES &&
	    unlikely(op == _IOC_NR(UBLK_U_IO_UNREGISTER_IO_BUF)))
		return ublk_lend_end(dev, cmd, body.addr, issue_flags);
	if (body.q_id >= dev->info.nr_hw_queues ||
	    body.tag >= dev->info.queue_depth)
		return -EINVAL;
	queue = dev->queues[body.q_id];
	slot = &queue->slots[body.tag];

	if (unlikely(READ_ONCE(slot->task) != current) &&
	    op != UBLK_IO_FETCH_REQ &&
	    op != _IOC_NR(UBLK_U_IO_REGISTER_IO_BUF))
		return -EINVAL;

	switch (op) {
	case UBLK_IO_COMMIT_AND_FETCH_REQ:
		return ublk_slot_commit(queue, slot, cmd, body.result,
					body.addr, issue_flags);
	case UBLK_IO_NEED_GET_DATA:
		return ublk_slot_get_data(queue, slot, body.addr);
	case UBLK_IO_FETCH_REQ:
		return ublk_fetch(queue, slot, cmd, body.addr, issue_flags);
	case _IOC_NR(UBLK_U_IO_REGISTER_IO_BUF):
		return ublk_lend(queue, slot, cmd, body.addr, issue_flags);
	default:
		return -EINVAL;
	}
}

/* Task work of a command that came from an io-wq worker. */
static void ublk_chardev_handed_back(struct io_uring_cmd *cmd,
				     unsigned int issue_flags, bool dead)
{
	int ret = -ECANCELED;

	if (likely(!dead))
		ret = ublk_chardev_execute(cmd, issue_flags);
	if (ret != -EIOCBQUEUED)
		io_uring_cmd_done(cmd, ret, issue_flags);
}

UBLK_TASK_WORK(ublk_chardev_handed_back)

static int ublk_chardev_command(struct io_uring_cmd *cmd,
				unsigned int issue_flags)
{
	if (unlikely(issue_flags & IO_URING_F_CANCEL)) {
		ublk_cancel(cmd, issue_flags);
		return 0;
	}
	/*
	 * A slot belongs to the task that fetches it. An io-wq worker
	 * (IOSQE_ASYNC) is short-lived, so the submitter's task executes the
	 * command.
	 */
	if (unlikely(issue_flags & IO_URING_F_IOWQ)) {
		io_uring_cmd_complete_in_task(cmd,
					      ublk_chardev_handed_back_work);
		return -EIOCBQUEUED;
	}
	return ublk_chardev_execute(cmd, issue_flags);
}

/*
 * pread() reads the data of a WRITE, pwrite() provides that of a READ. Any task
 * of the server may call them while the request is being served.
 */
static ssize_t ublk_chardev_copy(struct kiocb *iocb, struct iov_iter *iter)
{
	struct ublk_device *dev = iocb->ki_filp->private_data;
	const enum req_op op = iov_iter_rw(iter) == READ ? REQ_OP_WRITE :
							   REQ_OP_READ;
	struct ublk_queue *queue;
	struct ublk_slot *slot;
	struct request *rq;
	ssize_t ret;
	u64 place, offset;
	unsigned int index, tag;

	if (!(dev->info.flags & UBLK_F_USER_COPY) ||
	    READ_ONCE(dev->service) == UBLK_NOT_STARTED)
		return -EACCES;
	if (iocb->ki_pos < UBLKSRV_IO_BUF_OFFSET ||
	    iocb->ki_pos - UBLKSRV_IO_BUF_OFFSET >= UBLKSRV_IO_BUF_TOTAL_SIZE)
		return -EINVAL;
	place = iocb->ki_pos - UBLKSRV_IO_BUF_OFFSET;
	index = (place >> UBLK_QID_OFF) & UBLK_QID_BITS_MASK;
	tag = (place >> UBLK_TAG_OFF) & UBLK_TAG_BITS_MASK;
	offset = place & UBLK_IO_BUF_BITS_MASK;
	if (index >= dev->info.nr_hw_queues || tag >= dev->info.queue_depth)
		return -EINVAL;

	queue = dev->queues[index];
	slot = &queue->slots[tag];
	rq = ublk_slot_request_get(slot);
	if (!rq)
		return -EINVAL;
	if (req_op(rq) != op) {
		ret = -EACCES;
	} else if (offset > blk_rq_bytes(rq)) {
		ret = -EINVAL;
	} else {
		const size_t wanted = iov_iter_count(iter);

		ret = ublk_copy_iter(rq, offset, iter);
		if (!ret && wanted && offset < blk_rq_bytes(rq))
			ret = -EFAULT;
	}
	ublk_slot_request_put(queue, slot, rq);
	if (ret > 0)
		iocb->ki_pos += ret;
	return ret;
}

const struct file_operations ublk_chardev_fops = {
	.owner		= THIS_MODULE,
	.open		= ublk_chardev_open,
	.release	= ublk_chardev_release,
	.mmap		= ublk_chardev_mmap,
	.uring_cmd	= ublk_chardev_command,
	.read_iter	= ublk_chardev_copy,
	.write_iter	= ublk_chardev_copy,
};

#ifdef UBLK_HAVE_BATCH_IO
const struct file_operations ublk_batch_fops = {
	.owner		= THIS_MODULE,
	.open		= ublk_chardev_open,
	.release	= ublk_chardev_release,
	.mmap		= ublk_chardev_mmap,
	.uring_cmd	= ublk_batch_command,
	.read_iter	= ublk_chardev_copy,
	.write_iter	= ublk_chardev_copy,
};
#endif

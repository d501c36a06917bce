// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The death of a server, and the next server. io_uring cancels the held
 * commands of a dying task, and the last close of /dev/ublkcN says that no task
 * is left. The first of these events stops delivery. A work item then takes
 * back commands and requests, even if others hold mutexes or wait for I/O. If
 * no server can follow, another one removes the disk.
 */
#include <linux/sched/task.h>

#include "ublk.h"

void ublk_device_abort(struct ublk_device *dev, bool reclaim)
{
	unsigned int i, tag;

	/* dev->service was changed; see ublk_slot_armed() */
	smp_mb();
	for (i = 0; i < dev->info.nr_hw_queues; i++) {
		struct ublk_queue *queue = dev->queues[i];

		for (tag = 0; tag < queue->depth; tag++) {
			struct ublk_slot *slot = &queue->slots[tag];

			if (!ublk_slot_abort(slot, IO_URING_F_UNLOCKED) &&
			    reclaim)
				ublk_slot_reclaim(queue, slot);
		}
		if (ublk_batches(queue))
			ublk_batch_abort(queue);
	}
}

static void ublk_abort_work(struct work_struct *work)
{
	struct ublk_device *dev = container_of(work, struct ublk_device,
					       abort_work);

	ublk_device_abort(dev, true);
	ublk_device_put(dev);
}

static void ublk_remove_work(struct work_struct *work)
{
	struct ublk_device *dev = container_of(work, struct ublk_device,
					       remove_work);

	mutex_lock(&dev->mutex);
	/*
	 * Under the mutex this is stable: only the removal of the disk ends
	 * UBLK_FAIL.
	 */
	if (READ_ONCE(dev->service) == UBLK_FAIL && !ublk_dev_recovers(dev))
		ublk_device_stop(dev);
	mutex_unlock(&dev->mutex);
	ublk_device_put(dev);
}

void ublk_queue_work(struct ublk_device *dev, struct workqueue_struct *wq,
		     struct work_struct *work)
{
	get_device(&dev->device);
	if (!queue_work(wq, work))
		put_device(&dev->device);
}

void ublk_session_break(struct ublk_device *dev)
{
	lockdep_assert_held(&dev->lock);
	if (!dev->owned || dev->broken)
		return;
	WRITE_ONCE(dev->broken, true);
	dev->deaths++;
}

/*
 * Decides what happens to requests from now on. The server may not be
 * completely gone yet.
 */
static void ublk_leave_service(struct ublk_device *dev)
{
	lockdep_assert_held(&dev->lock);
	if (!ublk_dev_recovers(dev) || dev->stopping ||
	    dev->info.flags & UBLK_F_USER_RECOVERY_FAIL_IO)
		WRITE_ONCE(dev->service, UBLK_FAIL);
	else
		WRITE_ONCE(dev->service, UBLK_HOLD);
}

/*
 * The server has left a disk that waits for another one. The state shows it
 * only now, because some servers poll for the state, and then try only once.
 */
static void ublk_leave_disk(struct ublk_device *dev)
{
	lockdep_assert_held(&dev->lock);
	if (dev->service == UBLK_HOLD)
		dev->info.state = UBLK_S_DEV_QUIESCED;
	else if (dev->service == UBLK_FAIL)
		dev->info.state = UBLK_S_DEV_FAIL_IO;
}

void ublk_session_gone(struct ublk_device *dev)
{
	ublk_session_break(dev);
	if (dev->service == UBLK_DELIVER) {
		ublk_leave_service(dev);
		/*
		 * Queued before the close of this session, which flushes the
		 * work. So it cannot hit the next session.
		 */
		ublk_queue_work(dev, ublk_abort_wq, &dev->abort_work);
		if (!ublk_dev_recovers(dev))
			ublk_queue_work(dev, ublk_wq, &dev->remove_work);
	}
	wake_up_all(&dev->wait);
}

void ublk_server_gone(struct ublk_device *dev)
{
	spin_lock(&dev->lock);
	ublk_session_gone(dev);
	spin_unlock(&dev->lock);
}

/* Whether a ring has pages of a request. There is no server. */
static bool ublk_is_lent(struct ublk_device *dev)
{
	unsigned int i, tag;

	if (!(dev->info.flags & UBLK_COUNTED_FLAGS))
		return false;
	for (i = 0; i < dev->info.nr_hw_queues; i++)
		for (tag = 0; tag < dev->queues[i]->depth; tag++)
			if (refcount_read(&dev->queues[i]->slots[tag].refs))
				return true;
	return false;
}

/*
 * Lets the next server in, if nothing keeps it out any more. If the disk is
 * removed with its server, that comes first: the next server could not fetch
 * before. And while a ring has pages, I/O that the last server began may still
 * be writing them. If the next server wrote the same blocks, the older data
 * could arrive last.
 */
static void ublk_server_left(struct ublk_device *dev)
{
	smp_mb(); /* pairs with that of ublk_slot_request_put() */
	spin_lock(&dev->lock);
	if (dev->leaving && !ublk_is_lent(dev) &&
	    (dev->service != UBLK_FAIL ||
	     (ublk_dev_recovers(dev) && !dev->stopping))) {
		WRITE_ONCE(dev->leaving, false);
		clear_bit(0, &dev->in_use);
		ublk_leave_disk(dev);
	}
	spin_unlock(&dev->lock);
	wake_up_all(&dev->wait);
}

static void ublk_left_work(struct work_struct *work)
{
	struct ublk_device *dev = container_of(work, struct ublk_device,
					       left_work);

	ublk_server_left(dev);
	ublk_device_put(dev);
}

void ublk_server_closed(struct ublk_device *dev)
{
	unsigned int i, tag;

	ublk_server_gone(dev);
	/*
	 * Wait for every ublk_queue_rq() that has seen UBLK_DELIVER: it must
	 * not claim a slot of the next server.
	 */
	if (ublk_dev_recovers(dev) &&
	    READ_ONCE(dev->service) != UBLK_NOT_STARTED)
		blk_mq_wait_quiesce_done(&dev->tags);
	/* no command can be held any more, so this does not block */
	flush_work(&dev->abort_work);
	ublk_device_abort(dev, true);

	spin_lock(&dev->lock);
	for (i = 0; i < dev->info.nr_hw_queues; i++) {
		struct ublk_queue *queue = dev->queues[i];

		queue->ring = NULL;
		queue->task = NULL;
		queue->mixed = ublk_batches(queue);
		for (tag = 0; tag < queue->depth; tag++) {
			struct ublk_slot *slot = &queue->slots[tag];

			if (slot->task)
				put_task_struct(slot->task);
			slot->task = NULL;
		}
	}
	dev->owned = 0;
	dev->fetched = 0;
	WRITE_ONCE(dev->broken, false);
	dev->untrusted = false;
	/*
	 * After START_USER_RECOVERY, a server may come and go until one has
	 * taken over: some servers open the node once just to see that it is
	 * there.
	 */
	if (dev->service == UBLK_NOT_STARTED)
		dev->fetchable = true;
	dev->info.ublksrv_pid = -1;
	WRITE_ONCE(dev->leaving, true);
	spin_unlock(&dev->lock);
	ublk_server_left(dev);
}

bool ublk_is_fetched(const struct ublk_device *dev)
{
	return !dev->broken && dev->fetched ==
	       dev->info.nr_hw_queues * dev->info.queue_depth;
}

/*
 * Returns false while ublk_wait_fetched() has to wait. Otherwise @ret is its
 * result.
 */
static bool ublk_fetched_or_dead(struct ublk_device *dev, unsigned int deaths,
				 int *ret)
{
	bool dead, broken, fetched;

	spin_lock(&dev->lock);
	dead = dev->deaths != deaths || READ_ONCE(dev->deleted);
	broken = dev->broken;
	fetched = ublk_is_fetched(dev);
	spin_unlock(&dev->lock);
	*ret = dead ? -ENODEV : broken ? -EBUSY : 0;
	return dead || broken || fetched;
}

int ublk_wait_fetched(struct ublk_device *dev)
{
	unsigned int deaths;
	int ret;

	spin_lock(&dev->lock);
	deaths = dev->deaths;
	spin_unlock(&dev->lock);
	if (wait_event_interruptible(dev->wait,
				     ublk_fetched_or_dead(dev, deaths, &ret)))
		return -EINTR;
	return ret;
}

void ublk_recovery_init(struct ublk_device *dev)
{
	INIT_WORK(&dev->abort_work, ublk_abort_work);
	INIT_WORK(&dev->left_work, ublk_left_work);
	INIT_WORK(&dev->remove_work, ublk_remove_work);
}

int ublk_recovery_start(struct ublk_device *dev)
{
	int ret = 0;

	if (!ublk_dev_recovers(dev))
		return -EINVAL;
	spin_lock(&dev->lock);
	if ((dev->info.state != UBLK_S_DEV_QUIESCED &&
	     dev->info.state != UBLK_S_DEV_FAIL_IO) ||
	    test_bit(0, &dev->in_use) || dev->stopping)
		ret = -EBUSY;
	else
		dev->fetchable = true;
	spin_unlock(&dev->lock);
	return ret;
}

/*
 * Gives the disk to the server that has fetched everything. The kernel must not
 * read the partition table of an untrusted server, so scans are disabled from
 * here on. A scan that is running holds open_mutex, and its remaining reads
 * would go to this server. @alone: the caller holds open_mutex, so no scan is
 * running. If scans were disabled before, none is running either; then the
 * holder of open_mutex may be waiting for this server (a last close that writes
 * back), and is left alone.
 */
static int ublk_take_over(struct ublk_device *dev, struct gendisk *disk,
			  pid_t server, bool alone)
{
	lockdep_assert_held(&dev->lock);
	if (dev->service == UBLK_DELIVER || !dev->fetchable)
		return -EBUSY;
	if (!ublk_is_fetched(dev))
		return -ENODEV;
	if (dev->untrusted &&
	    !test_bit(GD_SUPPRESS_PART_SCAN, &disk->state)) {
		if (!alone)
			return -EBUSY;
		set_bit(GD_SUPPRESS_PART_SCAN, &disk->state);
	}
	dev->info.state = UBLK_S_DEV_LIVE;
	dev->info.ublksrv_pid = server;
	dev->fetchable = false;
	WRITE_ONCE(dev->service, UBLK_DELIVER);
	return 0;
}

int ublk_recovery_end(struct ublk_device *dev, pid_t server)
{
	struct gendisk *disk;
	bool fetchable, alone;
	int ret;

	if (!ublk_dev_recovers(dev))
		return -EINVAL;
	spin_lock(&dev->lock);
	fetchable = dev->fetchable;
	spin_unlock(&dev->lock);
	if (!fetchable)
		return -EBUSY;
	ret = ublk_wait_fetched(dev);
	if (ret)
		return ret;

	if (mutex_lock_interruptible(&dev->mutex))
		return -EINTR;
	ret = -EBUSY;
	disk = dev->disk;
	if (disk) {
		/* The holder may be waiting for this very server. */
		alone = mutex_trylock(&disk->open_mutex);
		spin_lock(&dev->lock);
		ret = ublk_take_over(dev, disk, server, alone);
		spin_unlock(&dev->lock);
		if (alone)
			mutex_unlock(&disk->open_mutex);
	}
	if (!ret)
		blk_mq_kick_requeue_list(disk->queue);
	mutex_unlock(&dev->mutex);
	return ret;
}

/* Whether a request is at the server, or on its way there. */
static bool ublk_is_serving(struct ublk_device *dev)
{
	unsigned int i, tag;

	for (i = 0; i < dev->info.nr_hw_queues; i++) {
		struct ublk_queue *queue = dev->queues[i];

		for (tag = 0; tag < queue->depth; tag++) {
			switch (ublk_slot_state(&queue->slots[tag])) {
			case UBLK_SLOT_CLAIMED:
			case UBLK_SLOT_SERVING:
			case UBLK_SLOT_COMMITTING:
				return true;
			default:
				break;
			}
		}
	}
	return false;
}

/* Whether no request is at the server, or there is no server to wait for. */
static bool ublk_is_quiet(struct ublk_device *dev)
{
	return READ_ONCE(dev->service) != UBLK_DELIVER || !ublk_is_serving(dev);
}

int ublk_quiesce(struct ublk_device *dev, u64 timeout_ms)
{
	unsigned long timeout = timeout_ms ?
		msecs_to_jiffies(min_t(u64, timeout_ms, INT_MAX)) :
		MAX_SCHEDULE_TIMEOUT;
	struct request_queue *q;
	long left;
	int ret = 0;

	if (!(dev->info.flags & UBLK_F_QUIESCE))
		return -EOPNOTSUPP;
	if (!dev->disk)
		return -ENODEV;
	if (READ_ONCE(dev->service) == UBLK_HOLD)
		return 0;
	if (READ_ONCE(dev->service) != UBLK_DELIVER)
		return -EBUSY;

	/*
	 * From here on new requests stay in the block layer until
	 * blk_mq_unquiesce_queue().
	 */
	q = dev->disk->queue;
	blk_mq_quiesce_queue(q);
	WRITE_ONCE(dev->quiescing, true);
	left = wait_event_interruptible_timeout(dev->wait, ublk_is_quiet(dev),
						timeout);
	WRITE_ONCE(dev->quiescing, false);
	if (left < 0)
		ret = -EINTR;
	else if (!left)
		ret = -EBUSY;

	if (!ret) {
		spin_lock(&dev->lock);
		ublk_session_gone(dev);
		spin_unlock(&dev->lock);
		/*
		 * the work gives back the commands of this server, not those of
		 * the next one
		 */
		flush_work(&dev->abort_work);
	}
	blk_mq_unquiesce_queue(q);
	return ret;
}

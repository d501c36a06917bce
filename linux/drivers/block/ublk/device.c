// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Creation and deletion of devices: their ids, nodes and disks. Everyone who
 * has a node open, and each running control command, holds a reference. With
 * the last reference the id becomes free.
 */
#include <linux/blkdev.h>
#include <linux/cred.h>
#include <linux/idr.h>
#include <linux/minmax.h>
#include <linux/module.h>

#include "ublk.h"

#define UBLK_MINORS		BIT(MINORBITS)

/*
 * As in Linux's driver: how many devices unprivileged users may have together.
 */
static unsigned int ublks_max = 64;
module_param(ublks_max, uint, 0644);
MODULE_PARM_DESC(ublks_max, "most devices of unprivileged users (64)");

struct workqueue_struct *ublk_abort_wq;
struct workqueue_struct *ublk_wq;
static struct workqueue_struct *ublk_scan_wq;	/* may wait for servers */

static DEFINE_SPINLOCK(ublk_devices_lock);	/* protects the following */
static DEFINE_IDR(ublk_devices);		/* id -> struct ublk_device */
static unsigned int ublk_unprivileged;		/* devices of users */
static DECLARE_WAIT_QUEUE_HEAD(ublk_id_free);

static dev_t ublk_chardev_numbers;
static const struct class ublk_class = {
	.name = "ublk-char",
};

struct ublk_device *ublk_device_get(u32 id)
{
	struct ublk_device *dev;

	spin_lock(&ublk_devices_lock);
	dev = id < UBLK_MINORS ? idr_find(&ublk_devices, id) : NULL;
	if (dev && dev->deleted)
		dev = NULL;
	if (dev)
		get_device(&dev->device);
	spin_unlock(&ublk_devices_lock);
	return dev;
}

void ublk_device_put(struct ublk_device *dev)
{
	put_device(&dev->device);
}

/*
 * An unprivileged user owns the node of his device. @uid is NULL when the node
 * is removed.
 */
static char *ublk_chardev_node(const struct device *device, umode_t *mode,
			       kuid_t *uid, kgid_t *gid)
{
	const struct ublk_device *dev = container_of(device, struct ublk_device,
						     device);

	if (uid && dev->info.flags & UBLK_F_UNPRIVILEGED_DEV) {
		*uid = make_kuid(&init_user_ns, dev->info.owner_uid);
		*gid = make_kgid(&init_user_ns, dev->info.owner_gid);
	}
	return NULL;
}

static const struct device_type ublk_chardev_type = {
	.name = "ublk-char",
	.devnode = ublk_chardev_node,
};

/* The last reference is gone: nothing can reach the device any more. */
static void ublk_device_release(struct device *device)
{
	struct ublk_device *dev = container_of(device, struct ublk_device,
					       device);

	if (dev->tags.tags)
		blk_mq_free_tag_set(&dev->tags);
	ublk_queues_free(dev);

	spin_lock(&ublk_devices_lock);
	idr_remove(&ublk_devices, dev->info.dev_id);
	if (dev->info.flags & UBLK_F_UNPRIVILEGED_DEV)
		ublk_unprivileged--;
	spin_unlock(&ublk_devices_lock);
	wake_up_all(&ublk_id_free);
	mutex_destroy(&dev->mutex);
	kfree(dev);
	/* taken by ublk_device_add() */
	module_put(THIS_MODULE);
}

/*
 * Reserves an id for the device (-1: any). Lookups find nothing under it until
 * the device is complete.
 */
static int ublk_id_take(struct ublk_device *dev, u32 id)
{
	const bool any = id == U32_MAX;
	int ret;

	idr_preload(GFP_KERNEL);
	spin_lock(&ublk_devices_lock);
	if (dev->info.flags & UBLK_F_UNPRIVILEGED_DEV &&
	    ublk_unprivileged >= READ_ONCE(ublks_max)) {
		ret = -EACCES;
	} else {
		ret = idr_alloc(&ublk_devices, NULL, any ? 0 : id,
				any ? UBLK_MINORS : id + 1, GFP_NOWAIT);
		if (ret == -ENOSPC && !any)
			ret = -EEXIST;
	}
	if (ret >= 0) {
		dev->info.dev_id = ret;
		if (dev->info.flags & UBLK_F_UNPRIVILEGED_DEV)
			ublk_unprivileged++;
	}
	spin_unlock(&ublk_devices_lock);
	idr_preload_end();
	return ret < 0 ? ret : 0;
}

static void ublk_info_complete(struct ublksrv_ctrl_dev_info *info)
{
	info->flags &= UBLK_FEATURES;
	info->flags |= UBLK_F_CMD_IOCTL_ENCODE | UBLK_F_PER_IO_DAEMON |
		       UBLK_F_URING_CMD_COMP_IN_TASK | UBLK_F_SAFE_STOP_DEV |
		       (UBLK_FEATURES & UBLK_F_BUF_REG_OFF_DAEMON);
	if (info->flags & (UBLK_COUNTED_FLAGS | UBLK_BATCH_FEATURES))
		info->flags &= ~UBLK_F_NEED_GET_DATA;
	/* slots do not belong to tasks then */
	if (info->flags & UBLK_BATCH_FEATURES)
		info->flags &= ~UBLK_F_PER_IO_DAEMON;
	info->nr_hw_queues = min_t(unsigned int, info->nr_hw_queues,
				   nr_cpu_ids);
	if (!info->max_io_buf_bytes ||
	    info->max_io_buf_bytes > UBLK_MAX_IO_BYTES)
		info->max_io_buf_bytes = UBLK_MAX_IO_BYTES;
	info->max_io_buf_bytes = round_down(info->max_io_buf_bytes, PAGE_SIZE);
	info->io_desc_size = sizeof(struct ublksrv_io_desc);
	info->state = UBLK_S_DEV_DEAD;
	info->ublksrv_pid = -1;
	info->owner_uid = from_kuid(&init_user_ns, current_uid());
	info->owner_gid = from_kgid(&init_user_ns, current_gid());
}

static void ublk_scan_end(struct ublk_device *dev, struct gendisk *disk)
{
	put_device(disk_to_dev(disk));
	ublk_device_put(dev);
}

/*
 * Reads the partition table of a disk. The reads may wait for a server, so no
 * lock is held that the death or recovery of a server needs.
 */
static void ublk_scan_work(struct work_struct *work)
{
	struct ublk_device *dev = container_of(work, struct ublk_device,
					       scan_work);
	struct gendisk *disk = dev->scanned;

	/* Whoever opened the disk earlier has already done it. */
	mutex_lock(&disk->open_mutex);
	if (test_bit(GD_NEED_PART_SCAN, &disk->state))
		bdev_disk_changed(disk, false);
	mutex_unlock(&disk->open_mutex);
	ublk_scan_end(dev, disk);
}

int ublk_device_add(struct ublksrv_ctrl_dev_info *info)
{
	struct ublk_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	int ret;

	if (!dev)
		return -ENOMEM;
	dev->info = *info;
	ublk_info_complete(&dev->info);
	ret = ublk_id_take(dev, info->dev_id);
	if (ret) {
		kfree(dev);
		return ret;
	}
	/*
	 * The module must stay while there is a device: its nodes and its work
	 * items need the code.
	 */
	__module_get(THIS_MODULE);
	mutex_init(&dev->mutex);
	spin_lock_init(&dev->lock);
	sema_init(&dev->job, 1);
	init_waitqueue_head(&dev->wait);
	ublk_recovery_init(dev);
	INIT_WORK(&dev->scan_work, ublk_scan_work);
	dev->fetchable = true;
	device_initialize(&dev->device);
	dev->device.class = &ublk_class;
	dev->device.type = &ublk_chardev_type;
	dev->device.release = ublk_device_release;
	dev->device.devt = MKDEV(MAJOR(ublk_chardev_numbers),
				 dev->info.dev_id);
	cdev_init(&dev->cdev, ublk_dev_batches(dev) ? &ublk_batch_fops :
						      &ublk_chardev_fops);

	ret = dev_set_name(&dev->device, "ublkc%u", dev->info.dev_id);
	if (!ret)
		ret = ublk_queues_alloc(dev);
	if (!ret)
		ret = blk_mq_alloc_tag_set(&dev->tags);
	if (!ret) {
		*info = dev->info;
		ret = cdev_device_add(&dev->cdev, &dev->device);
	}
	if (ret) {
		ublk_device_put(dev);
		return ret;
	}
	/* From here on lookups find the device, and it can be deleted. */
	spin_lock(&ublk_devices_lock);
	idr_replace(&ublk_devices, dev, dev->info.dev_id);
	spin_unlock(&ublk_devices_lock);
	return 0;
}

static void ublk_free_disk(struct gendisk *disk)
{
	ublk_device_put(disk->private_data);
}

static int ublk_disk_open(struct gendisk *disk, blk_mode_t mode)
{
	const struct ublk_device *dev = disk->private_data;

	if (dev->closed)
		return -ENXIO;
	/*
	 * Disks that unprivileged users serve are not trusted: only their owner
	 * and CAP_SYS_ADMIN may open them.
	 */
	if (dev->info.flags & UBLK_F_UNPRIVILEGED_DEV &&
	    !uid_eq(current_uid(),
		    make_kuid(&init_user_ns, dev->info.owner_uid)) &&
	    !capable(CAP_SYS_ADMIN))
		return -EPERM;
	return 0;
}

/*
 * The node of a user's disk is accessible to all; ublk_disk_open() checks the
 * opener.
 */
static char *ublk_disk_node(struct gendisk *disk, umode_t *mode)
{
	const struct ublk_device *dev = disk->private_data;

	if (mode && dev->info.flags & UBLK_F_UNPRIVILEGED_DEV)
		*mode = 0666;
	return NULL;
}

static const struct block_device_operations ublk_disk_fops = {
	.owner		= THIS_MODULE,
	.open		= ublk_disk_open,
	.devnode	= ublk_disk_node,
	.free_disk	= ublk_free_disk,
};

/* Has the partition table of a new disk read. */
static void ublk_device_scan(struct ublk_device *dev)
{
	if (dev->info.flags & UBLK_F_NO_AUTO_PART_SCAN) {
		clear_bit(GD_SUPPRESS_PART_SCAN, &dev->disk->state);
		return;
	}
	/* the previous disk's work needs no lock that is held here */
	flush_work(&dev->scan_work);
	get_device(disk_to_dev(dev->disk));
	dev->scanned = dev->disk;
	set_bit(GD_NEED_PART_SCAN, &dev->disk->state);
	clear_bit(GD_SUPPRESS_PART_SCAN, &dev->disk->state);
	ublk_queue_work(dev, ublk_scan_wq, &dev->scan_work);
}

int ublk_device_start(struct ublk_device *dev, pid_t server)
{
	const struct ublk_param_basic *basic = &dev->params.basic;
	struct queue_limits limits = ublk_params_limits(dev);
	bool untrusted = false;
	struct gendisk *disk;
	int ret;

	lockdep_assert_held(&dev->mutex);
	disk = blk_mq_alloc_disk(&dev->tags, &limits, NULL);
	if (IS_ERR(disk))
		return PTR_ERR(disk);
	sprintf(disk->disk_name, "ublkb%u", dev->info.dev_id);
	disk->fops = &ublk_disk_fops;
	disk->private_data = dev;
	set_capacity(disk, basic->dev_sectors);
	set_disk_ro(disk, basic->attrs & UBLK_ATTR_READ_ONLY);
	set_bit(GD_SUPPRESS_PART_SCAN, &disk->state);
	dev->closed = false;

	spin_lock(&dev->lock);
	ret = ublk_is_fetched(dev) ? 0 : -ENODEV;
	if (!ret) {
		/* of this session; the next one has its own */
		untrusted = dev->untrusted;
		dev->fetchable = false;
		dev->info.ublksrv_pid = server;
		dev->info.state = UBLK_S_DEV_LIVE;
		WRITE_ONCE(dev->service, UBLK_DELIVER);
	}
	spin_unlock(&dev->lock);
	if (!ret) {
		WRITE_ONCE(dev->disk, disk);
		/* dropped by ublk_free_disk(), once the disk was added */
		get_device(&dev->device);
		ret = add_disk(disk);
		if (!ret) {
			/*
			 * the partition table of an untrusted server is not
			 * read
			 */
			if (!untrusted)
				ublk_device_scan(dev);
			return 0;
		}
		if (!test_bit(GD_ADDED, &disk->state))
			put_device(&dev->device);
		WRITE_ONCE(dev->disk, NULL);
		ublk_device_stop(dev);
	}
	put_disk(disk);
	return ret;
}

/*
 * In Linux 6.12, del_gendisk() waits for an RCU grace period that can be
 * expedited. A normal one takes some timer ticks. An expedited one interrupts
 * all busy processors, which is cheap because disks are seldom removed. An open
 * disk may have much to write back first, and during that time all grace
 * periods would be expedited, so it gets a normal one.
 */
static void ublk_remove_disk(struct gendisk *disk)
{
	const bool idle = !disk_openers(disk);

	if (idle)
		rcu_expedite_gp();
	del_gendisk(disk);
	if (idle)
		rcu_unexpedite_gp();
	put_disk(disk);
}

void ublk_device_stop(struct ublk_device *dev)
{
	lockdep_assert_held(&dev->mutex);
	if (dev->disk) {
		/*
		 * From here on requests fail instead of waiting for another
		 * server.
		 */
		spin_lock(&dev->lock);
		dev->stopping = true;
		if (dev->service == UBLK_HOLD)
			WRITE_ONCE(dev->service, UBLK_FAIL);
		spin_unlock(&dev->lock);
		blk_mq_kick_requeue_list(dev->disk->queue);

		/*
		 * a scan that has not begun may be queued behind scans that
		 * wait
		 */
		if (cancel_work(&dev->scan_work))
			ublk_scan_end(dev, dev->disk);
		ublk_remove_disk(dev->disk);
		WRITE_ONCE(dev->disk, NULL);
	}

	/*
	 * Nothing can be fetched until all armed commands have been given back:
	 * later ones belong to another server, and must stay.
	 */
	spin_lock(&dev->lock);
	dev->stopping = true;
	dev->fetchable = false;
	WRITE_ONCE(dev->service, UBLK_FAIL);
	ublk_session_break(dev);
	spin_unlock(&dev->lock);
	wake_up_all(&dev->wait);
	ublk_device_abort(dev, false);

	spin_lock(&dev->lock);
	WRITE_ONCE(dev->service, UBLK_NOT_STARTED);
	dev->info.state = UBLK_S_DEV_DEAD;
	dev->stopping = false;
	dev->fetchable = true;
	if (dev->leaving) {
		WRITE_ONCE(dev->leaving, false);
		clear_bit(0, &dev->in_use);
	}
	spin_unlock(&dev->lock);
	wake_up_all(&dev->wait);
}

int ublk_device_delete(struct ublk_device *dev)
{
	bool mine;

	spin_lock(&ublk_devices_lock);
	mine = !dev->deleted;
	WRITE_ONCE(dev->deleted, true);
	spin_unlock(&ublk_devices_lock);
	if (!mine)
		return -ENODEV;
	wake_up_all(&dev->wait);

	mutex_lock(&dev->mutex);
	ublk_device_stop(dev);
	mutex_unlock(&dev->mutex);
	cdev_device_del(&dev->cdev, &dev->device);
	/* taken by ublk_device_add() */
	ublk_device_put(dev);
	return 0;
}

/* Whether the device with this id has been deleted but still exists. */
static bool ublk_id_is_leaving(u32 id)
{
	const struct ublk_device *dev;
	bool leaving;

	spin_lock(&ublk_devices_lock);
	dev = id < UBLK_MINORS ? idr_find(&ublk_devices, id) : NULL;
	leaving = dev && dev->deleted;
	spin_unlock(&ublk_devices_lock);
	return leaving;
}

int ublk_device_wait_gone(u32 id)
{
	return wait_event_interruptible(ublk_id_free, !ublk_id_is_leaving(id)) ?
	       -EINTR : 0;
}

int ublk_devices_init(void)
{
	int ret = -ENOMEM;

	ublk_abort_wq = alloc_workqueue("ublk_abort",
					WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	ublk_wq = alloc_workqueue("ublk", WQ_UNBOUND, 0);
	ublk_scan_wq = alloc_workqueue("ublk_scan", WQ_UNBOUND, 0);
	if (!ublk_abort_wq || !ublk_wq || !ublk_scan_wq)
		goto free_queues;
	ret = class_register(&ublk_class);
	if (ret)
		goto free_queues;
	ret = alloc_chrdev_region(&ublk_chardev_numbers, 0, UBLK_MINORS,
				  "ublk-char");
	if (!ret)
		return 0;

	class_unregister(&ublk_class);
free_queues:
	if (ublk_scan_wq)
		destroy_workqueue(ublk_scan_wq);
	if (ublk_wq)
		destroy_workqueue(ublk_wq);
	if (ublk_abort_wq)
		destroy_workqueue(ublk_abort_wq);
	return ret;
}

void ublk_devices_exit(void)
{
	/*
	 * Each device holds the module, so none is left. Work items may still
	 * be finishing.
	 */
	destroy_workqueue(ublk_scan_wq);
	destroy_workqueue(ublk_wq);
	destroy_workqueue(ublk_abort_wq);
	idr_destroy(&ublk_devices);
	unregister_chrdev_region(ublk_chardev_numbers, UBLK_MINORS);
	class_unregister(&ublk_class);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /dev/ublk-control: the table of commands, the check who may send them, and
 * the parsing of their arguments. Other files change the device.
 */
#include <linux/capability.h>
#include <linux/completion.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/namei.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ublk.h"

/* A command's body. A path at the start of its argument has been skipped. */
struct ublk_ctrl_args {
	u32 id;
	u16 queue;
	u16 len;
	u64 addr;
	u64 data;
	u16 path_len;
};

struct ublk_ctrl_op {
	u32 op;			/* its encoded form */
	u32 access;		/* MAY_*: required of a user's node */
	bool always_path;	/* the argument begins with a path */
	/*
	 * The caller holds a reference to @dev, which is NULL for commands that
	 * are not for a device. Returns 0 or -errno.
	 */
	int (*run)(struct ublk_device *dev, const struct ublk_ctrl_args *args);
	bool no_device;
};

/*
 * A command that waits for I/O of the device is executed by a worker, and the
 * command waits for the worker, interruptibly. A server may send commands to
 * its own device. When it is killed, its exit waits for its commands, so they
 * must not wait for its exit.
 *
 * A device has one job at a time. The next one waits in its command, not in a
 * worker, so a device blocks one worker at most.
 */
struct ublk_job {
	struct work_struct work;
	struct completion done;
	refcount_t refs;		/* the worker and the command */
	struct ublk_device *dev;
	int (*run)(struct ublk_device *dev, u64 data);
	u64 data;
	int ret;
};

static void ublk_job_put(struct ublk_job *job)
{
	if (refcount_dec_and_test(&job->refs))
		kfree(job);
}

static void ublk_job_work(struct work_struct *work)
{
	struct ublk_job *job = container_of(work, struct ublk_job, work);

	job->ret = job->run(job->dev, job->data);
	up(&job->dev->job);
	ublk_device_put(job->dev);
	complete(&job->done);
	ublk_job_put(job);
}

/*
 * Returns the result of @run, or -EINTR; then the job may be done all the same.
 */
static int ublk_job_run(struct ublk_device *dev,
			int (*run)(struct ublk_device *dev, u64 data), u64 data)
{
	struct ublk_job *job = kzalloc(sizeof(*job), GFP_KERNEL);
	int ret = -EINTR;

	if (!job)
		return -ENOMEM;
	if (down_interruptible(&dev->job)) {
		kfree(job);
		return -EINTR;
	}
	INIT_WORK(&job->work, ublk_job_work);
	init_completion(&job->done);
	refcount_set(&job->refs, 2);
	get_device(&dev->device);
	job->dev = dev;
	job->run = run;
	job->data = data;
	queue_work(ublk_wq, &job->work);
	if (!wait_for_completion_interruptible(&job->done))
		ret = job->ret;
	ublk_job_put(job);
	return ret;
}

static int ublk_answer(const struct ublk_ctrl_args *args, const void *answer,
		       size_t bytes)
{
	if (args->len < bytes || !args->addr)
		return -EINVAL;
	return copy_to_user(u64_to_user_ptr(args->addr), answer, bytes) ?
	       -EFAULT : 0;
}

static int ublk_get_features(struct ublk_device *dev,
			     const struct ublk_ctrl_args *args)
{
	const u64 features = UBLK_FEATURES;

	if (args->len != UBLK_FEATURES_LEN)
		return -EINVAL;
	return ublk_answer(args, &features, sizeof(features));
}

/* The combinations of recovery flags that make sense. */
static bool ublk_recovery_flags_ok(u64 flags)
{
	switch (flags & UBLK_RECOVERY_FLAGS) {
	case 0:
		return !(flags & UBLK_F_QUIESCE);
	case UBLK_F_USER_RECOVERY:
	case UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_REISSUE:
	case UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_FAIL_IO:
		return true;
	default:
		return false;
	}
}

static int ublk_add_dev(struct ublk_device *none,
			const struct ublk_ctrl_args *args)
{
	struct ublksrv_ctrl_dev_info info;
	struct ublk_device *dev;
	int ret;

	if (args->len < sizeof(info) || !args->addr || args->queue != U16_MAX)
		return -EINVAL;
	if (copy_from_user(&info, u64_to_user_ptr(args->addr), sizeof(info)))
		return -EFAULT;

	if (capable(CAP_SYS_ADMIN))
		info.flags &= ~UBLK_F_UNPRIVILEGED_DEV;
	else if (!(info.flags & UBLK_F_UNPRIVILEGED_DEV))
		return -EPERM;
	if (info.dev_id != args->id ||
	    (info.dev_id != U32_MAX && info.dev_id > MINORMASK) ||
	    !info.queue_depth || info.queue_depth > UBLK_MAX_QUEUE_DEPTH ||
	    !info.nr_hw_queues || info.nr_hw_queues > UBLK_MAX_NR_QUEUES ||
	    (info.max_io_buf_bytes && info.max_io_buf_bytes < PAGE_SIZE) ||
	    !ublk_recovery_flags_ok(info.flags))
		return -EINVAL;
	if (info.flags & UBLK_F_UNPRIVILEGED_DEV) {
		/*
		 * such a server could return pages that it never wrote, or keep
		 * requests for ever
		 */
		if (info.flags & UBLK_COUNTED_FLAGS)
			return -EINVAL;
		info.flags &= ~(UBLK_RECOVERY_FLAGS | UBLK_F_QUIESCE);
	}

	ret = ublk_device_add(&info);
	if (ret)
		return ret;
	ret = ublk_answer(args, &info, sizeof(info));
	if (ret) {
		/* nobody would know its id */
		dev = ublk_device_get(info.dev_id);
		if (dev) {
			ublk_device_delete(dev);
			ublk_device_put(dev);
		}
	}
	return ret;
}

static int ublk_del_job(struct ublk_device *dev, u64 unused)
{
	return ublk_device_delete(dev);
}

static int ublk_del_dev(struct ublk_device *dev,
			const struct ublk_ctrl_args *args)
{
	return ublk_job_run(dev, ublk_del_job, 0);
}

static int ublk_start_job(struct ublk_device *dev, u64 server)
{
	int ret;

	mutex_lock(&dev->mutex);
	if (READ_ONCE(dev->deleted))
		ret = -ENODEV;
	else if (dev->disk)
		ret = -EEXIST;
	else if (!(dev->params.types & UBLK_PARAM_TYPE_BASIC))
		ret = -EINVAL;
	else
		ret = ublk_device_start(dev, server);
	mutex_unlock(&dev->mutex);
	return ret;
}

static int ublk_start_dev(struct ublk_device *dev,
			  const struct ublk_ctrl_args *args)
{
	const pid_t server = args->data;
	int ret;

	if (server <= 0)
		return -EINVAL;
	/* Fail early instead of waiting; checked again under the mutex. */
	if (READ_ONCE(dev->disk))
		return -EEXIST;
	/* the structure is assigned as a whole, without WRITE_ONCE() */
	if (!(data_race(dev->params.types) & UBLK_PARAM_TYPE_BASIC))
		return -EINVAL;
	ret = ublk_wait_fetched(dev);
	return ret ? ret : ublk_job_run(dev, ublk_start_job, server);
}

static int ublk_stop_job(struct ublk_device *dev, u64 unused)
{
	mutex_lock(&dev->mutex);
	ublk_device_stop(dev);
	mutex_unlock(&dev->mutex);
	return 0;
}

static int ublk_stop_dev(struct ublk_device *dev,
			 const struct ublk_ctrl_args *args)
{
	return ublk_job_run(dev, ublk_stop_job, 0);
}

/*
 * Stops a device whose disk is not open. An open between the check and the
 * removal of the disk is refused. Returns -EAGAIN if open_mutex is taken. Its
 * holder may be a partition scan that waits for the next server, and that
 * server's END_USER_RECOVERY needs dev->mutex. So this job must not wait for
 * open_mutex.
 */
static int ublk_try_stop_job(struct ublk_device *dev, u64 unused)
{
	int ret = -ENODEV;

	mutex_lock(&dev->mutex);
	if (!dev->disk)
		goto unlock;
	ret = -EAGAIN;
	if (!mutex_trylock(&dev->disk->open_mutex))
		goto unlock;
	ret = disk_openers(dev->disk) ? -EBUSY : 0;
	dev->closed = !ret;
	mutex_unlock(&dev->disk->open_mutex);
	if (!ret)
		ublk_device_stop(dev);
unlock:
	mutex_unlock(&dev->mutex);
	return ret;
}

/*
 * Waits until the current holder has released open_mutex. Returns 0 or -EINTR.
 */
static int ublk_wait_opened(struct ublk_device *dev)
{
	struct gendisk *disk;
	int ret = 0;

	if (mutex_lock_interruptible(&dev->mutex))
		return -EINTR;
	disk = dev->disk;
	if (disk)
		get_device(disk_to_dev(disk));
	mutex_unlock(&dev->mutex);
	if (!disk)
		return 0;
	if (mutex_lock_interruptible(&disk->open_mutex))
		ret = -EINTR;
	else
		mutex_unlock(&disk->open_mutex);
	put_device(disk_to_dev(disk));
	return ret;
}

static int ublk_try_stop_dev(struct ublk_device *dev,
			     const struct ublk_ctrl_args *args)
{
	int ret;

	do {
		ret = ublk_job_run(dev, ublk_try_stop_job, 0);
	} while (ret == -EAGAIN && !(ret = ublk_wait_opened(dev)));
	return ret;
}

static int ublk_set_params(struct ublk_device *dev,
			   const struct ublk_ctrl_args *args)
{
	void __user *from = u64_to_user_ptr(args->addr);
	struct ublk_params params = {};
	u32 bytes;
	int ret;

	if (!args->addr || args->len < offsetof(struct ublk_params, basic))
		return -EINVAL;
	if (get_user(bytes, (u32 __user *)from))
		return -EFAULT;
	if (!bytes || bytes > args->len)
		return -EINVAL;
	bytes = min_t(u32, bytes, sizeof(params));
	if (copy_from_user(&params, from, bytes))
		return -EFAULT;
	params.len = sizeof(params);
	params.types &= UBLK_PARAM_TYPES;
	ret = ublk_params_check(dev, &params);

	if (mutex_lock_interruptible(&dev->mutex))
		return -EINTR;
	if (dev->disk) {
		ret = -EACCES;
	} else {
		if (ret)
			params.types = 0;
		dev->params = params;
	}
	mutex_unlock(&dev->mutex);
	return ret;
}

static int ublk_get_params(struct ublk_device *dev,
			   const struct ublk_ctrl_args *args)
{
	void __user *to = u64_to_user_ptr(args->addr);
	struct ublk_params params;
	u32 bytes;

	if (!args->addr || args->len < offsetof(struct ublk_params, basic))
		return -EINVAL;
	if (get_user(bytes, (u32 __user *)to))
		return -EFAULT;
	if (!bytes || bytes > args->len)
		return -EINVAL;
	bytes = min_t(u32, bytes, sizeof(params));

	if (mutex_lock_interruptible(&dev->mutex))
		return -EINTR;
	params = dev->params;
	params.len = bytes;
	params.types |= UBLK_PARAM_TYPE_DEVT;
	params.devt.char_major = MAJOR(dev->device.devt);
	params.devt.char_minor = MINOR(dev->device.devt);
	if (dev->disk) {
		params.devt.disk_major = MAJOR(disk_devt(dev->disk));
		params.devt.disk_minor = MINOR(disk_devt(dev->disk));
	}
	mutex_unlock(&dev->mutex);
	return copy_to_user(to, &params, bytes) ? -EFAULT : 0;
}

static int ublk_get_dev_info(struct ublk_device *dev,
			     const struct ublk_ctrl_args *args)
{
	struct ublksrv_ctrl_dev_info info;

	spin_lock(&dev->lock);
	info = dev->info;
	spin_unlock(&dev->lock);
	return ublk_answer(args, &info, sizeof(info));
}

static int ublk_get_queue_affinity(struct ublk_device *dev,
				   const struct ublk_ctrl_args *args)
{
	const struct blk_mq_queue_map *map = &dev->tags.map[HCTX_TYPE_DEFAULT];
	void __user *to = u64_to_user_ptr(args->addr);
	const size_t bytes = min_t(size_t, args->len, cpumask_size());
	cpumask_var_t mask;
	unsigned int cpu;
	int ret = 0;

	if (!args->addr || args->len * BITS_PER_BYTE < nr_cpu_ids ||
	    args->len % sizeof(unsigned long) ||
	    args->data >= dev->info.nr_hw_queues)
		return -EINVAL;
	if (!zalloc_cpumask_var(&mask, GFP_KERNEL))
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		if (map->mq_map[cpu] == args->data)
			cpumask_set_cpu(cpu, mask);
	}
	if (copy_to_user(to, mask, bytes) ||
	    clear_user(to + bytes, args->len - bytes))
		ret = -EFAULT;
	free_cpumask_var(mask);
	return ret;
}

static int ublk_start_user_recovery(struct ublk_device *dev,
				    const struct ublk_ctrl_args *args)
{
	int ret;

	if (mutex_lock_interruptible(&dev->mutex))
		return -EINTR;
	ret = ublk_recovery_start(dev);
	mutex_unlock(&dev->mutex);
	return ret;
}

static int ublk_end_user_recovery(struct ublk_device *dev,
				  const struct ublk_ctrl_args *args)
{
	return ublk_recovery_end(dev, args->data);
}

static int ublk_update_size(struct ublk_device *dev,
			    const struct ublk_ctrl_args *args)
{
	struct ublk_params params;
	int ret;

	if (mutex_lock_interruptible(&dev->mutex))
		return -EINTR;
	params = dev->params;
	params.basic.dev_sectors = args->data;
	if (!dev->disk) {
		ret = -ENODEV;
	} else {
		ret = ublk_params_check(dev, &params);
		if (!ret) {
			dev->params = params;
			set_capacity_and_notify(dev->disk, args->data);
		}
	}
	mutex_unlock(&dev->mutex);
	return ret;
}

static int ublk_quiesce_dev(struct ublk_device *dev,
			    const struct ublk_ctrl_args *args)
{
	int ret;

	if (mutex_lock_interruptible(&dev->mutex))
		return -EINTR;
	ret = ublk_quiesce(dev, args->data);
	mutex_unlock(&dev->mutex);
	return ret;
}

static const struct ublk_ctrl_op ublk_ctrl_ops[] = {
	{ UBLK_U_CMD_GET_FEATURES, 0, .run = ublk_get_features,
	  .no_device = true },
	{ UBLK_U_CMD_ADD_DEV, 0, .run = ublk_add_dev, .no_device = true },
	{ UBLK_U_CMD_DEL_DEV, MAY_READ | MAY_WRITE, .run = ublk_del_dev },
	{ UBLK_U_CMD_DEL_DEV_ASYNC, MAY_READ | MAY_WRITE,
	  .run = ublk_del_dev },
	{ UBLK_U_CMD_START_DEV, MAY_READ | MAY_WRITE, .run = ublk_start_dev },
	{ UBLK_U_CMD_STOP_DEV, MAY_READ | MAY_WRITE, .run = ublk_stop_dev },
	{ UBLK_U_CMD_TRY_STOP_DEV, MAY_READ | MAY_WRITE,
	  .run = ublk_try_stop_dev },
	{ UBLK_U_CMD_SET_PARAMS, MAY_READ | MAY_WRITE,
	  .run = ublk_set_params },
	{ UBLK_U_CMD_GET_PARAMS, MAY_READ, .run = ublk_get_params },
	{ UBLK_U_CMD_GET_DEV_INFO, MAY_READ, .run = ublk_get_dev_info },
	{ UBLK_U_CMD_GET_DEV_INFO2, MAY_READ, .always_path = true,
	  .run = ublk_get_dev_info },
	{ UBLK_U_CMD_GET_QUEUE_AFFINITY, MAY_READ,
	  .run = ublk_get_queue_affinity },
	{ UBLK_U_CMD_START_USER_RECOVERY, MAY_READ | MAY_WRITE,
	  .run = ublk_start_user_recovery },
	{ UBLK_U_CMD_END_USER_RECOVERY, MAY_READ | MAY_WRITE,
	  .run = ublk_end_user_recovery },
	{ UBLK_U_CMD_UPDATE_SIZE, MAY_READ | MAY_WRITE,
	  .run = ublk_update_size },
	{ UBLK_U_CMD_QUIESCE_DEV, MAY_READ | MAY_WRITE,
	  .run = ublk_quiesce_dev },
};

static const struct ublk_ctrl_op *ublk_ctrl_find(u32 op)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ublk_ctrl_ops); i++) {
		if (ublk_op_number(op) == _IOC_NR(ublk_ctrl_ops[i].op))
			return &ublk_ctrl_ops[i];
	}
	return NULL;
}

/*
 * Returns 0 if @name is the device's own node and the caller has @access to it,
 * or -errno.
 */
static int ublk_check_node(const struct ublk_device *dev, const char *name,
			   u32 access)
{
	struct inode *inode;
	struct path path;
	int ret = kern_path(name, LOOKUP_FOLLOW, &path);

	if (ret)
		return ret;
	inode = d_backing_inode(path.dentry);
	if (!S_ISCHR(inode->i_mode) || inode->i_rdev != dev->device.devt)
		ret = -EPERM;
	else
		ret = inode_permission(mnt_idmap(path.mnt), inode, access);
	path_put(&path);
	return ret;
}

/*
 * Whether the caller may send the command to the device: returns 0 or -errno.
 * Skips the path at the start of the argument, if there is one.
 */
static int ublk_ctrl_permitted(const struct ublk_device *dev,
			       const struct ublk_ctrl_op *op,
			       struct ublk_ctrl_args *args)
{
	const bool users = dev->info.flags & UBLK_F_UNPRIVILEGED_DEV;
	char *name;
	int ret = 0;

	if (!users && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!users && !op->always_path)
		return 0;

	if (!args->path_len || args->path_len > PATH_MAX ||
	    args->len < args->path_len)
		return -EINVAL;
	name = memdup_user_nul(u64_to_user_ptr(args->addr), args->path_len);
	if (IS_ERR(name))
		return PTR_ERR(name);
	/*
	 * The path matters only for an ordinary user's device; otherwise it is
	 * ignored.
	 */
	if (users)
		ret = ublk_check_node(dev, name, op->access);
	kfree(name);
	args->addr += args->path_len;
	args->len -= args->path_len;
	return ret;
}

static int ublk_ctrl_run(const struct ublk_ctrl_op *op,
			 struct ublk_ctrl_args *args)
{
	struct ublk_device *dev;
	int ret = -ENODEV;

	if (op->no_device)
		return op->run(NULL, args);
	dev = ublk_device_get(args->id);
	if (dev) {
		ret = ublk_ctrl_permitted(dev, op, args);
		if (!ret)
			ret = op->run(dev, args);
		ublk_device_put(dev);
	}
	/*
	 * Also waits for another task's deletion. The reference has been
	 * dropped by now.
	 */
	if (op->op == UBLK_U_CMD_DEL_DEV && (!ret || ret == -ENODEV) &&
	    ublk_device_wait_gone(args->id))
		ret = -EINTR;
	return ret;
}

static int ublk_ctrl_command(struct io_uring_cmd *cmd,
			     unsigned int issue_flags)
{
	const struct ublksrv_ctrl_cmd *shared;
	const struct ublk_ctrl_op *op;
	struct ublk_ctrl_args args;

	/* Every command may sleep, so io-wq executes it. */
	if (issue_flags & IO_URING_F_NONBLOCK)
		return -EAGAIN;
	if (!(issue_flags & IO_URING_F_SQE128))
		return -EINVAL;
	op = ublk_ctrl_find(cmd->cmd_op);
	if (!op)
		return -EOPNOTSUPP;
	shared = io_uring_sqe128_cmd(cmd->sqe, struct ublksrv_ctrl_cmd);
	args = (struct ublk_ctrl_args) {
		.id = READ_ONCE(shared->dev_id),
		.queue = READ_ONCE(shared->queue_id),
		.len = READ_ONCE(shared->len),
		.addr = READ_ONCE(shared->addr),
		.data = READ_ONCE(shared->data[0]),
		.path_len = READ_ONCE(shared->dev_path_len),
	};
	return ublk_ctrl_run(op, &args);
}

static const struct file_operations ublk_ctrl_fops = {
	.owner		= THIS_MODULE,
	.open		= nonseekable_open,
	.uring_cmd	= ublk_ctrl_command,
	.llseek		= noop_llseek,
};

static struct miscdevice ublk_ctrl_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "ublk-control",
	.fops	= &ublk_ctrl_fops,
};

static int __init ublk_init(void)
{
	int ret;

	BUILD_BUG_ON(sizeof(struct ublksrv_io_desc) != 24);
	BUILD_BUG_ON(sizeof(struct ublksrv_ctrl_cmd) != 32);
	BUILD_BUG_ON(sizeof(struct ublksrv_ctrl_dev_info) != 64);
	BUILD_BUG_ON(sizeof(struct ublksrv_io_cmd) != 16);

	ret = ublk_devices_init();
	if (ret)
		return ret;
	ret = misc_register(&ublk_ctrl_misc);
	if (ret)
		ublk_devices_exit();
	return ret;
}

static void __exit ublk_exit(void)
{
	misc_deregister(&ublk_ctrl_misc);
	/*
	 * The last close of a disk may free the device after the block layer
	 * has dropped its reference to the module. The task that did this may
	 * still be running code of this module.
	 */
	synchronize_rcu_tasks();
	ublk_devices_exit();
}

module_init(ublk_init);
module_exit(ublk_exit);

MODULE_DESCRIPTION("Block devices served from user space");
/*
 * Linux's driver has none: /sys/module/ublk_drv/version tells which driver is
 * loaded.
 */
MODULE_VERSION("1.0");
MODULE_LICENSE("GPL");

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Differences between kernels. The driver is written for the newest kernel, and
 * this makes older ones look like it. It tests for features, not versions: some
 * are macros, and for the others the Makefile searches the headers
 * (UBLK_HAVE_*).
 */
#ifndef _UBLK_COMPAT_H
#define _UBLK_COMPAT_H

#include <linux/blk-mq.h>
#include <linux/io_uring/cmd.h>

/* Older kernels take a second result, for rings with larger CQEs. */
#ifndef UBLK_HAVE_CMD_DONE32
#define io_uring_cmd_done(cmd, result, issue_flags)	\
	io_uring_cmd_done(cmd, result, 0, issue_flags)
#endif

/* Newer kernels check that the command's type fits into the SQE. */
#ifndef io_uring_sqe128_cmd
#define io_uring_sqe128_cmd(sqe, type)	((const type *)(sqe)->cmd)
#define io_uring_sqe_cmd(sqe, type)	((const type *)(sqe)->cmd)
#endif

/*
 * Task work of a command. UBLK_TASK_WORK(NAME) defines NAME_work() for
 * io_uring_cmd_complete_in_task(). It calls NAME(cmd, issue_flags, dead), where
 * @dead is true if the submitter's task is ending. UBLK_TASK_WORK_DECLARE(NAME)
 * declares NAME_work().
 */
#ifdef IO_URING_CMD_TASK_WORK_ISSUE_FLAGS
#define UBLK_TASK_WORK_DECLARE(name)					\
static void name##_work(struct io_tw_req req, io_tw_token_t token)
#define UBLK_TASK_WORK(name)						\
static void name##_work(struct io_tw_req req, io_tw_token_t token)	\
{									\
	name(io_uring_cmd_from_tw(req),					\
	     IO_URING_CMD_TASK_WORK_ISSUE_FLAGS, token.cancel);		\
}
#else
#define UBLK_TASK_WORK_DECLARE(name)					\
static void name##_work(struct io_uring_cmd *cmd, unsigned int issue_flags)
#define UBLK_TASK_WORK(name)						\
static void name##_work(struct io_uring_cmd *cmd, unsigned int issue_flags) \
{									\
	name(cmd, issue_flags, issue_flags & IO_URING_F_TASK_DEAD);	\
}
#endif

/*
 * The pages of a request as a registered buffer of a ring. Linux 6.15, the
 * first kernel with them, uses another name; later kernels use that name for
 * something else.
 */
#ifndef UBLK_HAVE_LENT_PAGES
static inline int io_buffer_register_request(struct io_uring_cmd *cmd,
					     struct request *rq,
					     void (*release)(void *rq),
					     unsigned int index,
					     unsigned int issue_flags)
{
	return -EOPNOTSUPP;
}

static inline int io_buffer_unregister(struct io_uring_cmd *cmd,
				       unsigned int index,
				       unsigned int issue_flags)
{
	return -EOPNOTSUPP;
}
#elif !defined(UBLK_HAVE_LENT_REQUESTS)
#define io_buffer_register_request	io_buffer_register_bvec
#define io_buffer_unregister		io_buffer_unregister_bvec
#endif

/* Exported to modules, but declared in no public header. */
#ifdef CONFIG_TINY_RCU
static inline void rcu_expedite_gp(void)
{
}

static inline void rcu_unexpedite_gp(void)
{
}
#else
void rcu_expedite_gp(void);
void rcu_unexpedite_gp(void);
#endif

/*
 * Older kernels merge requests only for queues with this flag, newer ones for
 * all.
 */
#ifndef UBLK_HAVE_SHOULD_MERGE
#define BLK_MQ_F_SHOULD_MERGE	0
#endif

#endif

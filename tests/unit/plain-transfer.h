/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ublk_queue_transfer() for a ring without registered buffers, for programs
 * that do not use core/queue.c. Include it once.
 */
#ifndef TESTS_UNIT_PLAIN_TRANSFER_H
#define TESTS_UNIT_PLAIN_TRANSFER_H

#include "core/target.h"

void ublk_queue_transfer(struct ublk_queue *queue, struct io_uring_sqe *sqe,
			 bool write, void *data, uint32_t length)
{
	(void)queue;
	sqe->opcode = write ? IORING_OP_WRITE : IORING_OP_READ;
	sqe->addr = (uintptr_t)data;
	sqe->len = length;
}

#endif

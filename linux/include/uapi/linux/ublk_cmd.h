/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * The interface between the ublk driver and its servers: control commands to
 * /dev/ublk-control, I/O commands to /dev/ublkcN, the descriptor of a request.
 * All numbers and layouts are Linux's. What our driver does not offer has its
 * number here too, so that a server made for Linux compiles.
 */
#ifndef _UAPI_LINUX_UBLK_CMD_H
#define _UAPI_LINUX_UBLK_CMD_H

#include <linux/const.h>
#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * Control commands: IORING_OP_URING_CMD with a struct ublksrv_ctrl_cmd in a
 * 128-byte SQE. The plain numbers are those of Linux 6.0 to 6.3; whatever came
 * later has only the encoded form.
 */
#define UBLK_CMD_GET_QUEUE_AFFINITY	0x01
#define UBLK_CMD_GET_DEV_INFO		0x02
#define UBLK_CMD_ADD_DEV		0x04
#define UBLK_CMD_DEL_DEV		0x05
#define UBLK_CMD_START_DEV		0x06
#define UBLK_CMD_STOP_DEV		0x07
#define UBLK_CMD_SET_PARAMS		0x08
#define UBLK_CMD_GET_PARAMS		0x09
#define UBLK_CMD_START_USER_RECOVERY	0x10
#define UBLK_CMD_END_USER_RECOVERY	0x11
#define UBLK_CMD_GET_DEV_INFO2		0x12

#define UBLK_U_CMD_GET_QUEUE_AFFINITY	\
	_IOR('u', UBLK_CMD_GET_QUEUE_AFFINITY, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_GET_DEV_INFO		\
	_IOR('u', UBLK_CMD_GET_DEV_INFO, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_ADD_DEV		\
	_IOWR('u', UBLK_CMD_ADD_DEV, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_DEL_DEV		\
	_IOWR('u', UBLK_CMD_DEL_DEV, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_START_DEV		\
	_IOWR('u', UBLK_CMD_START_DEV, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_STOP_DEV		\
	_IOWR('u', UBLK_CMD_STOP_DEV, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_SET_PARAMS		\
	_IOWR('u', UBLK_CMD_SET_PARAMS, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_GET_PARAMS		\
	_IOR('u', UBLK_CMD_GET_PARAMS, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_START_USER_RECOVERY	\
	_IOWR('u', UBLK_CMD_START_USER_RECOVERY, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_END_USER_RECOVERY	\
	_IOWR('u', UBLK_CMD_END_USER_RECOVERY, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_GET_DEV_INFO2	\
	_IOR('u', UBLK_CMD_GET_DEV_INFO2, struct ublksrv_ctrl_cmd)
/* 6.5: UBLK_FEATURES_LEN bytes of UBLK_F_* to addr; no device is named */
#define UBLK_U_CMD_GET_FEATURES		\
	_IOR('u', 0x13, struct ublksrv_ctrl_cmd)
/* 6.6: as DEL_DEV, but does not wait for the id to be free */
#define UBLK_U_CMD_DEL_DEV_ASYNC	\
	_IOR('u', 0x14, struct ublksrv_ctrl_cmd)
/* 6.16: data[0] is the new size in sectors */
#define UBLK_U_CMD_UPDATE_SIZE		\
	_IOWR('u', 0x15, struct ublksrv_ctrl_cmd)
/* 6.16: data[0] is how long to wait for requests, in ms; 0: for ever */
#define UBLK_U_CMD_QUIESCE_DEV		\
	_IOWR('u', 0x16, struct ublksrv_ctrl_cmd)
/* 7.0: as STOP_DEV, but -EBUSY while anybody has the disk open */
#define UBLK_U_CMD_TRY_STOP_DEV		\
	_IOWR('u', 0x17, struct ublksrv_ctrl_cmd)
/*
 * 7.1: memory that the server shares with users of the disk is registered, a
 * struct ublk_shmem_buf_reg at addr, and answered with its number; or the
 * registered memory of the number in data[0] is let go.
 */
#define UBLK_U_CMD_REG_BUF		\
	_IOWR('u', 0x18, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_UNREG_BUF		\
	_IOWR('u', 0x19, struct ublksrv_ctrl_cmd)

struct ublk_shmem_buf_reg {
	__u64	addr;
	__u64	len;		/* whole pages */
	__u32	flags;
	__u32	reserved;
};

/* The memory may be sealed against writing. */
#define UBLK_SHMEM_BUF_READ_ONLY	(1U << 0)

#define UBLK_FEATURES_LEN	8

/*
 * I/O commands: a struct ublksrv_io_cmd in the SQE. FETCH_REQ gives a tag to
 * the driver; it completes when there is a request. COMMIT_AND_FETCH_REQ
 * answers the request and gives the tag again. NEED_GET_DATA asks for the data
 * of a WRITE that was delivered without it, to the address given.
 */
#define UBLK_IO_FETCH_REQ		0x20
#define UBLK_IO_COMMIT_AND_FETCH_REQ	0x21
#define UBLK_IO_NEED_GET_DATA		0x22

#define UBLK_U_IO_FETCH_REQ		\
	_IOWR('u', UBLK_IO_FETCH_REQ, struct ublksrv_io_cmd)
#define UBLK_U_IO_COMMIT_AND_FETCH_REQ	\
	_IOWR('u', UBLK_IO_COMMIT_AND_FETCH_REQ, struct ublksrv_io_cmd)
#define UBLK_U_IO_NEED_GET_DATA		\
	_IOWR('u', UBLK_IO_NEED_GET_DATA, struct ublksrv_io_cmd)
/* 6.15: pages of a request become the registered buffer with the index addr */
#define UBLK_U_IO_REGISTER_IO_BUF	\
	_IOWR('u', 0x23, struct ublksrv_io_cmd)
#define UBLK_U_IO_UNREGISTER_IO_BUF	\
	_IOWR('u', 0x24, struct ublksrv_io_cmd)
/*
 * 7.0, with UBLK_F_BATCH_IO: a struct ublk_batch_io in the SQE and an array of
 * elements, each headed by a struct ublk_elem_header. PREP gives tags to the
 * driver, COMMIT answers their requests and gives them again, and a multishot
 * FETCH writes the tags of requests into provided buffers.
 */
#define UBLK_U_IO_PREP_IO_CMDS		\
	_IOWR('u', 0x25, struct ublk_batch_io)
#define UBLK_U_IO_COMMIT_IO_CMDS	\
	_IOWR('u', 0x26, struct ublk_batch_io)
#define UBLK_U_IO_FETCH_IO_CMDS		\
	_IOWR('u', 0x27, struct ublk_batch_io)

/* What an I/O command completes with, beside -errno of a wrong command. */
#define UBLK_IO_RES_OK			0
#define UBLK_IO_RES_NEED_GET_DATA	1
#define UBLK_IO_RES_ABORT		(-ENODEV)

/*
 * Offsets of /dev/ublkcN. The descriptors of queue Q are mapped read-only from
 * UBLKSRV_CMD_BUF_OFFSET + Q * (UBLK_MAX_QUEUE_DEPTH descriptors, in whole
 * pages). With UBLK_F_USER_COPY the data of a request is read and written from
 * UBLKSRV_IO_BUF_OFFSET + (queue << UBLK_QID_OFF | tag << UBLK_TAG_OFF | byte).
 */
#define UBLKSRV_CMD_BUF_OFFSET	0
#define UBLKSRV_IO_BUF_OFFSET	0x80000000

#define UBLK_MAX_QUEUE_DEPTH	4096

#define UBLK_IO_BUF_OFF		0
#define UBLK_IO_BUF_BITS	25
#define UBLK_IO_BUF_BITS_MASK	(_BITULL(UBLK_IO_BUF_BITS) - 1)

#define UBLK_TAG_OFF		UBLK_IO_BUF_BITS
#define UBLK_TAG_BITS		16
#define UBLK_TAG_BITS_MASK	(_BITULL(UBLK_TAG_BITS) - 1)

#define UBLK_QID_OFF		(UBLK_TAG_OFF + UBLK_TAG_BITS)
#define UBLK_QID_BITS		12
#define UBLK_QID_BITS_MASK	(_BITULL(UBLK_QID_BITS) - 1)

#define UBLK_MAX_NR_QUEUES	(1U << UBLK_QID_BITS)

#define UBLKSRV_IO_BUF_TOTAL_BITS	(UBLK_QID_OFF + UBLK_QID_BITS)
#define UBLKSRV_IO_BUF_TOTAL_SIZE	_BITULL(UBLKSRV_IO_BUF_TOTAL_BITS)

/* This bit of an offset means the integrity data of a request. */
#define UBLK_INTEGRITY_FLAG_OFF		62
#define UBLKSRV_IO_INTEGRITY_FLAG	_BITULL(UBLK_INTEGRITY_FLAG_OFF)

/* Features of the driver, and flags that a device is added with. */
#define UBLK_F_SUPPORT_ZERO_COPY	_BITULL(0)
/* Commands are completed in the server's context by task work. */
#define UBLK_F_URING_CMD_COMP_IN_TASK	_BITULL(1)
/* A WRITE is delivered without data until the server asks for it. */
#define UBLK_F_NEED_GET_DATA		_BITUL(2)
/* When the server dies, requests are held for the next one... */
#define UBLK_F_USER_RECOVERY		_BITUL(3)
/* ...also those that had been delivered, which are delivered again. */
#define UBLK_F_USER_RECOVERY_REISSUE	_BITUL(4)
/* Anybody may add a device, which belongs to him. */
#define UBLK_F_UNPRIVILEGED_DEV		_BITUL(5)
#define UBLK_F_CMD_IOCTL_ENCODE		_BITUL(6)
/* Data is copied by pread() and pwrite() on /dev/ublkcN. */
#define UBLK_F_USER_COPY		_BITUL(7)
#define UBLK_F_ZONED			_BITULL(8)
/* When the server dies, requests fail until there is another. */
#define UBLK_F_USER_RECOVERY_FAIL_IO	_BITULL(9)
#define UBLK_F_UPDATE_SIZE		_BITULL(10)
/*
 * 6.16: the pages of a request are a registered buffer of the ring that its tag
 * was fetched on, with the index that was the SQE's addr, until it is answered.
 */
#define UBLK_F_AUTO_BUF_REG		_BITULL(11)
#define UBLK_F_QUIESCE			_BITULL(12)
/* Each tag has its own task, not each queue. */
#define UBLK_F_PER_IO_DAEMON		_BITULL(13)
/* Buffers are registered and let go by any task, not only by the tag's. */
#define UBLK_F_BUF_REG_OFF_DAEMON	_BITULL(14)
#define UBLK_F_BATCH_IO			_BITULL(15)
#define UBLK_F_INTEGRITY		_BITULL(16)
/* There is TRY_STOP_DEV. */
#define UBLK_F_SAFE_STOP_DEV		_BITULL(17)
/* Partitions are not looked for when the disk appears. */
#define UBLK_F_NO_AUTO_PART_SCAN	_BITULL(18)
#define UBLK_F_SHMEM_ZC			_BITULL(19)
#define UBLK_F_IO_DESC_SIZE		_BITULL(20)

/* States of a device. */
#define UBLK_S_DEV_DEAD		0
#define UBLK_S_DEV_LIVE		1
#define UBLK_S_DEV_QUIESCED	2
#define UBLK_S_DEV_FAIL_IO	3

/* The body of a control command. */
struct ublksrv_ctrl_cmd {
	__u32	dev_id;
	__u16	queue_id;	/* (__u16)-1 unless a queue is meant */
	__u16	len;		/* bytes at addr */
	__u64	addr;		/* the command's argument or answer */
	__u64	data[1];	/* a number that the command takes */

	/*
	 * Of an unprivileged device, and of GET_DEV_INFO2: addr begins with
	 * the path of /dev/ublkcN, of so many bytes with the final zero.
	 */
	__u16	dev_path_len;
	__u16	pad;
	__u32	reserved;
};

struct ublksrv_ctrl_dev_info {
	__u16	nr_hw_queues;
	__u16	queue_depth;
	__u16	state;		/* UBLK_S_DEV_* */

	union {
		__u16	io_desc_size;	/* set by the driver: 24 */
		__u16	pad0;
	};

	__u32	max_io_buf_bytes;
	__u32	dev_id;

	__s32	ublksrv_pid;
	__u32	pad1;

	__u64	flags;		/* UBLK_F_* */

	__u64	ublksrv_flags;	/* the server's own, kept for it */

	__u32	owner_uid;	/* set by the driver */
	__u32	owner_gid;
	__u64	reserved1;
	__u64	reserved2;
};

/* A request, as it stands in the queue's mapping at the place of its tag. */
#define UBLK_IO_OP_READ			0
#define UBLK_IO_OP_WRITE		1
#define UBLK_IO_OP_FLUSH		2
#define UBLK_IO_OP_DISCARD		3
#define UBLK_IO_OP_WRITE_SAME		4
#define UBLK_IO_OP_WRITE_ZEROES		5
#define UBLK_IO_OP_ZONE_OPEN		10
#define UBLK_IO_OP_ZONE_CLOSE		11
#define UBLK_IO_OP_ZONE_FINISH		12
#define UBLK_IO_OP_ZONE_APPEND		13
#define UBLK_IO_OP_ZONE_RESET_ALL	14
#define UBLK_IO_OP_ZONE_RESET		15
#define UBLK_IO_OP_REPORT_ZONES		18

#define UBLK_IO_F_FAILFAST_DEV		(1U << 8)
#define UBLK_IO_F_FAILFAST_TRANSPORT	(1U << 9)
#define UBLK_IO_F_FAILFAST_DRIVER	(1U << 10)
#define UBLK_IO_F_META			(1U << 11)
#define UBLK_IO_F_FUA			(1U << 13)
#define UBLK_IO_F_NOUNMAP		(1U << 15)
#define UBLK_IO_F_SWAP			(1U << 16)
/* The pages could not be registered, and UBLK_AUTO_BUF_REG_FALLBACK was given. */
#define UBLK_IO_F_NEED_REG_BUF		(1U << 17)
#define UBLK_IO_F_INTEGRITY		(1UL << 18)
/* addr is a place in memory that was registered by UBLK_U_CMD_REG_BUF. */
#define UBLK_IO_F_SHMEM_ZC		(1U << 19)

struct ublksrv_io_desc {
	__u32	op_flags;	/* UBLK_IO_OP_* in bits 0-7, UBLK_IO_F_* */

	union {
		__u32	nr_sectors;
		__u32	nr_zones;
	};

	__u64	start_sector;
	__u64	addr;		/* the server's buffer of this tag */
};

static inline __u8 ublksrv_get_op(const struct ublksrv_io_desc *iod)
{
	return iod->op_flags & 0xff;
}

/* Beware: these are shifted; UBLK_IO_F_* are bits of op_flags itself. */
static inline __u32 ublksrv_get_flags(const struct ublksrv_io_desc *iod)
{
	return iod->op_flags >> 8;
}

/* The body of an I/O command. */
struct ublksrv_io_cmd {
	__u16	q_id;
	__u16	tag;
	__s32	result;		/* of a COMMIT: bytes or -errno */

	union {
		__u64	addr;	/* the tag's buffer; 0 with USER_COPY */
		__u64	zone_append_lba;
	};
};

/* How pages are registered with UBLK_F_AUTO_BUF_REG, packed into the SQE's addr. */
#define UBLK_AUTO_BUF_REG_FALLBACK	(1 << 0)
#define UBLK_AUTO_BUF_REG_F_MASK	UBLK_AUTO_BUF_REG_FALLBACK

struct ublk_auto_buf_reg {
	__u16	index;
	__u8	flags;
	__u8	reserved0;
	__u32	reserved1;
};

static inline struct ublk_auto_buf_reg
ublk_sqe_addr_to_auto_buf_reg(__u64 addr)
{
	struct ublk_auto_buf_reg reg;

	reg.index = (__u16)addr;
	reg.flags = (__u8)(addr >> 16);
	reg.reserved0 = (__u8)(addr >> 24);
	reg.reserved1 = (__u32)(addr >> 32);
	return reg;
}

static inline __u64
ublk_auto_buf_reg_to_sqe_addr(const struct ublk_auto_buf_reg *reg)
{
	return (__u64)reg->reserved1 << 32 | (__u64)reg->reserved0 << 24 |
	       (__u64)reg->flags << 16 | reg->index;
}

/* One tag of a batch; behind it, what the flags of the batch say. */
struct ublk_elem_header {
	__u16	tag;
	__u16	buf_index;
	__s32	result;		/* of a COMMIT */
};

/* The body of a batch command. */
struct ublk_batch_io {
	__u16	q_id;
#define UBLK_BATCH_F_HAS_ZONE_LBA		(1 << 0)
#define UBLK_BATCH_F_HAS_BUF_ADDR		(1 << 1)
#define UBLK_BATCH_F_AUTO_BUF_REG_FALLBACK	(1 << 2)
	__u16	flags;
	__u16	nr_elem;
	__u8	elem_bytes;
	__u8	reserved;
	__u64	reserved2;
};

struct ublk_param_basic {
#define UBLK_ATTR_READ_ONLY		(1 << 0)
#define UBLK_ATTR_ROTATIONAL		(1 << 1)
#define UBLK_ATTR_VOLATILE_CACHE	(1 << 2)
#define UBLK_ATTR_FUA			(1 << 3)
	__u32	attrs;
	__u8	logical_bs_shift;
	__u8	physical_bs_shift;
	__u8	io_opt_shift;
	__u8	io_min_shift;

	__u32	max_sectors;
	__u32	chunk_sectors;

	__u64	dev_sectors;
	__u64	virt_boundary_mask;
};

struct ublk_param_discard {
	__u32	discard_alignment;

	__u32	discard_granularity;
	__u32	max_discard_sectors;

	__u32	max_write_zeroes_sectors;
	__u16	max_discard_segments;
	__u16	reserved0;
};

/* Only told, never set: the numbers of the nodes. */
struct ublk_param_devt {
	__u32	char_major;
	__u32	char_minor;
	__u32	disk_major;
	__u32	disk_minor;
};

struct ublk_param_zoned {
	__u32	max_open_zones;
	__u32	max_active_zones;
	__u32	max_zone_append_sectors;
	__u8	reserved[20];
};

struct ublk_param_dma_align {
	__u32	alignment;
	__u8	pad[4];
};

#define UBLK_MIN_SEGMENT_SIZE	4096

struct ublk_param_segment {
	__u64	seg_boundary_mask;
	__u32	max_segment_size;
	__u16	max_segments;
	__u8	pad[2];
};

struct ublk_param_integrity {
	__u32	flags;
	__u16	max_integrity_segments;
	__u8	interval_exp;
	__u8	metadata_size;
	__u8	pi_offset;
	__u8	csum_type;
	__u8	tag_size;
	__u8	pad[5];
};

/*
 * len is the size of the caller's structure: an older one ends earlier, and
 * the types that it does not reach are not set.
 */
struct ublk_params {
	__u32	len;
#define UBLK_PARAM_TYPE_BASIC		(1 << 0)
#define UBLK_PARAM_TYPE_DISCARD		(1 << 1)
#define UBLK_PARAM_TYPE_DEVT		(1 << 2)
#define UBLK_PARAM_TYPE_ZONED		(1 << 3)
#define UBLK_PARAM_TYPE_DMA_ALIGN	(1 << 4)
#define UBLK_PARAM_TYPE_SEGMENT		(1 << 5)
#define UBLK_PARAM_TYPE_INTEGRITY	(1 << 6)
	__u32	types;

	struct ublk_param_basic		basic;
	struct ublk_param_discard	discard;
	struct ublk_param_devt		devt;
	struct ublk_param_zoned		zoned;
	struct ublk_param_dma_align	dma;
	struct ublk_param_segment	seg;
	struct ublk_param_integrity	integrity;
};

/* The descriptor's addr with UBLK_IO_F_SHMEM_ZC: which memory, and where in it. */
#define UBLK_SHMEM_ZC_OFF_MASK		0xffffffffULL
#define UBLK_SHMEM_ZC_IDX_OFF		32
#define UBLK_SHMEM_ZC_IDX_MASK		0xffffULL

static inline __u64 ublk_shmem_zc_addr(__u16 index, __u32 offset)
{
	return (__u64)index << UBLK_SHMEM_ZC_IDX_OFF | offset;
}

static inline __u16 ublk_shmem_zc_index(__u64 addr)
{
	return addr >> UBLK_SHMEM_ZC_IDX_OFF & UBLK_SHMEM_ZC_IDX_MASK;
}

static inline __u32 ublk_shmem_zc_offset(__u64 addr)
{
	return (__u32)(addr & UBLK_SHMEM_ZC_OFF_MASK);
}

#endif

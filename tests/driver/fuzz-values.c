// SPDX-License-Identifier: GPL-2.0
/*
 * The values in the fuzzer's commands: random numbers, which depend only on a
 * seed, and ids, flags, parameters and results, which are mostly valid.
 */
#include "tests/driver/fuzz.h"

#include <unistd.h>

size_t page_bytes(void)
{
	return sysconf(_SC_PAGESIZE);
}

uint64_t number(struct random *random)
{
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return random->state * 0x2545f4914f6cdd1dULL;
}

unsigned int below(struct random *random, unsigned int limit)
{
	return (number(random) >> 32) % limit;
}

bool chance(struct random *random, unsigned int percent)
{
	return below(random, 100) < percent;
}

/* Neighbouring seeds must not give similar sequences. */
struct random seeded(uint64_t seed)
{
	struct random random = { .state = seed * 0x9e3779b97f4a7c15ULL + 1 };
	int i;

	if (!random.state)
		random.state = 1;
	for (i = 0; i < 16; i++)
		number(&random);
	return random;
}

uint32_t bent(struct random *random, uint32_t op)
{
	switch (below(random, 24)) {
	case 0:
		return _IOC_NR(op);
	case 1:
		return op ^ 1U << below(random, 32);
	case 2:
		return number(random);
	default:
		return op;
	}
}

int some_id(struct random *random)
{
	static const int odd[] = {
		-1, IDS, IDS + 1, 63, 64, 65535, 1 << 20, (1 << 20) - 1,
		INT32_MAX, INT32_MIN,
	};

	if (chance(random, 92))
		return below(random, IDS);
	if (chance(random, 60))
		return below(random, 4 * IDS);
	return one_of(random, odd);
}

#define FEATURES (2 * UBLK_F_NO_AUTO_PART_SCAN - 1)

static uint64_t some_flags(struct random *random)
{
	static const uint64_t usual[] = {
		0, UBLK_F_NEED_GET_DATA, UBLK_F_USER_RECOVERY,
		UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_REISSUE,
		UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_FAIL_IO,
		UBLK_F_USER_RECOVERY | UBLK_F_NEED_GET_DATA,
		UBLK_F_USER_COPY, UBLK_F_USER_COPY | UBLK_F_USER_RECOVERY,
		UBLK_F_PER_IO_DAEMON, UBLK_F_URING_CMD_COMP_IN_TASK,
		UBLK_F_UNPRIVILEGED_DEV, UBLK_F_QUIESCE | UBLK_F_USER_RECOVERY,
		UBLK_F_NO_AUTO_PART_SCAN,
		UBLK_F_NO_AUTO_PART_SCAN | UBLK_F_USER_RECOVERY,
		UBLK_F_SUPPORT_ZERO_COPY, UBLK_F_AUTO_BUF_REG,
		UBLK_F_SUPPORT_ZERO_COPY | UBLK_F_USER_RECOVERY |
		UBLK_F_USER_RECOVERY_REISSUE,
		UBLK_F_SUPPORT_ZERO_COPY | UBLK_F_AUTO_BUF_REG |
		UBLK_F_USER_COPY | UBLK_F_USER_RECOVERY,
		UBLK_F_AUTO_BUF_REG | UBLK_F_USER_RECOVERY |
		UBLK_F_USER_RECOVERY_REISSUE,
		UBLK_F_BATCH_IO, UBLK_F_BATCH_IO | UBLK_F_USER_RECOVERY,
		UBLK_F_BATCH_IO | UBLK_F_USER_RECOVERY | UBLK_F_QUIESCE |
		UBLK_F_USER_RECOVERY_REISSUE,
		UBLK_F_BATCH_IO | UBLK_F_USER_COPY | UBLK_F_USER_RECOVERY,
		UBLK_F_BATCH_IO | UBLK_F_SUPPORT_ZERO_COPY,
		UBLK_F_BATCH_IO | UBLK_F_AUTO_BUF_REG | UBLK_F_USER_RECOVERY |
		UBLK_F_USER_RECOVERY_REISSUE,
	};

	if (chance(random, 85))
		return one_of(random, usual) | UBLK_F_CMD_IOCTL_ENCODE;
	return chance(random, 80) ? number(random) & FEATURES : number(random);
}

struct ublksrv_ctrl_dev_info some_info(struct random *random, int id)
{
	static const int odd_queues[] = { 0, 3, 64, 4096, 4097, 65535 };
	static const int odd_depths[] = { 0, 1, 64, 4095, 4096, 4097, 65535 };
	static const uint32_t odd_sizes[] = {
		0, 1, 512, 4095, 4097, 1 << 20, 32 << 20, (32 << 20) + 4096,
		1U << 31, UINT32_MAX,
	};
	struct ublksrv_ctrl_dev_info info = {
		.nr_hw_queues = 1 + below(random, 2),
		.queue_depth = 1 + below(random, 8),
		.max_io_buf_bytes = page_bytes() << below(random, 6),
		.dev_id = id,
		.ublksrv_pid = getpid(),
		.flags = some_flags(random),
	};

	if (chance(random, 4))
		info.nr_hw_queues = one_of(random, odd_queues);
	if (chance(random, 4))
		info.queue_depth = one_of(random, odd_depths);
	/* 4096 of either is valid; both together need half a gigabyte. */
	if (info.nr_hw_queues > 64 && info.queue_depth > 64)
		info.queue_depth = 1;
	if (chance(random, 6))
		info.max_io_buf_bytes = one_of(random, odd_sizes);
	return info;
}

struct ublk_params some_params(struct random *random)
{
	static const uint64_t odd_sizes[] = {
		0, 1, 7, 1ULL << 54, 1ULL << 55, 1ULL << 63, UINT64_MAX,
	};
	struct ublk_params params;
	unsigned char *bytes = (unsigned char *)&params;

	raw_params(&params, (1 + below(random, 64)) << 16,
		   page_bytes() << below(random, 6));
	switch (below(random, 40)) {
	case 0:
		params.basic.logical_bs_shift = below(random, 16);
		break;
	case 1:
		params.basic.physical_bs_shift = below(random, 70);
		break;
	case 2:
		params.basic.dev_sectors = one_of(random, odd_sizes);
		break;
	case 3:
		params.basic.max_sectors = number(random);
		break;
	case 4:
		params.discard.max_discard_segments = below(random, 65536);
		params.discard.discard_granularity = number(random);
		break;
	case 5:
		params.types = number(random);
		break;
	case 6:
		params.len = below(random, 2 * sizeof(params));
		break;
	case 7:
		bytes[below(random, sizeof(params))] ^= 1 << below(random, 8);
		break;
	case 8:
		params.basic.attrs = number(random);
		break;
	default:
		break;
	}
	return params;
}

int some_result(struct random *random)
{
	static const int odd[] = {
		0, 1, 511, 513, -1, -5, -11, -512, -4095, -4096, INT32_MAX,
		INT32_MIN, 1 << 20,
	};

	return chance(random, 50) ? one_of(random, odd)
				  : (int)below(random, 1 << 17);
}

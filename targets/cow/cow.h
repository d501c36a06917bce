/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copy on write: a target that wraps another target, its base, which is only
 * read. Blocks that are written are stored in memory or in a file, and are read
 * from there.
 *
 * The wrapper has the name and the options of its base, and the option --cow.
 * Without that option, a device is served by the base alone.
 */
#ifndef TARGETS_COW_COW_H
#define TARGETS_COW_COW_H

#include "core/target.h"

#define COW_OPTIONS_MAX 16	/* with --cow and the end of the table */

struct cow_target {
	struct ublk_target target;	/* first, for the cast to cow_target */
	const struct ublk_target *base;
	struct option_spec options[COW_OPTIONS_MAX];
	size_t place;			/* offset of --cow in the settings */
	_Alignas(uint64_t) char defaults[UBLK_SETTINGS_MAX];
};

/*
 * Turns *@cow, which is overwritten, into a target around @base and returns
 * that target. @base must have the function base(). @cow and @base must stay
 * valid as long as the target is used.
 */
const struct ublk_target *cow_around(struct cow_target *cow,
				     const struct ublk_target *base);

#endif

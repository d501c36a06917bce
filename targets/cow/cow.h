/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copy on write: a target that wraps another one, its base. The base is only
 * read. A block that was written is kept in memory or in a file, and read from
 * there.
 *
 * The wrapper has the name and options of its base, and the option --cow. A
 * device without that option is served by the base alone.
 */
#ifndef TARGETS_COW_COW_H
#define TARGETS_COW_COW_H

#include "core/target.h"

#define COW_OPTIONS_MAX 16	/* --cow and the end of the table among them */

struct cow_target {
	struct ublk_target target;	/* first: &target is a cow_target */
	const struct ublk_target *base;
	struct option_spec options[COW_OPTIONS_MAX];
	size_t place;			/* offset of the option's value */
	_Alignas(uint64_t) char defaults[UBLK_SETTINGS_MAX];
};

/*
 * Makes *@cow, which is overwritten, the target around @base, which has a base().
 * Both must stay as long as the target is used. Returns that target.
 */
const struct ublk_target *cow_around(struct cow_target *cow,
				     const struct ublk_target *base);

#endif

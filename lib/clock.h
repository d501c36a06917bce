/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The clock that nobody sets, and waiting by it.
 */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <stdint.h>

/* Since some moment before the program began. */
uint64_t clock_ms(void);
uint64_t clock_ns(void);

/* Waits so long; shorter when a signal is handled meanwhile. */
void clock_sleep_ms(unsigned int milliseconds);

#endif

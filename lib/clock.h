/* SPDX-License-Identifier: GPL-2.0 */
/* The monotonic clock, and sleeping. */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <stdint.h>

/* Time since some moment before the program began. */
uint64_t clock_ms(void);
uint64_t clock_ns(void);

/* Sleeps; a signal handler may end the sleep early. */
void clock_sleep_ms(unsigned int milliseconds);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which parts are compiled in. `make WITHOUT='pack gzip'` sets WITH_PACK and
 * WITH_GZIP to 0. `ublk help` lists the parts that were left out.
 */
#ifndef LIB_BUILD_H
#define LIB_BUILD_H

/* Commands. */
#ifndef WITH_BENCH
#define WITH_BENCH 1
#endif
#ifndef WITH_CHECK
#define WITH_CHECK 1
#endif
/* For the initramfs of distributions: serve-root. */
#ifndef WITH_HOSTED
#define WITH_HOSTED 1
#endif
#ifndef WITH_INDEX
#define WITH_INDEX WITH_GZIP
#endif
#ifndef WITH_INFO
#define WITH_INFO 1
#endif
#ifndef WITH_PACK
#define WITH_PACK 1
#endif
#ifndef WITH_STAT
#define WITH_STAT 1
#endif
#ifndef WITH_UNPACK
#define WITH_UNPACK 1
#endif

/* Images of other programs: BGZF, and gzip files, which need restart points. */
#ifndef WITH_GZIP
#define WITH_GZIP 1
#endif

/* Images on servers: NBD and HTTP. */
#ifndef WITH_NETWORK
#define WITH_NETWORK 1
#endif

/* What `ublk help VERB` prints besides usage and options. */
#ifndef WITH_MANUAL
#define WITH_MANUAL 1
#endif

#define MANUAL(text) (WITH_MANUAL ? (text) : NULL)

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What glibc's soft-fp wants to know of a 32-bit processor without floating
 * point: MIPS, whose quiet NaNs have the first bit of the fraction clear.
 */
#ifndef SFP_MACHINE_H
#define SFP_MACHINE_H

#define _FP_W_TYPE_SIZE	32
#define _FP_W_TYPE	unsigned int
#define _FP_WS_TYPE	int
#define _FP_I_TYPE	int

#define _FP_MUL_MEAT_S(R, X, Y) \
	_FP_MUL_MEAT_1_wide(_FP_WFRACBITS_S, R, X, Y, umul_ppmm)
#define _FP_MUL_MEAT_D(R, X, Y) \
	_FP_MUL_MEAT_2_wide(_FP_WFRACBITS_D, R, X, Y, umul_ppmm)
#define _FP_DIV_MEAT_S(R, X, Y)	_FP_DIV_MEAT_1_udiv_norm(S, R, X, Y)
#define _FP_DIV_MEAT_D(R, X, Y)	_FP_DIV_MEAT_2_udiv(D, R, X, Y)

#define _FP_QNANNEGATEDP	1
#define _FP_NANFRAC_S		(_FP_QNANBIT_S - 1)
#define _FP_NANFRAC_D		(_FP_QNANBIT_D - 1), -1
#define _FP_NANSIGN_S		0
#define _FP_NANSIGN_D		0
#define _FP_KEEPNANFRACP	0
#define _FP_CHOOSENAN(fs, wc, R, X, Y, OP) \
	do { \
		R##_s = _FP_NANSIGN_##fs; \
		_FP_FRAC_SET_##wc(R, _FP_NANFRAC_##fs); \
		R##_c = FP_CLS_NAN; \
	} while (0)
#define _FP_TININESS_AFTER_ROUNDING 1

#define __LITTLE_ENDIAN	__ORDER_LITTLE_ENDIAN__
#define __BIG_ENDIAN	__ORDER_BIG_ENDIAN__
#define __BYTE_ORDER	__BYTE_ORDER__

/* Comparisons have a second name for the opposite. */
#define strong_alias(name, other) \
	extern __typeof(name) other __attribute__((alias(#name)));
typedef int CMPtype;
#define libgcc_cmp_return_type int

#endif

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
[ -e /run/initramfs/ublk.served ]

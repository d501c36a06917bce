# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# packages: e2fsprogs e2fsck-static fdisk cpio
#
# The power of a board is cut while it writes to disks with --cow.
COW=1
# shellcheck source-path=SCRIPTDIR
. "${0%/*}/power-cut.sh"

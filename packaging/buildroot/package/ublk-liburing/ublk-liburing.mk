################################################################################
#
# ublk-liburing
#
################################################################################

# The source only: ublk compiles it, with its own patches and options. The
# version is that of deps/versions for Debian 12, with which ublk is tested.
UBLK_LIBURING_VERSION = 2.3
UBLK_LIBURING_SITE = $(call github,axboe,liburing,liburing-$(UBLK_LIBURING_VERSION))
UBLK_LIBURING_SOURCE = liburing-$(UBLK_LIBURING_VERSION).tar.gz
UBLK_LIBURING_LICENSE = (GPL-2.0 with exceptions and LGPL-2.1+) or MIT
UBLK_LIBURING_LICENSE_FILES = COPYING COPYING.GPL LICENSE

$(eval $(host-generic-package))

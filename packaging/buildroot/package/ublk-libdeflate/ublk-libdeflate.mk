################################################################################
#
# ublk-libdeflate
#
################################################################################

# The source only: ublk compiles it, with its own patches and options. The
# version is that of deps/versions for Debian 12, with which ublk is tested.
UBLK_LIBDEFLATE_VERSION = 1.14
UBLK_LIBDEFLATE_SITE = $(call github,ebiggers,libdeflate,v$(UBLK_LIBDEFLATE_VERSION))
UBLK_LIBDEFLATE_SOURCE = libdeflate-$(UBLK_LIBDEFLATE_VERSION).tar.gz
UBLK_LIBDEFLATE_LICENSE = MIT
UBLK_LIBDEFLATE_LICENSE_FILES = COPYING

$(eval $(host-generic-package))

################################################################################
#
# ublk-zlib
#
################################################################################

# The source only: ublk compiles it, with its own patches and options. The
# version is that of deps/versions for Debian 12, with which ublk is tested.
UBLK_ZLIB_VERSION = 1.2.13
UBLK_ZLIB_SITE = https://zlib.net/fossils
UBLK_ZLIB_SOURCE = zlib-$(UBLK_ZLIB_VERSION).tar.gz
UBLK_ZLIB_LICENSE = Zlib
UBLK_ZLIB_LICENSE_FILES = LICENSE
UBLK_ZLIB_CPE_ID_VENDOR = zlib
UBLK_ZLIB_CPE_ID_PRODUCT = zlib

$(eval $(host-generic-package))

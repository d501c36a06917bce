################################################################################
#
# ublk-musl
#
################################################################################

# The source only: ublk compiles it, with its own patches and options. The
# version is that of deps/versions for Debian 12, with which ublk is tested.
UBLK_MUSL_VERSION = 1.2.3
UBLK_MUSL_SITE = https://musl.libc.org/releases
UBLK_MUSL_SOURCE = musl-$(UBLK_MUSL_VERSION).tar.gz
UBLK_MUSL_LICENSE = MIT
UBLK_MUSL_LICENSE_FILES = COPYRIGHT
UBLK_MUSL_CPE_ID_VENDOR = musl-libc
UBLK_MUSL_CPE_ID_PRODUCT = musl

$(eval $(host-generic-package))

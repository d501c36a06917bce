# SPDX-License-Identifier: GPL-2.0
#
# A release, and packages of distributions; included by Makefile.

DIST := build/dist

.PHONY: dist dist-programs test-dist

dist: ## a release in build/dist: source, programs, appliances; ARCHES=
	@packaging/make-dist '$(MAKE)' $(DIST) all $(CHOSEN_ARCHES)

dist-programs: ## of a release the source and the programs only; ARCHES=
	@packaging/make-dist '$(MAKE)' $(DIST) programs $(CHOSEN_ARCHES)

test-dist: $(KERNEL_TREE)/.unpacked ## the release, made twice in two places, is the same; ARCHES=
	@tests/dist $(CHOSEN_ARCHES)

## DEB_VERSION=         version of the Debian packages, such as 0.1+git20261130-1;
##                      that of packaging/debian/changelog when it is not given
DEB_VERSION ?=

DEB_ARCH := $(call of_arch,debian)
DEB_PACKAGES := dpkg-dev debhelper dh-dkms lintian xz-utils git

.PHONY: deb test-distro

deb: $(O)/ublk $(foreach package,musl zlib libdeflate liburing,$(SRC)/$(package)/.unpacked) ## Debian packages: build/deb/*.deb; ARCH=, DEB_VERSION=
	@[ -n '$(DEB_ARCH)' ] || { echo 'deb: Debian has no $(ARCH)' >&2; exit 2; }
	$(Q)deps/packages $(DEB_PACKAGES) $(if $(FOREIGN),$(call of_arch,packages))
	$(call say,DEB,$(DEB_ARCH))
	$(Q)packaging/make-deb $(DEB_ARCH) $(O)/ublk build/deb $(DEB_VERSION)

test-distro: deb busybox ## packages and services on a real Debian 13, in a virtual machine
	@tests/run distro

# SPDX-License-Identifier: GPL-2.0
#
# Unpacks the distribution's kernel source and builds a kernel of it; included
# by Makefile. The unpacked tree is never written to: each configuration has a
# build directory of its own. What a configuration is made of is in configs/.

## KERNEL=6.12          kernel to build: the distribution's linux-source-VERSION
KERNEL ?= 6.12
## KERNEL_SOURCE=       an archive of the kernel's source that you have
KERNEL_SOURCE ?= /usr/src/linux-source-$(KERNEL).tar.xz
## CONFIG=              kernel configuration: empty for the appliance's, tests or
##                      debug (linux/README.md)
CONFIG ?=
## DRIVER=intree        ublk driver in the kernel: Linux's own
DRIVER ?= intree

KERNEL_ARCH := $(or $(KERNEL_ARCH_$(ARCH)),x86)
KERNEL_IMAGE := bzImage
KERNEL_TREE := build/linux-$(KERNEL)
KERNEL_PACKAGES := gcc libc6-dev make bc bison flex libelf-dev xz-utils ccache

# Each configuration is a list of fragments; a later one overrides an earlier.
FRAGMENTS := appliance $(ARCH) board-qemu
FRAGMENTS_tests := $(FRAGMENTS) tests
FRAGMENTS_debug := $(FRAGMENTS) tests debug

ifeq ($(filter intree,$(DRIVER)),)
$(error DRIVER=$(DRIVER): there is only intree)
endif
ifeq ($(if $(CONFIG),$(FRAGMENTS_$(CONFIG)),$(FRAGMENTS)),)
$(error CONFIG=$(CONFIG): there are only tests and debug)
endif

$(KERNEL_SOURCE):
	@deps/packages linux-source-$(KERNEL) xz-utils

$(KERNEL_TREE)/.unpacked: | $(KERNEL_SOURCE)
	$(call say,UNPACK,$(KERNEL_SOURCE))
	$(Q)rm -rf $(KERNEL_TREE)
	$(Q)mkdir -p $(KERNEL_TREE)
	$(Q)tar -C $(KERNEL_TREE) --strip-components=1 -xf $(KERNEL_SOURCE)
	$(Q)touch $@

# It takes every processor. With the time of the build in it, each kernel would
# be another one.
kernel_make = $(MAKE) -C $(KERNEL_TREE) O=$(abspath $(1)) ARCH=$(KERNEL_ARCH) \
	CROSS_COMPILE=$(CROSS_COMPILE) \
	CC="$$(command -v ccache) $(CROSS_COMPILE)gcc" \
	KBUILD_BUILD_USER=ublk KBUILD_BUILD_HOST=ublk KBUILD_BUILD_VERSION=1 \
	KBUILD_BUILD_TIMESTAMP="$$(date -uRr $(KERNEL_TREE)/Makefile)" \
	-j$$(nproc)

# $(call kernel_rules,IMAGE,BUILD DIRECTORY,FRAGMENTS)
define kernel_rules
$(2)/.config: linux/kernel.mk linux/configure $(KERNEL_TREE)/.unpacked \
		$(3:%=linux/configs/%.config)
	$$(call say,CONFIG,$(1))
	@deps/packages $(KERNEL_PACKAGES)
	$$(Q)mkdir -p $(2)
	$$(Q)$$(call logged,$(2).log,linux/configure $(2) \
		'$$(call kernel_make,$(2))' $(3:%=linux/configs/%.config))
	@touch $$@

$(1): $(2)/.config
	$$(call say,KERNEL,$(1): some minutes the first time)
	$$(Q)$$(call logged,$(2).log,$$(call kernel_make,$(2)) $(KERNEL_IMAGE))
	$$(Q)cp $(2)/arch/$(KERNEL_ARCH)/boot/$(KERNEL_IMAGE) $$@.new
	$$(Q)mv $$@.new $$@
endef

KERNEL_BUILD := $(O)/linux-$(KERNEL)
$(eval $(call kernel_rules,$(O)/bzImage,$(KERNEL_BUILD),$(FRAGMENTS)))
$(eval $(call kernel_rules,$(O)/bzImage-tests,$(KERNEL_BUILD)-tests,$(FRAGMENTS_tests)))
$(eval $(call kernel_rules,$(O)/bzImage-debug,$(KERNEL_BUILD)-debug,$(FRAGMENTS_debug)))

.PHONY: kernel
kernel: $(O)/bzImage$(addprefix -,$(CONFIG)) ## the kernel; CONFIG=debug for the one that checks
	@printf 'kernel is up to date: %s, %s bytes\n' $< "$$(wc -c <$<)"

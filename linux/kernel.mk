# SPDX-License-Identifier: GPL-2.0
# Rules that unpack the distribution's kernel source; included by Makefile.

KERNEL ?= 6.12
KERNEL_TREE := build/linux-$(KERNEL)
KERNEL_SOURCE := /usr/src/linux-source-$(KERNEL).tar.xz

$(KERNEL_SOURCE):
	deps/packages linux-source-$(KERNEL) xz-utils

$(KERNEL_TREE)/.unpacked: | $(KERNEL_SOURCE)
	@rm -rf $(KERNEL_TREE)
	@mkdir -p $(KERNEL_TREE)
	tar -C $(KERNEL_TREE) --strip-components=1 -xf $(KERNEL_SOURCE)
	@touch $@

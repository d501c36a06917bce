# SPDX-License-Identifier: GPL-2.0
#
# Unpacks the distribution's kernel sources, applies the patches for their
# version, adds our driver, and builds kernels; included by Makefile. Nothing is
# built inside a source tree: each configuration has its own build directory.
# configs/ has the fragments of the configurations.

## KERNEL=6.12          kernel to build: the distribution's linux-source-VERSION,
##                      6.12 or, with its own driver, 6.1; or newest, which is
##                      that of the next release's backports
KERNEL ?= 6.12
## KERNEL_SOURCE=       an archive of the kernel's source that you have
KERNEL_SOURCE ?=
## DRIVER=own           ublk driver in the kernel: ours, or intree, Linux's own
DRIVER ?= $(if $(filter 6.1,$(KERNEL)),intree,own)
## CONFIG=              kernel configuration: empty for the appliance's; network
##                      for it with a network; tests, bench, debug, kcsan or
##                      xfstests; pages64 for arm64; user for x86_64, which is a
##                      program of this machine (linux/README.md)
CONFIG ?=

KERNELS := 6.12 6.1 newest
CONFIGS := network tests bench debug kcsan xfstests $(patsubst \
	linux/configs/$(ARCH)-%.config,%,$(wildcard \
	linux/configs/$(ARCH)-pages64.config linux/configs/$(ARCH)-user.config))
ifeq ($(filter $(KERNELS),$(KERNEL)),)
$(error KERNEL=$(KERNEL): there are only $(KERNELS))
endif
ifeq ($(filter own intree,$(DRIVER)),)
$(error DRIVER=$(DRIVER): there are only own and intree)
endif
ifneq ($(CONFIG),$(filter $(CONFIGS),$(CONFIG)))
$(error CONFIG=$(CONFIG): there are only $(CONFIGS))
endif
ifeq ($(KERNEL)-$(DRIVER),6.1-own)
$(error DRIVER=own: our driver is made for 6.12 and later; KERNEL=6.1 has its own one only)
endif

KERNEL_ARCH := $(call of_arch,kernel)
KERNEL_BUILT := $(call of_arch,image)
KERNEL_IMAGE := $(notdir $(KERNEL_BUILT))
KERNEL_DEFAULT := $(O)/$(KERNEL_IMAGE)
# Programs are always compiled with the headers of 6.12, whatever kernel is
# built.
KERNEL_TREE := build/linux-6.12
KERNEL_PACKAGES := gcc libc6-dev $(call of_arch,packages) make bc bison flex libelf-dev xz-utils ccache patch

# Each configuration is a list of fragments; later ones override earlier ones.
# A configuration may have more for an architecture (x86_64-debug), for a board
# (board-q35-network), and for a version, whose names of options may differ
# (linux-newest-debug).
# User-mode Linux runs on no board.
BOARD_FRAGMENTS := $(call of_arch,configs)
fragments = appliance linux-$(1) $(if $(filter user,$(2)),,$(BOARD_FRAGMENTS)) \
	$(FRAGMENTS_$(2)) \
	$(if $(2),$(patsubst linux/configs/%.config,%,$(wildcard \
	linux/configs/linux-$(1)-$(2).config)))
of_config = $(1) $(patsubst linux/configs/%.config,%,$(wildcard \
	$(BOARD_FRAGMENTS:%=linux/configs/%-$(1).config)))
FRAGMENTS_network := $(call of_config,network)
# What all but the appliance have.
FRAGMENTS_more := $(call of_config,tests)
# Of network devices, tests use virtio's.
FRAGMENTS_tests := $(FRAGMENTS_more) flash flash-simulated verity network \
	board-qemu-network
FRAGMENTS_bench := $(FRAGMENTS_more) $(call of_config,bench)
FRAGMENTS_debug := $(FRAGMENTS_more) $(call of_config,debug)
FRAGMENTS_kcsan := $(FRAGMENTS_more) $(call of_config,kcsan)
FRAGMENTS_xfstests := $(FRAGMENTS_more) $(call of_config,xfstests)
FRAGMENTS_user := tests network verity xfstests $(ARCH)-user
FRAGMENTS_pages64 := $(FRAGMENTS_tests) $(ARCH)-pages64
# Few files depend on the options of these: their build directory begins as a copy
# of the appliance's, and only those files are compiled again.
CONFIGS_COPIED := network tests bench xfstests

DRIVER_SOURCES := $(wildcard linux/drivers/block/ublk/*)
DRIVER_HEADERS := $(wildcard linux/include/uapi/linux/*.h)

# $(call tree_rules,VERSION,ARCHIVE). The stamp contains a checksum of the
# patches: if they change, the tree is unpacked again.
define tree_rules
PATCHES_$(1) := $(sort $(wildcard linux/patches/$(1)/*.patch))
PATCHES_SUM_$(1) := $$(if $$(PATCHES_$(1)),$$(shell cat $$(PATCHES_$(1)) | cksum))
ifneq ($$(file <build/linux-$(1)/.unpacked),$$(PATCHES_SUM_$(1)))
.PHONY: build/linux-$(1)/.unpacked
endif

$(2):
	@$(if $(filter newest,$(1)),deps/newest-kernel $$@ && deps/packages,deps/packages \
		linux-source-$(1)) xz-utils patch

build/linux-$(1)/.unpacked: | $(2)
	$$(call say,UNPACK,$(2))
	$$(Q)rm -rf $$(@D)
	$$(Q)mkdir -p $$(@D)
	$$(Q)tar -C $$(@D) --strip-components=1 -xf $(2)
	$$(Q)for patch in $$(PATCHES_$(1)); do \
		patch -d $$(@D) -p1 -s -f --no-backup-if-mismatch <$$$$patch || \
		{ echo "linux/kernel.mk: $$$$patch does not apply to $(2)"; exit 1; }; \
	done
	@printf '%s' '$$(PATCHES_SUM_$(1))' >$$@
endef

$(foreach version,$(KERNELS),$(eval $(call tree_rules,$(version),$(or \
	$(if $(filter $(KERNEL),$(version)),$(KERNEL_SOURCE)),\
	$(if $(filter newest,$(version)),build,/usr/src)/linux-source-$(version).tar.xz))))

build/linux-6.12/.ready build/linux-newest/.ready: %/.ready: %/.unpacked \
		linux/install $(DRIVER_SOURCES) $(DRIVER_HEADERS)
	$(Q)linux/install $(@D)
	$(Q)touch $@

build/linux-6.1/.ready: %/.ready: %/.unpacked
	$(Q)touch $@

# $(call kernel_make,VERSION,BUILD DIRECTORY). It uses all processors. A fixed
# build time makes builds reproducible. ccache finds results of other clones. It
# preprocesses what it does not know: only so does it see files that .incbin puts in,
# which it cannot check, and keeps no such object. (With CCACHE_DEPEND it gave an old
# kernel to armv7's zImage; the namespace is for caches which still have that.)
kernel_make = CCACHE_NODEPEND=1 CCACHE_NAMESPACE=preprocessed \
	CCACHE_BASEDIR=$(CURDIR) \
	$(MAKE) -C build/linux-$(1) O=$(abspath $(2)) \
	ARCH=$(if $(filter %-user,$(2)),um,$(KERNEL_ARCH)) \
	CROSS_COMPILE=$(CROSS_COMPILE) \
	CC="$$(command -v ccache) $(CROSS_COMPILE)gcc" \
	KBUILD_BUILD_USER=ublk KBUILD_BUILD_HOST=ublk KBUILD_BUILD_VERSION=1 \
	KBUILD_BUILD_TIMESTAMP="$$(date -uRr build/linux-$(1)/Makefile)" \
	-j$$(nproc)

# Both drivers are built in one build directory: switching between them takes a
# few files and a link. Only one make at a time works there.
# $(call build_rules,VERSION,BUILD DIRECTORY,FRAGMENTS,DIRECTORY TO COPY,ITS IMAGE)
define build_rules
$(2)/.config: linux/configure build/linux-$(1)/.unpacked \
		$(3:%=linux/configs/%.config) | build/linux-$(1)/.ready $(5)
	$$(call say,CONFIG,$(2))
	@deps/packages $(KERNEL_PACKAGES)
	$$(Q)mkdir -p $(2)
	$(if $(strip $(4)),$$(Q)[ -e $(2)/.config ] || flock $(4) linux/copy-build $(4) $(2))
	$$(Q)$$(call logged,$(2).log,flock $(2) linux/configure $(2) \
		'$$(call kernel_make,$(1),$(2))' $(3:%=linux/configs/%.config))
	@touch $$@
endef

# $(call image_rules,VERSION,BUILD DIRECTORY,IMAGE,UBLK_DRIVER)
define image_rules
$(3): $(2)/.config build/linux-$(1)/.ready
	$$(call say,KERNEL,$(3): some minutes the first time)
	$$(Q)$$(call logged,$(3).log,flock $(2) sh -c '$$(call kernel_make,$(1),$(2)) \
		UBLK_DRIVER=$(4) $(if $(filter %-user,$(2)),linux,$(KERNEL_IMAGE)) && \
		cp $(2)/System.map $(3).map && \
		cp $(2)/$(if $(filter %-user,$(2)),linux,$(KERNEL_BUILT)) $(3).new')
	$$(Q)mv $$@.new $$@
endef

# $(call kernel_rules,VERSION,BUILD DIRECTORY,FRAGMENTS,OWN IMAGE,INTREE IMAGE,
#   DIRECTORY TO COPY,ITS IMAGE)
define kernel_rules
$(call build_rules,$(1),$(2),$(3),$(6),$(7))
$(if $(4),$(call image_rules,$(1),$(2),$(4)))

$(call image_rules,$(1),$(2),$(5),ublk_drv.o)
endef

# $(call kernels,VERSION,OWN NAME,INTREE NAME): all configurations of a kernel.
define kernels
$(eval $(call kernel_rules,$(1),$(O)/linux-$(1),$(call fragments,$(1)),$(2),$(3)))
$(foreach config,$(CONFIGS),$(eval $(call kernel_rules,$(1),$(O)/linux-$(1)-$(config),\
	$(call fragments,$(1),$(config)),$(2:%=%-$(config)),$(3)-$(config),\
	$(if $(filter $(config),$(CONFIGS_COPIED)),$(O)/linux-$(1)),\
	$(if $(filter $(config),$(CONFIGS_COPIED)),$(or $(2),$(3))))))
endef
$(call kernels,6.12,$(KERNEL_DEFAULT),$(KERNEL_DEFAULT)-intree)
$(call kernels,6.1,,$(KERNEL_DEFAULT)-6.1)
$(call kernels,newest,$(KERNEL_DEFAULT)-newest,$(KERNEL_DEFAULT)-newest-intree)

# The kernel of a board that has a paragraph of its own in linux/boards. It begins
# as a copy of its architecture's.
define board_rules
$(call kernel_rules,6.12,$(O)/linux-6.12-$(1),appliance linux-6.12 $(shell \
	linux/board $(1) configs),$(KERNEL_DEFAULT)-$(1),$(KERNEL_DEFAULT)-intree-$(1),\
	$(O)/linux-6.12,$(KERNEL_DEFAULT))

$(O)/$(1).dtb: $(KERNEL_DEFAULT)-$(1)
	$$(call say,TREE,$$@)
	$$(Q)$$(call logged,$$@.log,flock $(O)/linux-6.12-$(1) sh -c '$$(call kernel_make,6.12,\
		$(O)/linux-6.12-$(1)) $(shell linux/board $(1) tree)')
	$$(Q)cp $(O)/linux-6.12-$(1)/arch/$(KERNEL_ARCH)/boot/dts/$(shell \
		linux/board $(1) tree) $$@
endef
$(foreach board,$(shell linux/board --of $(ARCH)),$(eval $(call board_rules,$(board))))

$(eval $(call build_rules,6.12,$(O)/linux-6.12-lint,$(call fragments,6.12)))

KERNEL_CHOSEN := $(KERNEL_DEFAULT)$(if $(filter-out 6.12,$(KERNEL)),-$(KERNEL))$(if \
	$(filter intree,$(DRIVER)),$(if $(filter-out 6.1,$(KERNEL)),-intree))
KERNEL_FILE := $(KERNEL_CHOSEN)$(addprefix -,$(CONFIG))

.PHONY: kernel
kernel: $(KERNEL_FILE) ## the kernel; CONFIG=debug for the one that checks
	@printf 'kernel is up to date: %s, %s bytes\n' $< "$$(wc -c <$<)"

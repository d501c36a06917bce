# SPDX-License-Identifier: GPL-2.0
#
# Makes the initramfs of an appliance and a demo root for it, and runs both in a
# virtual machine; included by Makefile. demo/ has the recipe of the root.

## ROOT=busybox         root of the demo: busybox, or debian (by debootstrap); nbd or
##                      http: that of busybox, on a server of this machine
ROOT ?= busybox
## FS=squashfs          its filesystem, inside our gzip: squashfs or ext4
FS ?= squashfs
## IMAGE=               image to put into the initramfs: empty for the demo's
##                      root, a file, or none
IMAGE ?=
## MEM=                 memory of the demo's board: 64M, or 256M for debian
MEM ?= $(if $(filter debian,$(ROOT)),256M,64M)

## FIRMWARE=            folder with the files that a board's processor starts from
##                      an SD card, where they are not free
FIRMWARE ?=

ifeq ($(filter busybox debian nbd http,$(ROOT)),)
$(error ROOT=$(ROOT): there are only busybox, debian, nbd and http)
endif
ifeq ($(filter squashfs ext4,$(FS)),)
$(error FS=$(FS): there are only squashfs and ext4)
endif

GEN_INIT_CPIO := $(O)/gen_init_cpio
DEMO_SERVER := $(filter nbd http,$(ROOT))
DEMO_ROOT := $(if $(DEMO_SERVER),busybox,$(ROOT))
DEMO_IMAGE := $(O)/demo/$(DEMO_ROOT)-$(FS).img.gz
DEMO_FILES := $(shell find initramfs/demo -type f)
INITRAMFS_IMAGE := $(or $(IMAGE),$(DEMO_IMAGE))

$(GEN_INIT_CPIO): $(KERNEL_TREE)/.unpacked
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)deps/packages $(BUILD_PACKAGES)
	$(Q)$(HOST_CC) -O2 -o $@ $(KERNEL_TREE)/usr/gen_init_cpio.c

$(DEMO_IMAGE): $(DEMO_FILES) $(KERNEL_TREE)/.unpacked $(O)/ublk | ublk $(O)/busybox
	$(call say,ROOT,$@)
	@mkdir -p $(@D)
	$(Q)initramfs/demo/make-root $(DEMO_ROOT) $(FS) $(O)/ublk \
		$(KERNEL_TREE)/Documentation $@

# The initramfs is rebuilt when IMAGE names another image.
ifneq ($(if $(wildcard $(O)/.image),$(file <$(O)/.image)),$(INITRAMFS_IMAGE))
.PHONY: $(O)/.image
endif
$(O)/.image:
	@mkdir -p $(@D)
	@echo '$(INITRAMFS_IMAGE)' >$@

$(O)/initramfs.cpio: initramfs/make-cpio $(GEN_INIT_CPIO) $(O)/ublk $(O)/.image \
		$(filter-out none,$(INITRAMFS_IMAGE))
	$(call say,CPIO,$@)
	$(Q)initramfs/make-cpio $(GEN_INIT_CPIO) $(O)/ublk \
		$(INITRAMFS_IMAGE) $@

# An initramfs without an image, for a root on a partition.
$(O)/initramfs-bare.cpio: initramfs/make-cpio $(GEN_INIT_CPIO) $(O)/ublk
	$(call say,CPIO,$@)
	$(Q)initramfs/make-cpio $(GEN_INIT_CPIO) $(O)/ublk none $@

# A FIT image is what U-Boot starts. That of the emulated board has the demo's root
# or IMAGE in its initramfs.
FIT_PACKAGES := u-boot-tools device-tree-compiler
$(O)/emulated.dtb: linux/boards linux/emulate
	$(call say,TREE,$@)
	@mkdir -p $(@D)
	$(Q)$(call logged,$@.log,linux/emulate --tree $@ -m 256M)

$(O)/ublk.itb: initramfs/make-fit $(KERNEL_DEFAULT) $(O)/emulated.dtb $(O)/initramfs.cpio
	$(call say,FIT,$@)
	$(Q)deps/packages $(FIT_PACKAGES)
	$(Q)initramfs/make-fit $(ARCH) $(KERNEL_DEFAULT) $(O)/emulated.dtb \
		$(O)/initramfs.cpio $@

# Cards: $(call card_rules,BOARD)
FIRMWARE_FILES := $(if $(FIRMWARE),$(shell find $(FIRMWARE) -type f))
define card_rules
$(O)/uboot-$(1)/.ready: $(SRC)/u-boot/.unpacked
	$$(call say,UBOOT,$$(@D))
	$$(Q)deps/packages $(BUILD_PACKAGES) make bc bison flex libssl-dev swig \
		python3-dev python3-setuptools
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(call logged,$$(@D).log,$$(MAKE) -C $(SRC)/u-boot O=$$(abspath $$(@D)) \
		$(shell linux/board $(1) uboot) && \
		printf 'CONFIG_FIT=y\nCONFIG_SHA256=y\nCONFIG_BOOTDELAY=0\n' >>$$(@D)/.config && \
		$$(MAKE) -C $(SRC)/u-boot O=$$(abspath $$(@D)) olddefconfig && \
		$$(MAKE) -C $(SRC)/u-boot O=$$(abspath $$(@D)) \
		CROSS_COMPILE=$(CROSS_COMPILE) $$(JOBS))
	$$(Q)touch $$@

$(O)/$(1).itb: initramfs/make-fit $(KERNEL_DEFAULT)-$(1) $(O)/$(1).dtb \
		$(O)/initramfs-bare.cpio
	$$(call say,FIT,$$@)
	$$(Q)deps/packages $(FIT_PACKAGES)
	$$(Q)initramfs/make-fit $(1) $(KERNEL_DEFAULT)-$(1) $(O)/$(1).dtb \
		$(O)/initramfs-bare.cpio $$@

$(O)/$(1).img: initramfs/make-card $(O)/$(1).itb $(O)/uboot-$(1)/.ready \
		$(INITRAMFS_IMAGE) $(FIRMWARE_FILES)
	$$(call say,CARD,$$@)
	$$(Q)deps/packages $(FIT_PACKAGES) dosfstools mtools fdisk
	$$(Q)initramfs/make-card $(1) $(O)/uboot-$(1) $(O)/$(1).itb \
		$(INITRAMFS_IMAGE) $$@ $(FIRMWARE)
endef
$(foreach board,$(CARD_BOARDS),$(eval $(call card_rules,$(board))))

.PHONY: initramfs demo fit sdcard

fit: $(if $(call of_arch,fit),$(O)/ublk.itb,no-fit) ## a FIT image, for boards that U-Boot starts
	@printf 'FIT image is up to date: %s, %s bytes\n' $< "$$(wc -c <$<)"

sdcard: $(if $(KNOWN_BOARD),$(O)/$(BOARD).img,no-board) ## an SD card; BOARD= one of linux/boards, FIRMWARE= its files
	@printf 'card is up to date: %s, %s bytes\n' $< "$$(wc -c <$<)"

.PHONY: no-fit no-board
no-fit:
	@echo 'fit: ARCH=$(ARCH): U-Boot does not start such boards here, but those of' \
		'$(strip $(foreach arch,$(KNOWN_ARCHES),$(if $(shell \
		linux/board $(arch) fit),$(arch))))' >&2; \
		exit 2

no-board:
	@echo 'sdcard: BOARD=$(BOARD): a card can be made for $(KNOWN_BOARDS)' >&2; exit 2

initramfs: $(O)/initramfs.cpio $(O)/initramfs-bare.cpio ## the initramfs, with the image of a root
	@printf 'initramfs is up to date: %s, %s bytes\n' $< "$$(wc -c <$<)"

demo: $(KERNEL_DEFAULT)$(if $(DEMO_SERVER),-network) initramfs ## boot a board that runs from a compressed root
	@O=$(O) MEM=$(MEM) SERVER=$(DEMO_SERVER) initramfs/demo/run $(INITRAMFS_IMAGE)

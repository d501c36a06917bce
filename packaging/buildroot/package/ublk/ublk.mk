################################################################################
#
# ublk
#
################################################################################

# The source is the tree that this external tree is in.
UBLK_SITE = $(BR2_EXTERNAL_UBLK_PATH)/../..
UBLK_SITE_METHOD = local
UBLK_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --exclude=/build --exclude=/ublk
HOST_UBLK_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = $(UBLK_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS)
UBLK_LICENSE = GPL-2.0, GPL-2.0+ (driver), GPL-2.0+ with Linux-syscall-note (header)
UBLK_LICENSE_FILES = LICENSE

# The program is always linked with these, and never with the C library of the
# toolchain: the system calls that a server may make are restricted to what this
# musl makes, and this is what has been tested. They are packages of their own,
# of sources only, so that downloads, overrides and licences are as usual.
UBLK_LIBRARIES = musl zlib libdeflate liburing
UBLK_DEPENDENCIES = $(addprefix host-ublk-,$(UBLK_LIBRARIES))
HOST_UBLK_DEPENDENCIES = $(UBLK_DEPENDENCIES)

# linux/boards has the names of architectures.
ifeq ($(BR2_x86_64),y)
UBLK_ARCH = x86_64
UBLK_CFLAGS = -fcf-protection=none
else ifeq ($(BR2_aarch64),y)
UBLK_ARCH = arm64
else ifeq ($(BR2_arm),y)
UBLK_ARCH = armv7
else ifeq ($(BR2_mips),y)
UBLK_ARCH = mips
else ifeq ($(BR2_mipsel),y)
UBLK_ARCH = mipsel
else
UBLK_ARCH = riscv64
endif
HOST_UBLK_ARCH = $(shell $(UBLK_SITE)/linux/board --here)

UBLK_PROGRAM = $(if $(BR2_PACKAGE_UBLK_SMALL),board/ublk,ublk)

# The compiler's wrapper knows the processor, so the flags of linux/boards for it
# are not used.
UBLK_MAKE_OPTS = \
	PACKAGES=no \
	WERROR= \
	SOURCES_FROM=build/sources \
	LINUX_HEADERS=$(@D)/build/headers

define UBLK_LINK_SOURCES
	mkdir -p $(@D)/build/sources $(@D)/build/headers
	$(foreach library,$(UBLK_LIBRARIES), \
		ln -sfn $(HOST_UBLK_$(call UPPERCASE,$(library))_DIR) \
			$(@D)/build/sources/$(library)$(sep))
endef

define UBLK_CONFIGURE_CMDS
	$(UBLK_LINK_SOURCES)
	ln -sfn $(addprefix $(STAGING_DIR)/usr/include/,linux asm asm-generic) \
		$(@D)/build/headers
endef

define UBLK_BUILD_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) -C $(@D) $(UBLK_MAKE_OPTS) \
		ARCH=$(UBLK_ARCH) ARCH_CFLAGS="$(TARGET_ABI) $(UBLK_CFLAGS)" \
		CROSS_COMPILE=$(TARGET_CROSS) build/$(UBLK_ARCH)/$(UBLK_PROGRAM)
endef

# The name with @ is for servers that live longer than a shutdown's last kill.
define UBLK_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(@D)/build/$(UBLK_ARCH)/$(UBLK_PROGRAM) \
		$(TARGET_DIR)/usr/sbin/ublk
	$(INSTALL) -D -m 0755 $(@D)/packaging/service/ublk-service \
		$(TARGET_DIR)/usr/libexec/ublk/ublk-service
	ln -sfn ../../sbin/ublk $(TARGET_DIR)/usr/libexec/ublk/@ublk
	mkdir -p $(TARGET_DIR)/etc/ublk
endef

# It must come before and after what rcS and rcK do (see its top), so
# /etc/inittab calls it.
define UBLK_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(@D)/packaging/busybox/ublk \
		$(TARGET_DIR)/etc/init.d/ublk
endef

define UBLK_INSTALL_INIT_OPENRC
	$(INSTALL) -D -m 0755 $(@D)/packaging/openrc/ublk \
		$(TARGET_DIR)/etc/init.d/ublk
endef

define UBLK_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 -t $(TARGET_DIR)/usr/lib/systemd/system \
		$(@D)/packaging/systemd/ublk@.service \
		$(@D)/packaging/systemd/ublk-recover.service
	$(INSTALL) -D -m 0755 -t $(TARGET_DIR)/usr/lib/systemd/system-generators \
		$(@D)/packaging/systemd/ublk-generator
	$(INSTALL) -D -m 0755 -t $(TARGET_DIR)/usr/lib/systemd/system-shutdown \
		$(@D)/packaging/systemd/ublk.shutdown
endef

ifeq ($(BR2_PACKAGE_HAS_UDEV),y)
define UBLK_INSTALL_UDEV_RULES
	$(INSTALL) -D -m 0644 -t $(TARGET_DIR)/usr/lib/udev/rules.d \
		$(@D)/packaging/udev/60-ublk.rules
	$(INSTALL) -D -m 0755 -t $(TARGET_DIR)/usr/lib/udev \
		$(@D)/packaging/udev/ublk-id
endef
UBLK_POST_INSTALL_TARGET_HOOKS += UBLK_INSTALL_UDEV_RULES
endif

# A root in an image needs all of it before a module could be loaded.
ifeq ($(BR2_TARGET_ROOTFS_UBLK)$(BR2_TARGET_ROOTFS_UBLK_INITRAMFS),)
define UBLK_LINUX_CONFIG_FIXUPS
	$(call KCONFIG_ENABLE_OPT,CONFIG_BLK_DEV)
	$(call KCONFIG_ENABLE_OPT,CONFIG_IO_URING)
	$(call KCONFIG_ENABLE_OPT,CONFIG_BLK_DEV_UBLK)
endef
else
define UBLK_LINUX_CONFIG_FIXUPS
	$(call KCONFIG_ENABLE_OPT,CONFIG_BLK_DEV)
	$(call KCONFIG_ENABLE_OPT,CONFIG_IO_URING)
	$(call KCONFIG_SET_OPT,CONFIG_BLK_DEV_UBLK,y)
	$(call KCONFIG_ENABLE_OPT,CONFIG_BLK_DEV_INITRD)
	$(call KCONFIG_ENABLE_OPT,CONFIG_DEVTMPFS)
	$(call KCONFIG_ENABLE_OPT,CONFIG_PROC_FS)
	$(call KCONFIG_ENABLE_OPT,CONFIG_SYSFS)
	$(call KCONFIG_ENABLE_OPT,CONFIG_TMPFS)
	$(call KCONFIG_SET_OPT,CONFIG_OVERLAY_FS,y)
	$(if $(BR2_TARGET_ROOTFS_UBLK_SQUASHFS),
		$(call KCONFIG_ENABLE_OPT,CONFIG_MISC_FILESYSTEMS)
		$(call KCONFIG_SET_OPT,CONFIG_SQUASHFS,y))
	$(if $(BR2_TARGET_ROOTFS_UBLK_EXT2),
		$(call KCONFIG_SET_OPT,CONFIG_EXT4_FS,y))
	$(if $(BR2_TARGET_ROOTFS_UBLK_VERITY),
		$(call KCONFIG_ENABLE_OPT,CONFIG_MD)
		$(call KCONFIG_SET_OPT,CONFIG_BLK_DEV_DM,y)
		$(call KCONFIG_SET_OPT,CONFIG_DM_VERITY,y)
		$(call KCONFIG_SET_OPT,CONFIG_CRYPTO_SHA256,y))
endef
endif

define HOST_UBLK_CONFIGURE_CMDS
	$(UBLK_LINK_SOURCES)
	ln -sfn /usr/include/linux /usr/include/asm-generic $(@D)/build/headers
	ln -sfn $$(ls -d /usr/include/$$($(HOSTCC_NOCCACHE) -print-multiarch)/asm \
		/usr/include/asm 2>/dev/null | head -n 1) $(@D)/build/headers/asm
endef

define HOST_UBLK_BUILD_CMDS
	$(HOST_MAKE_ENV) $(MAKE) -C $(@D) $(UBLK_MAKE_OPTS) \
		ARCH=$(HOST_UBLK_ARCH) CROSS_COMPILE= REALGCC=$(HOSTCC_NOCCACHE) \
		build/$(HOST_UBLK_ARCH)/ublk
endef

define HOST_UBLK_INSTALL_CMDS
	$(INSTALL) -D -m 0755 $(@D)/build/$(HOST_UBLK_ARCH)/ublk $(HOST_DIR)/bin/ublk
endef

$(eval $(generic-package))
$(eval $(host-generic-package))

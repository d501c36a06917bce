################################################################################
#
# Build the initramfs that boots a ublk image
#
################################################################################

ROOTFS_UBLK_INITRAMFS_IMAGE_NAME = ublk-initramfs.cpio
ROOTFS_UBLK_INITRAMFS_DEPENDENCIES = ublk host-cpio

ifeq ($(BR2_TARGET_ROOTFS_UBLK_INITRAMFS_IMAGE),y)
ROOTFS_UBLK_INITRAMFS_DEPENDENCIES += rootfs-ublk
endif

ifeq ($(BR2_REPRODUCIBLE),y)
ROOTFS_UBLK_INITRAMFS_CPIO_OPTS = --reproducible
define ROOTFS_UBLK_INITRAMFS_TIMES
	find $(ROOTFS_UBLK_INITRAMFS_DIR)/root -exec touch -hd @$(SOURCE_DATE_EPOCH) {} +
endef
endif

# The console is for the time before /dev is mounted.
define ROOTFS_UBLK_INITRAMFS_CMD
	mkdir -p $(addprefix $(ROOTFS_UBLK_INITRAMFS_DIR)/root/,dev proc sys run newroot)
	mknod -m 0600 $(ROOTFS_UBLK_INITRAMFS_DIR)/root/dev/console c 5 1
	$(INSTALL) -m 0755 $(TARGET_DIR)/usr/sbin/ublk $(ROOTFS_UBLK_INITRAMFS_DIR)/root/init
	$(if $(BR2_TARGET_ROOTFS_UBLK_INITRAMFS_IMAGE), \
		$(INSTALL) -m 0644 $(BINARIES_DIR)/rootfs.img.gz \
			$(ROOTFS_UBLK_INITRAMFS_DIR)/root/root.img.gz)
	$(ROOTFS_UBLK_INITRAMFS_TIMES)
	(cd $(ROOTFS_UBLK_INITRAMFS_DIR)/root && find . | LC_ALL=C sort | \
		cpio $(ROOTFS_UBLK_INITRAMFS_CPIO_OPTS) --quiet -o -H newc) >$@
endef

$(eval $(rootfs))

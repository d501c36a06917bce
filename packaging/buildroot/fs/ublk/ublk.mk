################################################################################
#
# Build the ublk image of the root filesystem
#
################################################################################

ROOTFS_UBLK_IMAGE_NAME = rootfs.img.gz
ROOTFS_UBLK_DEPENDENCIES = host-ublk

ROOTFS_UBLK_PACK = \
	$(HOST_DIR)/bin/ublk pack -j $(PARALLEL_JOBS) --force \
	$(call qstrip,$(BR2_TARGET_ROOTFS_UBLK_OPTIONS))

ifeq ($(BR2_TARGET_ROOTFS_UBLK_EXT2),y)
ROOTFS_UBLK_DEPENDENCIES += rootfs-ext2
define ROOTFS_UBLK_CMD
	$(ROOTFS_UBLK_PACK) $(BINARIES_DIR)/rootfs.ext2 $@
endef
else
ROOTFS_UBLK_DEPENDENCIES += host-squashfs
define ROOTFS_UBLK_CMD
	$(HOST_DIR)/bin/mksquashfs $(TARGET_DIR) $@.squashfs -noappend \
		-noI -noD -noF -noX -processors $(PARALLEL_JOBS)
	$(if $(BR2_TARGET_ROOTFS_UBLK_VERITY), \
		$(ROOTFS_UBLK_PACK) --verity $@.squashfs $@ >$@.roothash, \
		$(ROOTFS_UBLK_PACK) $@.squashfs $@)
	rm -f $@.squashfs
endef
endif

$(eval $(rootfs))

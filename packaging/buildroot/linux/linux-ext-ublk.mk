################################################################################
#
# ublk driver
#
################################################################################

LINUX_EXTENSIONS += ublk

define UBLK_PREPARE_KERNEL
	$(UBLK_DIR)/linux/install $(@D)
endef

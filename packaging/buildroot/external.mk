# SPDX-License-Identifier: GPL-2.0
include $(sort $(wildcard $(BR2_EXTERNAL_UBLK_PATH)/package/*/*.mk))
include $(sort $(wildcard $(BR2_EXTERNAL_UBLK_PATH)/fs/*/*.mk))

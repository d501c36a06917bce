# SPDX-License-Identifier: GPL-2.0
#
# Checks the model of the driver's states; included by Makefile.

MODEL_PACKAGES := spin gcc libc6-dev

.PHONY: model
model: ## the driver's states, checked by spin; some minutes
	@deps/packages $(MODEL_PACKAGES)
	@linux/model/check build/model

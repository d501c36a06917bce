# SPDX-License-Identifier: GPL-2.0
#
# Makes a release; included by Makefile.

DIST := build/dist

.PHONY: dist dist-programs test-dist

dist: ## a release in build/dist: source, programs, appliances; ARCHES=
	@packaging/make-dist '$(MAKE)' $(DIST) all $(CHOSEN_ARCHES)

dist-programs: ## of a release the source and the programs only; ARCHES=
	@packaging/make-dist '$(MAKE)' $(DIST) programs $(CHOSEN_ARCHES)

test-dist: $(KERNEL_TREE)/.unpacked ## the release, made twice in two places, is the same; ARCHES=
	@tests/dist $(CHOSEN_ARCHES)

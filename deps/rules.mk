# SPDX-License-Identifier: GPL-2.0
#
# Fetches, patches and compiles the libraries of ublk (musl, zlib, libdeflate and
# liburing, from the distribution's source packages) and the headers of the kernel
# that we build. Everything is built once; a new version in deps/versions, or another
# patch in deps/patches/PACKAGE/, rebuilds it.
#
# If the user names a library (MUSL=, ZLIB=, LIBDEFLATE=, LIBURING=: its
# installation prefix), that one is used. It must have been compiled with musl.
# With LIBDEFLATE=no, zlib does its work (lib/deflate.h). LINUX_HEADERS= is a folder
# with the kernel's headers for programs. The sanitized programs use the host's C
# library, and always our own libraries. With SOURCES_FROM= the sources of the four
# are taken from there, as their authors have published them, and patched here, with
# what deps/patches/PACKAGE-published has as well: Debian's packages have that change.

MUSL ?=
ZLIB ?=
LIBDEFLATE ?=
LIBURING ?=
LINUX_HEADERS ?=
SOURCES_FROM ?=

MUSL_PREFIX := $(abspath $(or $(MUSL),$(O)/musl))
ZLIB_PREFIX := $(or $(ZLIB),$(O))
LIBDEFLATE_PREFIX := $(or $(filter-out no,$(LIBDEFLATE)),$(O))
LIBURING_PREFIX := $(or $(LIBURING),$(O))
KERNEL_HEADERS := $(or $(LINUX_HEADERS),$(O)/kernel-headers/include)

MUSL_CC := $(MUSL_PREFIX)/bin/musl-gcc
KERNEL_HEADERS_READY := $(if $(LINUX_HEADERS),,$(O)/kernel-headers/.ready)
MUSL_READY := $(if $(MUSL),,$(O)/musl/.ready)
ZLIB_READY := $(if $(ZLIB),,$(O)/lib/libz.a)
LIBDEFLATE_READY := $(if $(LIBDEFLATE),,$(O)/lib/libdeflate.a)
LIBURING_READY := $(if $(LIBURING),,$(O)/lib/liburing.a)
DEPS := $(MUSL_READY) $(ZLIB_READY) $(LIBDEFLATE_READY) $(LIBURING_READY) $(KERNEL_HEADERS_READY)

# What the host needs to compile anything; checked before everything else.
BUILD_PACKAGES := gcc libc6-dev $(if $(FOREIGN),$(call of_arch,packages))
FETCH_PACKAGES := dpkg-dev patch
# Those that ublk is linked with.
LIBRARY_PACKAGES := musl zlib libdeflate liburing

SRC := build/src
ASAN := build/asan
# $(call if_libdeflate,TEXT): empty with LIBDEFLATE=no.
if_libdeflate = $(if $(filter no,$(LIBDEFLATE)),,$(1))
ASAN_DEPS := $(ASAN)/lib/libz.a $(call if_libdeflate,$(ASAN)/lib/libdeflate.a) \
	$(ASAN)/lib/liburing.a $(KERNEL_HEADERS_READY)

# Unused code and data are removed per function. A program that is not relocated
# needs neither PIC nor unwind tables.
LIB_CFLAGS := -ffunction-sections -fdata-sections -fno-pie \
	-fno-asynchronous-unwind-tables -fno-unwind-tables
SANITIZE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer

# $(call logged,FILE,COMMAND): runs a verbose command, and shows its output only
# if it fails.
logged = (set -e; $(2)) >$(1) 2>&1 || { tail -n 40 $(1) >&2; \
	echo "failed; all of it is in $(1)" >&2; exit 1; }

# $(call source_rules,PACKAGE). The stamp contains a checksum of our patches: if
# they change, the package is fetched and unpacked again.
define source_rules
$(1)_PATCHES := $(if $(SOURCES_FROM),$(sort $(wildcard \
	deps/patches/$(1)-published/*.patch))) $(sort $(wildcard deps/patches/$(1)/*.patch))
$(1)_PATCHES_SUM := $$(if $$(strip $$($(1)_PATCHES)),$$(shell cat $$($(1)_PATCHES) | cksum))
ifneq ($$(file <$(SRC)/$(1)/.unpacked),$$($(1)_PATCHES_SUM))
.PHONY: $(SRC)/$(1)/.unpacked
endif

$(SRC)/$(1)/.unpacked: deps/versions
	$$(Q)deps/packages $(FETCH_PACKAGES)
	$$(Q)$(if $(and $(SOURCES_FROM),$(filter $(1),$(LIBRARY_PACKAGES))), \
		rm -rf $$(@D) && mkdir -p $$(@D) && \
		cp -R '$(SOURCES_FROM)/$(1)/.' $$(@D), \
		deps/fetch $(1) $$(@D))
	$$(Q)for patch in $$($(1)_PATCHES); do \
		patch -d $$(@D) -p1 -s -f --no-backup-if-mismatch <$$$$patch || \
		{ echo "deps/rules.mk: $$$$patch does not apply to $(1)"; exit 1; }; \
	done
	$$(Q)printf '%s' '$$($(1)_PATCHES_SUM)' >$$@
endef

$(foreach package,musl zlib libdeflate liburing busybox glibc e2fsprogs util-linux fio \
	libaio u-boot,$(eval $(call source_rules,$(package))))

$(O)/kernel-headers/.ready: $(KERNEL_TREE)/.unpacked
	$(call say,HEADERS,$(KERNEL_TREE))
	$(Q)rm -rf $(@D)
	$(Q)mkdir -p $(@D)
	$(Q)deps/packages $(BUILD_PACKAGES)
	$(Q)$(call logged,$(O)/kernel-headers.log,$(MAKE) -C $(KERNEL_TREE) \
		$(JOBS) O=$(abspath $(@D))/tree ARCH=$(KERNEL_ARCH) headers)
	$(Q)cp -R $(@D)/tree/usr/include $(@D)/include
	$(Q)rm -rf $(@D)/tree
	$(Q)find $(@D)/include -name '.*.cmd' -exec rm {} +
	$(Q)touch $@

# Installed in a temporary place first, so that compilers running meanwhile keep
# the old C library until the new one is complete. All of musl is compiled for
# size, because the I/O path calls nothing of it that takes time.
$(O)/musl/.ready: $(SRC)/musl/.unpacked
	$(call say,MUSL,$(@D))
	$(Q)rm -rf $(O)/obj/musl
	$(Q)mkdir -p $(O)/obj/musl
	$(Q)deps/packages $(BUILD_PACKAGES)
	$(Q)$(call logged,$(O)/musl.log,cd $(O)/obj/musl && \
		CC=$(REALGCC) CROSS_COMPILE=$(CROSS_COMPILE) \
		CFLAGS="-Oz $(ARCH_CFLAGS) $(LIB_CFLAGS)" $(abspath $(SRC)/musl)/configure \
		--prefix=$(abspath $(@D)) --syslibdir=$(abspath $(@D))/lib \
		--disable-shared --enable-wrapper=gcc && \
		$(MAKE) $(JOBS) install DESTDIR=$(abspath $(O))/obj/musl/new)
	$(Q)rm -rf $(@D)
	$(Q)mv $(O)/obj/musl/new$(abspath $(@D)) $(@D)
	$(Q)rm -rf $(O)/obj/musl
	$(Q)touch $@

# zlib: without files and without gzip headers, which image/ handles itself.
# Expansion takes most of the time when a gzip file is read, so it is compiled
# for speed; elsewhere -O2 was not measurably faster. Checksums take 0.6 of the
# instructions with -O3, which unrolls the loops. With words of four bytes they
# are as fast as with eight, and the tables are half the size.
ZLIB_FASTEST := crc32
ZLIB_FAST := inffast
ZLIB_SMALL := adler32 deflate inflate inftrees trees zutil
ZLIB_CFLAGS := -DHAVE_UNISTD_H -DNO_GZIP -DZ_TESTW=4

# $(call zlib_compile,DIRECTORY,COMPILER AND FLAGS,FILES)
zlib_compile = $(foreach f,$(3),$(2) $(ZLIB_CFLAGS) -c $(SRC)/zlib/$(f).c \
	-o $(1)/obj/zlib/$(f).o;)

# $(call zlib,DIRECTORY,COMPILER,FLAGS)
define zlib
	$(call say,ZLIB,$(1)/lib/libz.a)
	$(Q)deps/packages $(BUILD_PACKAGES)
	$(Q)rm -rf $(1)/obj/zlib
	$(Q)mkdir -p $(1)/obj/zlib $(1)/lib $(1)/include
	$(Q)$(call logged,$(1)/zlib.log,\
		$(call zlib_compile,$(1),$(2) -O3 $(3),$(ZLIB_FASTEST)) \
		$(call zlib_compile,$(1),$(2) -O2 $(3),$(ZLIB_FAST)) \
		$(call zlib_compile,$(1),$(2) -Os $(3),$(ZLIB_SMALL)) \
		$(AR) rcs $(1)/obj/zlib/libz.a $(1)/obj/zlib/*.o)
	$(Q)cp $(SRC)/zlib/zlib.h $(SRC)/zlib/zconf.h $(1)/include
	$(Q)mv $(1)/obj/zlib/libz.a $(1)/lib/libz.a
	$(Q)rm -rf $(1)/obj/zlib
endef

# libdeflate: only its deflate streams and CRC-32. Chunks are expanded each time
# they are read, so that is compiled for speed; the rest was not measurably faster
# with -O2. Nor is its second variant of the expansion, for BMI2, which the guard
# of its header leaves out. What it has for a processor's checksums is chosen by
# the processor, once.
LIBDEFLATE_FAST := lib/deflate_decompress
LIBDEFLATE_SMALL := lib/crc32 lib/deflate_compress lib/utils lib/arm/cpu_features \
	lib/x86/cpu_features
LIBDEFLATE_CFLAGS := -I $(SRC)/libdeflate -DLIB_X86_DECOMPRESS_IMPL_H

# $(call libdeflate_compile,DIRECTORY,COMPILER AND FLAGS,FILES)
libdeflate_compile = $(foreach f,$(3),$(2) $(LIBDEFLATE_CFLAGS) \
	-c $(SRC)/libdeflate/$(f).c -o $(1)/obj/libdeflate/$(subst /,-,$(f:lib/%=%)).o;)

# $(call libdeflate,DIRECTORY,COMPILER,FLAGS)
define libdeflate
	$(call say,DEFLATE,$(1)/lib/libdeflate.a)
	$(Q)deps/packages $(BUILD_PACKAGES)
	$(Q)rm -rf $(1)/obj/libdeflate
	$(Q)mkdir -p $(1)/obj/libdeflate $(1)/lib $(1)/include
	$(Q)$(call logged,$(1)/libdeflate.log,\
		$(call libdeflate_compile,$(1),$(2) -O2 $(3),$(LIBDEFLATE_FAST)) \
		$(call libdeflate_compile,$(1),$(2) -Os $(3),$(LIBDEFLATE_SMALL)) \
		$(AR) rcs $(1)/obj/libdeflate/libdeflate.a $(1)/obj/libdeflate/*.o)
	$(Q)cp $(SRC)/libdeflate/libdeflate.h $(1)/include
	$(Q)mv $(1)/obj/libdeflate/libdeflate.a $(1)/lib/libdeflate.a
	$(Q)rm -rf $(1)/obj/libdeflate
endef

# $(call liburing,DIRECTORY,COMPILER,CFLAGS,LDFLAGS). It can only be built in
# its source directory, so the sources are copied.
define liburing
	$(call say,URING,$(1)/lib/liburing.a)
	$(Q)deps/packages $(BUILD_PACKAGES)
	$(Q)rm -rf $(1)/obj/liburing
	$(Q)mkdir -p $(1)/obj $(1)/lib $(1)/include
	$(Q)cp -R $(SRC)/liburing $(1)/obj/liburing
	$(Q)$(call logged,$(1)/liburing.log,cd $(1)/obj/liburing && \
		LDFLAGS="$(4)" ./configure --cc="$(2)" && \
		$(MAKE) -C src ENABLE_SHARED=0 AR=$(AR) RANLIB=$(RANLIB) \
			CFLAGS="$(3)" liburing.a)
	$(Q)cp -R $(1)/obj/liburing/src/include/. $(1)/include
	$(Q)mv $(1)/obj/liburing/src/liburing.a $(1)/lib/liburing.a
	$(Q)rm -rf $(1)/obj/liburing
endef

$(O)/lib/libz.a: $(SRC)/zlib/.unpacked $(MUSL_READY)
	$(call zlib,$(O),$(MUSL_CC),$(ARCH_CFLAGS) $(LIB_CFLAGS))

$(O)/lib/libdeflate.a: $(SRC)/libdeflate/.unpacked $(MUSL_READY)
	$(call libdeflate,$(O),$(MUSL_CC),$(ARCH_CFLAGS) $(LIB_CFLAGS))

$(O)/lib/liburing.a: $(SRC)/liburing/.unpacked $(MUSL_READY) \
		$(KERNEL_HEADERS_READY)
	$(call liburing,$(O),$(MUSL_CC) -idirafter $(abspath \
		$(KERNEL_HEADERS)),-Os $(ARCH_CFLAGS) $(LIB_CFLAGS),$(ARCH_CFLAGS) \
		-static -no-pie)

# BusyBox, for the demo's root and the tests' boards, and the paths of its
# applets. For this machine's processor it is the distribution's. For others it
# is compiled: the distribution has none for some of them.
SOFT_FLOAT := $(if $(filter soft,$(call of_arch,float)),$(O)/lib/libsoftfloat.a)
$(O)/busybox:
	$(call say,BUSYBOX,$@)
ifeq ($(FOREIGN),)
	$(Q)deps/packages busybox-static
	$(Q)mkdir -p $(@D)
	$(Q)busybox --list-full >$@.links
	$(Q)cp "$$(command -v busybox)" $@
else
	$(Q)deps/packages $(BUILD_PACKAGES) busybox-static bzip2
	$(Q)$(call logged,$@.log,deps/busybox $(SRC)/busybox $(abspath $(O)) \
		$(MUSL_CC) "$(CROSS_COMPILE)" "$(ARCH_CFLAGS)" \
		$(abspath $(KERNEL_HEADERS)) $(abspath $(SOFT_FLOAT)))
endif

$(O)/lib/libsoftfloat.a: deps/soft-float/make deps/soft-float/sfp-machine.h \
		$(SRC)/glibc/.unpacked
	$(call say,FLOAT,$@)
	$(Q)deps/packages $(BUILD_PACKAGES)
	$(Q)deps/soft-float/make $(SRC)/glibc $(O) "$(REALGCC) $(ARCH_CFLAGS)" $(AR)

ifneq ($(FOREIGN),)
$(O)/busybox: deps/busybox deps/busybox.config $(SRC)/busybox/.unpacked \
	$(MUSL_READY) $(KERNEL_HEADERS_READY) $(SOFT_FLOAT)
endif

.PHONY: busybox
busybox: $(O)/busybox

# Programs that the tests' boards have from this machine, but boards with another
# processor cannot.
ifneq ($(FOREIGN),)
TOOLS_SOURCES := e2fsprogs util-linux fio libaio
$(O)/tools/.ready: deps/tools $(TOOLS_SOURCES:%=$(SRC)/%/.unpacked) $(MUSL_READY) \
		$(KERNEL_HEADERS_READY) $(SOFT_FLOAT)
	$(call say,TOOLS,$(@D))
	$(Q)deps/packages $(BUILD_PACKAGES)
	$(Q)$(call logged,$(O)/tools.log,deps/tools $(SRC) $(abspath $(O)) \
		$(MUSL_CC) "$(CROSS_COMPILE)" "$(ARCH_CFLAGS)" \
		$(abspath $(KERNEL_HEADERS)) $(abspath $(SOFT_FLOAT)))
	$(Q)touch $@

tools: $(O)/tools/.ready
endif

.PHONY: tools
tools:

$(ASAN)/lib/libz.a: $(SRC)/zlib/.unpacked
	$(call zlib,$(ASAN),$(HOST_CC),$(SANITIZE))

$(ASAN)/lib/libdeflate.a: $(SRC)/libdeflate/.unpacked
	$(call libdeflate,$(ASAN),$(HOST_CC),$(SANITIZE))

$(ASAN)/lib/liburing.a: $(SRC)/liburing/.unpacked $(KERNEL_HEADERS_READY)
	$(call liburing,$(ASAN),$(HOST_CC) -isystem $(abspath \
		$(KERNEL_HEADERS)),$(SANITIZE),)

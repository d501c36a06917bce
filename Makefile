# SPDX-License-Identifier: GPL-2.0
#
# Builds ublk, and the kernel and initramfs of an appliance, and runs their
# tests. Everything goes to build/, and the host's program to ./ublk. `make
# help` lists the targets. The rules of parts are in their directories:
# deps/rules.mk, linux/kernel.mk, initramfs/rules.mk and packaging/rules.mk.

all:

MAKEFLAGS += --no-builtin-rules --no-print-directory
# Variables of the same names mean something else to the makes that we call.
MAKEOVERRIDES :=
.SUFFIXES:
.DELETE_ON_ERROR:

# linux/boards has what is known of an architecture and of a board.
KNOWN_ARCHES := $(shell linux/board)
KNOWN_BOARDS := $(shell linux/board --boards)
## BOARD=               for `make test` a real board: root@HOST or
##                      ssh://root@HOST:PORT, or a serial line with a root shell
##                      (/dev/ttyUSB0); for `make sdcard` one of linux/boards
BOARD ?=
# Which of these it is: whoever mistakes one for the other is told.
KNOWN_BOARD := $(filter $(KNOWN_BOARDS),$(BOARD))
ifneq ($(KNOWN_BOARD),)
ARCH := $(shell linux/board $(KNOWN_BOARD) arch)
ifneq ($(ARCH),$(shell linux/board $(KNOWN_BOARD) arch))
$(error ARCH=$(ARCH): $(BOARD) is another one, $(shell linux/board $(BOARD) arch))
endif
endif
HOST_ARCH := $(shell linux/board --here)
## ARCH=x86_64          architecture of the board: x86_64, arm64, armv7, mips,
##                      mipsel or riscv64; this machine's when it is not given
ARCH ?= $(or $(HOST_ARCH),x86_64)
ifeq ($(filter $(KNOWN_ARCHES),$(ARCH)),)
$(error ARCH=$(ARCH): there are only $(KNOWN_ARCHES))
endif
## ARCHES=              architectures for `make dist`, `make test-dist` and
##                      `make test-boards`: all when it is empty
ARCHES ?=
ifneq ($(filter-out $(KNOWN_ARCHES),$(ARCHES)),)
$(error ARCHES=$(ARCHES): there are only $(KNOWN_ARCHES))
endif
CHOSEN_ARCHES := $(or $(strip $(ARCHES)),$(KNOWN_ARCHES))
CARD_BOARDS := $(shell linux/board --of $(ARCH))
of_arch = $(shell linux/board $(ARCH) $(1))
# Programs of the board do not run on this machine.
FOREIGN := $(if $(filter $(HOST_ARCH),$(ARCH)),,1)
## CROSS_COMPILE=       prefix of the compiler's name; that of linux/boards when
##                      this machine is another one
CROSS_COMPILE ?= $(if $(FOREIGN),$(call of_arch,compiler))
## MUSL= ZLIB= LIBDEFLATE= LIBURING=  prefix of one that you have
##                      (DIR/bin/musl-gcc, DIR/include, DIR/lib), compiled
##                      against musl; it is used as it is and nothing is fetched
##                      for it. LIBDEFLATE=no: zlib does its work, slower
## LINUX_HEADERS=       folder with Linux's headers for programs, linux/ and asm/, of
##                      6.1 or later, instead of those of the kernel that we build
## SOURCES_FROM=        folder with the unpacked sources of musl, zlib, libdeflate and
##                      liburing, in folders of these names: nothing is fetched
## PACKAGES=no          no package is installed on this machine: what is needed is there
PACKAGES ?=
export PACKAGES
## WITHOUT=             parts that ublk is built without, as `make board` leaves
##                      some out: bench check gzip hosted index info manual
##                      network pack stat unpack
WITHOUT ?=
## WERROR=1             warnings are errors; so in CI (CI=true)
WERROR ?= $(if $(filter true 1,$(CI)),1)
## V=1                  print the commands
V ?=

O := build/$(ARCH)
AR := $(CROSS_COMPILE)ar
RANLIB := $(CROSS_COMPILE)ranlib
STRIP := $(CROSS_COMPILE)strip
HOST_CC := gcc
ARCH_CFLAGS := $(call of_arch,flags)
# The tests' scripts look at it, too.
export ARCH
export REALGCC := $(CROSS_COMPILE)gcc

Q := $(if $(filter 1,$(V)),,@)
say = @printf '  %-7s %s\n' $(1) '$(2)'

# For the makes that we call: they share the jobs of `make -j`, or use all
# processors.
JOBS = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

include linux/kernel.mk
include linux/model/rules.mk
include deps/rules.mk
-include initramfs/rules.mk
include packaging/rules.mk

# ublk and its parts. The sanitized program is built from the same sources.
FOLDERS := $(patsubst %/,%,$(wildcard lib/ sources/ image/ core/ targets/ targets/*/ \
	commands/ initramfs/))
# Of the two libraries for whole deflate streams, one is used (lib/deflate.h).
NO_SOURCES := lib/deflate-$(or $(call if_libdeflate,zlib),libdeflate).c
SOURCES := ublk.c $(filter-out $(NO_SOURCES),$(sort $(wildcard $(FOLDERS:%=%/*.c))))
HEADERS := $(sort $(wildcard $(FOLDERS:%=%/*.h)))
OBJECTS := $(SOURCES:%.c=$(O)/obj/%.o)
ASAN_OBJECTS := $(SOURCES:%.c=$(ASAN)/obj/%.o)

WARNINGS := -Wall -Wextra -Wshadow -Wundef -Wvla -Wformat=2 -Wpointer-arith \
	-Wstrict-prototypes -Wmissing-prototypes -Wmissing-declarations \
	-Wold-style-definition -Wwrite-strings -Wredundant-decls \
	-Wlogical-op -Wduplicated-cond -Wimplicit-fallthrough \
	$(if $(WERROR),-Werror)
# <linux/ublk_cmd.h> is our own. The other kernel headers are those of the
# kernel that we build; they come after musl's, but before those of the host's
# kernel.
COMMON := -std=gnu11 -D_GNU_SOURCE= -I. -I linux/include/uapi $(WARNINGS)
CFLAGS := $(COMMON) $(ARCH_CFLAGS) -Os -g $(LIB_CFLAGS) -isystem $(ZLIB_PREFIX)/include \
	$(call if_libdeflate,-isystem $(LIBDEFLATE_PREFIX)/include) \
	-isystem $(LIBURING_PREFIX)/include -idirafter $(KERNEL_HEADERS)
LDFLAGS := $(ARCH_CFLAGS) -static -no-pie -Wl,--gc-sections -Wl,--build-id=none \
	-Wl,-z,noseparate-code -Wl,-z,norelro
LIBRARIES := $(LIBURING_PREFIX)/lib/liburing.a $(ZLIB_PREFIX)/lib/libz.a \
	$(call if_libdeflate,$(LIBDEFLATE_PREFIX)/lib/libdeflate.a)
ASAN_CFLAGS := $(COMMON) $(SANITIZE) -isystem $(ASAN)/include \
	-isystem $(KERNEL_HEADERS)
ASAN_LIBRARIES := $(filter %.a,$(ASAN_DEPS))

# What may be left out, as lib/build.h has it; a board's program has none of it.
PARTS := bench check gzip hosted index info manual network pack stat unpack
ifneq ($(filter-out $(PARTS),$(WITHOUT)),)
$(error WITHOUT: $(filter-out $(PARTS),$(WITHOUT)): none of $(PARTS))
endif
without = $(foreach part,$(shell echo $(1) | tr a-z A-Z),-DWITH_$(part)=0)
CFLAGS += $(call without,$(WITHOUT))
SMALL := $(O)/board
SMALL_OBJECTS := $(SOURCES:%.c=$(SMALL)/obj/%.o)
SMALL_CFLAGS := $(CFLAGS) $(call without,$(PARTS))

# Objects depend on the compiler's command line, in .flags. That file is written
# only when the command line changes.
FLAGS := $(filter-out -Werror,$(MUSL_CC) $(CFLAGS) $(LDFLAGS) $(SMALL_CFLAGS) $(ASAN_CFLAGS))
ifneq ($(if $(wildcard $(O)/.flags),$(file <$(O)/.flags)),$(FLAGS))
.PHONY: $(O)/.flags
endif
$(O)/.flags:
	@mkdir -p $(@D)
	@printf '%s\n' '$(FLAGS)' >$@

$(OBJECTS): $(O)/obj/%.o: %.c $(O)/.flags $(DEPS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(O)/ublk.debug: $(OBJECTS) $(ZLIB_READY) $(LIBDEFLATE_READY) $(LIBURING_READY)
	$(call say,LD,$@)
	$(Q)$(MUSL_CC) $(LDFLAGS) -Wl,-Map,$(O)/ublk.map -o $@ $(OBJECTS) \
		$(LIBRARIES)

$(O)/ublk: $(O)/ublk.debug
	$(call say,STRIP,$@)
	$(Q)$(STRIP) -R .comment -o $@.new $<
	$(Q)mv $@.new $@

$(SMALL_OBJECTS): $(SMALL)/obj/%.o: %.c $(O)/.flags $(DEPS)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(SMALL_CFLAGS) -MMD -MP -c -o $@ $<

$(SMALL)/ublk: $(SMALL_OBJECTS) $(ZLIB_READY) $(LIBDEFLATE_READY) $(LIBURING_READY)
	$(call say,LD,$@)
	$(Q)$(MUSL_CC) $(LDFLAGS) -Wl,-Map,$(SMALL)/ublk.map -o $@.debug \
		$(SMALL_OBJECTS) $(LIBRARIES)
	$(Q)$(STRIP) -R .comment -o $@.new $@.debug
	$(Q)mv $@.new $@

# The program for this machine. Programs for other boards are only in build/.
ifeq ($(FOREIGN),)
ublk: $(O)/ublk
	@ln -f $< $@
else
.PHONY: ublk
# The make that is called here finds the sources ready: both would unpack them.
ublk: | $(foreach package,musl zlib libdeflate liburing,$(SRC)/$(package)/.unpacked) \
		$(KERNEL_TREE)/.unpacked
	@$(MAKE) ARCH=$(HOST_ARCH) CROSS_COMPILE= $@
endif

$(ASAN_OBJECTS): $(ASAN)/obj/%.o: %.c $(O)/.flags $(ASAN_DEPS)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(ASAN_CFLAGS) -MMD -MP -c -o $@ $<

$(ASAN)/ublk: $(ASAN_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(HOST_CC) $(SANITIZE) -o $@ $^ $(ASAN_LIBRARIES)

# Each file in tests/unit is a program, linked with all parts of ublk.
UNITS := $(patsubst tests/unit/%.c,$(ASAN)/unit/%,$(wildcard tests/unit/*.c))

$(ASAN)/lib/ublk.a: $(filter-out $(ASAN)/obj/ublk.o,$(ASAN_OBJECTS))
	@rm -f $@
	$(Q)ar rcs $@ $^

$(ASAN)/unit/%: tests/unit/%.c $(ASAN)/lib/ublk.a
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(ASAN_CFLAGS) -MMD -MP -MF $@.d -MT $@ \
		-o $@ $< $(ASAN)/lib/ublk.a $(ASAN_LIBRARIES)

# Programs for tests on the board: tests/driver/PROGRAM.c, of which PROGRAM-*.c
# are further parts. Programs that use the driver's raw interface do so through
# raw*.c. Others write, read, replay and forget, for tests of what a disk promises;
# strike kills, or makes system calls fail, for tests of what is left then.
DRIVER_PROGRAMS := $(patsubst tests/driver/%.c,$(O)/driver/%,$(filter-out \
	%/raw.c $(wildcard tests/driver/*-*.c),$(wildcard tests/driver/*.c)))

$(DRIVER_PROGRAMS): $(O)/driver/%: tests/driver/%.c \
		tests/driver/raw.c tests/driver/raw-batch.c \
		$(wildcard tests/driver/*.h linux/include/uapi/linux/*.h) \
		$(O)/.flags $(DEPS)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(CFLAGS) -O2 -static -no-pie \
		-o $@ $(filter %.c,$^) $(LIBURING_PREFIX)/lib/liburing.a -lpthread

$(foreach program,$(DRIVER_PROGRAMS),$(eval $(program): \
	$(wildcard tests/driver/$(notdir $(program))-*.c)))

# Programs that `make soak` uses on the board.
SOAK_PROGRAMS := $(patsubst tests/soak.%.c,$(O)/soak/%,$(wildcard tests/soak.*.c))

$(SOAK_PROGRAMS): $(O)/soak/%: tests/soak.%.c $(O)/.flags $(DEPS)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(CFLAGS) -O2 -static -no-pie -o $@ $< -lpthread

# A ublk with another handover version, for tests of `ublk upgrade`.
$(O)/handover/handover.o: core/handover.c $(O)/obj/core/handover.o
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(CFLAGS) -DHANDOVER_VERSION=99 -c -o $@ $<

$(O)/handover/other: $(O)/handover/handover.o $(O)/ublk.debug
	$(call say,LD,$@)
	$(Q)$(MUSL_CC) $(LDFLAGS) -s -o $@ $< \
		$(filter-out %/core/handover.o,$(OBJECTS)) $(LIBRARIES)

driver-programs: $(O)/handover/other

-include $(OBJECTS:.o=.d) $(SMALL_OBJECTS:.o=.d) $(ASAN_OBJECTS:.o=.d) $(UNITS:=.d)

.PHONY: all board deps asan unit unit-programs driver-programs test test-all \
	test-boards test-host test-module fuzz soak bench bench-plot manual lint lint-driver \
	size help clean distclean

all: $(if $(FOREIGN),$(O)/ublk,ublk) ## the command: ./ublk
	@printf 'ublk is up to date: %s bytes, static, %s\n' \
		"$$(wc -c <$(O)/ublk)" $(ARCH)

board: $(SMALL)/ublk ## build/ARCH/board/ublk: what serves, boots and recovers, only
	@printf 'ublk for a board is up to date: %s bytes, static, %s\n' \
		"$$(wc -c <$<)" $(ARCH)

deps: $(DEPS) ## musl, zlib, libdeflate, liburing and kernel headers, compiled once

asan: $(ASAN)/ublk ## build/asan/ublk, the command with ASan and UBSan

unit-programs: $(UNITS)

unit: unit-programs ## unit tests of the parts, with ASan and UBSan
	@tests/run unit

driver-programs: $(DRIVER_PROGRAMS)

## TESTS=               names of tests (tests/run --help); all when empty
TESTS ?=
# The debug kernel needs more memory than the boards of the host's tests have,
# and those tests measure the appliance's kernel. With another processor than this
# machine's the tests are those that boot a board (those of tests/vm itself, and of
# this machine's packaged kernel, do so for its own).
TEST_NAMES = $(or $(strip $(TESTS)),$(if $(filter debug kcsan user,$(CONFIG)),board,\
	$(if $(FOREIGN),board $(TESTS_THAT_BOOT))))
TESTS_THAT_BOOT = host/kernel-image $(filter-out host/vm-% host/driver-module,$(patsubst \
	tests/%.sh,%,$(shell grep -lE '/board\.lib"|/power-cut\.sh"|tests/vm |linux/emulate ' \
	tests/host/*.sh)))
# Few tests need the kernel with more options: it is built only for them.
TESTS_OF_MORE = $(patsubst tests/%.sh,%,$(shell \
	grep -lE '^\# kernel:.* tests' tests/*.sh tests/host/*.sh))
TESTS_ARE_OF_MORE = $(if $(strip $(TESTS)),$(filter board host $(TESTS_OF_MORE),\
	$(patsubst tests/%,%,$(patsubst ./%,%,$(TESTS:.sh=)))),all)
TEST_KERNELS = $(KERNEL_FILE) \
	$(if $(CONFIG),,$(if $(TESTS_ARE_OF_MORE),$(KERNEL_FILE)-tests))

TEST_NEEDS = all board busybox driver-programs initramfs $(TEST_KERNELS) \
	$(if $(FOREIGN),tools,asan unit-programs)

ifneq ($(KNOWN_BOARD),)
test:
	@echo 'test: BOARD=$(BOARD): `make sdcard` makes a card for it. The board to test is' \
		'root@HOST, or a serial line as /dev/ttyUSB0; `make ARCH=$(ARCH) test`' \
		'boots the emulated one.' >&2; exit 2
else ifeq ($(BOARD),)
test: $(TEST_NEEDS) ## every test, with a virtual board; DRIVER=, KERNEL=, CONFIG=
	@tests/run --kernel $(KERNEL_FILE) $(TEST_NAMES)
else
test: all busybox driver-programs
	@tests/run --on $(BOARD) $(TEST_NAMES)
endif

# One after the other, because each test uses all processors. All run even if
# one fails. 17 rounds with each of the six kinds of server in the driver's load
# tests are about a hundred.
test-all: ## every test on every kernel and driver there is, as long as it takes
	@failed=; \
	for words in DRIVER=own DRIVER=intree KERNEL=newest \
			'DRIVER=intree KERNEL=newest' KERNEL=6.1 \
			'CONFIG=debug DRIVER=own' 'CONFIG=debug DRIVER=intree' \
			CONFIG=kcsan 'CONFIG=user KERNEL=newest'; do \
		printf '%s\n' "test-all: $$words"; \
		ROUNDS=$${ROUNDS:-17} $(MAKE) test $$words || \
			failed="$$failed, $$words"; \
	done; \
	$(MAKE) test-module || failed="$$failed, test-module"; \
	$(MAKE) test-boards || failed="$$failed, test-boards"; \
	$(MAKE) test-dist || failed="$$failed, test-dist"; \
	for root in nbd http; do \
		$(MAKE) demo ROOT=$$root </dev/null || failed="$$failed, demo ROOT=$$root"; \
	done; \
	$(MAKE) test-distro || failed="$$failed, test-distro"; \
	[ -z "$$failed" ] || { echo "test-all: failed:$${failed#,}"; exit 1; }

# All of the board's tests where linux/boards says so, on the others these.
BOARD_TESTS := server ram file zimg cow supervise recover upgrade stop-busy \
	driver-interface driver-kill-answers driver-kill-start driver-kill-recovery \
	host/boot-root host/boot-cow host/boot-fit host/small-boards host/moved \
	host/kernel-image
# A kernel with other pages than its architecture's: the tests whose sizes, limits and
# counts depend on these. 16 KiB are those of MIPS.
PAGES_KERNELS := $(patsubst linux/configs/%.config,%,\
	$(wildcard linux/configs/*-pages64.config))
PAGES_TESTS := server ram file zimg cow recover supervise upgrade user \
	driver-interface driver-kill-answers driver-reuse ram-memory memory-locked \
	memory-swap memory-writeback host/boot-root
test-boards: kernel busybox ## the board's tests, on emulated boards of all other processors
	@failed=; \
	for arch in $(filter-out $(HOST_ARCH),$(CHOSEN_ARCHES)); do \
		printf '%s\n' "test-boards: $$arch"; \
		$(MAKE) ARCH=$$arch demo </dev/null || failed="$$failed, $$arch demo"; \
		tests='$(BOARD_TESTS)'; \
		[ -z "$$(linux/board $$arch suite)" ] || tests=; \
		$(MAKE) ARCH=$$arch test TESTS="$$tests" || failed="$$failed, $$arch"; \
		case " $(PAGES_KERNELS) " in *" $$arch-pages64 "*) \
			$(MAKE) ARCH=$$arch CONFIG=pages64 test TESTS='$(PAGES_TESTS)' || \
				failed="$$failed, $$arch pages64" ;; \
		esac; \
	done; \
	[ -z "$$failed" ] || { echo "test-boards: failed:$${failed#,}"; exit 1; }

test-host: all board busybox asan unit-programs driver-programs $(KERNEL_FILE) ## tests of the build machine
	@tests/run --kernel $(KERNEL_FILE) host unit

# A kernel package of the distribution, fetched once.
PACKAGED_KERNEL := build/packaged-kernel
$(PACKAGED_KERNEL):
	@deps/packaged-kernel $@

test-module: all driver-programs $(PACKAGED_KERNEL) ## the driver as a module of the distribution's kernel
	@tests/run host/driver-module

include tests/fuzz/rules.mk

soak: all busybox $(SOAK_PROGRAMS) $(O)/driver/strike $(KERNEL_FILE) ## load, kills, upgrades, no memory: nothing is lost; T=, SEED=
	@tests/soak --kernel $(KERNEL_FILE) --minutes $(T) \
		$(SEED:%=--seed %)

## B=                   what `make bench` measures (tests/bench --help)
B ?=
# The figures of another kernel are beside those of the appliance's kernel.
BENCH_OTHER := $(addprefix -,$(filter-out 6.12,$(KERNEL)))
BENCH_OURS := $(KERNEL_DEFAULT)$(BENCH_OTHER)-bench
BENCH_INTREE := $(KERNEL_DEFAULT)$(BENCH_OTHER)-intree-bench
BENCH_NEEDS := all board busybox $(BENCH_OURS) $(BENCH_INTREE) $(KERNEL_DEFAULT) initramfs
bench: $(BENCH_NEEDS) ## what an I/O costs, beside others of its kind; KERNEL=
	@KERNEL_OURS=$(BENCH_OURS) KERNEL_INTREE=$(BENCH_INTREE) \
		JSON=build/bench$(BENCH_OTHER).json tests/bench $(B)

bench-plot: ## docs/bench.svg, a picture of the last `make bench`
	@tests/bench.plot build/bench.json docs/bench.svg

# Written beside it first: what has failed leaves the page as it was.
manual: ublk ## docs/ublk.8, the manual page out of the help texts
	@docs/make-manual ./ublk >docs/ublk.8.new && mv docs/ublk.8.new docs/ublk.8 || \
		{ rm -f docs/ublk.8.new; exit 1; }

LINT_PACKAGES := cppcheck shellcheck sparse perl mandoc
SCRIPTS = .ci/run deps/busybox deps/soft-float/make deps/packages deps/fetch deps/newest-kernel \
	deps/packaged-kernel deps/suite.lib docs/make-manual \
	packaging/completions/ublk.bash packaging/openrc/ublk \
	$(shell grep -lE '^\#!/bin/(ba)?sh' \
		$$(find tests initramfs linux packaging -type f 2>/dev/null) /dev/null)

# Each header is compiled by itself, to show that it includes what it needs.
# shellcheck does not know the variables that tests/lib.sh sets; set -u finds
# others.
lint: $(DEPS) lint-driver ## static checks of the C sources and the scripts
	@deps/packages $(BUILD_PACKAGES) $(LINT_PACKAGES)
	$(call say,HEADERS,$(words $(HEADERS)) files)
	$(Q)for header in $(HEADERS); do \
		$(MUSL_CC) $(CFLAGS) -Werror -fsyntax-only -x c \
			-include "$$header" /dev/null || exit 1; \
	done
	$(call say,INCLUDE,$(FOLDERS))
	$(Q)tests/includes $(SOURCES) $(HEADERS)
	$(call say,CPPCHK,$(words $(SOURCES)) files)
	$(Q)cppcheck --quiet --std=c11 -I. --error-exitcode=1 --inline-suppr \
		--enable=warning,performance,portability \
		--suppress=toomanyconfigs $(SOURCES)
	$(call say,UAPI,linux/include/uapi/linux/ublk_cmd.h)
	$(Q)linux/check-header $(KERNEL_TREE)/include/uapi/linux/ublk_cmd.h \
		linux/include/uapi/linux/ublk_cmd.h $(HOST_CC)
	$(call say,MANDOC,docs/ublk.8)
	$(Q)! mandoc -T lint -W style docs/ublk.8 2>/dev/null | \
		grep -v 'referenced manual not found'
	$(call say,SHELL,$(words $(SCRIPTS)) files)
	$(Q)shellcheck -x -S warning -e SC2154 $(SCRIPTS)
	$(Q)! grep -nE 'wait_until [0-9]+ (test|\[) .*\$$\(' tests/*.sh tests/*/*.sh || \
		{ echo 'lint: $$(...) is evaluated once: eval it, in single quotes' >&2; \
		exit 1; }

# sparse and the compiler's extra warnings, in a separate build directory,
# because a kernel would be rebuilt after them. Only the driver is compiled
# there, and warnings about Linux's own headers are ignored. checkpatch expects
# the driver at its path in a kernel tree. The public header is for user space,
# which has no BIT().
comma := ,
LINT_BUILD := $(O)/linux-6.12-lint
# $(call checkpatch,FILES,FURTHER TYPES TO IGNORE)
checkpatch = cd $(KERNEL_TREE) && scripts/checkpatch.pl --strict -q --terse \
	--show-types --file --ignore FILE_PATH_CHANGES$(2) $(1) \
	>$(abspath $(LINT_BUILD).log) || { cat $(abspath $(LINT_BUILD).log); exit 1; }
lint-driver: $(LINT_BUILD)/.config build/linux-6.12/.ready
	@deps/packages $(KERNEL_PACKAGES) $(LINT_PACKAGES)
	$(call say,CHECKPA,linux/drivers/block/ublk)
	$(Q)$(call checkpatch,$(DRIVER_SOURCES:linux/%=%))
	$(Q)$(call checkpatch,drivers/block/ublk/ublk_cmd.h,$(comma)BIT_MACRO)
	$(call say,SPARSE,drivers/block/ublk)
	$(Q)rm -rf $(LINT_BUILD)/drivers/block/ublk
	$(Q)$(call kernel_make,6.12,$(LINT_BUILD)) C=2 W=1 drivers/block/ublk/ \
		>$(LINT_BUILD).log 2>&1 || { tail -n 40 $(LINT_BUILD).log; exit 1; }
	$(Q)! grep -E 'drivers/block/ublk/.*(warning|error)' $(LINT_BUILD).log

size: $(O)/ublk $(SMALL)/ublk ## what ublk and the kernel weigh, and where the bytes are
	@tests/size $(O)/linux-$(KERNEL)

clean: ## remove what was compiled from this tree, keep what was fetched
	@rm -rf ublk $(O)/obj $(O)/ublk* $(SMALL) $(ASAN)/obj $(ASAN)/unit \
		$(ASAN)/ublk $(ASAN)/lib/ublk.a

distclean: ## remove build/ as well
	@rm -rf ublk build

help: ## this text
	@echo 'Targets:'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' \
		$(MAKEFILE_LIST)
	@echo 'Variables:'
	@sed -n 's/^## /  /p' $(MAKEFILE_LIST)

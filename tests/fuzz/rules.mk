# SPDX-License-Identifier: GPL-2.0
#
# Fuzzers, included by Makefile. Each tests/fuzz/NAME.c is a fuzzer of the image
# reader or of a protocol of sources/, and lib/ is shared by all. build/fuzz/NAME is built with clang and
# libFuzzer, and with coverage of the reader, zlib and libdeflate. build/asan/fuzz/NAME is
# built with the normal compiler, and only tries given inputs (lib/replay.c).

## T=2                  how many minutes `make fuzz` or `make soak` takes
T ?= 2
## SEED=                of these two; another one each time when empty
SEED ?=
## F=all                what it fuzzes: driver (on the debug kernel, in a
##                      board), images, or all, half of the time each; or names
##                      of tests/fuzz/NAME.c; or faults: each system call of ublk
##                      fails once, whatever time that takes
F ?= all

FUZZ := build/fuzz
FUZZ_CC := clang
FUZZ_PACKAGES := clang libclang-rt-dev

FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
FUZZ_PROGRAMS := $(FUZZERS:%=$(FUZZ)/%)
FUZZ_REPLAYS := $(FUZZERS:%=$(ASAN)/fuzz/%)
FUZZ_SHARED := $(filter-out %/replay.c,$(wildcard tests/fuzz/lib/*.c))
FUZZ_HEADERS := $(wildcard tests/fuzz/lib/*.h)

# Functions that a fuzzer replaces.
FUZZ_WRAP := -Wl,--wrap=pread -Wl,--wrap=storage_is_device
$(FUZZ)/zimg-read $(ASAN)/fuzz/zimg-read: FUZZ_WRAP += -Wl,--wrap=mmap \
	-Wl,--wrap=image_open_again -Wl,--wrap=image_find \
	-Wl,--wrap=backing_samples
$(FUZZ)/nbd-link $(ASAN)/fuzz/nbd-link: FUZZ_WRAP += -Wl,--wrap=clock_ms \
	-Wl,--wrap=shutdown
# lib/server.c is linked with each, and replaces them where they are used.
FUZZ_WRAP += -Wl,--wrap=net_connect -Wl,--wrap=net_send \
	-Wl,--wrap=net_receive -Wl,--wrap=clock_sleep_ms

# clang does not know two of the warnings, and has another form of a third.
FUZZ_CFLAGS := $(filter-out -Wlogical-op -Wduplicated-cond,$(COMMON)) \
	-Wno-format-nonliteral $(SANITIZE) \
	-isystem $(ASAN)/include -isystem $(KERNEL_HEADERS)
# Coverage of the code under test and of the code that reads the input, but not of
# the checks. Tracing comparisons would take most of the time, and checksums make
# it useless.
FUZZ_COVERAGE := -fsanitize=fuzzer-no-link -fno-sanitize-coverage=trace-cmp
FUZZ_OBJECTS := $(patsubst %.c,$(FUZZ)/obj/%.o,$(filter \
	image/% sources/% targets/% core/memory.c core/record.c core/same-store.c \
	$(filter-out lib/message.c lib/option.c,$(wildcard lib/*.c)),$(SOURCES)))
FUZZ_SHARED_OBJECTS := $(FUZZ_SHARED:%.c=$(FUZZ)/obj/%.o)

# The rules for other sanitized programs fetch the libraries and make the headers.
$(FUZZ)/lib/libz.a: $(ASAN_DEPS)
	$(Q)deps/packages $(FUZZ_PACKAGES)
	$(call zlib,$(FUZZ),$(FUZZ_CC),$(SANITIZE) $(FUZZ_COVERAGE))

$(FUZZ)/lib/libdeflate.a: $(ASAN_DEPS)
	$(Q)deps/packages $(FUZZ_PACKAGES)
	$(call libdeflate,$(FUZZ),$(FUZZ_CC),$(SANITIZE) $(FUZZ_COVERAGE))

FUZZ_LIBRARIES := $(FUZZ)/lib/libz.a $(call if_libdeflate,$(FUZZ)/lib/libdeflate.a)

$(FUZZ_OBJECTS): FUZZ_CFLAGS += $(FUZZ_COVERAGE)
$(FUZZ_OBJECTS) $(FUZZ_SHARED_OBJECTS): $(FUZZ)/obj/%.o: %.c \
		$(O)/.flags $(FUZZ_LIBRARIES)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<

$(FUZZ)/lib/ublk.a: $(FUZZ_OBJECTS)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(FUZZ_PROGRAMS): $(FUZZ)/%: tests/fuzz/%.c $(FUZZ_HEADERS) \
		$(FUZZ_SHARED_OBJECTS) $(FUZZ)/lib/ublk.a
	$(call say,LD,$@)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) $(FUZZ_COVERAGE) -fsanitize=fuzzer \
		$(FUZZ_WRAP) -o $@ $(filter %.c %.o %.a,$^) \
		$(FUZZ_LIBRARIES)

$(FUZZ_REPLAYS): $(ASAN)/fuzz/%: tests/fuzz/%.c $(FUZZ_SHARED) \
		tests/fuzz/lib/replay.c $(FUZZ_HEADERS) $(ASAN)/lib/ublk.a
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(ASAN_CFLAGS) $(FUZZ_WRAP) -o $@ \
		$(filter %.c %.a,$^) $(filter-out %/liburing.a,$(ASAN_LIBRARIES))

-include $(FUZZ_OBJECTS:.o=.d) $(FUZZ_SHARED_OBJECTS:.o=.d)

# tests/host/fuzz-corpus.sh runs them.
unit-programs: $(FUZZ_REPLAYS)

FUZZ_DRIVER := $(filter driver all,$(F))
FUZZ_FAULTS := $(filter faults,$(F))
FUZZ_NAMES := $(if $(filter images all,$(F)),$(FUZZERS),$(filter-out \
	driver faults,$(F)))
FUZZ_KERNEL := $(KERNEL_FILE:-debug=)-debug
fuzz_seconds = $$(($(T) * 60 / $(if $(FUZZ_DRIVER),$(if $(FUZZ_NAMES),2,1),1)))

FUZZ_NEEDS := $(FUZZ_NAMES:%=$(FUZZ)/%) \
	$(if $(FUZZ_DRIVER),busybox driver-programs $(FUZZ_KERNEL)) \
	$(if $(FUZZ_FAULTS),all busybox driver-programs unit-programs $(KERNEL_FILE))

# The driver is fuzzed even if the images have failed.
fuzz: $(FUZZ_NEEDS) ## hostile images and random commands, for T minutes
	@seed=$(or $(SEED),$$(date +%s)); echo "fuzz: SEED=$$seed"; status=0; \
	$(if $(FUZZ_NAMES),tests/fuzz/run --seconds $(fuzz_seconds) \
		$(if $(SEED),--seed $$seed) $(FUZZ_NAMES) || status=1;) \
	$(if $(FUZZ_FAULTS),EVERY=1 tests/run -v --kernel $(KERNEL_FILE) \
		host/faults faults unit/image-flips || status=1;) \
	$(if $(FUZZ_DRIVER),tests/vm --kernel $(FUZZ_KERNEL) \
		--add tests/lib.sh --add $(O)/driver/fuzz --mem 512M \
		--timeout $$(($(fuzz_seconds) + 300)) \
		--append "fuzz.seed=$$seed fuzz.seconds=$(fuzz_seconds)" \
		--append fuzz.commands=1000000000 tests/driver-fuzz.sh || \
		status=1;) exit $$status

.PHONY: clean-fuzz

clean: clean-fuzz
clean-fuzz:
	@rm -rf $(FUZZ)/obj $(FUZZ)/lib/ublk.a $(FUZZ_PROGRAMS) $(ASAN)/fuzz

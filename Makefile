# SPDX-License-Identifier: BSD-3-Clause
# NodePass in C. `make help` explains the goals.

MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

# Choices: make T=musl BACKEND=poll SAN=1 MASTER=0 TLS=0 PROFILE=router CC=clang OPT=-O0 V=1
T ?= host
BACKEND ?= epoll
SAN ?= 0
PROFILE ?=
PREFIX ?= /usr/local
DESTDIR ?=
UNITDIR ?= $(PREFIX)/lib/systemd/system

CROSS_TARGETS ?= $(if $(filter-out host musl,$(T)),$(T),$(TARGETS))

comma := ,
VERSION := $(shell cat VERSION)
Q := $(if $(V),,@)

ifneq ($(filter $(BACKEND),epoll poll),$(BACKEND))
$(error BACKEND=$(BACKEND): want epoll or poll)
endif
ifneq ($(filter $(SAN),0 1 fuzz),$(SAN))
$(error SAN=$(SAN): want 0, 1 or fuzz)
endif
TARGETS := $(patsubst toolchains/%.mk,%,$(shell grep -l '^TRIPLE' toolchains/*.mk))
ifeq ($(filter $(T),host musl mps2-an385 $(TARGETS)),)
$(error T=$(T): want one of host musl $(TARGETS))
endif
ifneq ($(PROFILE),)
ifeq ($(wildcard config/profiles/$(PROFILE).h),)
$(error PROFILE=$(PROFILE): want one of $(notdir $(basename $(wildcard config/profiles/*.h))))
endif
endif
CC_HINT := run tests/setup.sh or install it
LINK_LIBS := -lpthread
include toolchains/$(T).mk

VARIANT := $(T)$(VARIANT_TOO)$(if $(filter poll,$(BACKEND)),-poll)$(if $(PROFILE),-$(PROFILE))
VARIANT := $(VARIANT)$(if $(filter 0,$(MASTER)),-nomaster)$(if $(filter 0,$(CTL)),-noctl)
VARIANT := $(VARIANT)$(if $(filter 0,$(TLS)),-notls)$(if $(filter host1,$(T)$(LEAN)),-lean)
VARIANT := $(VARIANT)$(if $(filter 0,$(SAN)),,-$(patsubst 1,san,$(SAN)))
B := build/$(VARIANT)
INIH := build/deps/inih
include toolchains/bearssl.mk toolchains/web.mk toolchains/lwip.mk
ifdef COLD
$(addprefix $(B)/,$(COLD_CODE)): CFLAGS += $(COLD)
endif

# ---- flags ------------------------------------------------------------------------------------

CPPFLAGS = -I. -isystem $(INIH) -isystem $(BEARSSL)/inc -DNP_VERSION='"$(VERSION)"' $(INI_DEFS) \
	$(if $(filter poll,$(BACKEND)),-DNP_POSIX_POLL) $(if $(filter 0,$(MASTER)),-DNP_MASTER=0) \
	$(if $(filter 0,$(CTL)),-DNP_HAS_CTL=0) $(if $(filter 0,$(TLS)),-DNP_HAS_TLS=0) \
	$(if $(filter 1,$(LEAN)),-DNP_POSIX_LEAN) \
	$(if $(PROFILE),-DNP_PROFILE_HEADER='"config/profiles/$(PROFILE).h"') $(HARDEN)
INI_DEFS := -DINI_HANDLER_LINENO=1 -DINI_USE_STACK=1 -DINI_MAX_LINE=4096
WARN := -Wall -Wextra -Werror
CFLAGS_BASE := -std=c11 -g -ffunction-sections -fdata-sections -fno-common \
	-ffile-prefix-map=$(CURDIR)=. $(ARCH_CFLAGS) $(if $(findstring gcc,$(CC)),-fstack-usage)
LDFLAGS_BASE := $(ARCH_LDFLAGS) -Wl,--gc-sections -Wl,--build-id=none
ifeq ($(SAN),0)
CFLAGS_BASE += $(OPT)
else
CFLAGS_BASE += -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all \
	-fsanitize=address,undefined$(if $(filter fuzz,$(SAN)),$(comma)fuzzer-no-link)
LDFLAGS_BASE += -fsanitize=address,undefined
endif
COMPILE = $(CC) $(CPPFLAGS) $(CFLAGS_BASE) $(WARN) $(CFLAGS)
LINK = $(CC) $(CFLAGS_BASE) $(CFLAGS) $(LDFLAGS_BASE) $(LDFLAGS)
LINK_ALL = $(LINK) -o $@ $(LINK_BEGIN) $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) \
	$(LINK_LIBS) -Wl,--end-group $(LINK_END)

# ---- sources ----------------------------------------------------------------------------------

CORE := $(sort $(wildcard core/*.c core/*/*.c config/*.c))
POSIX := $(sort $(wildcard platform/posix/*.c))
SIM := $(sort $(wildcard platform/sim/*.c))
PORT := $(sort $(wildcard port/posix/*.c))
obj = $(patsubst %.c,$(B)/%.o,$(1))

all: $(if $(CROSS),$(B)/nodepass,build/nodepass) ## build build/nodepass (see the choices below)

build/nodepass: $(B)/nodepass FORCE # the link's date is that of the program it named last
	$(Q)ln -sfn $(VARIANT)/nodepass $@

$(B)/nodepass: $(call obj,$(PORT)) $(DIVIDE) $(B)/libposix.a $(B)/libcore.a $(B)/libbearssl.a
	@echo "  LINK   $@"
	$(Q)$(LINK_ALL)

$(B)/libcore.a: $(call obj,$(CORE)) $(B)/deps/ini.o
$(B)/libposix.a: $(call obj,$(POSIX))
$(B)/libsim.a: $(call obj,$(SIM))
$(B)/lib%.a: $(B)/flags
	@echo "  AR     $@"
	$(Q)rm -f $@; $(AR) rcD $@ $(filter %.o,$^)

$(B)/core/%.o $(B)/config/%.o $(B)/platform/%.o: WARN += -Wconversion
$(B)/deps/ini.o: WARN := -w
# We give inih strings; its way to read files would bring the C library's stdio along.
$(B)/deps/ini.o: CPPFLAGS += $(if $(CROSS),$(foreach f,fopen fclose fgets,-D$f=np_absent_$f))

$(B)/%.o: %.c $(B)/flags | $(INIH)/.pin $(BEARSSL)/.pin
	@mkdir -p $(@D)
	@echo "  CC     $<"
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

# One object knows when it was made: all others stay as they are from commit to commit.
BUILT := $(or $(SOURCE_DATE_EPOCH),$(if $(wildcard .git),$(shell git log -1 --format=%ct \
	2> /dev/null)))
$(B)/core/base/built.o: CPPFLAGS += $(if $(BUILT),-DNP_BUILT_S=$(BUILT))
$(B)/core/base/built.o: $(B)/built
$(B)/built: FORCE
	@mkdir -p $(@D)
	@echo '$(BUILT)' | cmp -s - $@ || echo '$(BUILT)' > $@

$(B)/deps/ini.o: $(INIH)/.pin $(B)/flags
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c -o $@ $(INIH)/ini.c

# Rebuilds everything when compiler or flags change, or which code has which. Expanded here: a
# target's own flags would reach the recipe of what it needs.
FLAGS := $(COMPILE) $(LINK) $(BEAR_HOT_OPT) $(COLD) $(HOT_CODE)
$(B)/flags: FORCE $(if $(CROSS),$(SYSROOT)/.key)
	@mkdir -p $(@D)
	@[ "$$(df -Pk $(@D) | awk 'NR == 2 { print $$4 }')" -ge 4096 ] || { echo "the disk that holds \
$(@D) is full: make room (a build takes 20 to 60 MB) and run make again" >&2; exit 1; }
	@echo '$(subst ','\'',$(FLAGS))' | cmp -s - $@ || \
		{ command -v $(firstword $(CC)) > /dev/null || { echo "$(CC) is missing: \
$(CC_HINT)" >&2; exit 1; }; echo '$(subst ','\'',$(FLAGS))' > $@; }

$(INIH)/.pin: toolchains/deps.txt toolchains/fetch.sh
	@toolchains/fetch.sh inih $(INIH)
	@touch $@

# ---- goals ------------------------------------------------------------------------------------

check: ## run every test (about 20 minutes on two cores; TIERS="unit e2e" runs some)
	@tests/setup.sh && python3 tests/check.py $(TIERS)
cross: ## build every static target of toolchains/ (CROSS_TARGETS="mips_24kc armv5": some)
	@tests/setup.sh --cross $(CROSS_TARGETS)
	@for t in $(CROSS_TARGETS); do $(MAKE) --no-print-directory T=$$t all || exit 1; done
	@python3 tests/cross/sizes.py $(CROSS_TARGETS)
package: cross ## all of them as OpenWrt packages in build/packages (some: CROSS_TARGETS=)
	@python3 port/openwrt/pkg/build.py $(CROSS_TARGETS)
check-cross: ## build them, and test what came out under qemu (some: CROSS_TARGETS=)
	@tests/setup.sh --cross $(CROSS_TARGETS) && python3 tests/cross/check.py $(CROSS_TARGETS)
lint: ## layers, forbidden symbols, style, formats, static analysis
	@tests/lint/run.sh
size: ## flash, memory and stack per module, host and static musl
	@python3 tests/size/size.py $(ARGS)
bench: all ## measure against haproxy, nginx, socat (tests/bench/RESULTS.md)
	python3 tests/bench/run.py $(ARGS)
demo: ## a tunnel on loopback: a page, 100 MB, UDP, hashes, throughput
	@tests/setup.sh --demo
	@$(MAKE) --no-print-directory all
	@python3 tests/demo.py $(B)/nodepass
run: all ## run the program: make run ARGS='server://key@:10101/:8080'
	$(B)/nodepass $(ARGS)

# ---- install ----------------------------------------------------------------------------------

INSTALLED := $(addprefix $(PREFIX)/,bin/nodepass share/man/man1/nodepass.1 \
	share/bash-completion/completions/nodepass share/doc/nodepass/nodepass.ini) \
	$(UNITDIR)/nodepass.service

install: all ## install program, manual, completion, systemd unit, example INI (PREFIX, DESTDIR)
	install -D -m 755 $(B)/nodepass "$(DESTDIR)$(PREFIX)/bin/nodepass"
	install -D -m 644 port/posix/nodepass.1 "$(DESTDIR)$(PREFIX)/share/man/man1/nodepass.1"
	install -D -m 644 port/posix/nodepass.bash \
		"$(DESTDIR)$(PREFIX)/share/bash-completion/completions/nodepass"
	install -D -m 644 config/nodepass.ini "$(DESTDIR)$(PREFIX)/share/doc/nodepass/nodepass.ini"
	mkdir -p "$(DESTDIR)$(UNITDIR)"
	sed 's|@PREFIX@|$(PREFIX)|g' port/systemd/nodepass.service > \
		"$(DESTDIR)$(UNITDIR)/nodepass.service"

uninstall: ## remove what install put there (your INI files stay)
	rm -f $(foreach file,$(INSTALLED),"$(DESTDIR)$(file)")

clean: ## remove objects and programs (fetched sources stay cached)
	rm -rf $(filter-out build/deps,$(wildcard build/*))

help: ## this list
	@echo "Goals:"
	@sed -n 's/^\([a-z][a-z -]*\):.*## \(.*\)/\1#\2/p' $(filter-out %.d,$(MAKEFILE_LIST)) | awk -F'#' \
		'{ n = split($$1, g, " "); for (i = 1; i <= n; i++) printf "  %-15s %s\n", g[i], $$2 }'
	@echo "Choices: T=host|musl|$(subst $(eval ) ,|,$(TARGETS))" \
		"BACKEND=epoll|poll SAN=1 MASTER=0 TLS=0 PROFILE=<config/profiles>" \
		"CC=gcc|clang V=1 DEPS_DIR=<sources>"

include $(wildcard tests/tests.mk port/mps2-an385/*.mk)
FORCE:
.PHONY: all check clean demo run bench sim fuzz fuzz-programs size lint install uninstall help \
	FORCE unit contract-posix contract-sim simtest unit-program contract-programs simtest-program \
	tlspipe-program ctcheck-program bench-crypto mutants coverage cross package \
	check-cross
-include $(wildcard $(B)/*.d $(B)/*/*.d $(B)/*/*/*.d $(B)/*/*/*/*.d)

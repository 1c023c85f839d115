# SPDX-License-Identifier: BSD-3-Clause
# Images of the board. A class is: profile, bytes of RAM, of them stack and arena of the core.
FW := build/mps2-an385
FW_CLASSES := 64k 256k 1m
FW_64k := tiny 0x10000 9216 9728 MASTER=0
FW_256k := small 0x40000 16384 133120 MASTER=0
FW_1m := large 0x100000 16384 655360
FW_ELF_64k := $(FW)/nodepass-64k.elf
FW_ELF_256k := $(FW)/nodepass.elf
FW_ELF_1m := $(FW)/nodepass-1m.elf
FW_MAKE = $(MAKE) --no-print-directory T=mps2-an385 PROFILE=$(word 1,$(FW_$(1))) \
	$(filter MASTER=%,$(FW_$(1))) FW_CLASS=$(1)

firmware: $(addprefix firmware-,$(FW_CLASSES)) ## Cortex-M3 images of all RAM classes, for QEMU
	@python3 port/mps2-an385/report.py $(foreach c,$(FW_CLASSES),$(FW_ELF_$(c)))
firmware-%: FORCE
	@mkdir -p $(FW)
	@+$(call FW_MAKE,$*) FW_OUT=$(FW_ELF_$*) $(FW_ELF_$*)
CLASS ?= 256k
ifeq ($(filter firmware-run,$(MAKECMDGOALS))$(filter $(CLASS),$(FW_CLASSES)),firmware-run)
$(error CLASS=$(CLASS): want one of $(FW_CLASSES))
endif
firmware-run: firmware-$(CLASS) ## start it: make firmware-run URL='..' (PORTS, CLASS=64k|1m)
	@port/mps2-an385/run.sh $(FW_ELF_$(CLASS)) $(or $(PORTS),-) $(ARGS) '$(URL)'
check-firmware: all firmware firmware-unit ; @python3 tests/firmware/run.py $(ARGS)
firmware-soak: all firmware-256k ; @python3 tests/firmware/run.py --soak $(or $(SOAK_S),600)
.PHONY: firmware firmware-run check-firmware firmware-soak

# What an image must not link.
FW_HEAP := ' (_?(malloc|calloc|realloc|free)(_r)?|_sbrk(_r)?|printf)$$'
# The unit tests as one program; they need more room than any class has, so they use the board's
# 16 MB. Left out: what compares with a libc's inet_ntop, which newlib has not (addr), what tests
# platform/posix, and what builds whole apps with a server's tables (rigs, slots).
FW_NOT_HERE = %/addr.c %/slots.c $(shell grep -lE 'platform/posix|_rig\.h' $(UNIT))
firmware-unit: FORCE
	@mkdir -p $(FW)
	@+$(MAKE) --no-print-directory T=mps2-an385 FW_CLASS=unit FW_OUT=$(FW)/unit.elf $(FW)/unit.elf
FW_DEFSYM = -Wl,--defsym=np_link_ram_origin=$(1),--defsym=np_link_ram_bytes=$(2) \
	-Wl,--defsym=np_link_stack_bytes=$(3)

ifeq ($(FW_CLASS),unit)
FW_SRC := $(addprefix port/mps2-an385/,start.c uart.c clock.c semihost.c watchdog.c) \
	$(wildcard tests/firmware/*.c) \
	$(filter-out $(FW_NOT_HERE),$(UNIT))
$(B)/tests/unit/np_test_main.o: CPPFLAGS += -Dmain=np_unit_main
$(call obj,$(UNIT)) $(call obj,$(SIM)): CPPFLAGS += -D__int64_t_defined=1 \
	-Itests/firmware
$(FW_OUT): LDFLAGS += $(call FW_DEFSYM,0x21000000,0x1000000,0x100000)
$(FW_OUT): $(call obj,$(FW_SRC)) $(B)/libcore.a $(B)/libsim.a $(B)/libbearssl.a \
		port/mps2-an385/link.ld
	@echo "  LINK   $@"
	$(Q)$(LINK_ALL)
else ifdef FW_CLASS
FW_SRC := $(sort $(wildcard port/mps2-an385/*.c))
$(call obj,$(FW_SRC)): CPPFLAGS += -DNP_FIRMWARE_ARENA_BYTES=$(word 4,$(FW_$(FW_CLASS)))
$(call obj,$(FW_SRC)): WARN += -Wconversion
FW_ROOM = $(call FW_DEFSYM,0x20000000,$(word 2,$(FW_$(FW_CLASS))),$(word 3,$(FW_$(FW_CLASS))))
$(FW_OUT): LDFLAGS += --specs=nano.specs $(FW_ROOM) -Wl,-Map=$(FW_OUT).map
$(FW_OUT): $(call obj,$(FW_SRC)) $(B)/libplatlwip.a $(B)/libcore.a $(B)/liblwip.a \
		$(B)/libbearssl.a port/mps2-an385/link.ld port/mps2-an385/firmware.mk
	@echo "  LINK   $@"
	$(Q)$(LINK_ALL)
	$(Q)! arm-none-eabi-nm $@ | grep -E $(FW_HEAP)
endif

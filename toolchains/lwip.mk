# SPDX-License-Identifier: BSD-3-Clause
# lwIP (raw API, no system): the parts that platform/lwip uses, as $(B)/liblwip.a; sizes come from
# the profile. A port links $(B)/libplatlwip.a, $(B)/liblwip.a and its own np_board_* functions.
LWIP := build/deps/lwip
LWIP_INC = -Iplatform/lwip -isystem $(LWIP)/src/include
LWIP_SRC := $(addprefix core/,def dns inet_chksum init ip mem memp netif pbuf raw stats tcp tcp_in \
	tcp_out udp) $(addprefix core/ipv4/,dhcp etharp icmp ip4 ip4_addr ip4_frag) \
	$(addprefix core/ipv6/,ethip6 icmp6 inet6 ip6 ip6_addr ip6_frag mld6 nd6) netif/ethernet
LWIP_OBJ := $(patsubst %,$(B)/lwip/%.o,$(LWIP_SRC))
PLATLWIP := $(sort $(wildcard platform/lwip/*.c))
PLATLWIP_OBJ := $(patsubst %.c,$(B)/%.o,$(PLATLWIP))

$(PLATLWIP_OBJ) $(LWIP_OBJ): CPPFLAGS += $(LWIP_INC)
# Headers of ours that lwIP's include are to the compiler a part of the system: not in its .d files.
LWIP_OURS := $(wildcard platform/lwip/*.h platform/lwip/arch/*.h config/*.h config/profiles/*.h)
$(PLATLWIP_OBJ) $(LWIP_OBJ): $(LWIP_OURS)
$(LWIP_OBJ): WARN := -w
$(B)/lwip/%.o: $(LWIP)/.pin $(B)/flags
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $(LWIP)/src/$*.c
$(PLATLWIP_OBJ): | $(LWIP)/.pin

$(B)/liblwip.a: $(LWIP_OBJ)
$(B)/libplatlwip.a: $(PLATLWIP_OBJ)

$(LWIP)/.pin: toolchains/deps.txt toolchains/fetch.sh
	@toolchains/fetch.sh lwip $(LWIP)
	@touch $@

# The contract's tests over lwIP's loopback.
CONTRACT_LWIP := $(filter-out %_posix.c %_sim.c,$(wildcard tests/contract/*.c))
$(B)/tests/contract/harness_lwip.o $(B)/tests/contract/only_lwip.o: CPPFLAGS += $(LWIP_INC)
$(B)/tests/contract/harness_lwip.o $(B)/tests/contract/only_lwip.o: $(LWIP_OURS) | $(LWIP)/.pin
$(B)/contract-lwip: $(patsubst %.c,$(B)/%.o,$(CONTRACT_LWIP)) $(B)/libplatlwip.a $(B)/liblwip.a \
		$(B)/libcore.a $(B)/libbearssl.a
	@echo "  LINK   $@"
	$(Q)$(LINK_ALL)
contract-lwip: $(B)/contract-lwip
	$(B)/$@ $(ARGS)
contract-lwip-program: $(B)/contract-lwip
.PHONY: contract-lwip contract-lwip-program

# nodepass-lwip: lwIP on a tap of this machine, with nodepass's own command line.
TAP_SRC := $(wildcard port/lwip-tap/*.c) $(addprefix port/posix/,cli.c load.c text.c) \
	platform/posix/errors.c
lwip-tap: build/nodepass-lwip ## build build/nodepass-lwip: lwIP on a tap
build/nodepass-lwip: $(B)/nodepass-lwip FORCE
	$(Q)ln -sfn $(VARIANT)/nodepass-lwip $@
$(B)/nodepass-lwip: $(patsubst %.c,$(B)/%.o,$(TAP_SRC)) $(B)/libplatlwip.a $(B)/liblwip.a \
		$(B)/libcore.a $(B)/libbearssl.a
	@echo "  LINK   $@"
	$(Q)$(LINK_ALL)
.PHONY: lwip-tap

# SPDX-License-Identifier: BSD-3-Clause
# The programs that the tests run; each is also a goal of its own.

PURE := $(addprefix platform/posix/,dns_files.c dns_message.c lines.c zone.c)
UNIT := $(sort $(wildcard tests/unit/*.c))
CONTRACT := $(sort $(filter-out %_lwip.c,$(wildcard tests/contract/*.c)))
SIMTEST := $(sort $(wildcard tests/sim/*.c))
FUZZ := $(sort $(wildcard tests/fuzz/fuzz_*.c))

$(B)/unit: $(call obj,$(UNIT) $(PURE)) $(B)/libcore.a $(B)/libsim.a $(B)/libbearssl.a
$(B)/contract-posix: $(call obj,$(filter-out %_sim.c,$(CONTRACT))) $(B)/libposix.a $(B)/libcore.a
$(B)/contract-sim: $(call obj,$(filter-out %_posix.c,$(CONTRACT))) $(B)/libsim.a $(B)/libcore.a
$(B)/simtest: $(call obj,$(SIMTEST)) $(B)/libsim.a $(B)/libcore.a
$(B)/tlspipe $(B)/ctcheck: $(B)/%: $(B)/tests/tls/%.o $(B)/libcore.a
$(B)/bench-crypto: $(patsubst %,$(B)/tests/bench/%.o,crypto handshakes_ours handshakes_openssl) \
	$(B)/libcore.a $(B)/libbearssl.a
$(B)/bench-crypto: LINK_LIBS += $(if $(wildcard /usr/include/openssl/ssl.h),-lssl -lcrypto)
$(B)/contract-posix $(B)/contract-sim $(B)/simtest $(B)/tlspipe $(B)/ctcheck: $(B)/libbearssl.a
$(addprefix $(B)/,unit contract-posix contract-sim simtest tlspipe ctcheck bench-crypto): $(DIVIDE)
	@echo "  LINK   $@"
	$(Q)$(LINK_ALL)

unit contract-posix contract-sim simtest bench-crypto: %: $(B)/% ## build and run it (ARGS=..)
	$(B)/$@ $(ARGS)
unit-program: $(B)/unit
contract-programs: $(B)/contract-posix $(B)/contract-sim
simtest-program: $(B)/simtest
tlspipe-program: $(B)/tlspipe
ctcheck-program: $(B)/ctcheck

sim: $(B)/simtest ## simulate SEEDS networks (default 2000), or replay one: make sim SEED=n
	$(B)/simtest $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),2000)) $(ARGS)
mutants: ; @python3 tests/sim/mutants.py $(ARGS) ## plant known defects in a copy: sim must see each
coverage: ; @python3 tests/sim/coverage.py $(ARGS) ## lines and branches of core/ unit and sim reach

$(B)/sizes: $(B)/tests/size/sizes.o $(B)/libcore.a $(B)/libsim.a $(B)/libbearssl.a
	$(Q)$(LINK_ALL)

$(B)/fuzz/%: $(B)/tests/fuzz/fuzz_%.o $(call obj,$(PURE)) $(B)/libcore.a $(B)/libsim.a \
		$(B)/libbearssl.a
	@mkdir -p $(@D)
	@echo "  LINK   $@"
	$(Q)$(LINK_ALL) -fsanitize=fuzzer
fuzz-programs: $(patsubst tests/fuzz/fuzz_%.c,$(B)/fuzz/%,$(FUZZ))
fuzz: ## fuzz every parser for FUZZ_S seconds each (default 60), with clang
	@tests/fuzz/run.sh $(or $(FUZZ_S),60)

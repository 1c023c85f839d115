# SPDX-License-Identifier: BSD-3-Clause
# The master's pages (core/master/web), packed into a C source that all builds share.
WEB := $(wildcard core/master/web/*.html core/master/web/*.css core/master/web/*.js)

build/web/pages_data.c: toolchains/embed.py toolchains/openapi.py VERSION $(WEB)
	@echo "  EMBED  $@"
	$(Q)python3 toolchains/embed.py core/master/web build/web $(VERSION) panel=/ docs=/docs
	@touch $@

$(B)/core/master/pages_data.o: build/web/pages_data.c $(B)/flags | $(BEARSSL)/.pin
	@mkdir -p $(@D)
	@echo "  CC     $<"
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

$(B)/libcore.a: $(B)/core/master/pages_data.o

# SPDX-License-Identifier: BSD-3-Clause
# BearSSL: the parts that core/tls uses, as $(B)/libbearssl.a; the linker takes what is needed.
BEARSSL := build/deps/bearssl
BEAR := $(addprefix codec/,ccopy dec32be dec32le dec64be dec64le enc32be enc32le enc64be enc64le \
	dec16be enc16be) \
	$(addprefix ec/,ec_c25519_m31 ec_curve25519 ec_keygen ec_p256_m31 ec_prime_i31 \
	ec_pubkey ec_secp256r1 ec_secp384r1 ec_secp521r1 ecdsa_atr ecdsa_rta ecdsa_i31_bits \
	ecdsa_i31_sign_asn1 ecdsa_i31_sign_raw ecdsa_i31_vrfy_asn1 ecdsa_i31_vrfy_raw) \
	$(addprefix hash/,dig_oid dig_size ghash_ctmul ghash_ctmul32 ghash_ctmul64 ghash_pclmul mgf1 \
	multihash md5 sha1 sha2small) aead/gcm mac/hmac rand/hmac_drbg \
	$(addprefix int/i31_,add bitlen decmod decode decred encode fmont iszero moddiv modpow modpow2 \
	montmul mulacc muladd ninv31 reduce rshift sub tmont) int/i32_div32 int/i62_modpow2 \
	$(addprefix rsa/,rsa_i31_keygen rsa_i31_keygen_inner rsa_i31_modulus rsa_i31_pkcs1_sign \
	rsa_i31_pkcs1_vrfy rsa_i31_priv rsa_i31_privexp rsa_i31_pub rsa_i31_pubexp rsa_i62_keygen \
	rsa_i62_pkcs1_sign rsa_i62_pkcs1_vrfy rsa_i62_priv rsa_i62_pub rsa_default_priv \
	rsa_default_pub rsa_default_pkcs1_vrfy rsa_pkcs1_sig_pad \
	rsa_pkcs1_sig_unpad) \
	$(addprefix symcipher/,aes_common aes_ct aes_ct_ctr aes_ct_enc aes_ct64 aes_ct64_ctr \
	aes_ct64_enc aes_x86ni aes_x86ni_ctr chacha20_ct poly1305_ctmul poly1305_ctmulq) \
	$(addprefix x509/,asn1enc encode_ec_pk8der encode_ec_rawder encode_rsa_rawder x509_minimal)
# Its buffers have fixed lengths; where size counts it goes without stack protectors.
BEAR_HARDEN = $(if $(CROSS),-fno-stack-protector,$(HARDEN))
BEAR_SAN_0 = $(BEAR_OPT)
BEAR_SAN_1 := -fno-sanitize=undefined
BEAR_SAN_fuzz := -fno-sanitize=all -O2
BEAR_OBJ := $(patsubst %,$(B)/bearssl/%.o,$(BEAR))

# No clock and no entropy of its own. It reads words where they stand: not for the UB sanitizer;
# fuzzing is about our code, and wants speed here.
$(BEAR_OBJ): CPPFLAGS = -I$(BEARSSL)/src -I$(BEARSSL)/inc -DBR_USE_UNIX_TIME=0 -DBR_USE_URANDOM=0 \
	-DBR_USE_GETENTROPY=0 -DBR_RDRAND=0 $(BEAR_HARDEN)
$(BEAR_OBJ): WARN := -w
$(BEAR_OBJ): CFLAGS += $(BEAR_SAN_$(SAN))
$(filter $(B)/bearssl/ec/% $(B)/bearssl/int/% $(B)/bearssl/symcipher/% $(B)/bearssl/hash/ghash%, \
	$(BEAR_OBJ)): CFLAGS += $(if $(filter 0,$(SAN)),$(BEAR_HOT_OPT))
# Our own inner loops likewise.
$(B)/core/tls/fast%.o: CFLAGS += $(if $(filter 0,$(SAN)),$(BEAR_HOT_OPT))
$(B)/bearssl/%.o: $(BEARSSL)/.pin $(B)/flags toolchains/bearssl.mk
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c -o $@ $(BEARSSL)/src/$*.c

$(B)/libbearssl.a: $(BEAR_OBJ)

$(BEARSSL)/.pin: toolchains/deps.txt toolchains/fetch.sh
	@toolchains/fetch.sh bearssl $(BEARSSL)
	@touch $@

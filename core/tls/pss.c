/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/pss.h"

#include <string.h>

#include "core/base/ct.h"

static uint32_t hash_len(const br_hash_class *hash)
{
    return hash->desc >> BR_HASHDESC_OUT_OFF & BR_HASHDESC_OUT_MASK;
}

/* XORs MGF1(seed) into `mask_len` bytes (RFC 8017 appendix B.2.1). */
static void mgf1_xor(const br_hash_class *hash, const uint8_t *seed, uint8_t *data, uint32_t len)
{
    br_hash_compat_context ctx;
    uint8_t block[64], counter[4] = {0, 0, 0, 0};
    uint32_t block_len = hash_len(hash);

    for (uint32_t done = 0; done < len; done += block_len) {
        uint32_t part = len - done < block_len ? len - done : block_len;

        hash->init(&ctx.vtable);
        hash->update(&ctx.vtable, seed, block_len);
        hash->update(&ctx.vtable, counter, sizeof(counter));
        hash->out(&ctx.vtable, block);
        for (uint32_t i = 0; i < part; i++) {
            data[done + i] ^= block[i];
        }
        counter[3]++; /* 512 / 32 blocks at most */
    }
    np_ct_wipe(block, sizeof(block));
    np_ct_wipe(&ctx, sizeof(ctx));
}

/* H = Hash(eight zero bytes, digest, salt). */
static void hash_salted(const br_hash_class *hash, const uint8_t *digest, const uint8_t *salt,
                        uint8_t *out)
{
    static const uint8_t zeros[8];
    br_hash_compat_context ctx;

    hash->init(&ctx.vtable);
    hash->update(&ctx.vtable, zeros, sizeof(zeros));
    hash->update(&ctx.vtable, digest, hash_len(hash));
    hash->update(&ctx.vtable, salt, hash_len(hash));
    hash->out(&ctx.vtable, out);
    np_ct_wipe(&ctx, sizeof(ctx));
}

/* Length of the modulus in bits, 0 if out of bounds. */
static uint32_t modulus_bits(const br_rsa_public_key *key)
{
    const uint8_t *n = key->n;
    size_t len = key->nlen;
    uint32_t bits;

    while (len > 0 && *n == 0) {
        n++;
        len--;
    }
    if (len == 0 || len > NP_RSA_MAX_BYTES) {
        return 0;
    }
    bits = (uint32_t)(len - 1) * 8u;
    for (uint32_t top = *n; top != 0; top >>= 1) {
        bits++;
    }
    return bits < NP_RSA_MIN_BITS ? 0 : bits;
}

/* EMSA-PSS-ENCODE (RFC 8017 section 9.1.1) for a modulus of `bits`: the encoded message of
 * (bits - 1) bits stands at the end of `em`, which has the modulus's length. */
static void encode(uint32_t bits, const br_hash_class *hash, const uint8_t *digest,
                   const uint8_t *salt, uint8_t *em)
{
    uint32_t h_len = hash_len(hash), em_len = (bits + 6u) / 8u, k = (bits + 7u) / 8u;
    uint32_t db_len = em_len - h_len - 1u;
    uint8_t *db = em + (k - em_len), *h = db + db_len;

    memset(em, 0, k);
    db[db_len - h_len - 1u] = 0x01;
    memcpy(db + db_len - h_len, salt, h_len);
    hash_salted(hash, digest, salt, h);
    h[h_len] = 0xbc;
    mgf1_xor(hash, h, db, db_len);
    db[0] &= (uint8_t)(0xffu >> (8u * em_len - (bits - 1u)));
}

uint32_t np_pss_sign(const br_rsa_private_key *key, const br_hash_class *hash,
                     const uint8_t *digest, const uint8_t *salt, uint8_t *sig)
{
    uint32_t bits = key->n_bitlen, k = (bits + 7u) / 8u;

    if (bits < NP_RSA_MIN_BITS || bits > NP_RSA_MAX_BITS) {
        return 0;
    }
    encode(bits, hash, digest, salt, sig);
    if (br_rsa_private_get_default()(sig, key) != 1) {
        np_ct_wipe(sig, k);
        return 0;
    }
    return k;
}

/* EMSA-PSS-VERIFY (RFC 8017 section 9.1.2); `em` is unmasked in place. */
static bool is_encoding_of(uint8_t *em, uint32_t bits, const br_hash_class *hash,
                           const uint8_t *digest)
{
    uint32_t h_len = hash_len(hash), em_len = (bits + 6u) / 8u, k = (bits + 7u) / 8u;
    uint32_t db_len = em_len - h_len - 1u, zeros = db_len - h_len - 1u, wrong = 0;
    uint8_t *db = em + (k - em_len), *h = db + db_len, top, want[64];

    top = (uint8_t)(0xffu >> (8u * em_len - (bits - 1u)));
    wrong |= k != em_len ? em[0] : 0u;
    wrong |= db[0] & (uint32_t)~top & 0xffu;
    wrong |= h[h_len] ^ 0xbcu;
    mgf1_xor(hash, h, db, db_len);
    db[0] &= top;
    for (uint32_t i = 0; i < zeros; i++) {
        wrong |= db[i];
    }
    wrong |= db[zeros] ^ 0x01u;
    hash_salted(hash, digest, db + db_len - h_len, want);
    return np_ct_is_equal(want, h, h_len) && wrong == 0;
}

bool np_pss_verify(const br_rsa_public_key *key, const br_hash_class *hash, const uint8_t *digest,
                   const uint8_t *sig, uint32_t sig_len)
{
    uint8_t em[NP_RSA_MAX_BYTES];
    uint32_t bits = modulus_bits(key);

    if (bits == 0 || sig_len != (bits + 7u) / 8u) {
        return false;
    }
    memcpy(em, sig, sig_len);
    return br_rsa_public_get_default()(em, sig_len, key) == 1 &&
           is_encoding_of(em, bits, hash, digest);
}

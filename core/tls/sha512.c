/* SPDX-License-Identifier: BSD-3-Clause */
/* One round is written once and the words move along, where BearSSL has eight rounds behind each
 * other: a quarter of the code on a 32-bit CPU. Handshakes and certificates use it, no data. */
#include "core/tls/sha512.h"

#include <string.h>

#define BLOCK 128u
#define ROUNDS 80u

/* First 64 bits of the fractional parts of the cube roots of the first 80 primes (FIPS 180-4,
 * 4.2.3), and of the square roots of the first 16 (5.3.4, 5.3.5). */
static const uint64_t round_words[ROUNDS] = {
    0x428a2f98d728ae22u, 0x7137449123ef65cdu, 0xb5c0fbcfec4d3b2fu, 0xe9b5dba58189dbbcu,
    0x3956c25bf348b538u, 0x59f111f1b605d019u, 0x923f82a4af194f9bu, 0xab1c5ed5da6d8118u,
    0xd807aa98a3030242u, 0x12835b0145706fbeu, 0x243185be4ee4b28cu, 0x550c7dc3d5ffb4e2u,
    0x72be5d74f27b896fu, 0x80deb1fe3b1696b1u, 0x9bdc06a725c71235u, 0xc19bf174cf692694u,
    0xe49b69c19ef14ad2u, 0xefbe4786384f25e3u, 0x0fc19dc68b8cd5b5u, 0x240ca1cc77ac9c65u,
    0x2de92c6f592b0275u, 0x4a7484aa6ea6e483u, 0x5cb0a9dcbd41fbd4u, 0x76f988da831153b5u,
    0x983e5152ee66dfabu, 0xa831c66d2db43210u, 0xb00327c898fb213fu, 0xbf597fc7beef0ee4u,
    0xc6e00bf33da88fc2u, 0xd5a79147930aa725u, 0x06ca6351e003826fu, 0x142929670a0e6e70u,
    0x27b70a8546d22ffcu, 0x2e1b21385c26c926u, 0x4d2c6dfc5ac42aedu, 0x53380d139d95b3dfu,
    0x650a73548baf63deu, 0x766a0abb3c77b2a8u, 0x81c2c92e47edaee6u, 0x92722c851482353bu,
    0xa2bfe8a14cf10364u, 0xa81a664bbc423001u, 0xc24b8b70d0f89791u, 0xc76c51a30654be30u,
    0xd192e819d6ef5218u, 0xd69906245565a910u, 0xf40e35855771202au, 0x106aa07032bbd1b8u,
    0x19a4c116b8d2d0c8u, 0x1e376c085141ab53u, 0x2748774cdf8eeb99u, 0x34b0bcb5e19b48a8u,
    0x391c0cb3c5c95a63u, 0x4ed8aa4ae3418acbu, 0x5b9cca4f7763e373u, 0x682e6ff3d6b2b8a3u,
    0x748f82ee5defb2fcu, 0x78a5636f43172f60u, 0x84c87814a1f0ab72u, 0x8cc702081a6439ecu,
    0x90befffa23631e28u, 0xa4506cebde82bde9u, 0xbef9a3f7b2c67915u, 0xc67178f2e372532bu,
    0xca273eceea26619cu, 0xd186b8c721c0c207u, 0xeada7dd6cde0eb1eu, 0xf57d4f7fee6ed178u,
    0x06f067aa72176fbau, 0x0a637dc5a2c898a6u, 0x113f9804bef90daeu, 0x1b710b35131c471bu,
    0x28db77f523047d84u, 0x32caab7b40c72493u, 0x3c9ebe0a15c9bebcu, 0x431d67c49c100d4cu,
    0x4cc5d4becb3e42b6u, 0x597f299cfc657e2au, 0x5fcb6fab3ad6faecu, 0x6c44198c4a475817u,
};
static const uint64_t start_384[8] = {
    0xcbbb9d5dc1059ed8u, 0x629a292a367cd507u, 0x9159015a3070dd17u, 0x152fecd8f70e5939u,
    0x67332667ffc00b31u, 0x8eb44a8768581511u, 0xdb0c2e0d64f98fa7u, 0x47b5481dbefa4fa4u,
};
static const uint64_t start_512[8] = {
    0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
    0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u,
};

static uint64_t rotate(uint64_t x, unsigned by)
{
    return x >> by | x << (64u - by);
}

static void compress(uint64_t state[8], const uint8_t block[BLOCK])
{
    uint64_t v[9], w[16]; /* v[1..8] are a to h; v[0] is the next a */

    for (uint32_t i = 0; i < 16; i++) {
        w[i] = 0;
        for (uint32_t n = 0; n < 8; n++) {
            w[i] = w[i] << 8 | block[8 * i + n];
        }
    }
    memcpy(v + 1, state, 64);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint64_t a = v[1], e = v[5];
        uint64_t *word = &w[i & 15u];
        if (i >= 16) {
            uint64_t early = w[(i + 1) & 15u], late = w[(i + 14) & 15u];
            *word += (rotate(early, 1) ^ rotate(early, 8) ^ early >> 7) + w[(i + 9) & 15u] +
                     (rotate(late, 19) ^ rotate(late, 61) ^ late >> 6);
        }
        uint64_t step = v[8] + (rotate(e, 14) ^ rotate(e, 18) ^ rotate(e, 41)) +
                        (((v[6] ^ v[7]) & e) ^ v[7]) + round_words[i] + *word;
        v[0] = step + (rotate(a, 28) ^ rotate(a, 34) ^ rotate(a, 39)) +
               ((v[2] & v[3]) | ((v[2] | v[3]) & a));
        v[4] += step;
        memmove(v + 1, v, 64);
    }
    for (uint32_t i = 0; i < 8; i++) {
        state[i] += v[1 + i];
    }
}

static void start(const br_hash_class **ctx, const br_hash_class *class, const uint64_t words[8])
{
    br_sha384_context *c = (void *)ctx;

    c->vtable = class;
    memcpy(c->val, words, sizeof(c->val));
    c->count = 0;
}

static void start_sha384(const br_hash_class **ctx)
{
    start(ctx, &np_sha384_class, start_384);
}

static void start_sha512(const br_hash_class **ctx)
{
    start(ctx, &np_sha512_class, start_512);
}

static void update(const br_hash_class **ctx, const void *data, size_t len)
{
    br_sha384_context *c = (void *)ctx;
    const uint8_t *bytes = data;

    while (len > 0) {
        size_t at = (size_t)(c->count & (BLOCK - 1)), part = BLOCK - at < len ? BLOCK - at : len;
        memcpy(c->buf + at, bytes, part);
        c->count += part;
        bytes += part;
        len -= part;
        if (at + part == BLOCK) {
            compress(c->val, c->buf);
        }
    }
}

static void encode(uint8_t *out, const uint64_t *words, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(words[i / 8] >> (56u - 8u * (i & 7u)));
    }
}

static void finish(const br_hash_class *const *ctx, uint8_t *out, uint32_t len)
{
    br_sha384_context c = *(const br_sha384_context *)(const void *)ctx;
    const br_hash_class **self = &c.vtable;
    uint64_t bits[2] = {c.count >> 61, c.count << 3};
    uint8_t tail[16];

    update(self, "\x80", 1);
    while ((c.count & (BLOCK - 1)) != BLOCK - 16) {
        update(self, "", 1);
    }
    encode(tail, bits, sizeof(tail));
    update(self, tail, sizeof(tail));
    encode(out, c.val, len);
}

/* BearSSL's multihash calls these for a context without its class. */
static void finish_sha384(const br_hash_class *const *ctx, void *dst)
{
    finish(ctx, dst, br_sha384_SIZE);
}

static void finish_sha512(const br_hash_class *const *ctx, void *dst)
{
    finish(ctx, dst, br_sha512_SIZE);
}

static uint64_t get_state(const br_hash_class *const *ctx, void *dst)
{
    const br_sha384_context *c = (const void *)ctx;

    encode(dst, c->val, sizeof(c->val));
    return c->count;
}

static void set_state(const br_hash_class **ctx, const void *words, uint64_t count)
{
    br_sha384_context *c = (void *)ctx;
    const uint8_t *bytes = words;

    for (uint32_t i = 0; i < 64; i++) {
        c->val[i / 8] = c->val[i / 8] << 8 | bytes[i];
    }
    c->count = count;
}

#define DESCRIBE(id, len)                                                                          \
    (BR_HASHDESC_ID(id) | BR_HASHDESC_OUT(len) | BR_HASHDESC_STATE(64) | BR_HASHDESC_LBLEN(7) |    \
     BR_HASHDESC_MD_PADDING | BR_HASHDESC_MD_PADDING_BE | BR_HASHDESC_MD_PADDING_128)

const br_hash_class np_sha384_class = {
    sizeof(br_sha384_context),
    DESCRIBE(br_sha384_ID, br_sha384_SIZE),
    start_sha384,
    update,
    finish_sha384,
    get_state,
    set_state,
};

const br_hash_class np_sha512_class = {
    sizeof(br_sha512_context),
    DESCRIBE(br_sha512_ID, br_sha512_SIZE),
    start_sha512,
    update,
    finish_sha512,
    get_state,
    set_state,
};

/* SPDX-License-Identifier: BSD-3-Clause */
/* fast_chacha_body: ChaCha20 (RFC 8439 section 2.3) for LANES blocks at once in the compiler's own
 * vectors: vector i holds word i of each block. Included once for each width by a file that defines
 *
 *   LANES          4 or 8 blocks
 *   NAME(x)        x with a suffix of its own
 *   ATTRIBUTES     of the functions: the instructions that may be used
 *   BYTE_ROTATE    1 if bytes can be shuffled in one instruction
 *   ONCE           static inline, forced; where size counts static and not inline
 *   SHUFFLE1, SHUFFLE2  picks of elements from one or two vectors
 *
 * No include guard: it is meant to be included more than once. */

typedef uint32_t NAME(lanes) __attribute__((vector_size(4 * LANES)));
typedef uint8_t NAME(bytes) __attribute__((vector_size(4 * LANES)));
#define V NAME(lanes)

#if LANES == 8
#define ALL(x) ((V){x, x, x, x, x, x, x, x})
#define COUNTS ((V){0, 1, 2, 3, 4, 5, 6, 7})
#else
#define ALL(x) ((V){x, x, x, x})
#define COUNTS ((V){0, 1, 2, 3})
#endif

#define ROTATE(x, n) ((x) << (n) | (x) >> (32 - (n)))
#if BYTE_ROTATE && LANES == 8
#define MASK_16                                                                                    \
    2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13, 18, 19, 16, 17, 22, 23, 20, 21, 26, 27,  \
        24, 25, 30, 31, 28, 29
#define MASK_8                                                                                     \
    3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14, 19, 16, 17, 18, 23, 20, 21, 22, 27, 24,  \
        25, 26, 31, 28, 29, 30
#elif BYTE_ROTATE
#define MASK_16 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13
#define MASK_8 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14
#endif
#if BYTE_ROTATE
#define ROTATE_16(x) ((V)SHUFFLE1(NAME(bytes), (NAME(bytes))(x), MASK_16))
#define ROTATE_8(x) ((V)SHUFFLE1(NAME(bytes), (NAME(bytes))(x), MASK_8))
#else
#define ROTATE_16(x) ROTATE(x, 16)
#define ROTATE_8(x) ROTATE(x, 8)
#endif

#define QUARTER(a, b, c, d)                                                                        \
    do {                                                                                           \
        a += b;                                                                                    \
        d = ROTATE_16(d ^ a);                                                                      \
        c += d;                                                                                    \
        b = ROTATE(b ^ c, 12);                                                                     \
        a += b;                                                                                    \
        d = ROTATE_8(d ^ a);                                                                       \
        c += d;                                                                                    \
        b = ROTATE(b ^ c, 7);                                                                      \
    } while (0)

/* Four vectors as the rows of 4 x 4 words, turned into columns: a has words of block 0 (and 4), b
 * of block 1 (and 5) ... */
#if LANES == 8
#define LOW_PAIRS 0, 8, 1, 9, 4, 12, 5, 13
#define HIGH_PAIRS 2, 10, 3, 11, 6, 14, 7, 15
#define LOW_HALVES 0, 1, 8, 9, 4, 5, 12, 13
#define HIGH_HALVES 2, 3, 10, 11, 6, 7, 14, 15
#else
#define LOW_PAIRS 0, 4, 1, 5
#define HIGH_PAIRS 2, 6, 3, 7
#define LOW_HALVES 0, 1, 4, 5
#define HIGH_HALVES 2, 3, 6, 7
#endif
#define TRANSPOSE(a, b, c, d)                                                                      \
    do {                                                                                           \
        V ab_low = SHUFFLE2(V, a, b, LOW_PAIRS), ab_high = SHUFFLE2(V, a, b, HIGH_PAIRS);          \
        V cd_low = SHUFFLE2(V, c, d, LOW_PAIRS), cd_high = SHUFFLE2(V, c, d, HIGH_PAIRS);          \
        a = SHUFFLE2(V, ab_low, cd_low, LOW_HALVES);                                               \
        b = SHUFFLE2(V, ab_low, cd_low, HIGH_HALVES);                                              \
        c = SHUFFLE2(V, ab_high, cd_high, LOW_HALVES);                                             \
        d = SHUFFLE2(V, ab_high, cd_high, HIGH_HALVES);                                            \
    } while (0)

/* XORs one vector of key stream into data. */
static inline NP_FOLDED ATTRIBUTES void NAME(xor_data)(uint8_t *data, const V *v)
{
    V text;

    memcpy(&text, data, sizeof(text));
    text ^= *v;
    memcpy(data, &text, sizeof(text));
}

/* Words 4g .. 4g + 3 (LANES 4), or with the next group 4g .. 4g + 7 (LANES 8), of each block. */
#if LANES == 8
#define XOR_ROW(n, low, high)                                                                      \
    do {                                                                                           \
        V first = SHUFFLE2(V, low, high, 0, 1, 2, 3, 8, 9, 10, 11);                                \
        V second = SHUFFLE2(V, low, high, 4, 5, 6, 7, 12, 13, 14, 15);                             \
        NAME(xor_data)(data + 64 * (n), &first);                                                   \
        NAME(xor_data)(data + 64 * (n) + 256, &second);                                            \
    } while (0)
#else
#define XOR_ROW(n, low, high)                                                                      \
    do {                                                                                           \
        NAME(xor_data)(data + 64 * (n), &low);                                                     \
        NAME(xor_data)(data + 64 * (n) + 16, &high);                                               \
    } while (0)
#endif
#define XOR_ROWS(a, b, c, d, e, f, g, h)                                                           \
    do {                                                                                           \
        XOR_ROW(0, a, e);                                                                          \
        XOR_ROW(1, b, f);                                                                          \
        XOR_ROW(2, c, g);                                                                          \
        XOR_ROW(3, d, h);                                                                          \
    } while (0)

/* XORs LANES blocks of key stream, from block `counter` on, into 64 * LANES bytes. `key` holds the
 * 8 words of the key, `nonce` 3. Beside it, as many bytes at `hashed` (NULL: none; `data` itself is
 * read before it changes) go through Poly1305. */
ONCE ATTRIBUTES void NAME(crypt_blocks)(const uint32_t key[8], const uint32_t nonce[3],
                                        uint32_t counter, uint8_t *data, struct poly *poly,
                                        const uint8_t *hashed)
{
    V count = ALL(counter) + COUNTS;
    V a0 = ALL(0x61707865u), a1 = ALL(0x3320646eu), a2 = ALL(0x79622d32u), a3 = ALL(0x6b206574u);
    V b0 = ALL(key[0]), b1 = ALL(key[1]), b2 = ALL(key[2]), b3 = ALL(key[3]);
    V c0 = ALL(key[4]), c1 = ALL(key[5]), c2 = ALL(key[6]), c3 = ALL(key[7]);
    V d0 = count, d1 = ALL(nonce[0]), d2 = ALL(nonce[1]), d3 = ALL(nonce[2]);

    for (uint32_t i = 0; i < 10; i++) {
        QUARTER(a0, b0, c0, d0);
        QUARTER(a1, b1, c1, d1);
        QUARTER(a2, b2, c2, d2);
        QUARTER(a3, b3, c3, d3);
        QUARTER(a0, b1, c2, d3);
        QUARTER(a1, b2, c3, d0);
        QUARTER(a2, b3, c0, d1);
        QUARTER(a3, b0, c1, d2);
        if (hashed != NULL && i < 8) {
            for (uint32_t n = 0; n < LANES / 2; n++, hashed += 16) {
                poly_block(poly, hashed);
            }
        }
    }
    a0 += ALL(0x61707865u);
    a1 += ALL(0x3320646eu);
    a2 += ALL(0x79622d32u);
    a3 += ALL(0x6b206574u);
    b0 += ALL(key[0]);
    b1 += ALL(key[1]);
    b2 += ALL(key[2]);
    b3 += ALL(key[3]);
    TRANSPOSE(a0, a1, a2, a3);
    TRANSPOSE(b0, b1, b2, b3);
    XOR_ROWS(a0, a1, a2, a3, b0, b1, b2, b3);
    c0 += ALL(key[4]);
    c1 += ALL(key[5]);
    c2 += ALL(key[6]);
    c3 += ALL(key[7]);
    d0 += count;
    d1 += ALL(nonce[0]);
    d2 += ALL(nonce[1]);
    d3 += ALL(nonce[2]);
    TRANSPOSE(c0, c1, c2, c3);
    TRANSPOSE(d0, d1, d2, d3);
    data += 32;
    XOR_ROWS(c0, c1, c2, c3, d0, d1, d2, d3);
}

/* A br_chacha20_run. */
ATTRIBUTES uint32_t NAME(np_fast_chacha)(const void *key, const void *nonce, uint32_t counter,
                                         void *data, size_t len)
{
    uint32_t key_words[8], nonce_words[3];
    uint8_t *at = data;

    memcpy(key_words, key, sizeof(key_words));
    memcpy(nonce_words, nonce, sizeof(nonce_words));
    for (; len >= 64 * LANES; at += 64 * LANES, len -= 64 * LANES, counter += LANES) {
        NAME(crypt_blocks)(key_words, nonce_words, counter, at, NULL, NULL);
    }
    if (len > NARROW_BYTES) {
        uint8_t tail[64 * LANES] = {0};

        memcpy(tail, at, len);
        NAME(crypt_blocks)(key_words, nonce_words, counter, tail, NULL, NULL);
        memcpy(at, tail, len);
        np_ct_wipe(tail, sizeof(tail));
        counter += (uint32_t)(len + 63) / 64;
    } else if (len > 0) {
        counter = NARROW_RUN(key, nonce, counter, at, len);
    }
    np_ct_wipe(key_words, sizeof(key_words));
    return counter;
}

/* The whole AEAD over one record: sealing hashes what the step before has written, opening what it
 * is about to decrypt. */
ONCE ATTRIBUTES void NAME(crypt_record)(const uint8_t *key, const uint8_t *nonce,
                                        const uint8_t *aad, uint32_t aad_len, uint8_t *data,
                                        uint32_t len, uint8_t tag[16], bool is_sealing)
{
    uint32_t key_words[8], nonce_words[3], left = len, counter = 1;
    uint64_t lens[2] = {aad_len, len};
    uint8_t once[32] = {0}, *written = NULL;
    struct poly poly;

    memcpy(key_words, key, sizeof(key_words));
    memcpy(nonce_words, nonce, sizeof(nonce_words));
    br_chacha20_ct_run(key, nonce, 0, once, sizeof(once));
    poly_init(&poly, once);
    np_ct_wipe(once, sizeof(once));
    poly_padded(&poly, aad, aad_len);
    for (; left >= 64 * LANES; left -= 64 * LANES, counter += LANES, data += 64 * LANES) {
        NAME(crypt_blocks)
        (key_words, nonce_words, counter, data, &poly, is_sealing ? written : data);
        written = data;
    }
    if (is_sealing && written != NULL) {
        poly_padded(&poly, written, 64 * LANES);
    }
    if (!is_sealing) {
        poly_padded(&poly, data, left);
    }
    (void)NAME(np_fast_chacha)(key, nonce, counter, data, left);
    if (is_sealing) {
        poly_padded(&poly, data, left);
    }
    poly_block(&poly, (const uint8_t *)lens);
    poly_finish(&poly, tag);
    np_ct_wipe(key_words, sizeof(key_words));
}

static ATTRIBUTES void NAME(seal)(const struct np_tls_engines *engines, const uint8_t *key,
                                  uint32_t key_len, const uint8_t nonce[NP_TLS_NONCE_LEN],
                                  const uint8_t *aad, uint32_t aad_len, uint8_t *data, uint32_t len,
                                  uint8_t tag[NP_TLS_TAG_LEN])
{
    (void)engines;
    (void)key_len;
    NAME(crypt_record)(key, nonce, aad, aad_len, data, len, tag, true);
}

static ATTRIBUTES bool NAME(open)(const struct np_tls_engines *engines, const uint8_t *key,
                                  uint32_t key_len, const uint8_t nonce[NP_TLS_NONCE_LEN],
                                  const uint8_t *aad, uint32_t aad_len, uint8_t *data, uint32_t len,
                                  const uint8_t tag[NP_TLS_TAG_LEN])
{
    uint8_t computed[NP_TLS_TAG_LEN];

    (void)engines;
    (void)key_len;
    NAME(crypt_record)(key, nonce, aad, aad_len, data, len, computed, false);
    return np_ct_is_equal(computed, tag, NP_TLS_TAG_LEN);
}

const struct np_tls_aead NAME(np_fast_chacha_aead) = {NAME(seal), NAME(open)};

#undef V
#undef ALL
#undef COUNTS
#undef ROTATE
#undef ROTATE_16
#undef ROTATE_8
#undef MASK_16
#undef MASK_8
#undef QUARTER
#undef LOW_PAIRS
#undef HIGH_PAIRS
#undef LOW_HALVES
#undef HIGH_HALVES
#undef TRANSPOSE
#undef XOR_ROW
#undef XOR_ROWS

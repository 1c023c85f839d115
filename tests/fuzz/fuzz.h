/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz: what the targets share. A target checks properties, not only that nothing crashes. */
#ifndef NP_TESTS_FUZZ_FUZZ_H
#define NP_TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Bytes of the input, taken from the front; 0 when it is used up. */
struct fuzz_input {
    const uint8_t *data;
    size_t size;
};
static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
    if (in->size == 0) {
        return 0;
    }
    in->size--;
    return *in->data++;
}
static inline uint32_t fuzz_word(struct fuzz_input *in)
{
    uint32_t word = 0;

    for (int i = 0; i < 4; i++) {
        word = word << 8 | fuzz_byte(in);
    }
    return word;
}
/* Copies `len` bytes into memory of exactly that size, so that the sanitizer sees each step beyond.
 * The caller frees it. */
static inline uint8_t *fuzz_copy(const void *data, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);

    FUZZ_CHECK(copy != NULL);
    if (len > 0) {
        memcpy(copy, data, len);
    }
    return copy;
}

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* key: the API key and those who try wrong ones (master-api.md 2). */
#ifndef NP_CORE_MASTER_KEY_H
#define NP_CORE_MASTER_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/base/err.h"
#include "core/http/slice.h"

struct np_plat;

#define NP_KEY_LEN 32u       /* hex digits */
#define NP_KEY_WRONG_MAX 10u /* wrong keys in a minute from one address */
#define NP_KEY_WATCHED 64u   /* addresses remembered; the one quiet for longest gives way */
#define NP_KEY_PERIOD_MS 60000u

struct np_api_key {
    char text[NP_KEY_LEN + 1];
    struct np_key_guess {
        struct np_addr addr; /* an IPv6 one stands for its /64 */
        uint64_t since_ms;   /* of the first wrong key counted, or of the block */
        uint32_t count;      /* 0 = free */
    } guesses[NP_KEY_WATCHED];
};

/* `len` (even, NP_KEY_LEN at most) random lower-case hex digits and a NUL; NP_OK or why there are
 * none. */
enum np_err np_random_hex(struct np_plat *plat, char *out, uint32_t len);

/* A fresh key. NP_OK or NP_ERR_IO without entropy; then the old one stays. */
enum np_err np_api_key_make(struct np_api_key *key, struct np_plat *plat);
/* True if `len` bytes are a key as np_api_key_make makes them. */
bool np_api_key_is_text(const char *text, uint32_t len);

enum np_key_verdict { NP_KEY_RIGHT, NP_KEY_WRONG, NP_KEY_BLOCKED };
/* Compares in constant time and counts. An address with too many wrong keys is blocked for a
 * minute, whatever it shows. */
enum np_key_verdict np_api_key_check(struct np_api_key *key, struct np_slice shown,
                                     const struct np_addr *peer, uint64_t now_ms);

#endif

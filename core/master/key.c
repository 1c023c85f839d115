/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/master/key.h"

#include <string.h>

#include "core/base/ct.h"
#include "core/base/fmt.h"
#include "platform/np_plat.h"

enum np_err np_random_hex(struct np_plat *plat, char *out, uint32_t len)
{
    uint8_t random[NP_KEY_LEN / 2];
    enum np_err err = np_plat_random(plat, random, len / 2);

    if (err == NP_OK) {
        np_fmt_hex(out, random, len / 2);
    }
    np_ct_wipe(random, sizeof random);
    return err;
}

enum np_err np_api_key_make(struct np_api_key *key, struct np_plat *plat)
{
    return np_random_hex(plat, key->text, NP_KEY_LEN);
}

bool np_api_key_is_text(const char *text, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f'))) {
            return false;
        }
    }
    return len == NP_KEY_LEN;
}

/* One who owns a /64 has as many addresses as he likes. */
static struct np_addr network_of(const struct np_addr *peer)
{
    struct np_addr addr = *peer;

    np_addr_unmap(&addr);
    addr.port = 0;
    addr.scope = 0;
    if (addr.family == NP_FAMILY_IP6) {
        memset(addr.ip + 8, 0, 8);
    }
    return addr;
}

/* The entry of `addr`; a new one takes the place of the oldest. */
static struct np_key_guess *find_guess(struct np_api_key *key, const struct np_addr *addr,
                                       bool is_new)
{
    struct np_key_guess *oldest = &key->guesses[0];

    for (uint32_t i = 0; i < NP_KEY_WATCHED; i++) {
        struct np_key_guess *guess = &key->guesses[i];
        if (guess->count > 0 && np_addr_is_equal(&guess->addr, addr)) {
            return guess;
        }
        if (oldest->count > 0 && (guess->count == 0 || guess->since_ms < oldest->since_ms)) {
            oldest = guess;
        }
    }
    if (!is_new) {
        return NULL;
    }
    memset(oldest, 0, sizeof *oldest);
    oldest->addr = *addr;
    return oldest;
}

static void count_wrong(struct np_api_key *key, const struct np_addr *addr, uint64_t now_ms)
{
    struct np_key_guess *guess = find_guess(key, addr, true);

    if (guess->count == 0 || now_ms - guess->since_ms >= NP_KEY_PERIOD_MS) {
        guess->count = 0;
        guess->since_ms = now_ms;
    }
    guess->count++;
    if (guess->count == NP_KEY_WRONG_MAX) {
        guess->since_ms = now_ms; /* from now on for a minute */
    }
}

enum np_key_verdict np_api_key_check(struct np_api_key *key, struct np_slice shown,
                                     const struct np_addr *peer, uint64_t now_ms)
{
    struct np_addr addr = network_of(peer);
    const struct np_key_guess *guess = find_guess(key, &addr, false);

    if (guess != NULL && guess->count >= NP_KEY_WRONG_MAX &&
        now_ms - guess->since_ms < NP_KEY_PERIOD_MS) {
        return NP_KEY_BLOCKED;
    }
    if (shown.len == NP_KEY_LEN && key->text[0] != '\0' &&
        np_ct_is_equal(shown.base, key->text, NP_KEY_LEN)) {
        return NP_KEY_RIGHT;
    }
    count_wrong(key, &addr, now_ms);
    return NP_KEY_WRONG;
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/master/key.h"

#include <string.h>

#include "platform/sim/sim.h"
#include "tests/unit/np_test.h"

static struct np_plat *open_plat(struct np_sim *sim)
{
    struct np_sim_host host;

    np_sim_reset(sim, 5);
    np_sim_host_defaults(&host);
    host.name = "key";
    return np_sim_host_open(sim, &host);
}

NP_TEST(master_key, make_and_check)
{
    struct np_sim *sim = np_sim_create();
    struct np_plat *plat = open_plat(sim);
    struct np_addr peer = np_sim_ip4(10, 0, 0, 9, 1);
    struct np_api_key key;
    char old[NP_KEY_LEN + 1];

    memset(&key, 0, sizeof key);
    /* no key yet: nothing is right, not even nothing */
    NP_CHECK_INT(np_api_key_check(&key, np_slice_of(""), &peer, 0), NP_KEY_WRONG);
    NP_CHECK_INT(np_api_key_make(&key, plat), NP_OK);
    NP_CHECK(np_api_key_is_text(key.text, (uint32_t)strlen(key.text)));
    NP_CHECK(!np_api_key_is_text(key.text, 31));
    NP_CHECK(!np_api_key_is_text("0123456789abcdef0123456789abcdeF", 32));
    NP_CHECK_INT(np_api_key_check(&key, np_slice_of(key.text), &peer, 0), NP_KEY_RIGHT);
    for (uint32_t i = 0; i < NP_KEY_LEN; i++) { /* each digit counts */
        struct np_api_key other;
        char shown[NP_KEY_LEN + 1];

        memset(&other, 0, sizeof other);
        memcpy(other.text, key.text, sizeof key.text);
        memcpy(shown, key.text, sizeof shown);
        shown[i] = shown[i] == '0' ? '1' : '0';
        NP_CHECK_INT(np_api_key_check(&other, np_slice_of(shown), &peer, 0), NP_KEY_WRONG);
    }
    memcpy(old, key.text, sizeof old);
    np_sim_host_trouble(plat)->entropy = NP_SIM_ALWAYS;
    NP_CHECK_INT(np_api_key_make(&key, plat), NP_ERR_IO);
    NP_CHECK_STR(key.text, old);
    np_sim_destroy(sim);
}

static uint32_t wrong(struct np_api_key *key, const struct np_addr *peer, uint64_t now_ms)
{
    return np_api_key_check(key, np_slice_of("wrong"), peer, now_ms);
}

NP_TEST(master_key, ten_wrong_ones_block_a_minute)
{
    struct np_addr peer = np_sim_ip4(10, 0, 0, 9, 1), other = np_sim_ip4(10, 0, 0, 10, 1);
    struct np_api_key key;

    memset(&key, 0, sizeof key);
    memcpy(key.text, "0123456789abcdef0123456789abcdef", NP_KEY_LEN + 1);
    for (uint32_t i = 0; i < 10; i++) {
        peer.port = (uint16_t)(1000 + i);
        NP_CHECK_INT(wrong(&key, &peer, 1000 + i), NP_KEY_WRONG);
    }
    NP_CHECK_INT(wrong(&key, &peer, 2000), NP_KEY_BLOCKED);
    NP_CHECK_INT(np_api_key_check(&key, np_slice_of(key.text), &peer, 2000), NP_KEY_BLOCKED);
    NP_CHECK_INT(np_api_key_check(&key, np_slice_of(key.text), &other, 2000), NP_KEY_RIGHT);
    NP_CHECK_INT(wrong(&key, &peer, 1009 + NP_KEY_PERIOD_MS - 1), NP_KEY_BLOCKED);
    NP_CHECK_INT(np_api_key_check(&key, np_slice_of(key.text), &peer, 1009 + NP_KEY_PERIOD_MS),
                 NP_KEY_RIGHT);
    NP_CHECK_INT(wrong(&key, &peer, 1009 + NP_KEY_PERIOD_MS), NP_KEY_WRONG);
    for (uint64_t i = 0; i < 30; i++) { /* nine a minute are no attack */
        NP_CHECK_INT(wrong(&key, &other, 500000 + i * 7000), NP_KEY_WRONG);
    }
}

NP_TEST(master_key, an_ipv6_network_is_one_address)
{
    struct np_api_key key;
    struct np_addr peer;

    memset(&key, 0, sizeof key);
    for (uint32_t i = 0; i < 11; i++) {
        NP_CHECK(np_addr_parse_ip(&peer, "2001:db8:1:2::1", 15, 5));
        peer.ip[15] = (uint8_t)i;
        NP_CHECK_INT(wrong(&key, &peer, 1), i < 10 ? NP_KEY_WRONG : NP_KEY_BLOCKED);
    }
    peer.ip[7] ^= 1;
    NP_CHECK_INT(wrong(&key, &peer, 1), NP_KEY_WRONG);
    NP_CHECK(np_addr_parse_ip(&peer, "::ffff:10.1.2.3", 15, 5));
    for (uint32_t i = 0; i < 10; i++) {
        NP_CHECK_INT(wrong(&key, &peer, 1), NP_KEY_WRONG);
    }
    peer = np_sim_ip4(10, 1, 2, 3, 7);
    NP_CHECK_INT(wrong(&key, &peer, 1), NP_KEY_BLOCKED);
}

NP_TEST(master_key, the_table_of_addresses_is_bounded)
{
    struct np_addr first = np_sim_ip4(10, 2, 0, 0, 1), peer;
    struct np_api_key key;

    memset(&key, 0, sizeof key);
    for (uint32_t i = 0; i < 10; i++) {
        NP_CHECK_INT(wrong(&key, &first, 100000), NP_KEY_WRONG);
    }
    for (uint32_t i = 1; i < NP_KEY_WATCHED; i++) {
        peer = np_sim_ip4(10, 2, 0, (uint8_t)i, 1);
        NP_CHECK_INT(wrong(&key, &peer, 100000 + i), NP_KEY_WRONG);
    }
    NP_CHECK_INT(wrong(&key, &first, 100100), NP_KEY_BLOCKED);
    peer = np_sim_ip4(10, 3, 0, 1, 1); /* takes the place of the oldest */
    NP_CHECK_INT(wrong(&key, &peer, 100200), NP_KEY_WRONG);
    NP_CHECK_INT(wrong(&key, &first, 100300), NP_KEY_WRONG);
}

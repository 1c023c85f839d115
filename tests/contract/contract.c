/* SPDX-License-Identifier: BSD-3-Clause */
/* contract: runs every test of np_plat.h against the platform it is linked with.
 *
 * Usage: contract-PLATFORM [NAME ...]     (names or beginnings of names; none = all)
 * Prints "ok NAME" or "FAIL NAME" for each, then "N passed, N failed"; exits 1 if any failed. */
#include "tests/contract/contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/contract/harness.h"

static uint32_t failures; /* of the test that runs */

/* ---- checks ---------------------------------------------------------------------------------- */

bool np_contract_check(bool holds, const char *file, int line, const char *text)
{
    if (!holds) {
        failures++;
        printf("  %s:%d: not true: %s\n", file, line, text);
    }
    return holds;
}

bool np_contract_check_int(long long actual, long long expected, const char *file, int line,
                           const char *text)
{
    if (actual != expected) {
        failures++;
        printf("  %s:%d: %s is %lld, not %lld\n", file, line, text, actual, expected);
    }
    return actual == expected;
}

/* ---- connections ----------------------------------------------------------------------------- */

struct np_addr loopback4(uint16_t port)
{
    struct np_addr addr = {.family = NP_FAMILY_IP4, .port = port, .ip = {127, 0, 0, 1}};
    return addr;
}

struct np_addr loopback6(uint16_t port)
{
    struct np_addr addr = {.family = NP_FAMILY_IP6, .port = port, .ip = {[15] = 1}};
    return addr;
}

uint32_t open_listener(struct np_plat *plat, uint16_t *port)
{
    struct np_addr local = loopback4(0);
    uint32_t handle = NP_HANDLE_NONE;
    CHECK_INT(np_plat_tcp_listen(plat, &local, TAG_LISTENER, &handle), NP_OK);
    CHECK_INT(np_plat_local(plat, handle, &local), NP_OK);
    *port = local.port;
    np_plat_interest(plat, handle, NP_EV_READ);
    return handle;
}

bool open_ends(struct np_plat *plat, struct pair *pair)
{
    struct np_addr at, peer;
    pair->a = pair->b = NP_HANDLE_NONE;
    bool is_open = CHECK_INT(np_plat_local(plat, pair->listener, &at), NP_OK) &&
                   CHECK_INT(np_plat_tcp_connect(plat, NULL, &at, TAG_A, &pair->a), NP_OK);
    if (!is_open) {
        return false;
    }
    np_plat_interest(plat, pair->a, NP_EV_WRITE);
    enum np_err result = np_plat_tcp_connect_result(plat, pair->a);
    if (result == NP_ERR_AGAIN) {
        CHECK(wait_event(plat, pair->a, NP_EV_WRITE, LONG_MS) != 0);
        result = np_plat_tcp_connect_result(plat, pair->a);
    }
    np_plat_interest(plat, pair->a, 0);
    is_open = CHECK_INT(result, NP_OK) &&
              CHECK(wait_event(plat, pair->listener, NP_EV_READ, LONG_MS) != 0);
    return is_open &&
           CHECK_INT(np_plat_tcp_accept(plat, pair->listener, TAG_B, &pair->b, &peer), NP_OK);
}

bool open_pair(struct np_plat *plat, struct pair *pair)
{
    uint16_t port;
    pair->listener = open_listener(plat, &port);
    return open_ends(plat, pair);
}

void close_pair(struct np_plat *plat, struct pair *pair)
{
    np_plat_tcp_close(plat, pair->a);
    np_plat_tcp_close(plat, pair->b);
    np_plat_close(plat, pair->listener);
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* What `is_silent` and `wait_event` share: the flags of the first event of `handle` that has one of
 * `flags`. Other handles may be ready all the time, so that the time is bounded by the clock. */
uint32_t wait_event(struct np_plat *plat, uint32_t handle, uint32_t flags, uint32_t timeout_ms)
{
    struct np_event events[HANDLES];
    uint64_t end_ms = np_plat_now_ms(plat) + timeout_ms;
    for (uint64_t now_ms = end_ms - timeout_ms; now_ms <= end_ms; now_ms = np_plat_now_ms(plat)) {
        int32_t n = np_plat_poll(plat, events, HANDLES, (uint32_t)(end_ms - now_ms));
        if (!CHECK(n >= 0)) {
            return 0;
        }
        for (int32_t i = 0; i < n; i++) {
            if (events[i].handle == handle && (events[i].flags & flags) != 0) {
                return events[i].flags;
            }
        }
        if (now_ms == end_ms) {
            break;
        }
    }
    return 0;
}

bool is_silent(struct np_plat *plat, uint32_t handle)
{
    return wait_event(plat, handle, NP_EV_READ | NP_EV_WRITE | NP_EV_ERROR, SHORT_MS) == 0;
}

void let_pass(struct np_plat *plat, uint32_t ms)
{
    (void)wait_event(plat, NP_HANDLE_NONE, 0, ms);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

uint8_t byte_of(uint32_t seed, uint64_t at)
{
    uint64_t x = (at >> 3) * 0x9e3779b97f4a7c15u + seed;
    x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
    return (uint8_t)(x >> (8 * (at & 7)));
}

void fill(uint8_t *buf, uint32_t seed, uint64_t at, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        buf[i] = byte_of(seed, at + i);
    }
}

bool is_filled(const uint8_t *buf, uint32_t seed, uint64_t at, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        if (buf[i] != byte_of(seed, at + i)) {
            return false;
        }
    }
    return true;
}

bool send_all(struct np_plat *plat, uint32_t handle, uint32_t seed, uint64_t at, uint32_t len)
{
    uint8_t buf[4096];
    for (uint32_t done = 0; done < len;) {
        uint32_t piece = len - done < sizeof(buf) ? len - done : (uint32_t)sizeof(buf);
        fill(buf, seed, at + done, piece);
        int32_t n = np_plat_tcp_send(plat, handle, buf, piece);
        if (n == NP_ERR_AGAIN) {
            np_plat_interest(plat, handle, NP_EV_WRITE);
            bool has_room = wait_event(plat, handle, NP_EV_WRITE, LONG_MS) != 0;
            np_plat_interest(plat, handle, 0);
            if (!CHECK(has_room)) {
                return false;
            }
            continue;
        }
        if (!CHECK(n > 0)) {
            return false;
        }
        done += (uint32_t)n;
    }
    return true;
}

int32_t recv_wait(struct np_plat *plat, uint32_t handle, uint8_t *buf, uint32_t cap)
{
    int32_t n = np_plat_tcp_recv(plat, handle, buf, cap);
    if (n == NP_ERR_AGAIN) {
        np_plat_interest(plat, handle, NP_EV_READ);
        (void)wait_event(plat, handle, NP_EV_READ | NP_EV_ERROR, LONG_MS);
        np_plat_interest(plat, handle, 0);
        n = np_plat_tcp_recv(plat, handle, buf, cap);
    }
    return n;
}

bool recv_all(struct np_plat *plat, uint32_t handle, uint32_t seed, uint64_t at, uint32_t len)
{
    uint8_t buf[4096];
    for (uint32_t done = 0; done < len;) {
        uint32_t piece = len - done < sizeof(buf) ? len - done : (uint32_t)sizeof(buf);
        int32_t n = recv_wait(plat, handle, buf, piece);
        if (!CHECK(n > 0) || !CHECK(is_filled(buf, seed, at + done, (uint32_t)n))) {
            return false;
        }
        done += (uint32_t)n;
    }
    return true;
}

uint32_t below(uint64_t *state, uint32_t range)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)(((x >> 32) * range) >> 32);
}

/* ---- running --------------------------------------------------------------------------------- */

static bool is_asked_for(const char *name, char **asked)
{
    if (*asked == NULL) {
        return true;
    }
    for (; *asked != NULL; asked++) {
        if (strncmp(name, *asked, strlen(*asked)) == 0) {
            return true;
        }
    }
    return false;
}

static bool run_test(const struct np_contract_test *test)
{
    failures = 0;
    struct np_plat *plat =
        np_harness_open(test->handles == 0 ? HANDLES : test->handles,
                        test->buffers == 0 ? BUFFERS : test->buffers, test->pipes);
    test->run(plat);
    CHECK_INT(np_harness_handles(plat), 0);
    CHECK(np_harness_close(plat));
    printf("%s %s\n", failures == 0 ? "ok" : "FAIL", test->name);
    fflush(stdout);
    return failures == 0;
}

int main(int argc, char **argv)
{
    static const struct np_contract_test *const tables[] = {
        np_contract_loop, np_contract_tcp,    np_contract_end,  np_contract_splice,
        np_contract_udp,  np_contract_system, np_harness_tests,
    };
    uint32_t passed = 0, failed = 0;
    (void)argc;
    printf("platform %s\n", np_harness_name());
    for (uint32_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const struct np_contract_test *test = tables[i]; test->name != NULL; test++) {
            bool can_run =
                tables[i] != np_contract_splice || test->pipes == 0 || np_harness_has_splice();
            if (can_run && is_asked_for(test->name, argv + 1)) {
                bool is_ok = run_test(test);
                passed += is_ok;
                failed += !is_ok;
            }
        }
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 && passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

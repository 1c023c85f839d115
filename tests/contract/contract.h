/* SPDX-License-Identifier: BSD-3-Clause */
/* contract: checks and helpers of the contract tests. Each test gets a platform of its own and
 * leaves no handle open; a failed check is printed and counted, and the test goes on. */
#ifndef NP_TESTS_CONTRACT_CONTRACT_H
#define NP_TESTS_CONTRACT_CONTRACT_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/np_plat.h"

#define HANDLES 64u /* of a test's platform unless the test asks for another number */
#define BUFFERS 8u
#define PIPES 4u
#define LONG_MS 2000u /* what must happen, happens in this time */
#define SHORT_MS 40u  /* what must not happen is waited for so long */

struct np_contract_test {
    const char *name;
    void (*run)(struct np_plat *plat);
    uint32_t handles, buffers, pipes; /* 0 = the usual ones */
};

/* Tables of tests, each ended by an entry without a name. */
extern const struct np_contract_test np_contract_loop[];
extern const struct np_contract_test np_contract_tcp[];
extern const struct np_contract_test np_contract_end[];
extern const struct np_contract_test np_contract_splice[];
extern const struct np_contract_test np_contract_udp[];
extern const struct np_contract_test np_contract_system[];

bool np_contract_check(bool holds, const char *file, int line, const char *text);
bool np_contract_check_int(long long actual, long long expected, const char *file, int line,
                           const char *text);
#define CHECK(condition) np_contract_check((condition), __FILE__, __LINE__, #condition)
#define CHECK_INT(actual, expected)                                                                \
    np_contract_check_int((long long)(actual), (long long)(expected), __FILE__, __LINE__, #actual)

/* Two connected ends and the listener they came from, all tagged with what they are. */
struct pair {
    uint32_t listener, a, b; /* a connected, b was accepted */
};
#define TAG_LISTENER 1000u
#define TAG_A 1001u
#define TAG_B 1002u

struct np_addr loopback4(uint16_t port);
struct np_addr loopback6(uint16_t port);
uint32_t open_listener(struct np_plat *plat, uint16_t *port);
/* Connects and accepts on an existing listener; sets a and b. */
bool open_ends(struct np_plat *plat, struct pair *pair);
bool open_pair(struct np_plat *plat, struct pair *pair);
void close_pair(struct np_plat *plat, struct pair *pair);

/* Waits until an event of `handle` holds one of `flags`. Returns the event's flags, 0 = not in
 * time. */
uint32_t wait_event(struct np_plat *plat, uint32_t handle, uint32_t flags, uint32_t timeout_ms);
/* True if `handle` has no event for SHORT_MS. */
bool is_silent(struct np_plat *plat, uint32_t handle);
/* Lets SHORT_MS pass, whatever happens. */
void let_pass(struct np_plat *plat, uint32_t ms);

/* Byte `at` of stream `seed`. */
uint8_t byte_of(uint32_t seed, uint64_t at);
void fill(uint8_t *buf, uint32_t seed, uint64_t at, uint32_t len);
bool is_filled(const uint8_t *buf, uint32_t seed, uint64_t at, uint32_t len);
/* Sends bytes [at, at + len) of the stream, waiting for room. */
bool send_all(struct np_plat *plat, uint32_t handle, uint32_t seed, uint64_t at, uint32_t len);
/* Receives exactly `len` bytes of the stream, waiting for them. */
bool recv_all(struct np_plat *plat, uint32_t handle, uint32_t seed, uint64_t at, uint32_t len);
/* Receives once, waiting for something: bytes, EOF or an error. */
int32_t recv_wait(struct np_plat *plat, uint32_t handle, uint8_t *buf, uint32_t cap);
/* Repeatable random numbers, 0 to range - 1. */
uint32_t below(uint64_t *state, uint32_t range);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* harness: what the contract tests need to know about the platform they are linked with. One of
 * harness_posix.c, harness_sim.c and harness_lwip.c provides it. */
#ifndef NP_TESTS_CONTRACT_HARNESS_H
#define NP_TESTS_CONTRACT_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/contract/contract.h"

struct np_plat;

/* "posix-epoll", "posix-poll", "sim" or "lwip" */
const char *np_harness_name(void);
/* False: np_plat_tcp_splice is always UNSUPPORTED. */
bool np_harness_has_splice(void);
/* A platform whose poll really waits (or lets virtual time pass). It knows the names "localhost",
 * "127.0.0.1" (one IPv4 address) and "slow.test" or any other name for a slow one.
 * `pipes` = 0: without splice. Aborts the program if there is none. */
struct np_plat *np_harness_open(uint32_t handles, uint32_t buffers, uint32_t pipes);
/* Handles open now. */
uint32_t np_harness_handles(const struct np_plat *plat);
/* Closes it. Returns false, with a line printed, if anything but handles was still in use. */
bool np_harness_close(struct np_plat *plat);
/* Where blobs may be stored: the start of a name. */
const char *np_harness_blob_prefix(void);
/* Tests of this platform alone; ends with an entry without a name. */
extern const struct np_contract_test np_harness_tests[];

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* handshakes: whole TLS 1.3 handshakes of a client and a server in one process, in memory, and what
 * each side costs. All implementations do the same: AES-128-GCM with SHA-256, X25519, a certificate
 * of one entry that the client does not trust but whose signature it checks, nothing resumed, no
 * ticket.
 */
#ifndef NP_TESTS_BENCH_HANDSHAKES_H
#define NP_TESTS_BENCH_HANDSHAKES_H

#include <stdbool.h>
#include <stdint.h>

/* CPU time of the calling thread, added up over the handshakes that were run. */
struct handshake_cost {
    uint64_t client_ns, server_ns;
    uint32_t count;
};

struct handshake_maker {
    const char *name;
    /* Loads certificate and key (PEM files). False after a line on stderr. */
    bool (*open)(const char *crt_path, const char *key_path);
    /* Runs one handshake to its end at both sides. False if it failed. */
    bool (*run)(struct handshake_cost *cost);
    void (*close)(void);
};

extern const struct handshake_maker handshakes_ours;
/* Its open fails if the program was built without OpenSSL's headers. */
extern const struct handshake_maker handshakes_openssl;

/* CPU time of this thread, ns. */
uint64_t handshake_clock_ns(void);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* crypto: records, signatures and whole handshakes of our engine beside OpenSSL's, one after the
 * other on one core: `openssl speed` for the first two, libssl in this process for handshakes. Ours
 * expands the key for each record, as a connection does; openssl speed does not.
 *
 * Usage: bench-crypto [--check] [--json FILE] [PART...]      parts: records operations handshakes
 *        --check: exit 1 if a bar is missed; --json: a line a row as well
 */
#define _POSIX_C_SOURCE 200809L /* popen, clock_gettime, mkdtemp */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/tls/br.h"
#include "core/tls/engines.h"
#include "core/tls/key.h"
#include "core/tls/suite.h"
#include "tests/bench/handshakes.h"

#define ROUNDS 3         /* of each program, in turns; the best counts */
#define BATCH_NS 2000000 /* work between two looks at the clock */
#define ROUND_NS 300000000
/* Without the instructions of AVX-512, which we do not use: bits of CPUID leaf 7. */
#define NO_AVX512 "OPENSSL_ia32cap=:~0xd0030000 "

static FILE *json; /* NULL: not wanted */
static uint8_t data[16384 + 64], key[32], nonce[12], aad[5], tag[16];

static uint64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Operations a second, of the fastest batch. */
static double fastest(void (*run)(const void *), const void *what)
{
    uint64_t begin = cpu_ns(), count = 1, best_count = 0, best_ns = 1;

    while (cpu_ns() - begin < ROUND_NS) {
        uint64_t start = cpu_ns(), took;

        for (uint64_t i = 0; i < count; i++) {
            run(what);
        }
        took = cpu_ns() - start;
        if (took < BATCH_NS / 2) {
            count *= 2;
            continue;
        }
        if (best_count == 0 ||
            (double)count / (double)took > (double)best_count / (double)best_ns) {
            best_count = count;
            best_ns = took;
        }
    }
    return (double)best_count * 1e9 / (double)best_ns;
}

/* What `openssl speed -mr` says: bytes a second, or operations a second (field `field`). */
static double openssl(const char *environment, const char *arguments, const char *mark, int field)
{
    char command[256], line[512];
    double value = 0;
    FILE *pipe;

    snprintf(command, sizeof(command), "%sopenssl speed -mr -seconds 1 %s 2> /dev/null",
             environment, arguments);
    pipe = popen(command, "r");
    while (pipe != NULL && fgets(line, sizeof(line), pipe) != NULL) {
        if (strncmp(line, mark, strlen(mark)) == 0) {
            char *at = line;

            for (int i = 0; i < field && at != NULL; i++) {
                at = strchr(at, ':');
                at = at != NULL ? at + 1 : NULL;
            }
            value = at != NULL ? strtod(at, NULL) : 0;
        }
    }
    return pipe != NULL && pclose(pipe) == 0 ? value : 0;
}

/* ---- records --------------------------------------------------------------------------------- */

struct record_case {
    const struct np_tls_engines *engines;
    const struct np_tls_aead *aead;
    uint32_t key_len, len;
};

static void seal(const void *what)
{
    const struct record_case *c = what;

    c->aead->seal(c->engines, key, c->key_len, nonce, aad, sizeof(aad), data, c->len, tag);
}

static void open(const void *what)
{
    const struct record_case *c = what;

    (void)c->aead->open(c->engines, key, c->key_len, nonce, aad, sizeof(aad), data, c->len, tag);
}

/* One line of the table. `bar`: how many times slower than openssl is allowed; 0 = not judged. */
static bool compare_records(const char *name, const struct record_case *c, const char *environment,
                            const char *cipher, double bar)
{
    double sealed = 0, opened = 0, theirs = 0, ratio;
    char arguments[64];

    snprintf(arguments, sizeof(arguments), "-bytes %u -evp %s", c->len, cipher);
    for (int i = 0; i < ROUNDS; i++) {
        double now = fastest(seal, c) * c->len / 1e6;

        sealed = now > sealed ? now : sealed;
        now = fastest(open, c) * c->len / 1e6;
        opened = now > opened ? now : opened;
        now = openssl(environment, arguments, "+F:", 3) / 1e6;
        theirs = now > theirs ? now : theirs;
    }
    ratio = theirs / (sealed < opened ? sealed : opened);
    printf("%-26s %6u  %8.0f %8.0f %8.0f  %5.2f", name, c->len, sealed, opened, theirs, ratio);
    if (bar > 0) {
        printf("  at most %.2f: %s", bar, ratio <= bar && theirs > 0 ? "met" : "MISSED");
    }
    printf("\n");
    fflush(stdout);
    if (json != NULL) {
        fprintf(json,
                "{\"part\": \"records\", \"name\": \"%s\", \"bytes\": %u, \"seal\": %.1f, "
                "\"open\": %.1f, \"openssl\": %.1f, \"bar\": %.2f}\n",
                name, c->len, sealed, opened, theirs, bar);
    }
    return bar == 0 || (ratio <= bar && theirs > 0);
}

static bool records(void)
{
    static const uint32_t lens[] = {64, 1024, 16384};
    struct np_tls_engines engines;
    bool is_met = true;

    np_tls_engines_init(&engines);
    printf("MB a second of CPU          bytes      seal     open  openssl  times slower\n");
    for (uint32_t i = 0; i < 3; i++) {
        bool is_whole = lens[i] == 16384;
        struct record_case aes = {&engines, engines.gcm, 16, lens[i]};
        struct record_case aes256 = {&engines, engines.gcm, 32, lens[i]};
        struct record_case chacha = {&engines, engines.chacha, 32, lens[i]};

        is_met &= compare_records("AES-128-GCM", &aes, "", "aes-128-gcm", is_whole ? 1.2 : 0);
        (void)compare_records("AES-256-GCM", &aes256, "", "aes-256-gcm", 0);
        is_met &= compare_records("ChaCha20-Poly1305", &chacha, NO_AVX512, "chacha20-poly1305",
                                  is_whole ? 1.5 : 0);
        (void)compare_records("  openssl with AVX-512", &chacha, "", "chacha20-poly1305", 0);
    }
    return is_met;
}

/* ---- operations of a handshake --------------------------------------------------------------- */

static struct np_tls_key signer;
static uint8_t point[97], signature[NP_TLS_SIGNATURE_MAX];
static uint32_t signature_len;

static void sign(const void *what)
{
    (void)what;
    signature_len = np_tls_key_sign(&signer, NP_TLS_ECDSA_P256_SHA256, data, 130, data, signature);
}

static void verify(const void *what)
{
    br_x509_pkey public_key;

    (void)what;
    public_key.key_type = BR_KEYTYPE_EC;
    public_key.key.ec.curve = BR_EC_secp256r1;
    public_key.key.ec.q = point;
    public_key.key.ec.qlen = 65;
    if (!np_tls_sig_verify(&public_key, NP_TLS_ECDSA_P256_SHA256, data, 130, signature,
                           signature_len)) {
        abort();
    }
}

static void derive(const void *what)
{
    uint8_t secret[32];
    uint16_t group = *(const uint16_t *)what;

    if (group == NP_TLS_X25519) {
        point[31] &= 0x7f;
    }
    (void)np_tls_group_derive(group, key, point, np_tls_group_share_len(group), secret);
}

static void compare_operations(const char *name, void (*run)(const void *), const void *what,
                               const char *arguments, const char *mark, int field)
{
    double ours = 0, theirs = 0;

    for (int i = 0; i < ROUNDS; i++) {
        double now = fastest(run, what);

        ours = now > ours ? now : ours;
        now = openssl("", arguments, mark, field);
        theirs = now > theirs ? now : theirs;
    }
    printf("%-26s %8.0f %8.0f  %5.2f\n", name, ours, theirs, theirs / ours);
    fflush(stdout);
    if (json != NULL) {
        fprintf(json,
                "{\"part\": \"operations\", \"name\": \"%s\", \"ours\": %.1f, "
                "\"openssl\": %.1f}\n",
                name, ours, theirs);
    }
}

static void operations(void)
{
    static const uint16_t x25519 = NP_TLS_X25519, p256 = NP_TLS_SECP256R1;

    printf("\noperations a second            ours  openssl  times slower\n");
    if (!np_tls_key_make(&signer, key) || np_tls_key_point(&signer, point) != 65) {
        abort();
    }
    compare_operations("ECDSA P-256 sign", sign, NULL, "ecdsap256", "+F4:", 3);
    compare_operations("ECDSA P-256 verify", verify, NULL, "ecdsap256", "+F4:", 4);
    compare_operations("ECDH P-256", derive, &p256, "ecdhp256", "+F5:", 3);
    compare_operations("X25519", derive, &x25519, "ecdhx25519", "+F5:", 3);
}

/* ---- whole handshakes ------------------------------------------------------------------------ */

struct pem_files {
    char folder[32], crt[48], key[48];
};

static void remove_files(const struct pem_files *files)
{
    (void)unlink(files->crt);
    (void)unlink(files->key);
    (void)rmdir(files->folder);
}

/* A key and its self-signed certificate, made by openssl, in a folder of their own. */
static bool make_files(struct pem_files *files, const char *kind)
{
    char command[320];

    snprintf(files->folder, sizeof(files->folder), "/tmp/bench-crypto-XXXXXX");
    if (mkdtemp(files->folder) == NULL) {
        return false;
    }
    snprintf(files->crt, sizeof(files->crt), "%s/crt.pem", files->folder);
    snprintf(files->key, sizeof(files->key), "%s/key.pem", files->folder);
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey %s -nodes -subj /O=bench -days 30 -keyout %s -out %s "
             "2> /dev/null",
             kind, files->key, files->crt);
    if (system(command) != 0) { /* NOLINT: the command is ours */
        remove_files(files);
        return false;
    }
    return true;
}

/* The cheapest of the rounds, in microseconds of CPU. */
struct handshake_time {
    double client_us, server_us;
};

static bool run_round(const struct handshake_maker *maker, struct handshake_time *best)
{
    struct handshake_cost cost = {0, 0, 0};
    double client_us, server_us;

    for (int i = 0; i < 20; i++) { /* caches */
        if (!maker->run(&cost)) {
            return false;
        }
    }
    cost = (struct handshake_cost){0, 0, 0};
    while (cost.client_ns + cost.server_ns < ROUND_NS) {
        if (!maker->run(&cost)) {
            return false;
        }
    }
    client_us = (double)cost.client_ns / cost.count / 1e3;
    server_us = (double)cost.server_ns / cost.count / 1e3;
    if (best->client_us == 0 || client_us + server_us < best->client_us + best->server_us) {
        best->client_us = client_us;
        best->server_us = server_us;
    }
    return true;
}

/* One line a side: how many a second a core does that only does this side; both: client and server
 * on the same core. */
static void print_side(const char *name, const char *side, double ours_us, double theirs_us)
{
    double ours = 1e6 / ours_us, theirs = theirs_us > 0 ? 1e6 / theirs_us : 0;

    printf("%-18s %-7s %8.0f %8.0f  %5.2f\n", name, side, ours, theirs, theirs / ours);
    fflush(stdout);
    if (json != NULL) {
        fprintf(json,
                "{\"part\": \"handshakes\", \"name\": \"%s\", \"side\": \"%s\", \"ours\": %.1f, "
                "\"openssl\": %.1f}\n",
                name, side, ours, theirs);
    }
}

static bool compare_handshakes(const char *name, const char *kind)
{
    struct handshake_time ours = {0, 0}, theirs = {0, 0};
    bool is_fine, has_openssl;
    struct pem_files files;

    if (!make_files(&files, kind)) {
        fprintf(stderr, "bench-crypto: openssl makes no certificate\n");
        return false;
    }
    is_fine = handshakes_ours.open(files.crt, files.key);
    has_openssl = handshakes_openssl.open(files.crt, files.key);
    for (int i = 0; i < ROUNDS && is_fine; i++) {
        is_fine = run_round(&handshakes_ours, &ours) &&
                  (!has_openssl || run_round(&handshakes_openssl, &theirs));
    }
    handshakes_ours.close();
    handshakes_openssl.close();
    remove_files(&files);
    if (!is_fine) {
        fprintf(stderr, "bench-crypto: %s: a handshake failed\n", name);
        return false;
    }
    print_side(name, "both", ours.client_us + ours.server_us, theirs.client_us + theirs.server_us);
    print_side(name, "client", ours.client_us, theirs.client_us);
    print_side(name, "server", ours.server_us, theirs.server_us);
    return true;
}

static bool handshakes(void)
{
    bool is_fine;

    printf("\nTLS 1.3 handshakes a second and core, X25519, AES-128-GCM, none resumed\n"
           "certificate        side        ours  openssl  times slower\n");
    is_fine = compare_handshakes("ECDSA P-256", "ec -pkeyopt ec_paramgen_curve:P-256");
    return compare_handshakes("RSA 2048", "rsa:2048") && is_fine;
}

/* ---- main ------------------------------------------------------------------------------------ */

static bool is_asked(int argc, char **argv, const char *part)
{
    bool has_parts = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], part) == 0) {
            return true;
        }
        has_parts = has_parts || (argv[i][0] != '-' && strcmp(argv[i - 1], "--json") != 0);
    }
    return !has_parts;
}

int main(int argc, char **argv)
{
    bool is_met = true, is_fine = true, is_check = false;

    for (int i = 1; i < argc; i++) {
        is_check = is_check || strcmp(argv[i], "--check") == 0;
        if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            json = fopen(argv[i + 1], "w");
        }
    }
    for (uint32_t i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)(i * 7 + 1);
    }
    if (is_asked(argc, argv, "records")) {
        is_met = records();
    }
    if (is_asked(argc, argv, "operations")) {
        operations();
    }
    if (is_asked(argc, argv, "handshakes")) {
        is_fine = handshakes();
    }
    is_fine = (json == NULL || fclose(json) == 0) && is_fine;
    return is_fine && (is_met || !is_check) ? 0 : 1;
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/verify.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/tls/key_pair.h"
#include "core/tls/pem.h"
#include "tests/unit/np_test.h"
#include "tests/unit/tls_files.h"

#define ENTRIES 400

static uint64_t seed = 7;

/* What one handshake's verifier is given, and what it said. */
struct scene {
    struct np_roots roots;
    struct np_roots_text text;
    char bundle[TLS_FILE_CAP];
    struct np_root_entry entries[ENTRIES];
    struct np_verify_policy policy;
    struct np_verify_report report;
    int64_t now_s;
    uint8_t pin[32];
    _Alignas(16) uint8_t mem[NP_TLS_VERIFY_BYTES];
    enum np_tls_reason reason;
    uint8_t fingerprint[32];
};

static int64_t scene_wall(void *ctx)
{
    return ((struct scene *)ctx)->now_s;
}

/* A verifier that trusts `roots` (a file; NULL: no path check), today. */
static void set_up(struct scene *s, const char *roots)
{
    memset(s, 0, sizeof(*s));
    s->now_s = (int64_t)time(NULL);
    s->policy.wall_s = scene_wall;
    s->policy.clock_ctx = s;
    s->policy.report = &s->report;
    if (roots != NULL) {
        const char *text = tls_file(roots, &s->text.len);

        memcpy(s->bundle, text, s->text.len);
        s->text.text = s->bundle;
        s->roots.read = np_roots_read_text;
        s->roots.ctx = &s->text;
        s->roots.entries = s->entries;
        s->roots.cap = ENTRIES;
        NP_CHECK_INT(np_roots_index(&s->roots), NP_OK);
        s->policy.roots = &s->roots;
    }
}

/* Shows the certificates of `files` (NULL ends) in pieces of up to `piece` bytes. */
static enum np_tls_reason show(struct scene *s, const char *const *files, const char *name,
                               uint32_t piece)
{
    const struct np_tls_verify_ops *ops = &np_verify_ops;

    memset(s->mem, 0xa5, sizeof(s->mem));
    ops->begin(s->mem, &s->policy, name);
    for (; *files != NULL; files++) {
        uint32_t len;
        const uint8_t *der = tls_der(*files, &len);

        ops->cert(s->mem, len);
        for (uint32_t part; len > 0; der += part, len -= part) {
            part = 1 + np_test_below(&seed, piece);
            part = part < len ? part : len;
            ops->append(s->mem, der, part);
        }
        ops->cert_end(s->mem);
    }
    s->reason = ops->end(s->mem);
    ops->fingerprint(s->mem, s->fingerprint);
    NP_CHECK_INT(s->report.reason, s->reason);
    return s->reason;
}

#define SHOW(s, name, ...) show(s, (const char *const[]){__VA_ARGS__, NULL}, name, 100000)

/* The same in one piece, in small ones and byte for byte. */
#define CHECK_SHOWN(s, want, text_part, name, ...)                                                 \
    do {                                                                                           \
        static const uint32_t pieces_[] = {100000, 300, 20, 1};                                    \
        for (uint32_t p_ = 0; p_ < 4; p_++) {                                                      \
            NP_CHECK_INT(show(s, (const char *const[]){__VA_ARGS__, NULL}, name, pieces_[p_]),     \
                         want);                                                                    \
            if (!NP_CHECK(strstr((s)->report.text, text_part) != NULL)) {                          \
                NP_CHECK_STR((s)->report.text, text_part);                                         \
            }                                                                                      \
        }                                                                                          \
    } while (0)

#define HOST "server.example.com"

NP_TEST(tls_verify, good_chains)
{
    static struct scene s;

    set_up(&s, "root.crt");
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "p256.crt", "inter.crt");
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "p256.crt", "inter.crt", "root.crt");
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "p256.crt", "inter.crt", "stranger.crt");
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "p384.crt");
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "anyusage.crt");
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "nousage.crt");
    CHECK_SHOWN(&s, NP_TLS_FINE, "", "last.example.com", "many.crt");
    set_up(&s, "rsaroot.crt");
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "rsa2048.crt");
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "rsa3072.crt");
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "rsa4096.crt");
    set_up(&s, "bundle.crt"); /* with another root of the same name before the right one */
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "p256.crt", "inter.crt");
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "rsa2048.crt");
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "v1leaf.crt");
    set_up(&s, "oldroot.crt"); /* a root's signature of itself may be SHA-1 */
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "byoldroot.crt", "oldroot.crt");
    set_up(&s, "self.crt"); /* trusted for itself */
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "self.crt");
}

NP_TEST(tls_verify, names)
{
    static struct scene s;
    static const struct {
        const char *name;
        bool is_good;
    } rows[] = {
        {"server.example.com", true},    {"SERVER.Example.COM", true},
        {"server.example.com.", true},   {"a.wild.example.com", true},
        {"A.WILD.example.com", true},    {"192.0.2.1", true},
        {"2001:db8::1", true},           {"2001:0db8:0:0:0:0:0:1", true},
        {"a.b.wild.example.com", false}, {"wild.example.com", false},
        {".wild.example.com", false},    {"*.wild.example.com", false},
        {"server.example.org", false},   {"xserver.example.com", false},
        {"erver.example.com", false},    {"192.0.2.2", false},
        {"192.0.2.1.", false},           {"2001:db8::2", false},
        {"example.com", false},          {"server", false},
    };

    set_up(&s, "root.crt");
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        np_test_context("%s", rows[i].name);
        NP_CHECK_INT(SHOW(&s, rows[i].name, "p256.crt", "inter.crt"),
                     rows[i].is_good ? NP_TLS_FINE : NP_TLS_CERT_NAME);
    }
    np_test_context("%s", "");
    CHECK_SHOWN(&s, NP_TLS_CERT_NAME, "certificate 1 (server.example.com): is not for other.test",
                "other.test", "p256.crt", "inter.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_NAME, "no name", NULL, "p256.crt", "inter.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_NAME, "no name", "", "p256.crt", "inter.crt");
    /* the common name does not count */
    CHECK_SHOWN(&s, NP_TLS_CERT_NAME, "is not for " HOST, HOST, "cnonly.crt");
}

NP_TEST(tls_verify, name_patterns)
{
    static const struct {
        const char *pattern, *name;
        bool is_good;
    } rows[] = {
        {"*.com", "example.com", false},
        {"*.example.com", "a.example.com", true},
        {"*.example.com", "example.com", false},
        {"*", "example.com", false},
        {"*.", "a.", false},
        {"", "", false},
        {"a*.example.com", "ab.example.com", false},
        {"b.*.com", "b.example.com", false},
        {"a", "a", true},
        {"*.a.b", "x.a.b", true},
        {"*.*.b", "x.y.b", false},
        {"*.a.b", ".a.b", false},
    };

    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        np_test_context("%s for %s", rows[i].pattern, rows[i].name);
        NP_CHECK_INT(np_cert_name_is_for((const uint8_t *)rows[i].pattern,
                                         (uint32_t)strlen(rows[i].pattern), rows[i].name),
                     rows[i].is_good);
    }
}

NP_TEST(tls_verify, bad_chains)
{
    static struct scene s;

    set_up(&s, "root.crt");
    NP_CHECK_INT(show(&s, (const char *const[]){NULL}, HOST, 1), NP_TLS_CERT_EMPTY);
    NP_CHECK_STR(s.report.text, "no certificate");
    CHECK_SHOWN(&s, NP_TLS_CERT_UNTRUSTED, "certificate 1 (server.example.com): its issuer is not",
                HOST, "p256.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_UNTRUSTED, "certificate 1", HOST, "rsa2048.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_UNTRUSTED, "certificate 2", HOST, "rsa2048.crt", "rsaroot.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_UNTRUSTED, "is self-signed", HOST, "self.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_CHAIN, "certificate 2 (Test Root): is not the issuer", HOST,
                "p256.crt", "root.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_CHAIN, "certificate 2 (RSA Root): is not the issuer", HOST,
                "p256.crt", "rsaroot.crt", "inter.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_CHAIN, "certificate 2 (Not A CA): may not issue", HOST,
                "bynoca.crt", "noca.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_CHAIN, "certificate 3 (No More Levels): may not issue", HOST,
                "deep.crt", "inter1.crt", "inter0.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_USAGE, "is not for TLS servers", HOST, "clientonly.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_USAGE, "is not for TLS servers", HOST, "nosign.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_UNSUPPORTED, "critical extension", HOST, "critical.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_WEAK, "SHA-1", HOST, "sha1.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_WEAK, "below 2048", HOST, "weak.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_CHAIN, "certificate 2 (Test Intermediate): did not sign the one",
                HOST, "p256.crt", "inter2.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_CHAIN, "certificate 2 (Signs No Certificates): may not sign", HOST,
                "bynokeysign.crt", "nokeysign.crt");
    set_up(&s, "longroot.crt"); /* a root whose name is too long for us */
    CHECK_SHOWN(&s, NP_TLS_CERT_UNTRUSTED, "issuer", HOST, "bylongroot.crt");
    set_up(&s, "twin.crt"); /* the right name, another key */
    CHECK_SHOWN(&s, NP_TLS_CERT_UNTRUSTED, "certificate 2", HOST, "p256.crt", "inter.crt");
    set_up(&s, "self.crt"); /* no CA: trusted for itself, not for what it signed */
    CHECK_SHOWN(&s, NP_TLS_CERT_UNTRUSTED, "certificate 1", HOST, "byself.crt");
}

/* What a CA may be used for counts at every place, at that of the root as well. */
NP_TEST(tls_verify, limits_of_authorities)
{
    static struct scene s;

    set_up(&s, "root.crt");
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "byweb.crt", "web.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_CHAIN, "certificate 2 (For Mail): may not issue", HOST,
                "bymail.crt", "mail.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_CHAIN, "certificate 2 (For Others): has name constraints", HOST,
                "bylimits.crt", "limits.crt");
    set_up(&s, "root0.crt");
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "byroot0.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_CHAIN, "certificate 2 (Under Root 0): the root may not issue", HOST,
                "byunder0.crt", "under0.crt");
    set_up(&s, "root1.crt");
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "byunder1.crt", "under1.crt");
    set_up(&s, "rootsign.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_CHAIN, "the root may not", HOST, "byrootsign.crt");
    set_up(&s, "rootmail.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_CHAIN, "the root may not", HOST, "byrootmail.crt");
    set_up(&s, "rootlimits.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_CHAIN, "the root may not", HOST, "byrootlimits.crt");
}

/* Long chains are cut off, whatever they hold. */
NP_TEST(tls_verify, endless_chain)
{
    static struct scene s;
    const struct np_tls_verify_ops *ops = &np_verify_ops;
    uint32_t len;
    const uint8_t *der = tls_der("inter.crt", &len);

    set_up(&s, NULL);
    ops->begin(s.mem, &s.policy, HOST);
    for (uint32_t i = 0; i < 11; i++) {
        ops->cert(s.mem, len);
        ops->append(s.mem, der, len);
        ops->cert_end(s.mem);
    }
    NP_CHECK_INT(ops->end(s.mem), NP_TLS_CERT_CHAIN);
}

NP_TEST(tls_verify, dates)
{
    static struct scene s;
    struct np_key_pair pair;
    struct np_key_fault fault;
    struct np_tls_random random = {tls_random_fill, &seed};
    uint32_t len, key_len;
    const char *chain = tls_file("p384.crt", &len), *key = tls_file("p384.key", &key_len);

    NP_CHECK_INT(np_key_pair_load(&pair, chain, len, key, key_len, &random, &fault), NP_OK);
    set_up(&s, "root.crt");
    s.now_s = pair.not_after_s;
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "p384.crt");
    s.now_s++;
    CHECK_SHOWN(&s, NP_TLS_CERT_EXPIRED, "certificate 1 (server.example.com): expired on 20", HOST,
                "p384.crt");
    s.now_s = pair.not_before_s;
    /* the root is a few seconds older than the leaf */
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "p384.crt");
    s.now_s = pair.not_before_s - 3600;
    CHECK_SHOWN(&s, NP_TLS_CERT_NOT_YET_VALID, "not valid before 20", HOST, "p384.crt");
    NP_CHECK(!s.report.is_clock_low);
    s.policy.floor_s = pair.not_before_s + 3600; /* the clock is wrong: the floor counts */
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "p384.crt");
    NP_CHECK(s.report.is_clock_low);
    s.now_s = 0;
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "p384.crt");
    s.policy.floor_s = pair.not_after_s + 1;
    CHECK_SHOWN(&s, NP_TLS_CERT_EXPIRED, "expired on", HOST, "p384.crt");
    s.policy.floor_s = 0;
    CHECK_SHOWN(&s, NP_TLS_CERT_NO_CLOCK, "the time is not known", HOST, "p384.crt");
    set_up(&s, "root.crt"); /* the intermediate's own dates, and the root's */
    s.now_s += 366 * 86400;
    CHECK_SHOWN(&s, NP_TLS_CERT_EXPIRED, "certificate 1", HOST, "p256.crt", "inter.crt");
    set_up(&s, "shortroot.crt");
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "byshortroot.crt");
    s.now_s += 31 * 86400;
    CHECK_SHOWN(&s, NP_TLS_CERT_EXPIRED, "the root that issued it is out of its dates", HOST,
                "byshortroot.crt");
    set_up(&s, "self.crt");
    s.now_s += 3651ll * 86400;
    CHECK_SHOWN(&s, NP_TLS_CERT_EXPIRED, "expired on", HOST, "self.crt");
}

NP_TEST(tls_verify, pins)
{
    static struct scene s;
    struct np_cert_scan scan;
    uint32_t len;
    const uint8_t *der = tls_der("p256.crt", &len);

    np_cert_scan_init(&scan, len);
    np_cert_scan_feed(&scan, der, len);
    set_up(&s, NULL);
    s.policy.pin = s.pin;
    memcpy(s.pin, scan.key, 32);
    s.now_s = 0; /* neither CA nor clock */
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "p256.crt");
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "cnonly.crt", "stranger.crt"); /* the same key */
    CHECK_SHOWN(&s, NP_TLS_CERT_PIN, "certificate 1 (server.example.com): its public key is not",
                HOST, "p384.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_PIN, "pinned", HOST, "self.crt", "p256.crt");
    set_up(&s, "root.crt");
    s.policy.pin = s.pin;
    memcpy(s.pin, scan.key, 32);
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "p256.crt", "inter.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_PIN, "pinned", HOST, "p384.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_UNTRUSTED, "issuer", HOST, "p256.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_NAME, "x.test", "x.test", "p256.crt", "inter.crt");
    for (uint32_t bit = 0; bit < 256; bit += 17) {
        s.pin[bit / 8] ^= (uint8_t)(1u << bit % 8);
        NP_CHECK_INT(SHOW(&s, HOST, "p256.crt", "inter.crt"), NP_TLS_CERT_PIN);
        s.pin[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* tls=1: the chain is not judged, its leaf must be readable. */
NP_TEST(tls_verify, without_roots)
{
    static struct scene s;

    set_up(&s, NULL);
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "self.crt");
    CHECK_SHOWN(&s, NP_TLS_FINE, "", HOST, "rsa4096.crt", "p256.crt");
    CHECK_SHOWN(&s, NP_TLS_CERT_WEAK, "below 2048", HOST, "weak.crt");
    NP_CHECK_INT(show(&s, (const char *const[]){NULL}, HOST, 1), NP_TLS_CERT_EMPTY);
}

/* Each byte changed, each length: never accepted, never a crash. */
NP_TEST(tls_verify, damaged)
{
    static struct scene s;
    const struct np_tls_verify_ops *ops = &np_verify_ops;
    uint8_t der[2048];
    uint32_t len;
    const uint8_t *leaf = tls_der("p384.crt", &len);

    memcpy(der, leaf, len);
    set_up(&s, "root.crt");
    for (uint32_t i = 0; i < len; i++) {
        der[i] ^= (uint8_t)(1u << i % 8);
        ops->begin(s.mem, &s.policy, HOST);
        ops->cert(s.mem, len);
        ops->append(s.mem, der, len);
        ops->cert_end(s.mem);
        np_test_context("byte %u", i);
        NP_CHECK(ops->end(s.mem) != NP_TLS_FINE);
        der[i] ^= (uint8_t)(1u << i % 8);
    }
    for (uint32_t cut = 0; cut < len; cut++) {
        np_test_context("cut %u", cut);
        ops->begin(s.mem, &s.policy, HOST);
        ops->cert(s.mem, cut); /* shorter in truth */
        ops->append(s.mem, der, cut);
        ops->cert_end(s.mem);
        NP_CHECK_INT(ops->end(s.mem), NP_TLS_CERT_MALFORMED);
        ops->begin(s.mem, &s.policy, HOST);
        ops->cert(s.mem, len); /* shorter than announced */
        ops->append(s.mem, der, cut);
        ops->cert_end(s.mem);
        NP_CHECK_INT(ops->end(s.mem), NP_TLS_CERT_MALFORMED);
    }
    np_test_context("%s", "");
    ops->begin(s.mem, &s.policy, HOST);
    ops->cert(s.mem, len);
    ops->append(s.mem, der, len);
    ops->append(s.mem, der, 1); /* longer than announced */
    ops->cert_end(s.mem);
    NP_CHECK_INT(ops->end(s.mem), NP_TLS_CERT_MALFORMED);
    ops->begin(s.mem, &s.policy, HOST);
    ops->cert(s.mem, len + 1); /* a byte after the certificate */
    ops->append(s.mem, der, len + 1);
    ops->cert_end(s.mem);
    NP_CHECK_INT(ops->end(s.mem), NP_TLS_CERT_MALFORMED);
}

/* The same in pieces, and without a path check: BearSSL's decoder must not run on after an
 * error. */
NP_TEST(tls_verify, damaged_in_pieces)
{
    static struct scene s;
    const struct np_tls_verify_ops *ops = &np_verify_ops;
    uint8_t der[2048];
    uint32_t len;
    const uint8_t *leaf = tls_der("p384.crt", &len);

    memcpy(der, leaf, len);
    for (uint32_t round = 0; round < 2; round++) {
        set_up(&s, round == 0 ? NULL : "root.crt");
        for (uint32_t i = 0; i < len; i++) {
            der[i] ^= (uint8_t)(1u << i % 8);
            ops->begin(s.mem, &s.policy, HOST);
            ops->cert(s.mem, len);
            for (uint32_t at = 0; at < len; at += 13) {
                ops->append(s.mem, der + at, len - at < 13 ? len - at : 13);
            }
            ops->cert_end(s.mem);
            (void)ops->end(s.mem); /* without roots a change may be fine */
            der[i] ^= (uint8_t)(1u << i % 8);
        }
        ops->begin(s.mem, &s.policy, HOST);
        ops->cert(s.mem, 3000);
        memset(der, 0x30, sizeof(der));
        for (uint32_t i = 0; i < 3000; i++) {
            ops->append(s.mem, der, 1);
        }
        ops->cert_end(s.mem);
        NP_CHECK_INT(ops->end(s.mem), NP_TLS_CERT_MALFORMED);
        memcpy(der, leaf, len);
    }
}

NP_TEST(tls_verify, signatures)
{
    static struct scene s;
    static const char *const rows[][3] = {{"p256.crt", "p256.key", "root.crt"},
                                          {"p384.crt", "p384.key", NULL},
                                          {"rsa2048.crt", "rsa2048.key", NULL}};
    struct np_tls_random random = {tls_random_fill, &seed};
    const struct np_tls_verify_ops *ops = &np_verify_ops;

    for (uint32_t i = 0; i < 3; i++) {
        uint32_t len, key_len;
        const char *chain = tls_file(rows[i][0], &len), *key = tls_file(rows[i][1], &key_len);
        uint8_t sig[NP_TLS_SIGNATURE_MAX], print[32];
        struct np_key_pair pair;
        struct np_key_fault fault;
        int32_t sig_len;

        NP_CHECK_INT(np_key_pair_load(&pair, chain, len, key, key_len, &random, &fault), NP_OK);
        sig_len = pair.cred.sign(&pair.cred, pair.cred.schemes[0], (const uint8_t *)"xyz", 3,
                                 &random, sig, sizeof(sig));
        NP_CHECK(sig_len > 0);
        memcpy(print, pair.fingerprint, 32);
        set_up(&s, rows[i][2]);
        NP_CHECK_INT(SHOW(&s, HOST, rows[i][0], "inter.crt"), NP_TLS_FINE);
        NP_CHECK_MEM(s.fingerprint, print, 32);
        NP_CHECK_INT(ops->check_signature(s.mem, pair.cred.schemes[0], (const uint8_t *)"xyz", 3,
                                          sig, (uint32_t)sig_len),
                     NP_TLS_FINE);
        NP_CHECK_INT(ops->check_signature(s.mem, pair.cred.schemes[0], (const uint8_t *)"xyy", 3,
                                          sig, (uint32_t)sig_len),
                     NP_TLS_CERT_SIGNATURE);
        for (uint32_t scheme = 0x0400; scheme < 0x0810; scheme++) {
            bool fits = false;

            for (uint32_t k = 0; k < 4; k++) {
                fits |= pair.cred.schemes[k] == scheme;
            }
            if (!fits) {
                NP_CHECK_INT(ops->check_signature(s.mem, (uint16_t)scheme, (const uint8_t *)"xyz",
                                                  3, sig, (uint32_t)sig_len),
                             NP_TLS_ILLEGAL);
            }
        }
    }
}

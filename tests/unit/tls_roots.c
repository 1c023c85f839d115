/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/verify_roots.h"

#include <stdio.h>
#include <string.h>

#include "core/tls/pem.h"
#include "tests/unit/np_test.h"
#include "tests/unit/tls_files.h"

#define ENTRIES 400

static struct np_root_entry entries[ENTRIES];

static enum np_err index_text(struct np_roots *roots, struct np_roots_text *text, const char *from,
                              uint32_t len, uint32_t cap)
{
    text->text = from;
    text->len = len;
    memset(roots, 0, sizeof(*roots));
    roots->read = np_roots_read_text;
    roots->ctx = text;
    roots->entries = entries;
    roots->cap = cap;
    return np_roots_index(roots);
}

static void subject_of(const char *file, uint8_t subject[32], uint8_t key[32])
{
    struct np_cert_scan scan;
    uint32_t len;
    const uint8_t *der = tls_der(file, &len);

    np_cert_scan_init(&scan, len);
    np_cert_scan_feed(&scan, der, len);
    NP_CHECK(np_cert_scan_is_whole(&scan));
    memcpy(subject, scan.subject, 32);
    memcpy(key, scan.key, 32);
}

NP_TEST(tls_roots, finds_each)
{
    static const char *const files[] = {"stranger.crt", "rsaroot.crt", "root.crt", "v1root.crt"};
    struct np_roots roots;
    struct np_roots_text text;
    uint32_t len;
    const char *bundle = tls_file("bundle.crt", &len);

    NP_CHECK_INT(index_text(&roots, &text, bundle, len, ENTRIES), NP_OK);
    NP_CHECK_INT(roots.count, 5);
    NP_CHECK_INT(roots.skipped, 0);
    for (uint32_t i = 0; i < 4; i++) {
        uint8_t subject[32], key[32];
        struct np_root root;
        uint32_t next = 0, found = 0;
        bool is_there = false;

        subject_of(files[i], subject, key);
        while (np_roots_find(&roots, subject, &next, &root)) {
            found++;
            NP_CHECK(root.is_ca && root.not_after_s > root.not_before_s);
            is_there |= memcmp(root.key_hash, key, 32) == 0;
        }
        NP_CHECK(is_there);
        NP_CHECK_INT(found, strcmp(files[i], "root.crt") == 0 ? 2 : 1); /* its twin */
        subject[31] ^= 1; /* the short hash is the same, the name another */
        next = 0;
        NP_CHECK(!np_roots_find(&roots, subject, &next, &root));
        NP_CHECK_INT(next, 5);
    }
}

NP_TEST(tls_roots, bad_bundles)
{
    static char mixed[3 * TLS_FILE_CAP];
    struct np_roots roots;
    struct np_roots_text text;
    struct np_root root;
    uint32_t len, key_len, next = 0;
    uint8_t subject[32], key[32];
    const char *bundle = tls_file("bundle.crt", &len), *key_text = tls_file("p256.key", &key_len);

    NP_CHECK_INT(index_text(&roots, &text, bundle, len, 4), NP_ERR_LIMIT);
    NP_CHECK_INT(index_text(&roots, &text, "", 0, 4), NP_ERR_NOT_FOUND);
    NP_CHECK_INT(index_text(&roots, &text, key_text, key_len, 4), NP_ERR_NOT_FOUND);
    NP_CHECK_INT(roots.skipped, 1);
    NP_CHECK_INT(index_text(&roots, &text, bundle, len - 40, ENTRIES), NP_ERR_INVALID);
    NP_CHECK_INT(roots.count, 0);
    /* a damaged certificate and a key among good ones are passed over */
    len = (uint32_t)snprintf(mixed, sizeof(mixed),
                             "# text\n%s-----BEGIN CERTIFICATE-----\nMAUCAQECAQE=\n"
                             "-----END CERTIFICATE-----\n%s",
                             key_text, bundle);
    NP_CHECK_INT(index_text(&roots, &text, mixed, len, ENTRIES), NP_OK);
    NP_CHECK_INT(roots.count, 5);
    NP_CHECK_INT(roots.skipped, 2);
    subject_of("rsaroot.crt", subject, key);
    NP_CHECK(np_roots_find(&roots, subject, &next, &root));
    /* the file changed behind the index */
    text.text = bundle;
    text.len = 100;
    next = 0;
    NP_CHECK(!roots.is_stale);
    NP_CHECK(!np_roots_find(&roots, subject, &next, &root));
    NP_CHECK(roots.is_stale);
}

static int32_t read_bad(void *ctx, uint32_t offset, uint8_t *buf, uint32_t cap)
{
    (void)offset;
    (void)buf;
    (void)cap;
    return *(int32_t *)ctx;
}

NP_TEST(tls_roots, read_errors)
{
    int32_t result = NP_ERR_ACCESS;
    struct np_roots roots = {read_bad, &result, entries, ENTRIES, 0, 0, false};

    NP_CHECK_INT(np_roots_index(&roots), NP_ERR_ACCESS);
    result = 0; /* an empty file */
    NP_CHECK_INT(np_roots_index(&roots), NP_ERR_NOT_FOUND);
}

static int32_t read_file(void *ctx, uint32_t offset, uint8_t *buf, uint32_t cap)
{
    return fseek(ctx, (long)offset, SEEK_SET) == 0 ? (int32_t)fread(buf, 1, cap, ctx) : NP_ERR_IO;
}

/* The bundle of this machine, if it has one: all of it can be indexed and loaded. */
NP_TEST(tls_roots, bundle_of_this_system)
{
    FILE *file = fopen("/etc/ssl/certs/ca-certificates.crt", "rb");
    struct np_roots roots = {read_file, file, entries, ENTRIES, 0, 0, false};

    if (file == NULL) {
        return;
    }
    NP_CHECK_INT(np_roots_index(&roots), NP_OK);
    NP_CHECK(roots.count > 20 && !roots.is_stale);
    NP_CHECK_INT(roots.skipped, 0);
    for (uint32_t i = 0; i < roots.count; i++) {
        char text[8192];
        uint8_t der[4096];
        struct np_cert_scan scan;
        struct np_root root;
        struct np_pem pem;
        uint32_t used, next = 0, found = 0;
        int32_t len = read_file(file, entries[i].offset, (uint8_t *)text, sizeof(text));

        np_pem_init(&pem, der, sizeof(der), 0);
        NP_CHECK_INT(np_pem_feed(&pem, text, (uint32_t)len, &used), NP_OK);
        np_cert_scan_init(&scan, pem.len);
        np_cert_scan_feed(&scan, der, pem.len);
        NP_CHECK(np_cert_scan_is_whole(&scan));
        while (np_roots_find(&roots, scan.subject, &next, &root)) {
            found += memcmp(root.key_hash, scan.key, 32) == 0;
        }
        np_test_context("%s", scan.text);
        NP_CHECK(found >= 1);
    }
    fclose(file);
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/verify_roots.h"

#include <string.h>

#include "core/tls/pem.h"

#define READ_BYTES 512u
#define DER_BYTES 256u
#define CERT_MAX 65535u /* bytes of PEM text searched for one root */

/* A walk over the file. What a block says goes to `scan`. */
struct walk {
    const struct np_roots *roots;
    uint32_t offset;   /* of the next read */
    uint32_t have, at; /* bytes in `text`, and how many of them were fed */
    bool is_ended;
    struct np_pem pem;
    struct np_cert_scan scan;
    uint8_t der[DER_BYTES];
    uint8_t text[READ_BYTES];
};

int32_t np_roots_read_text(void *ctx, uint32_t offset, uint8_t *buf, uint32_t cap)
{
    const struct np_roots_text *text = ctx;
    uint32_t len = offset < text->len ? text->len - offset : 0;

    len = len < cap ? len : cap;
    memcpy(buf, text->text + (len > 0 ? offset : 0), len);
    return (int32_t)len;
}

static void start_walk(struct walk *walk, const struct np_roots *roots, uint32_t offset)
{
    memset(walk, 0, sizeof(*walk));
    walk->roots = roots;
    walk->offset = offset;
    np_pem_init(&walk->pem, walk->der, sizeof(walk->der), offset);
    np_cert_scan_init(&walk->scan, 0);
}

static enum np_err refill(struct walk *walk)
{
    int32_t got = walk->roots->read(walk->roots->ctx, walk->offset, walk->text, READ_BYTES);

    if (got < 0) {
        return (enum np_err)got;
    }
    walk->at = 0;
    walk->have = (uint32_t)got;
    walk->offset += (uint32_t)got;
    if (got == 0) {
        if (walk->is_ended) {
            return np_pem_end(&walk->pem) == NP_OK ? NP_ERR_EOF : NP_ERR_INVALID;
        }
        walk->is_ended = true;
        walk->text[0] = '\n';
        walk->have = 1;
    }
    return NP_OK;
}

static void use_bytes(struct walk *walk)
{
    if (walk->pem.len > 0 && np_pem_is(&walk->pem, "CERTIFICATE")) {
        np_cert_scan_feed(&walk->scan, walk->der, walk->pem.len);
    }
    walk->pem.len = 0;
}

/* Runs to the end of the next block. NP_OK, NP_ERR_EOF (none left), NP_ERR_INVALID or what read
 * returned. */
static enum np_err read_block(struct walk *walk)
{
    while (true) {
        uint32_t used;
        enum np_err err;

        if (walk->at == walk->have) {
            err = refill(walk);
            if (err != NP_OK) {
                return err;
            }
        }
        err = np_pem_feed(&walk->pem, (const char *)walk->text + walk->at, walk->have - walk->at,
                          &used);
        walk->at += used;
        if (err == NP_OK || err == NP_ERR_TOO_LONG) {
            use_bytes(walk);
        }
        if (err == NP_OK) {
            return NP_OK;
        }
        if (err != NP_ERR_TOO_LONG && err != NP_ERR_AGAIN) {
            return NP_ERR_INVALID;
        }
    }
}

static uint32_t short_hash(const uint8_t hash[NP_CERT_HASH_LEN])
{
    return (uint32_t)hash[0] << 24 | (uint32_t)hash[1] << 16 | (uint32_t)hash[2] << 8 | hash[3];
}

enum np_err np_roots_index(struct np_roots *roots)
{
    struct walk walk;
    enum np_err err;

    roots->count = roots->skipped = 0;
    roots->is_stale = false;
    start_walk(&walk, roots, 0);
    while ((err = read_block(&walk)) == NP_OK) {
        if (!np_cert_scan_is_whole(&walk.scan)) {
            roots->skipped++;
        } else if (roots->count == roots->cap) {
            return NP_ERR_LIMIT;
        } else {
            roots->entries[roots->count].hash = short_hash(walk.scan.subject);
            roots->entries[roots->count++].offset = walk.pem.begin_at;
        }
        np_cert_scan_init(&walk.scan, 0);
    }
    if (err != NP_ERR_EOF) {
        roots->count = 0;
        return err;
    }
    return roots->count > 0 ? NP_OK : NP_ERR_NOT_FOUND;
}

static bool load_root(struct np_roots *roots, const struct np_root_entry *entry,
                      const uint8_t subject[NP_CERT_HASH_LEN], struct np_root *root)
{
    struct walk walk;
    struct np_cert_copy *name = &walk.scan.copy_subject, *key = &walk.scan.copy_key;

    memset(root, 0, sizeof(*root));
    start_walk(&walk, roots, entry->offset);
    *name = (struct np_cert_copy){root->name_, sizeof(root->name_), 0};
    *key = (struct np_cert_copy){root->key_, sizeof(root->key_), 0};
    if (read_block(&walk) != NP_OK || !np_cert_scan_is_whole(&walk.scan) ||
        short_hash(walk.scan.subject) != entry->hash) {
        roots->is_stale = true;
        return false;
    }
    if (walk.offset - entry->offset > CERT_MAX || name->len == 0 ||
        !np_tls_key_public(&root->anchor.pkey, root->key_, key->len) ||
        memcmp(walk.scan.subject, subject, NP_CERT_HASH_LEN) != 0) {
        return false;
    }
    root->anchor.dn.data = root->name_;
    root->anchor.dn.len = name->len;
    root->anchor.flags = BR_X509_TA_CA;
    root->is_ca = walk.scan.is_ca || walk.scan.is_v1;
    root->may_issue = np_cert_may_issue(&walk.scan) && !walk.scan.may_not_sign;
    root->path_len = walk.scan.path_len;
    root->not_before_s = walk.scan.not_before_s;
    root->not_after_s = walk.scan.not_after_s;
    memcpy(root->key_hash, walk.scan.key, sizeof(root->key_hash));
    return true;
}

bool np_roots_find(struct np_roots *roots, const uint8_t subject[NP_CERT_HASH_LEN], uint32_t *next,
                   struct np_root *root)
{
    uint32_t hash = short_hash(subject);

    while (*next < roots->count) {
        const struct np_root_entry *entry = &roots->entries[(*next)++];

        if (entry->hash == hash && load_root(roots, entry, subject, root)) {
            return true;
        }
    }
    return false;
}

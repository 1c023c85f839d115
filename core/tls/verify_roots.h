/* SPDX-License-Identifier: BSD-3-Clause */
/* verify_roots: the CA certificates that a client trusts, left in their PEM file: only an index of
 * subject-name hashes is kept (8 bytes a certificate, where 144 roots as anchors would take 71 KB),
 * and the one that a chain ends in is read when it is needed.
 *
 * The file may change at any time: what is read is checked against the hash again, and `is_stale`
 * tells that it was something else. Index anew then.
 */
#ifndef NP_CORE_TLS_VERIFY_ROOTS_H
#define NP_CORE_TLS_VERIFY_ROOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/tls/br.h"
#include "core/tls/cert_scan.h"
#include "core/tls/key.h"

#define NP_ROOT_NAME_CAP 512u /* longest subject name of a root, DER bytes */

struct np_root_entry {
    uint32_t hash;   /* first four bytes of SHA-256 of the subject name */
    uint32_t offset; /* of the PEM block in the file */
};

struct np_roots {
    /* Copies up to `cap` bytes of the file from `offset`; returns their count, 0 at its end, or a
     * negative enum np_err. */
    int32_t (*read)(void *ctx, uint32_t offset, uint8_t *buf, uint32_t cap);
    void *ctx;
    struct np_root_entry *entries; /* caller's memory */
    uint32_t cap, count;           /* entries */
    uint32_t skipped;              /* blocks of the file that are no usable certificate */
    bool is_stale;                 /* the index does not fit the file any more */
};

/* One root, decoded. Points into itself: not to be copied. */
struct np_root {
    br_x509_trust_anchor anchor; /* always with BR_X509_TA_CA: `is_ca` tells more */
    bool is_ca;                  /* basicConstraints, or a certificate of version 1 */
    bool may_issue;              /* no key usage, other use or name constraint is against it */
    uint8_t path_len;            /* most CAs between it and a leaf, 255 = any number */
    int64_t not_before_s, not_after_s;
    uint8_t key_hash[NP_CERT_HASH_LEN]; /* of SubjectPublicKeyInfo */
    uint8_t name_[NP_ROOT_NAME_CAP];
    uint8_t key_[NP_SPKI_CAP];
};

/* Reads the whole file once and fills the index. Blocks that are no certificate, or damaged inside,
 * are counted in `skipped`. Returns NP_OK, NP_ERR_NOT_FOUND (no certificate in it), NP_ERR_LIMIT
 * (more than `cap`), NP_ERR_INVALID (damaged PEM) or what `read` returned. */
enum np_err np_roots_index(struct np_roots *roots);
/* Loads the first root from index *next on whose subject has this hash, and moves *next behind it.
 * False if there is none, or it can't be read or decoded any more (is_stale is set then). */
bool np_roots_find(struct np_roots *roots, const uint8_t subject[NP_CERT_HASH_LEN], uint32_t *next,
                   struct np_root *root);

/* `read` for a text in memory: ctx is a struct np_roots_text. */
struct np_roots_text {
    const char *text;
    uint32_t len;
};
int32_t np_roots_read_text(void *ctx, uint32_t offset, uint8_t *buf, uint32_t cap);

#endif

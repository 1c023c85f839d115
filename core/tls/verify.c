/* SPDX-License-Identifier: BSD-3-Clause */
/* Each certificate goes to our scanner (names, dates, hashes) and to BearSSL (signatures, chain).
 * BearSSL looks for a root when it has the last byte of a certificate: roots with the name of the
 * issuer, which the scanner has met long before, are read from the bundle for this one call. */
#include "core/tls/verify.h"

#include <stddef.h>
#include <string.h>

#include "core/base/fmt.h"
#include "core/tls/cert_scan.h"
#include "core/tls/cert_time.h"
#include "core/tls/curves.h"
#include "core/tls/key.h"
#include "core/tls/sha512.h"

#define CHAIN_MAX 10u
#define SAME_NAME_MAX 3u /* roots with one name that are tried */
#define DAYS_BEFORE_1970 719528

/* State in the handshake's scratch. */
struct verify {
    union {
        br_x509_minimal_context path; /* with roots */
        struct {                      /* without: the leaf's key */
            br_x509_pkey key;
            bool has_key;
            uint32_t spki_len;
            uint8_t spki[NP_SPKI_CAP];
        } leaf;
    };
    struct np_cert_scan scan; /* of the current certificate */
    br_sha256_context hash;   /* of the leaf */
    const struct np_verify_policy *policy;
    const char *name;
    int64_t now_s;
    uint32_t count; /* certificates begun */
    uint32_t left;  /* bytes of the current one */
    bool is_clock_low, is_passed_over;
    bool is_name_found, is_for_servers, is_self_signed; /* the leaf */
    bool has_old_root, has_bad_root; /* the right root is out of its dates; may not issue this */
    uint8_t leaf_key[NP_CERT_HASH_LEN];
    uint8_t fingerprint[NP_TLS_FINGERPRINT_LEN];
    char leaf_text[NP_CERT_TEXT_CAP];
    /* the first failure */
    enum np_tls_reason reason;
    uint32_t fault_index;
    const char *fault;
    int64_t fault_date_s;
    char fault_text[NP_CERT_TEXT_CAP];
};
_Static_assert(sizeof(struct verify) <= NP_TLS_VERIFY_BYTES, "state fits the handshake's scratch");

static void fail(struct verify *v, enum np_tls_reason reason, const char *fault)
{
    if (v->reason != NP_TLS_FINE) {
        return;
    }
    v->reason = reason;
    v->fault = fault;
    v->fault_index = v->count;
    memcpy(v->fault_text, v->scan.text, sizeof(v->fault_text));
}

/* A failure of the leaf that is found at the end. */
static void fail_leaf(struct verify *v, enum np_tls_reason reason, const char *fault)
{
    if (v->reason == NP_TLS_FINE) {
        fail(v, reason, fault);
        v->fault_index = 1;
        memcpy(v->fault_text, v->leaf_text, sizeof(v->fault_text));
    }
}

static void set_clock(struct verify *v)
{
    const struct np_verify_policy *policy = v->policy;
    int64_t wall_s = policy->wall_s != NULL ? policy->wall_s(policy->clock_ctx) : 0;

    v->is_clock_low = wall_s < policy->floor_s;
    v->now_s = wall_s;
    if (v->is_clock_low) {
        v->now_s = policy->floor_s > policy->known_s ? policy->floor_s : policy->known_s;
    }
    if (v->now_s <= 0) {
        fail(v, NP_TLS_CERT_NO_CLOCK, "the time is not known, so dates can't be checked");
        return;
    }
    br_x509_minimal_set_time(&v->path, (uint32_t)(v->now_s / 86400 + DAYS_BEFORE_1970),
                             (uint32_t)(v->now_s % 86400));
}

static void begin(void *mem, const void *policy, const char *name)
{
    struct verify *v = mem;

    memset(v, 0, sizeof(*v));
    v->policy = policy;
    v->name = name != NULL ? name : "";
    if (v->policy->roots == NULL) {
        return;
    }
    br_x509_minimal_init(&v->path, &br_sha256_vtable, NULL, 0);
    br_x509_minimal_set_hash(&v->path, br_sha256_ID, &br_sha256_vtable);
    br_x509_minimal_set_hash(&v->path, br_sha384_ID, &np_sha384_class);
    br_x509_minimal_set_hash(&v->path, br_sha512_ID, &np_sha512_class);
    br_x509_minimal_set_rsa(&v->path, br_rsa_pkcs1_vrfy_get_default());
    br_x509_minimal_set_ecdsa(&v->path, &np_tls_curves, br_ecdsa_i31_vrfy_asn1);
    br_x509_minimal_set_minrsa(&v->path, NP_RSA_MIN_BITS / 8);
    v->path.vtable->start_chain(&v->path.vtable, NULL);
    set_clock(v);
}

static void cert(void *mem, uint32_t der_len)
{
    struct verify *v = mem;

    v->left = der_len;
    v->count++;
    np_cert_scan_init(&v->scan, der_len);
    if (v->count == 1) {
        np_cert_scan_want(&v->scan, v->name);
        br_sha256_init(&v->hash);
        if (v->policy->roots == NULL) {
            v->scan.copy_key = (struct np_cert_copy){v->leaf.spki, sizeof(v->leaf.spki), 0};
        }
    }
    /* what comes after the path was found, or after a failure, is not looked at */
    v->is_passed_over = v->reason != NP_TLS_FINE || der_len == 0 ||
                        (v->count > 1 && (v->policy->roots == NULL || v->path.err != 0));
    if (der_len == 0) {
        fail(v, NP_TLS_CERT_MALFORMED, "is empty");
    } else if (v->count > CHAIN_MAX) {
        fail(v, NP_TLS_CERT_CHAIN, "more than 10 certificates");
    } else if (!v->is_passed_over && v->policy->roots != NULL) {
        v->path.vtable->start_cert(&v->path.vtable, der_len);
    }
}

/* May this root be the end of the path at the current certificate? */
static bool is_root_usable(struct verify *v, const struct np_root *root)
{
    const br_x509_pkey *key = &root->anchor.pkey;

    /* one that is no CA is trusted for itself only */
    if (!root->is_ca &&
        (v->count != 1 || memcmp(root->key_hash, v->scan.key, NP_CERT_HASH_LEN) != 0)) {
        return false;
    }
    if (root->is_ca && (!root->may_issue || root->path_len < v->count - 1)) {
        v->has_bad_root = true;
        return false;
    }
    if (v->now_s > root->not_after_s || v->now_s < root->not_before_s) {
        v->has_old_root = true;
        return false;
    }
    return key->key_type != BR_KEYTYPE_RSA || key->key.rsa.nlen >= NP_RSA_MIN_BITS / 8;
}

/* Gives the certificate's last bytes to BearSSL with the roots that may have issued it. */
static void append_last(struct verify *v, const uint8_t *der, uint32_t len)
{
    struct np_root roots[SAME_NAME_MAX];
    br_x509_trust_anchor anchors[SAME_NAME_MAX];
    uint32_t count = 0, next = 0;

    while (count < SAME_NAME_MAX && v->scan.has_issuer &&
           np_roots_find(v->policy->roots, v->scan.issuer, &next, &roots[count])) {
        if (is_root_usable(v, &roots[count])) {
            anchors[count] = roots[count].anchor;
            count++;
        }
    }
    v->path.trust_anchors = anchors;
    v->path.trust_anchors_num = count;
    v->path.vtable->append(&v->path.vtable, der, len);
    v->path.trust_anchors = NULL;
    v->path.trust_anchors_num = 0;
}

static void append(void *mem, const uint8_t *der, uint32_t len)
{
    struct verify *v = mem;

    if (v->is_passed_over || len == 0 || v->reason != NP_TLS_FINE) {
        return;
    }
    if (len > v->left) {
        fail(v, NP_TLS_CERT_MALFORMED, "is longer than announced");
        return;
    }
    v->left -= len;
    np_cert_scan_feed(&v->scan, der, len);
    if (v->count == 1) {
        br_sha256_update(&v->hash, der, len);
    }
    if (v->policy->roots == NULL) {
        return;
    }
    if (v->left == 0) {
        append_last(v, der, len);
    } else {
        v->path.vtable->append(&v->path.vtable, der, len);
    }
}

static void check_dates(struct verify *v)
{
    if (v->now_s > v->scan.not_after_s) {
        v->fault_date_s = v->scan.not_after_s;
        fail(v, NP_TLS_CERT_EXPIRED, "expired on");
    } else if (v->now_s < v->scan.not_before_s) {
        v->fault_date_s = v->scan.not_before_s;
        fail(v, NP_TLS_CERT_NOT_YET_VALID, "not valid before");
    }
}

/* What BearSSL said of the current certificate. */
static void note_path_error(struct verify *v, int err)
{
    switch (err) {
    case BR_ERR_X509_OK:
    case 0:
        return;
    case BR_ERR_X509_EXPIRED:
        fail(v, NP_TLS_CERT_EXPIRED, "out of its dates");
        return;
    case BR_ERR_X509_DN_MISMATCH:
        fail(v, NP_TLS_CERT_CHAIN, "is not the issuer of the one before it");
        return;
    case BR_ERR_X509_BAD_SIGNATURE:
    case BR_ERR_X509_WRONG_KEY_TYPE:
        fail(v, NP_TLS_CERT_CHAIN, "did not sign the one before it");
        return;
    case BR_ERR_X509_NOT_CA:
        fail(v, NP_TLS_CERT_CHAIN, "may not issue certificates at this place");
        return;
    case BR_ERR_X509_FORBIDDEN_KEY_USAGE:
        fail(v, NP_TLS_CERT_CHAIN, "may not sign certificates");
        return;
    case BR_ERR_X509_WEAK_PUBLIC_KEY:
        fail(v, NP_TLS_CERT_WEAK, "RSA key below 2048 bits");
        return;
    case BR_ERR_X509_CRITICAL_EXTENSION:
        fail(v, NP_TLS_CERT_UNSUPPORTED, "has a critical extension that is not supported");
        return;
    case BR_ERR_X509_UNSUPPORTED:
    case BR_ERR_X509_LIMIT_EXCEEDED:
        fail(v, NP_TLS_CERT_UNSUPPORTED, "has a key or signature of an unsupported kind");
        return;
    default:
        fail(v, NP_TLS_CERT_MALFORMED, "is malformed");
        return;
    }
}

static void note_leaf(struct verify *v)
{
    br_sha256_out(&v->hash, v->fingerprint);
    memcpy(v->leaf_key, v->scan.key, sizeof(v->leaf_key));
    memcpy(v->leaf_text, v->scan.text, sizeof(v->leaf_text));
    v->is_name_found = v->scan.is_name_found;
    v->is_for_servers = !v->scan.has_usage || v->scan.is_server;
    v->is_self_signed = memcmp(v->scan.issuer, v->scan.subject, NP_CERT_HASH_LEN) == 0;
    if (v->policy->roots == NULL) {
        v->leaf.spki_len = v->scan.copy_key.len;
    }
}

static void cert_end(void *mem)
{
    struct verify *v = mem;

    if (v->is_passed_over || v->reason != NP_TLS_FINE) {
        return;
    }
    if (v->left > 0 || !np_cert_scan_is_whole(&v->scan)) {
        fail(v, NP_TLS_CERT_MALFORMED, "is malformed");
        return;
    }
    if (v->count == 1) {
        note_leaf(v);
    }
    if (v->policy->roots == NULL) {
        return;
    }
    v->path.vtable->end_cert(&v->path.vtable);
    check_dates(v);
    if (v->scan.signature == NP_CERT_SIG_WEAK) {
        fail(v, NP_TLS_CERT_WEAK, "signed with SHA-1 or MD5");
    }
    if (v->count > 1 && !np_cert_may_issue(&v->scan)) {
        fail(v, NP_TLS_CERT_CHAIN,
             v->scan.has_limits ? "has name constraints, which are not supported"
                                : "may not issue certificates for TLS servers");
    }
    note_path_error(v, v->path.err);
}

static const br_x509_pkey *leaf_key(struct verify *v, unsigned *usages)
{
    *usages = BR_KEYTYPE_SIGN;
    if (v->policy->roots == NULL) {
        return v->leaf.has_key ? &v->leaf.key : NULL;
    }
    return v->path.vtable->get_pkey(&v->path.vtable, usages);
}

static void end_path(struct verify *v)
{
    unsigned usages = 0;

    if (v->path.vtable->end_chain(&v->path.vtable) != 0) {
        if (v->has_bad_root) {
            fail(v, NP_TLS_CERT_CHAIN, "the root may not issue certificates at this place");
        } else if (v->has_old_root) {
            fail(v, NP_TLS_CERT_EXPIRED, "the root that issued it is out of its dates");
        } else if (v->count == 1 && v->is_self_signed) {
            fail(v, NP_TLS_CERT_UNTRUSTED, "is self-signed and not in the CA bundle");
        } else {
            fail(v, NP_TLS_CERT_UNTRUSTED, "its issuer is not in the CA bundle");
        }
        return;
    }
    (void)leaf_key(v, &usages);
    if ((usages & BR_KEYTYPE_SIGN) == 0 || !v->is_for_servers) {
        fail_leaf(v, NP_TLS_CERT_USAGE, "is not for TLS servers");
    }
    if (!v->is_name_found) {
        fail_leaf(v, NP_TLS_CERT_NAME,
                  v->name[0] != '\0' ? "is not for" : "there is no name to find in it (sni=)");
    }
}

/* The text of the first failure. */
static void format_fault(const struct verify *v, char *out, uint32_t cap)
{
    uint32_t len;

    if (v->fault_index == 0) {
        (void)np_fmt(out, cap, "%s", v->fault);
        return;
    }
    len = np_fmt(out, cap, "certificate %u (%s): %s", v->fault_index, v->fault_text, v->fault);
    if (v->fault_date_s != 0) {
        struct np_cert_civil at = np_cert_civil_of(v->fault_date_s);

        (void)np_fmt(out + len, cap - len, " %04u-%02u-%02u", at.year, at.month, at.day);
    } else if (v->reason == NP_TLS_CERT_NAME) {
        (void)np_fmt(out + len, cap - len, " %s", v->name);
    }
}

static void fill_report(const struct verify *v)
{
    struct np_verify_report *report = v->policy->report;

    if (report == NULL) {
        return;
    }
    report->reason = v->reason;
    report->is_clock_low = v->policy->roots != NULL && v->is_clock_low;
    report->text[0] = '\0';
    if (v->reason != NP_TLS_FINE) {
        format_fault(v, report->text, sizeof(report->text));
    }
}

/* Without a path check: the leaf can be read, and its key is not weak. */
static void check_leaf_only(struct verify *v)
{
    const br_x509_pkey *key = &v->leaf.key;

    v->leaf.has_key = np_tls_key_public(&v->leaf.key, v->leaf.spki, v->leaf.spki_len);
    if (!v->leaf.has_key) {
        fail_leaf(v, NP_TLS_CERT_UNSUPPORTED, "has a key of an unsupported kind");
    } else if (key->key_type == BR_KEYTYPE_RSA && key->key.rsa.nlen < NP_RSA_MIN_BITS / 8) {
        fail_leaf(v, NP_TLS_CERT_WEAK, "RSA key below 2048 bits");
    }
}

static enum np_tls_reason end(void *mem)
{
    struct verify *v = mem;

    if (v->count == 0) {
        fail(v, NP_TLS_CERT_EMPTY, "no certificate");
    }
    if (v->reason == NP_TLS_FINE) {
        if (v->policy->roots != NULL) {
            end_path(v);
        } else {
            check_leaf_only(v);
        }
    }
    if (v->policy->pin != NULL && memcmp(v->policy->pin, v->leaf_key, NP_CERT_HASH_LEN) != 0) {
        fail_leaf(v, NP_TLS_CERT_PIN, "its public key is not the pinned one");
    }
    fill_report(v);
    return v->reason;
}

static enum np_tls_reason check_signature(void *mem, uint16_t scheme, const uint8_t *content,
                                          uint32_t content_len, const uint8_t *sig,
                                          uint32_t sig_len)
{
    struct verify *v = mem;
    unsigned usages;
    const br_x509_pkey *key = leaf_key(v, &usages);

    if (key == NULL || !np_tls_sig_fits(key, scheme)) {
        return NP_TLS_ILLEGAL;
    }
    return np_tls_sig_verify(key, scheme, content, content_len, sig, sig_len)
               ? NP_TLS_FINE
               : NP_TLS_CERT_SIGNATURE;
}

static void fingerprint(const void *mem, uint8_t out[NP_TLS_FINGERPRINT_LEN])
{
    const struct verify *v = mem;

    memcpy(out, v->fingerprint, NP_TLS_FINGERPRINT_LEN);
}

const struct np_tls_verify_ops np_verify_ops = {
    begin, cert, append, cert_end, end, check_signature, fingerprint,
};

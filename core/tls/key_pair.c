/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/key_pair.h"

#include <string.h>

#include "core/base/ct.h"
#include "core/base/fmt.h"
#include "core/tls/cert_scan.h"
#include "core/tls/pem.h"
#include "core/tls/selfsigned.h"

static enum np_err blame(struct np_key_fault *fault, bool is_key_file, enum np_err err,
                         const char *text)
{
    fault->is_key_file = is_key_file;
    (void)np_fmt(fault->text, sizeof(fault->text), "%s", text);
    return err;
}

/* "certificate 2 (Example CA): " and what is wrong with it. */
static enum np_err blame_cert(struct np_key_fault *fault, uint32_t index, const char *subject,
                              enum np_err err, const char *text)
{
    fault->is_key_file = false;
    (void)np_fmt(fault->text, sizeof(fault->text), "certificate %u (%.*s): %s", index + 1u, 32,
                 subject, text);
    return err;
}

/* Signs with the scheme that the engine chose. */
static int32_t sign_content(const struct np_tls_cred *cred, uint16_t scheme, const uint8_t *content,
                            uint32_t content_len, const struct np_tls_random *random, uint8_t *sig,
                            uint32_t cap)
{
    const struct np_tls_key *key = cred->key;
    uint8_t salt[NP_PSS_SALT_CAP] = {0};
    uint32_t len;

    if (cap < NP_TLS_SIGNATURE_MAX || !np_tls_key_can_sign(key, scheme)) {
        return NP_ERR_INVALID;
    }
    if (key->kind == NP_KEY_RSA) {
        enum np_err err = random->fill(random->ctx, salt, sizeof(salt));

        if (err != NP_OK) {
            return err;
        }
    }
    len = np_tls_key_sign(key, scheme, content, content_len, salt, sig);
    return len > 0 ? (int32_t)len : NP_ERR_STATE; /* parts of the key do not fit */
}

static void fill_schemes(struct np_tls_cred *cred, uint8_t kind)
{
    memset(cred->schemes, 0, sizeof(cred->schemes));
    if (kind == NP_KEY_RSA) {
        cred->schemes[0] = NP_TLS_RSA_PSS_SHA256;
        cred->schemes[1] = NP_TLS_RSA_PSS_SHA384;
        cred->schemes[2] = NP_TLS_RSA_PSS_SHA512;
    } else {
        cred->schemes[0] =
            kind == NP_KEY_P256 ? NP_TLS_ECDSA_P256_SHA256 : NP_TLS_ECDSA_P384_SHA384;
    }
}

static void bind_cred(struct np_key_pair *pair, uint32_t count)
{
    pair->cred.chain = pair->chain_;
    pair->cred.chain_count = count;
    pair->cred.sign = sign_content;
    pair->cred.key = &pair->key_;
    pair->cred.users = 0;
    fill_schemes(&pair->cred, pair->key_.kind);
}

static void scan_cert(struct np_cert_scan *scan, const struct np_tls_der *cert)
{
    np_cert_scan_init(scan, cert->len);
    np_cert_scan_feed(scan, cert->der, cert->len);
}

static void note_leaf(struct np_key_pair *pair, const struct np_cert_scan *scan)
{
    br_sha256_context hash;

    br_sha256_init(&hash);
    br_sha256_update(&hash, pair->chain_[0].der, pair->chain_[0].len);
    br_sha256_out(&hash, pair->fingerprint);
    memcpy(pair->pin, scan->key, sizeof(pair->pin));
    pair->not_before_s = scan->not_before_s;
    pair->not_after_s = scan->not_after_s;
}

/* The public key of one certificate is of a kind and size that we allow: NULL, else what is wrong.
 */
static const char *check_public_key(const br_x509_pkey *key)
{
    const uint8_t *n = key->key.rsa.n;
    size_t len = key->key.rsa.nlen;

    if (key->key_type == BR_KEYTYPE_EC) {
        return key->key.ec.curve == BR_EC_secp256r1 || key->key.ec.curve == BR_EC_secp384r1
                   ? NULL
                   : "of elliptic curves, only P-256 and P-384 are supported";
    }
    while (len > 0 && *n == 0) {
        n++;
        len--;
    }
    return len < NP_RSA_MIN_BITS / 8 || (len == NP_RSA_MIN_BITS / 8 && *n < 0x80)
               ? "RSA keys below 2048 bits are refused"
               : NULL;
}

/* Does the private key belong to this public key? Proved by a signature, which also shows that
 * all parts of the key fit each other. */
static enum np_err try_pair(const struct np_key_pair *pair, const br_x509_pkey *public_key,
                            const struct np_tls_random *random)
{
    static const uint8_t text[] = "trial signature of key and certificate";
    uint8_t sig[NP_TLS_SIGNATURE_MAX];
    uint16_t scheme = pair->cred.schemes[0];
    int32_t len = sign_content(&pair->cred, scheme, text, sizeof(text), random, sig, sizeof(sig));

    if (len == NP_ERR_STATE) {
        return NP_ERR_AUTH;
    }
    if (len < 0) {
        return (enum np_err)len;
    }
    return np_tls_sig_verify(public_key, scheme, text, sizeof(text), sig, (uint32_t)len)
               ? NP_OK
               : NP_ERR_AUTH;
}

static enum np_err check_chain(struct np_key_pair *pair, uint32_t count,
                               const struct np_tls_random *random, struct np_key_fault *fault)
{
    struct np_cert_scan scan;
    br_x509_pkey public_key = {0};
    uint8_t issuer[NP_CERT_HASH_LEN], spki[NP_SPKI_CAP];
    enum np_err err;

    for (uint32_t i = 0; i < count; i++) {
        const char *wrong;

        np_cert_scan_init(&scan, pair->chain_[i].len);
        scan.copy_key = (struct np_cert_copy){i == 0 ? spki : NULL, sizeof(spki), 0};
        np_cert_scan_feed(&scan, pair->chain_[i].der, pair->chain_[i].len);
        if (!np_cert_scan_is_whole(&scan)) {
            return blame_cert(fault, i, "", NP_ERR_INVALID, "is no X.509 certificate");
        }
        if (i > 0 && memcmp(issuer, scan.subject, sizeof(issuer)) != 0) {
            return blame_cert(fault, i, scan.text, NP_ERR_INVALID,
                              "out of order: it did not issue the one before it");
        }
        memcpy(issuer, scan.issuer, sizeof(issuer));
        /* a root's signature of itself does not count */
        if (scan.signature == NP_CERT_SIG_WEAK &&
            (i == 0 || memcmp(scan.subject, scan.issuer, NP_CERT_HASH_LEN) != 0)) {
            return blame_cert(fault, i, scan.text, NP_ERR_UNSUPPORTED,
                              "signed with SHA-1 or MD5, which is refused");
        }
        if (i > 0) {
            continue; /* the kind of a CA's key is for those to judge who check its signatures */
        }
        wrong = np_tls_key_public(&public_key, spki, scan.copy_key.len)
                    ? check_public_key(&public_key)
                    : "key is neither RSA (2048 to 4096 bits) nor P-256 or P-384";
        if (wrong != NULL) {
            return blame_cert(fault, i, scan.text, NP_ERR_UNSUPPORTED, wrong);
        }
        note_leaf(pair, &scan);
    }
    /* last, so that a chain that is out of order is called that */
    err = try_pair(pair, &public_key, random);
    if (err != NP_OK) {
        return blame(fault, true, err,
                     err == NP_ERR_AUTH ? "the key does not belong to the certificate"
                                        : "no random numbers for a trial signature");
    }
    return NP_OK;
}

static enum np_err explain_pem(enum np_err err, struct np_key_fault *fault)
{
    switch (err) {
    case NP_ERR_TOO_LONG:
        return blame(fault, false, err, "the chain is too long (8 certificates, 12 KB)");
    case NP_ERR_EOF:
        return blame(fault, false, NP_ERR_INVALID, "the file ends inside of a PEM block");
    default:
        return blame(fault, false, NP_ERR_INVALID, "damaged PEM text");
    }
}

/* Keeps the bytes of one block in `pem` if it is a certificate. */
static enum np_err keep_block(struct np_key_pair *pair, struct np_pem *pem, uint32_t *count)
{
    if (!np_pem_is(pem, "CERTIFICATE")) {
        np_ct_wipe(pem->out, pem->len); /* perhaps the key */
        return NP_OK;
    }
    if (*count == NP_CHAIN_MAX) {
        return NP_ERR_TOO_LONG;
    }
    pair->chain_[*count].der = pem->out;
    pair->chain_[(*count)++].len = pem->len;
    pem->out += pem->len;
    pem->cap -= pem->len;
    pem->len = 0;
    return NP_OK;
}

static enum np_err read_chain(struct np_key_pair *pair, const char *text, uint32_t len,
                              uint32_t *count)
{
    struct np_pem pem;
    uint32_t used;
    bool is_last = false;
    enum np_err err;

    np_pem_init(&pem, pair->der_, sizeof(pair->der_), 0);
    while (true) {
        err = np_pem_feed(&pem, text, len, &used);
        text += used;
        len -= used;
        if (err == NP_OK) {
            err = keep_block(pair, &pem, count);
            if (err != NP_OK) {
                return err;
            }
        } else if (err == NP_ERR_AGAIN && !is_last) {
            is_last = true;
            text = "\n";
            len = 1;
        } else {
            return err == NP_ERR_AGAIN ? np_pem_end(&pem) : err;
        }
    }
}

enum np_err np_key_pair_load(struct np_key_pair *pair, const char *chain, uint32_t chain_len,
                             const char *key, uint32_t key_len, const struct np_tls_random *random,
                             struct np_key_fault *fault)
{
    const char *reason = "";
    uint32_t count = 0;
    enum np_err err;

    memset(pair, 0, sizeof(*pair));
    err = read_chain(pair, chain, chain_len, &count);
    if (err != NP_OK) {
        err = explain_pem(err, fault);
    } else if (count == 0) {
        err = blame(fault, false, NP_ERR_NOT_FOUND, "no certificate in this file");
    } else {
        err = np_tls_key_load(&pair->key_, key, key_len, &reason);
        if (err != NP_OK) {
            (void)blame(fault, true, err, reason);
        } else {
            bind_cred(pair, count);
            err = check_chain(pair, count, random, fault);
        }
    }
    if (err != NP_OK) {
        np_key_pair_wipe(pair);
    }
    return err;
}

enum np_err np_key_pair_make(struct np_key_pair *pair, const char *organization, int64_t now_s,
                             const struct np_tls_random *random)
{
    uint8_t bytes[32 + NP_SELFSIGNED_SERIAL_LEN];
    struct np_cert_scan scan;
    uint32_t len = 0;
    enum np_err err;

    memset(pair, 0, sizeof(*pair));
    do {
        err = random->fill(random->ctx, bytes, sizeof(bytes));
        if (err != NP_OK) {
            return err;
        }
    } while (!np_tls_key_make(&pair->key_, bytes));
    err = np_selfsigned_make(&pair->key_, organization, now_s, bytes + 32, pair->der_,
                             sizeof(pair->der_), &len);
    np_ct_wipe(bytes, sizeof(bytes));
    if (err != NP_OK) {
        np_key_pair_wipe(pair);
        return err;
    }
    pair->chain_[0].der = pair->der_;
    pair->chain_[0].len = len;
    bind_cred(pair, 1);
    scan_cert(&scan, &pair->chain_[0]);
    note_leaf(pair, &scan);
    return NP_OK;
}

void np_key_pair_digest(const char *chain, uint32_t chain_len, const char *key, uint32_t key_len,
                        uint8_t out[32])
{
    br_sha256_context hash;

    br_sha256_init(&hash);
    br_sha256_update(&hash, &chain_len, sizeof chain_len);
    br_sha256_update(&hash, chain, chain_len);
    br_sha256_update(&hash, key, key_len);
    br_sha256_out(&hash, out);
}

void np_key_pair_wipe(struct np_key_pair *pair)
{
    np_ct_wipe(pair, sizeof(*pair));
}

void np_pin_format(const uint8_t hash[32], char out[NP_PIN_TEXT_CAP])
{
    uint32_t len = np_fmt(out, NP_PIN_TEXT_CAP, "sha256:");

    for (uint32_t i = 0; i < 32; i++) {
        len += np_fmt(out + len, NP_PIN_TEXT_CAP - len, "%02x", hash[i]);
    }
}

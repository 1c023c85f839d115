/* SPDX-License-Identifier: BSD-3-Clause */
/* Certificate and CertificateVerify (RFC 8446 sections 4.4.2 and 4.4.3). A Certificate message is
 * never held as a whole: what comes in goes piece by piece to the verifier, what goes out is read
 * from the chain. */
#include <stddef.h>
#include <string.h>

#include "core/base/ct.h"
#include "core/tls/hs.h"

/* Parts of the message, in order; ENTRY_LEN to EXTS repeat. */
enum part {
    PART_CONTEXT,   /* 1 byte: length of certificate_request_context, 0 in a handshake */
    PART_LIST_LEN,  /* 3 bytes */
    PART_ENTRY_LEN, /* 3 bytes */
    PART_DER,
    PART_EXTS_LEN, /* 2 bytes; 0, since we asked for none */
};
static const uint8_t number_len[] = {[PART_CONTEXT] = 1,
                                     [PART_LIST_LEN] = 3,
                                     [PART_ENTRY_LEN] = 3,
                                     [PART_DER] = 0,
                                     [PART_EXTS_LEN] = 2};

#define CONTENT_MAX (64u + 33u + 1u + NP_TLS_HASH_MAX)

static void expect_part(struct np_tls_cert_walk *walk, enum part part)
{
    walk->part = (uint8_t)part;
    walk->number_left = number_len[part];
    walk->value = 0;
}

void np_tls_hs_cert_begin(struct np_tls_hs *hs, uint32_t len)
{
    memset(&hs->walk, 0, sizeof(hs->walk));
    hs->walk.left = len;
    expect_part(&hs->walk, PART_CONTEXT);
    hs->config->trust->ops->begin(hs->verify, hs->config->trust->policy, hs->config->verify_name);
}

/* The list's rest shrinks by `len`; false if it was not that long. */
static bool take_from_list(struct np_tls_hs *hs, uint32_t len)
{
    if (len > hs->walk.list_left) {
        np_tls_hs_fail(hs, NP_TLS_DECODE);
        return false;
    }
    hs->walk.list_left -= len;
    return true;
}

static void on_entry_len(struct np_tls_hs *hs, uint32_t len)
{
    struct np_tls_cert_walk *walk = &hs->walk;

    /* 5 = this length and that of the entry's extensions */
    if (len == 0 || len > walk->list_left) {
        np_tls_hs_fail(hs, NP_TLS_DECODE);
        return;
    }
    if (++walk->count > NP_TLS_CERTS_MAX) {
        np_tls_hs_fail(hs, NP_TLS_MESSAGE_TOO_LONG);
        return;
    }
    hs->config->trust->ops->cert(hs->verify, len);
    walk->part_left = len;
    expect_part(walk, PART_DER);
}

/* A number of the message is complete. */
static void on_number(struct np_tls_hs *hs)
{
    struct np_tls_cert_walk *walk = &hs->walk;
    uint32_t value = walk->value;

    switch ((enum part)walk->part) {
    case PART_CONTEXT:
        if (value != 0) {
            np_tls_hs_fail(hs, NP_TLS_ILLEGAL);
        }
        expect_part(walk, PART_LIST_LEN);
        return;
    case PART_LIST_LEN:
        if (value != walk->left) {
            np_tls_hs_fail(hs, NP_TLS_DECODE);
        } else if (value == 0) {
            np_tls_hs_fail(hs, NP_TLS_CERT_EMPTY);
        }
        walk->list_left = value;
        expect_part(walk, PART_ENTRY_LEN);
        return;
    case PART_ENTRY_LEN:
        on_entry_len(hs, value);
        return;
    case PART_EXTS_LEN:
        if (value != 0) { /* an answer to status_request or the like, which we never send */
            np_tls_hs_fail(hs, NP_TLS_STRAY_EXTENSION);
        }
        expect_part(walk, PART_ENTRY_LEN);
        return;
    case PART_DER:
        return;
    }
}

static uint32_t feed_number(struct np_tls_hs *hs, uint8_t byte)
{
    struct np_tls_cert_walk *walk = &hs->walk;

    if (walk->part >= PART_ENTRY_LEN && !take_from_list(hs, 1)) {
        return 0;
    }
    walk->left--;
    walk->value = walk->value << 8 | byte;
    if (--walk->number_left == 0) {
        on_number(hs);
    }
    return 1;
}

static uint32_t feed_der(struct np_tls_hs *hs, const uint8_t *bytes, uint32_t len)
{
    struct np_tls_cert_walk *walk = &hs->walk;

    if (len > walk->part_left) {
        len = walk->part_left;
    }
    if (!take_from_list(hs, len)) {
        return 0;
    }
    hs->config->trust->ops->append(hs->verify, bytes, len);
    walk->left -= len;
    walk->part_left -= len;
    if (walk->part_left == 0) {
        hs->config->trust->ops->cert_end(hs->verify);
        expect_part(walk, PART_EXTS_LEN);
    }
    return len;
}

static void on_list_end(struct np_tls_hs *hs)
{
    const struct np_tls_verify_ops *ops = hs->config->trust->ops;

    if (hs->walk.part != PART_ENTRY_LEN || hs->walk.number_left != number_len[PART_ENTRY_LEN]) {
        np_tls_hs_fail(hs, NP_TLS_DECODE);
        return;
    }
    np_tls_hs_fail(hs, ops->end(hs->verify));
    if (hs->reason == NP_TLS_FINE) {
        ops->fingerprint(hs->verify, hs->fingerprint);
        hs->has_fingerprint = true;
        hs->state = NP_TLS_EXPECT_CV;
    }
}

void np_tls_hs_cert_feed(struct np_tls_hs *hs, const uint8_t *bytes, uint32_t len)
{
    np_tls_transcript_append(&hs->transcript, bytes, len);
    while (len > 0 && hs->reason == NP_TLS_FINE) {
        uint32_t used =
            hs->walk.part == PART_DER ? feed_der(hs, bytes, len) : feed_number(hs, *bytes);
        bytes += used;
        len -= used;
    }
    if (hs->walk.left == 0 && hs->reason == NP_TLS_FINE) {
        on_list_end(hs);
    }
}

/* What is signed: 64 spaces, a context string, a zero and the transcript's hash. */
static uint32_t write_content(const struct np_tls_hs *hs, uint8_t content[CONTENT_MAX])
{
    static const char context[] = "TLS 1.3, server CertificateVerify";
    uint32_t len = 64 + sizeof(context); /* with its zero */

    memset(content, ' ', 64);
    memcpy(content + 64, context, sizeof(context));
    np_tls_hs_hash(hs, content + len);
    return len + np_tls_hash_len((enum np_tls_hash)hs->suite->hash);
}

void np_tls_hs_cert_verify_in(struct np_tls_hs *hs)
{
    struct np_tls_reader body = np_tls_hs_body(hs);
    uint16_t scheme = (uint16_t)np_tls_read_uint(&body, 2);
    struct np_tls_reader sig = np_tls_read_vector(&body, 2, 0, 0xffff);
    uint8_t content[CONTENT_MAX];
    uint32_t len;

    if (!np_tls_reader_is_done(&body)) {
        np_tls_hs_fail(hs, NP_TLS_DECODE);
        return;
    }
    if (!np_tls_is_scheme_offered(scheme)) {
        np_tls_hs_fail(hs, NP_TLS_ILLEGAL);
        return;
    }
    len = write_content(hs, content);
    np_tls_hs_fail(hs, hs->config->trust->ops->check_signature(hs->verify, scheme, content, len,
                                                               sig.at, sig.left));
    np_tls_hs_append_in(hs);
    hs->state = NP_TLS_EXPECT_FIN;
}

/* ---- server ---------------------------------------------------------------------------------- */

/* Head of the message; the entries follow piece by piece, so the length is counted first. */
void np_tls_hs_write_certificate(struct np_tls_hs *hs)
{
    struct np_tls_writer writer = np_tls_hs_message(hs, NP_TLS_MSG_CERTIFICATE);
    uint32_t list_len = 0;

    for (uint32_t i = 0; i < hs->cred->chain_count; i++) {
        list_len += 3 + hs->cred->chain[i].len + 2;
    }
    writer.len = 1; /* the length in the header is not that of what `out` holds */
    np_tls_write_uint(&writer, list_len + 4, 3);
    np_tls_write_uint(&writer, 0, 1); /* certificate_request_context */
    np_tls_write_uint(&writer, list_len, 3);
    np_tls_transcript_append(&hs->transcript, writer.base, writer.len);
    hs->out_len = (uint16_t)writer.len;
    hs->cert_index = 0;
    hs->out_step = NP_TLS_OUT_ENTRY;
}

void np_tls_hs_write_entry(struct np_tls_hs *hs)
{
    struct np_tls_writer writer = {hs->out, 0, sizeof(hs->out), false};

    np_tls_write_uint(&writer, hs->cred->chain[hs->cert_index].len, 3);
    np_tls_transcript_append(&hs->transcript, writer.base, writer.len);
    hs->out_len = (uint16_t)writer.len;
    hs->cert_offset = 0;
    hs->out_step = NP_TLS_OUT_DER;
}

uint32_t np_tls_hs_copy_der(struct np_tls_hs *hs, uint8_t *dst, uint32_t cap)
{
    const struct np_tls_der *cert = &hs->cred->chain[hs->cert_index];
    uint32_t len = cert->len - hs->cert_offset;

    if (len > cap) {
        len = cap;
    }
    memcpy(dst, cert->der + hs->cert_offset, len);
    np_tls_transcript_append(&hs->transcript, dst, len);
    hs->cert_offset += len;
    if (hs->cert_offset == cert->len) {
        hs->out_step = NP_TLS_OUT_ENTRY_END;
    }
    return len;
}

void np_tls_hs_write_entry_end(struct np_tls_hs *hs)
{
    memset(hs->out, 0, 2); /* no extensions */
    np_tls_transcript_append(&hs->transcript, hs->out, 2);
    hs->out_len = 2;
    hs->cert_index++;
    hs->out_step = hs->cert_index < hs->cred->chain_count ? NP_TLS_OUT_ENTRY : NP_TLS_OUT_CV;
}

bool np_tls_hs_write_certificate_verify(struct np_tls_hs *hs)
{
    struct np_tls_writer writer = np_tls_hs_message(hs, NP_TLS_MSG_CERTIFICATE_VERIFY);
    uint8_t content[CONTENT_MAX], sig[NP_TLS_SIGNATURE_MAX];
    int32_t len = hs->cred->sign(hs->cred, hs->scheme, content, write_content(hs, content),
                                 &hs->config->random, sig, sizeof(sig));

    if (len == NP_ERR_AGAIN) {
        return false;
    }
    if (len <= 0 || (uint32_t)len > sizeof(sig)) {
        np_tls_hs_fail(hs, NP_TLS_INTERNAL);
        return false;
    }
    np_tls_write_uint(&writer, hs->scheme, 2);
    np_tls_write_uint(&writer, (uint32_t)len, 2);
    np_tls_write(&writer, sig, (uint32_t)len);
    np_tls_hs_message_end(hs, &writer);
    hs->out_step = NP_TLS_OUT_FIN;
    return true;
}

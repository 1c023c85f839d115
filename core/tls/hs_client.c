/* SPDX-License-Identifier: BSD-3-Clause */
/* The client's states (RFC 8446 appendix A.1). */
#include <stddef.h>
#include <string.h>

#include "core/base/ct.h"
#include "core/tls/hs.h"

#define EE_ALLOWED                                                                                 \
    (NP_TLS_EXT_BIT(NP_TLS_EXT_SERVER_NAME) | NP_TLS_EXT_BIT(NP_TLS_EXT_GROUPS) |                  \
     NP_TLS_EXT_BIT(NP_TLS_EXT_RECORD_LIMIT) | NP_TLS_EXT_BIT(NP_TLS_EXT_EARLY_DATA))
#define SH_ALLOWED                                                                                 \
    (NP_TLS_EXT_BIT(NP_TLS_EXT_VERSIONS) | NP_TLS_EXT_BIT(NP_TLS_EXT_KEY_SHARE) |                  \
     NP_TLS_EXT_BIT(NP_TLS_EXT_PSK))
#define HRR_ALLOWED                                                                                \
    (NP_TLS_EXT_BIT(NP_TLS_EXT_VERSIONS) | NP_TLS_EXT_BIT(NP_TLS_EXT_KEY_SHARE) |                  \
     NP_TLS_EXT_BIT(NP_TLS_EXT_COOKIE))

/* Extensions of an answer: in their message, and only what we asked for. The cookie alone comes
 * unasked (RFC 8446 section 4.2). */
static enum np_tls_reason check_exts(const struct np_tls_hs *hs, const struct np_tls_exts *exts,
                                     uint32_t allowed)
{
    uint32_t asked = hs->offered | NP_TLS_EXT_BIT(NP_TLS_EXT_COOKIE);

    if (exts->has_unknown || (exts->present & ~asked) != 0) {
        return NP_TLS_STRAY_EXTENSION;
    }
    return (exts->present & ~allowed) != 0 ? NP_TLS_ILLEGAL : NP_TLS_FINE;
}

/* The last 8 bytes of a server's random when it knows TLS 1.3 and was made to speak less. */
static bool is_downgrade(const uint8_t *random)
{
    return memcmp(random + 24, "DOWNGRD", 7) == 0 && random[31] <= 1;
}

static bool has(const struct np_tls_hello *hello, enum np_tls_ext ext)
{
    return (hello->exts.present & NP_TLS_EXT_BIT(ext)) != 0;
}

/* What ServerHello and HelloRetryRequest have in common; takes the suite. */
static enum np_tls_reason check_hello(struct np_tls_hs *hs, struct np_tls_hello *hello,
                                      bool is_retry)
{
    struct np_tls_reader version = hello->exts.body[NP_TLS_EXT_VERSIONS];
    enum np_tls_reason reason;

    if (!has(hello, NP_TLS_EXT_VERSIONS)) {
        return is_downgrade(hello->random) ? NP_TLS_DOWNGRADE : NP_TLS_VERSION;
    }
    if (np_tls_read_uint(&version, 2) != 0x0304 || !np_tls_reader_is_done(&version)) {
        return NP_TLS_ILLEGAL;
    }
    reason = check_exts(hs, &hello->exts, is_retry ? HRR_ALLOWED : SH_ALLOWED);
    if (reason != NP_TLS_FINE) {
        return reason;
    }
    if (hello->session_id.left != hs->session_id_len ||
        (hs->session_id_len > 0 &&
         memcmp(hello->session_id.at, hs->session_id, hs->session_id_len) != 0) ||
        hello->compression_method != 0 ||
        !np_tls_list_has(np_tls_hs_suites(hs->config), NP_TLS_SUITES, hello->suite) ||
        (hs->suite != NULL && hs->suite->id != hello->suite)) {
        return NP_TLS_ILLEGAL;
    }
    hs->suite = np_tls_suite_find(hello->suite);
    return NP_TLS_FINE;
}

static enum np_tls_reason new_share(struct np_tls_hs *hs, uint16_t group)
{
    if (group == hs->group ||
        !np_tls_list_has(np_tls_hs_groups(hs->config), NP_TLS_GROUPS, group)) {
        return NP_TLS_ILLEGAL;
    }
    hs->group = group;
    return np_tls_group_generate(group, &hs->config->random, hs->private_key, hs->share) == NP_OK
               ? NP_TLS_FINE
               : NP_TLS_INTERNAL;
}

/* HelloRetryRequest (section 4.1.4): another group, a cookie, or both. */
static enum np_tls_reason retry(struct np_tls_hs *hs, struct np_tls_hello *hello)
{
    struct np_tls_reader share = hello->exts.body[NP_TLS_EXT_KEY_SHARE];
    struct np_tls_reader ext = hello->exts.body[NP_TLS_EXT_COOKIE], cookie = {NULL, 0, false};
    enum np_tls_reason reason;

    if (hs->has_hrr) {
        return NP_TLS_UNEXPECTED;
    }
    reason = check_hello(hs, hello, true);
    if (reason != NP_TLS_FINE) {
        return reason;
    }
    if (has(hello, NP_TLS_EXT_COOKIE)) {
        cookie = np_tls_read_vector(&ext, 2, 1, 0xffff);
        if (!np_tls_reader_is_done(&ext)) {
            return NP_TLS_DECODE;
        }
        if (cookie.left > NP_TLS_COOKIE_MAX) {
            return NP_TLS_MESSAGE_TOO_LONG;
        }
    }
    if (has(hello, NP_TLS_EXT_KEY_SHARE)) {
        uint16_t group = (uint16_t)np_tls_read_uint(&share, 2);
        reason = np_tls_reader_is_done(&share) ? new_share(hs, group) : NP_TLS_DECODE;
    } else if (cookie.left == 0) { /* nothing would change */
        reason = NP_TLS_ILLEGAL;
    }
    if (reason == NP_TLS_FINE) {
        hs->has_hrr = true;
        np_tls_transcript_retry(&hs->transcript, (enum np_tls_hash)hs->suite->hash);
        np_tls_hs_append_in(hs);
        np_tls_hs_write_client_hello(hs, cookie.at, cookie.left);
        hs->is_ccs_due = hs->session_id_len > 0;
    }
    return reason;
}

static enum np_tls_reason choose_psk(struct np_tls_hs *hs, const struct np_tls_hello *hello)
{
    struct np_tls_reader index = hello->exts.body[NP_TLS_EXT_PSK];

    if (!has(hello, NP_TLS_EXT_PSK)) {
        return hs->config->trust != NULL ? NP_TLS_FINE : NP_TLS_NO_AUTH;
    }
    if (np_tls_read_uint(&index, 2) != 0 || !np_tls_reader_is_done(&index) ||
        hs->config->psks[0].hash != hs->suite->hash) {
        return NP_TLS_ILLEGAL;
    }
    hs->psk = 1;
    return NP_TLS_FINE;
}

/* Takes the key share, or its absence with psk_ke; then the handshake's secrets. */
static enum np_tls_reason agree(struct np_tls_hs *hs, const struct np_tls_hello *hello)
{
    struct np_tls_reader ext = hello->exts.body[NP_TLS_EXT_KEY_SHARE], share;
    uint8_t dhe[32];
    bool is_good;

    if (!has(hello, NP_TLS_EXT_KEY_SHARE)) {
        if (hs->psk == 0 || (hs->config->psk_modes & NP_TLS_PSK_KE) == 0) {
            return NP_TLS_MISSING_EXTENSION;
        }
        np_tls_hs_derive_handshake(hs, NULL);
        return NP_TLS_FINE;
    }
    if (hs->psk != 0 && (hs->config->psk_modes & NP_TLS_PSK_DHE_KE) == 0) {
        return NP_TLS_ILLEGAL;
    }
    if (np_tls_read_uint(&ext, 2) != hs->group) {
        return NP_TLS_ILLEGAL;
    }
    share = np_tls_read_vector(&ext, 2, 1, 0xffff);
    if (!np_tls_reader_is_done(&ext)) {
        return NP_TLS_DECODE;
    }
    is_good = np_tls_group_derive(hs->group, hs->private_key, share.at, share.left, dhe);
    hs->has_dhe = true;
    if (is_good) {
        np_tls_hs_derive_handshake(hs, dhe);
    }
    np_ct_wipe(dhe, sizeof(dhe));
    np_ct_wipe(hs->private_key, sizeof(hs->private_key));
    return is_good ? NP_TLS_FINE : NP_TLS_BAD_SHARE;
}

void np_tls_hs_expect_sh(struct np_tls_hs *hs)
{
    struct np_tls_hello hello;
    enum np_tls_reason reason = np_tls_server_hello_parse(&hello, np_tls_hs_body(hs));

    if (reason == NP_TLS_VERSION && hello.random != NULL && is_downgrade(hello.random)) {
        reason = NP_TLS_DOWNGRADE;
    }
    if (reason == NP_TLS_FINE && memcmp(hello.random, np_tls_retry_random, 32) == 0) {
        np_tls_hs_fail(hs, retry(hs, &hello));
        return;
    }
    if (reason == NP_TLS_FINE) {
        reason = check_hello(hs, &hello, false);
    }
    if (reason == NP_TLS_FINE) {
        reason = choose_psk(hs, &hello);
    }
    if (reason == NP_TLS_FINE) {
        np_tls_transcript_select(&hs->transcript, (enum np_tls_hash)hs->suite->hash);
        np_tls_hs_append_in(hs);
        reason = agree(hs, &hello);
    }
    if (reason != NP_TLS_FINE) {
        np_tls_hs_fail(hs, reason);
        return;
    }
    hs->rx = NP_TLS_EPOCH_HANDSHAKE;
    hs->is_ccs_due = hs->session_id_len > 0 && !hs->has_hrr;
    hs->state = NP_TLS_EXPECT_EE;
}

void np_tls_hs_expect_ee(struct np_tls_hs *hs)
{
    struct np_tls_reader body = np_tls_hs_body(hs), limit;
    struct np_tls_exts exts;
    enum np_tls_reason reason = np_tls_exts_parse(&exts, &body);

    if (reason == NP_TLS_FINE) {
        reason = np_tls_reader_is_done(&body) ? check_exts(hs, &exts, EE_ALLOWED) : NP_TLS_DECODE;
    }
    if (reason == NP_TLS_FINE && exts.body[NP_TLS_EXT_SERVER_NAME].left > 0) {
        reason = NP_TLS_DECODE; /* RFC 6066 section 3 */
    }
    if (reason == NP_TLS_FINE && (exts.present & NP_TLS_EXT_BIT(NP_TLS_EXT_RECORD_LIMIT)) != 0) {
        limit = exts.body[NP_TLS_EXT_RECORD_LIMIT];
        hs->peer_limit = (uint16_t)np_tls_read_uint(&limit, 2);
        hs->has_peer_limit = true;
        if (!np_tls_reader_is_done(&limit)) {
            reason = NP_TLS_DECODE;
        } else if (hs->peer_limit < 64) {
            reason = NP_TLS_ILLEGAL;
        }
    }
    if (reason != NP_TLS_FINE) {
        np_tls_hs_fail(hs, reason);
        return;
    }
    np_tls_hs_append_in(hs);
    hs->state = hs->psk != 0 ? NP_TLS_EXPECT_FIN : NP_TLS_EXPECT_CERT_CR;
}

/* CertificateRequest: checked for its form, answered with an empty Certificate. */
void np_tls_hs_expect_cr(struct np_tls_hs *hs)
{
    struct np_tls_reader body = np_tls_hs_body(hs);
    struct np_tls_reader context = np_tls_read_vector(&body, 1, 0, 255);
    struct np_tls_exts exts;
    enum np_tls_reason reason = np_tls_exts_parse(&exts, &body);

    if (reason == NP_TLS_FINE) {
        if (!np_tls_reader_is_done(&body)) {
            reason = NP_TLS_DECODE;
        } else if (context.left != 0) {
            reason = NP_TLS_ILLEGAL;
        } else if ((exts.present & NP_TLS_EXT_BIT(NP_TLS_EXT_SIGNATURES)) == 0) {
            reason = NP_TLS_MISSING_EXTENSION;
        }
    }
    np_tls_hs_fail(hs, reason);
    np_tls_hs_append_in(hs);
    hs->is_cert_requested = true;
    hs->state = NP_TLS_EXPECT_CERT;
}

void np_tls_hs_expect_server_fin(struct np_tls_hs *hs)
{
    if (!np_tls_hs_check_finished(hs, hs->server_secret)) {
        return;
    }
    np_tls_hs_append_in(hs);
    np_tls_hs_derive_data(hs);
    hs->rx = NP_TLS_EPOCH_DATA;
    hs->out_step = hs->is_cert_requested ? NP_TLS_OUT_EMPTY_CERT : NP_TLS_OUT_FIN;
    hs->state = NP_TLS_HS_DONE;
}

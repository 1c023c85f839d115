/* SPDX-License-Identifier: BSD-3-Clause */
/* The server's states (RFC 8446 appendix A.2). */
#include <stddef.h>
#include <string.h>

#include "core/base/ct.h"
#include "core/tls/hs.h"

#define SHARES_MAX 32u

static bool has(const struct np_tls_hello *hello, enum np_tls_ext ext)
{
    return (hello->exts.present & NP_TLS_EXT_BIT(ext)) != 0;
}

/* ---- choosing -------------------------------------------------------------------------------- */

static enum np_tls_reason check_version(const struct np_tls_hello *hello)
{
    struct np_tls_reader ext = hello->exts.body[NP_TLS_EXT_VERSIONS];
    struct np_tls_reader list = np_tls_read_vector(&ext, 1, 2, 254);

    if (has(hello, NP_TLS_EXT_VERSIONS) && (!np_tls_reader_is_done(&ext) || list.left % 2 != 0)) {
        return NP_TLS_DECODE;
    }
    return np_tls_vector_has(list, 0x0304) ? NP_TLS_FINE : NP_TLS_VERSION;
}

/* For a server without PSKs as well (sections 4.2.9 and 4.2.11). */
static enum np_tls_reason check_psk_offer(const struct np_tls_hello *hello)
{
    if (!has(hello, NP_TLS_EXT_PSK)) {
        return NP_TLS_FINE;
    }
    if (!hello->exts.is_psk_last) {
        return NP_TLS_ILLEGAL;
    }
    return has(hello, NP_TLS_EXT_PSK_MODES) ? NP_TLS_FINE : NP_TLS_MISSING_EXTENSION;
}

/* Ours in order of preference. Without a configured order a client that puts ChaCha20 first has no
 * AES hardware: it gets its way. */
static const struct np_tls_suite *choose_suite(const struct np_tls_hs *hs,
                                               const struct np_tls_hello *hello, uint8_t hash)
{
    const uint16_t *suites = np_tls_hs_suites(hs->config);
    struct np_tls_reader list = hello->suites;
    uint32_t first = 0;

    while (list.left > 0 && np_tls_suite_find((uint16_t)first) == NULL) {
        first = np_tls_read_uint(&list, 2);
    }
    if (hs->config->suites[0] == 0 && first == NP_TLS_CHACHA20_POLY1305_SHA256 &&
        hash != NP_TLS_SHA384) {
        return np_tls_suite_find(NP_TLS_CHACHA20_POLY1305_SHA256);
    }
    for (uint32_t i = 0; i < NP_TLS_SUITES && suites[i] != 0; i++) {
        const struct np_tls_suite *suite = np_tls_suite_find(suites[i]);
        if (suite != NULL && (hash == 0 || suite->hash == hash) &&
            np_tls_vector_has(hello->suites, suite->id)) {
            return suite;
        }
    }
    return NULL;
}

/* A PSK is tied to a hash, so suites are tried hash by hash until a PSK fits; else the best suite
 * with a certificate. */
static enum np_tls_reason choose_suite_and_psk(struct np_tls_hs *hs,
                                               const struct np_tls_hello *hello)
{
    const struct np_tls_suite *best = choose_suite(hs, hello, 0);

    if (best == NULL) {
        return NP_TLS_NO_SUITE;
    }
    for (uint32_t i = 0; i < 2 && hs->config->psk_count > 0; i++) {
        uint8_t hash = i == 0 ? best->hash : (uint8_t)(NP_TLS_SHA256 + NP_TLS_SHA384 - best->hash);
        enum np_tls_reason reason;

        hs->suite = choose_suite(hs, hello, hash);
        if (hs->suite == NULL) {
            continue;
        }
        reason = np_tls_hs_choose_psk(hs, hello);
        if (reason != NP_TLS_FINE || hs->psk != 0) {
            return reason;
        }
    }
    hs->suite = best;
    return NP_TLS_FINE;
}

static enum np_tls_reason choose_scheme(struct np_tls_hs *hs, const struct np_tls_hello *hello)
{
    struct np_tls_reader ext = hello->exts.body[NP_TLS_EXT_SIGNATURES];
    struct np_tls_reader list = np_tls_read_vector(&ext, 2, 2, 0xfffe);

    if (hs->config->cred == NULL) {
        return NP_TLS_NO_AUTH;
    }
    if (!has(hello, NP_TLS_EXT_SIGNATURES)) {
        return NP_TLS_MISSING_EXTENSION;
    }
    if (!np_tls_reader_is_done(&ext) || list.left % 2 != 0) {
        return NP_TLS_DECODE;
    }
    for (uint32_t i = 0; i < 4 && hs->config->cred->schemes[i] != 0; i++) {
        if (np_tls_vector_has(list, hs->config->cred->schemes[i])) {
            hs->scheme = hs->config->cred->schemes[i];
            hs->cred = hs->config->cred;
            hs->cred->users++;
            return NP_TLS_FINE;
        }
    }
    return NP_TLS_NO_SCHEME;
}

/* The client's shares: those of groups that we know, by our order of preference. */
struct shares {
    struct np_tls_reader share[NP_TLS_GROUPS]; /* place as in our list; at = NULL: none */
    uint32_t count;                            /* of all */
};

static enum np_tls_reason parse_shares(const struct np_tls_hs *hs, struct np_tls_reader ext,
                                       struct np_tls_reader groups, struct shares *shares)
{
    const uint16_t *ours = np_tls_hs_groups(hs->config);
    struct np_tls_reader list = np_tls_read_vector(&ext, 2, 0, 0xffff);
    uint16_t seen[SHARES_MAX];

    memset(shares, 0, sizeof(*shares));
    if (!np_tls_reader_is_done(&ext)) {
        return NP_TLS_DECODE;
    }
    while (list.left > 0) {
        uint16_t group = (uint16_t)np_tls_read_uint(&list, 2);
        struct np_tls_reader share = np_tls_read_vector(&list, 2, 1, 0xffff);

        if (list.is_bad) {
            return NP_TLS_DECODE;
        }
        if (shares->count == SHARES_MAX || np_tls_list_has(seen, shares->count, group) ||
            !np_tls_vector_has(groups, group)) {
            return NP_TLS_ILLEGAL;
        }
        seen[shares->count++] = group;
        for (uint32_t i = 0; i < NP_TLS_GROUPS && ours[i] != 0; i++) {
            if (ours[i] == group) {
                shares->share[i] = share;
            }
        }
    }
    return list.is_bad ? NP_TLS_DECODE : NP_TLS_FINE;
}

/* Chooses the group; *share is empty if the client has to be asked for one. */
static enum np_tls_reason choose_group(struct np_tls_hs *hs, const struct np_tls_hello *hello,
                                       struct np_tls_reader *share)
{
    const uint16_t *ours = np_tls_hs_groups(hs->config);
    struct np_tls_reader ext = hello->exts.body[NP_TLS_EXT_GROUPS];
    struct np_tls_reader groups = np_tls_read_vector(&ext, 2, 2, 0xfffe);
    uint16_t asked = hs->group;
    struct shares shares;
    enum np_tls_reason reason;

    if (!np_tls_reader_is_done(&ext) || groups.left % 2 != 0) {
        return NP_TLS_DECODE;
    }
    reason = parse_shares(hs, hello->exts.body[NP_TLS_EXT_KEY_SHARE], groups, &shares);
    if (reason != NP_TLS_FINE) {
        return reason;
    }
    hs->group = 0;
    for (uint32_t i = 0; i < NP_TLS_GROUPS && ours[i] != 0 && share->left == 0; i++) {
        if (shares.share[i].left > 0) {
            hs->group = ours[i];
            *share = shares.share[i];
        }
    }
    for (uint32_t i = 0; i < NP_TLS_GROUPS && ours[i] != 0 && hs->group == 0; i++) {
        hs->group = np_tls_vector_has(groups, ours[i]) ? ours[i] : 0;
    }
    if (hs->has_hrr && (shares.count != 1 || hs->group != asked || share->left == 0)) {
        return NP_TLS_ILLEGAL;
    }
    return hs->group == 0 ? NP_TLS_NO_GROUP : NP_TLS_FINE;
}

/* ---- answering ------------------------------------------------------------------------------- */

static struct np_tls_writer begin_hello(struct np_tls_hs *hs, const uint8_t *random)
{
    struct np_tls_writer writer = np_tls_hs_message(hs, NP_TLS_MSG_SERVER_HELLO);

    np_tls_write_uint(&writer, 0x0303, 2);
    np_tls_write(&writer, random, 32);
    np_tls_write_uint(&writer, hs->session_id_len, 1);
    np_tls_write(&writer, hs->session_id, hs->session_id_len);
    np_tls_write_uint(&writer, hs->suite->id, 2);
    np_tls_write_uint(&writer, 0, 1);
    return writer;
}

static void write_version(struct np_tls_writer *writer)
{
    np_tls_write_uint(writer, 43, 2);
    np_tls_write_uint(writer, 2, 2);
    np_tls_write_uint(writer, 0x0304, 2);
}

static void write_retry(struct np_tls_hs *hs)
{
    struct np_tls_writer writer;
    uint32_t mark;

    np_tls_transcript_retry(&hs->transcript, (enum np_tls_hash)hs->suite->hash);
    writer = begin_hello(hs, np_tls_retry_random);
    mark = np_tls_write_begin(&writer, 2);
    write_version(&writer);
    np_tls_write_uint(&writer, 51, 2);
    np_tls_write_uint(&writer, 2, 2);
    np_tls_write_uint(&writer, hs->group, 2);
    np_tls_write_end(&writer, mark, 2);
    np_tls_hs_message_end(hs, &writer);
    hs->has_hrr = true;
    hs->is_ccs_due = hs->session_id_len > 0;
    hs->state = NP_TLS_EXPECT_CH2;
}

static void write_share(struct np_tls_hs *hs, struct np_tls_writer *writer)
{
    uint32_t len = np_tls_group_share_len(hs->group);

    np_tls_write_uint(writer, 51, 2);
    np_tls_write_uint(writer, len + 4, 2);
    np_tls_write_uint(writer, hs->group, 2);
    np_tls_write_uint(writer, len, 2);
    np_tls_write(writer, hs->share, len);
}

/* ServerHello; then the secrets, and the flight is due. */
static enum np_tls_reason write_server_hello(struct np_tls_hs *hs,
                                             const struct np_tls_reader *share)
{
    const struct np_tls_random *random = &hs->config->random;
    struct np_tls_writer writer;
    uint8_t own_random[32], dhe[32];
    uint32_t mark;

    if (random->fill(random->ctx, own_random, 32) != NP_OK) {
        return NP_TLS_INTERNAL;
    }
    if (hs->has_dhe) {
        if (np_tls_group_generate(hs->group, random, hs->private_key, hs->share) != NP_OK) {
            return NP_TLS_INTERNAL;
        }
        if (!np_tls_group_derive(hs->group, hs->private_key, share->at, share->left, dhe)) {
            return NP_TLS_BAD_SHARE;
        }
    }
    writer = begin_hello(hs, own_random);
    mark = np_tls_write_begin(&writer, 2);
    write_version(&writer);
    if (hs->has_dhe) {
        write_share(hs, &writer);
    }
    if (hs->psk != 0) {
        np_tls_write_uint(&writer, 41, 2);
        np_tls_write_uint(&writer, 2, 2);
        np_tls_write_uint(&writer, hs->psk_index, 2);
    }
    np_tls_write_end(&writer, mark, 2);
    np_tls_hs_message_end(hs, &writer);
    np_tls_hs_derive_handshake(hs, hs->has_dhe ? dhe : NULL);
    np_ct_wipe(dhe, sizeof(dhe));
    np_ct_wipe(hs->private_key, sizeof(hs->private_key));
    hs->is_ccs_due = hs->session_id_len > 0 && !hs->has_hrr;
    hs->out_step = NP_TLS_OUT_EE;
    hs->rx = NP_TLS_EPOCH_HANDSHAKE;
    hs->state = NP_TLS_EXPECT_FIN;
    return NP_TLS_FINE;
}

/* ---- states ---------------------------------------------------------------------------------- */

/* Form of the hello, and what must stay the same in a second one (section 4.1.2). */
static enum np_tls_reason check_hello(struct np_tls_hs *hs, const struct np_tls_hello *hello)
{
    struct np_tls_reader limit = hello->exts.body[NP_TLS_EXT_RECORD_LIMIT];

    enum np_tls_reason reason = check_version(hello);

    if (reason == NP_TLS_FINE) {
        reason = check_psk_offer(hello);
    }
    if (reason != NP_TLS_FINE) {
        return reason;
    }
    if (hello->compression.left != 1 || hello->compression.at[0] != 0) {
        return NP_TLS_ILLEGAL;
    }
    if (hs->has_hrr && (memcmp(hello->random, hs->random, 32) != 0 ||
                        hello->session_id.left != hs->session_id_len ||
                        memcmp(hello->session_id.at, hs->session_id, hs->session_id_len) != 0 ||
                        has(hello, NP_TLS_EXT_EARLY_DATA))) {
        return NP_TLS_ILLEGAL;
    }
    memcpy(hs->random, hello->random, 32);
    hs->session_id_len = (uint8_t)hello->session_id.left;
    memcpy(hs->session_id, hello->session_id.at, hs->session_id_len);
    hs->has_early_data = has(hello, NP_TLS_EXT_EARLY_DATA);
    if (has(hello, NP_TLS_EXT_RECORD_LIMIT)) {
        hs->peer_limit = (uint16_t)np_tls_read_uint(&limit, 2);
        hs->has_peer_limit = true;
        if (!np_tls_reader_is_done(&limit)) {
            return NP_TLS_DECODE;
        }
        return hs->peer_limit < 64 ? NP_TLS_ILLEGAL : NP_TLS_FINE;
    }
    return NP_TLS_FINE;
}

/* Everything that is chosen from a hello; *share is empty without one in a common group. */
static enum np_tls_reason choose(struct np_tls_hs *hs, const struct np_tls_hello *hello,
                                 struct np_tls_reader *share)
{
    const struct np_tls_suite *before = hs->suite;
    bool has_groups = has(hello, NP_TLS_EXT_GROUPS), has_key = has(hello, NP_TLS_EXT_KEY_SHARE);
    enum np_tls_reason reason = choose_suite_and_psk(hs, hello);

    if (reason != NP_TLS_FINE) {
        return reason;
    }
    if (before != NULL && before != hs->suite) {
        return NP_TLS_ILLEGAL;
    }
    if (hs->psk == 0) {
        reason = choose_scheme(hs, hello);
        if (reason != NP_TLS_FINE) {
            return reason;
        }
    }
    if (has_groups != has_key) { /* one without the other (section 9.2) */
        return NP_TLS_MISSING_EXTENSION;
    }
    hs->has_dhe = hs->psk == 0 || (hs->psk_modes & NP_TLS_PSK_DHE_KE) != 0;
    if (hs->has_dhe && !has_key && hs->psk != 0 && (hs->psk_modes & NP_TLS_PSK_KE) != 0) {
        hs->has_dhe = false;
    }
    if (!hs->has_dhe) {
        return NP_TLS_FINE;
    }
    return has_key ? choose_group(hs, hello, share) : NP_TLS_MISSING_EXTENSION;
}

void np_tls_hs_expect_ch(struct np_tls_hs *hs)
{
    struct np_tls_reader share = {NULL, 0, false};
    struct np_tls_hello hello;
    enum np_tls_reason reason = np_tls_client_hello_parse(&hello, np_tls_hs_body(hs));

    if (reason == NP_TLS_FINE) {
        reason = check_hello(hs, &hello);
    }
    if (reason == NP_TLS_FINE) {
        reason = choose(hs, &hello, &share);
    }
    if (reason == NP_TLS_FINE) {
        np_tls_hs_append_in(hs);
        if (hs->has_dhe && share.left == 0) {
            if (hs->cred != NULL) { /* chosen again from the second hello */
                hs->cred->users--;
                hs->cred = NULL;
            }
            write_retry(hs);
            return;
        }
        np_tls_transcript_select(&hs->transcript, (enum np_tls_hash)hs->suite->hash);
        reason = write_server_hello(hs, &share);
    }
    np_tls_hs_fail(hs, reason);
}

/* Our limit goes back to a client that has one (RFC 8449 section 4). */
void np_tls_hs_write_encrypted_extensions(struct np_tls_hs *hs)
{
    struct np_tls_writer writer = np_tls_hs_message(hs, NP_TLS_MSG_ENCRYPTED_EXTENSIONS);
    uint32_t mark = np_tls_write_begin(&writer, 2);
    uint32_t limit = hs->config->record_limit;

    if (hs->has_peer_limit) {
        np_tls_write_uint(&writer, 28, 2);
        np_tls_write_uint(&writer, 2, 2);
        np_tls_write_uint(&writer, limit != 0 ? limit : 16385, 2);
    }
    np_tls_write_end(&writer, mark, 2);
    np_tls_hs_message_end(hs, &writer);
    hs->out_step = hs->psk != 0 ? NP_TLS_OUT_FIN : NP_TLS_OUT_CERT;
}

void np_tls_hs_expect_client_fin(struct np_tls_hs *hs)
{
    if (!np_tls_hs_check_finished(hs, hs->client_secret)) {
        return;
    }
    hs->rx = NP_TLS_EPOCH_DATA;
    hs->state = NP_TLS_HS_DONE;
}

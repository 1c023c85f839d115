/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/handshake.h"

#include <stddef.h>
#include <string.h>

#include "core/base/ct.h"
#include "core/tls/engines.h"
#include "core/tls/hs.h"

#define HEADER_LEN 4u

static const uint16_t aes_first[NP_TLS_SUITES] = {
    NP_TLS_AES_128_GCM_SHA256, NP_TLS_AES_256_GCM_SHA384, NP_TLS_CHACHA20_POLY1305_SHA256};
static const uint16_t chacha_first[NP_TLS_SUITES] = {
    NP_TLS_CHACHA20_POLY1305_SHA256, NP_TLS_AES_128_GCM_SHA256, NP_TLS_AES_256_GCM_SHA384};
static const uint16_t default_groups[NP_TLS_GROUPS] = {NP_TLS_X25519, NP_TLS_SECP256R1};

/* ---- shared by the states -------------------------------------------------------------------- */

void np_tls_hs_fail(struct np_tls_hs *hs, enum np_tls_reason reason)
{
    if (hs->reason == NP_TLS_FINE) {
        hs->reason = (uint8_t)reason;
    }
}

bool np_tls_list_has(const uint16_t *list, uint32_t cap, uint16_t value)
{
    for (uint32_t i = 0; i < cap; i++) {
        if (list[i] == value) {
            return true;
        }
    }
    return false;
}

const uint16_t *np_tls_hs_suites(const struct np_tls_config *config)
{
    if (config->suites[0] != 0) {
        return config->suites;
    }
    return config->engines->has_fast_aes ? aes_first : chacha_first;
}

const uint16_t *np_tls_hs_groups(const struct np_tls_config *config)
{
    return config->groups[0] != 0 ? config->groups : default_groups;
}

void np_tls_hs_hash(const struct np_tls_hs *hs, uint8_t out[NP_TLS_HASH_MAX])
{
    np_tls_transcript_hash(&hs->transcript, (enum np_tls_hash)hs->suite->hash, out);
}

void np_tls_hs_append_in(struct np_tls_hs *hs)
{
    np_tls_transcript_append(&hs->transcript, hs->in, hs->in_len);
}

struct np_tls_reader np_tls_hs_body(const struct np_tls_hs *hs)
{
    return np_tls_reader_init(hs->in + HEADER_LEN, hs->in_len - HEADER_LEN);
}

struct np_tls_writer np_tls_hs_message(struct np_tls_hs *hs, uint32_t type)
{
    struct np_tls_writer writer = {hs->out, 0, sizeof(hs->out), false};

    np_tls_write_uint(&writer, type, 1);
    np_tls_write_begin(&writer, 3);
    return writer;
}

void np_tls_hs_message_end(struct np_tls_hs *hs, struct np_tls_writer *writer)
{
    if (writer->is_bad) { /* a configured name or identity beyond its bound */
        np_tls_hs_fail(hs, NP_TLS_INTERNAL);
        return;
    }
    np_tls_write_end(writer, HEADER_LEN, 3);
    np_tls_transcript_append(&hs->transcript, writer->base, writer->len);
    hs->out_len = (uint16_t)writer->len;
    hs->out_used = 0;
}

void np_tls_hs_derive_handshake(struct np_tls_hs *hs, const uint8_t *dhe)
{
    enum np_tls_hash hash = (enum np_tls_hash)hs->suite->hash;
    const struct np_tls_psk *psk = np_tls_hs_psk(hs);
    uint8_t digest[NP_TLS_HASH_MAX];

    np_tls_schedule_early(hash, psk != NULL ? psk->key : NULL, psk != NULL ? psk->key_len : 0,
                          hs->secret);
    np_tls_schedule_next(hash, hs->secret, dhe, 32);
    np_tls_hs_hash(hs, digest);
    np_tls_derive(hash, hs->secret, "c hs traffic", digest, hs->client_secret);
    np_tls_derive(hash, hs->secret, "s hs traffic", digest, hs->server_secret);
}

void np_tls_hs_derive_data(struct np_tls_hs *hs)
{
    enum np_tls_hash hash = (enum np_tls_hash)hs->suite->hash;
    uint8_t digest[NP_TLS_HASH_MAX];

    np_tls_schedule_next(hash, hs->secret, NULL, 0);
    np_tls_hs_hash(hs, digest);
    np_tls_derive(hash, hs->secret, "c ap traffic", digest, hs->client_next);
    np_tls_derive(hash, hs->secret, "s ap traffic", digest, hs->server_next);
    np_ct_wipe(hs->secret, sizeof(hs->secret));
}

bool np_tls_hs_check_finished(struct np_tls_hs *hs, const uint8_t *secret)
{
    uint32_t hash_len = np_tls_hash_len((enum np_tls_hash)hs->suite->hash);
    uint8_t digest[NP_TLS_HASH_MAX], expected[NP_TLS_HASH_MAX];

    np_tls_hs_hash(hs, digest);
    np_tls_finished((enum np_tls_hash)hs->suite->hash, secret, digest, expected);
    if (hs->in_len != HEADER_LEN + hash_len) {
        np_tls_hs_fail(hs, NP_TLS_DECODE);
    } else if (!np_ct_is_equal(hs->in + HEADER_LEN, expected, hash_len)) {
        np_tls_hs_fail(hs, NP_TLS_FINISHED);
    }
    return hs->reason == NP_TLS_FINE;
}

/* ---- start ----------------------------------------------------------------------------------- */

static bool is_config_usable(enum np_tls_role role, const struct np_tls_config *config)
{
    const struct np_tls_psk *psk = config->psks;

    if (config->psk_count > 0 &&
        (config->psk_modes == 0 || psk->identity_len == 0 ||
         psk->identity_len > NP_TLS_PSK_IDENTITY_MAX || psk->key_len == 0 ||
         (psk->hash != NP_TLS_SHA256 && psk->hash != NP_TLS_SHA384))) {
        return false;
    }
    if (config->record_limit != 0 && (config->record_limit < 64 || config->record_limit > 16385)) {
        return false;
    }
    return config->psk_count > 0 ||
           (role == NP_TLS_SERVER ? config->cred != NULL : config->trust != NULL);
}

static enum np_err start_client(struct np_tls_hs *hs)
{
    const struct np_tls_config *config = hs->config;
    enum np_err err = config->random.fill(config->random.ctx, hs->random, sizeof(hs->random));

    if (err == NP_OK && !config->has_no_compat) {
        hs->session_id_len = sizeof(hs->session_id);
        err = config->random.fill(config->random.ctx, hs->session_id, sizeof(hs->session_id));
    }
    if (err == NP_OK && (config->trust != NULL || (config->psk_modes & NP_TLS_PSK_DHE_KE) != 0)) {
        hs->group = np_tls_hs_groups(config)[0];
        err = np_tls_group_generate(hs->group, &config->random, hs->private_key, hs->share);
    }
    if (err == NP_OK) {
        np_tls_hs_write_client_hello(hs, NULL, 0);
    }
    return err;
}

enum np_err np_tls_hs_start(struct np_tls_hs *hs, enum np_tls_role role,
                            const struct np_tls_config *config)
{
    memset(hs, 0, offsetof(struct np_tls_hs, in));
    hs->config = config;
    hs->role = (uint8_t)role;
    np_tls_transcript_init(&hs->transcript);
    if (!is_config_usable(role, config)) {
        return NP_ERR_INVALID;
    }
    hs->state = role == NP_TLS_CLIENT ? NP_TLS_EXPECT_SH : NP_TLS_EXPECT_CH;
    return role == NP_TLS_CLIENT ? start_client(hs) : NP_OK;
}

/* ---- messages in ----------------------------------------------------------------------------- */

/* The message type each state expects; where two are possible, the second. */
static bool is_type_due(const struct np_tls_hs *hs, uint8_t type)
{
    switch ((enum np_tls_hs_state)hs->state) {
    case NP_TLS_EXPECT_SH:
        return type == NP_TLS_MSG_SERVER_HELLO;
    case NP_TLS_EXPECT_EE:
        return type == NP_TLS_MSG_ENCRYPTED_EXTENSIONS;
    case NP_TLS_EXPECT_CERT_CR:
        return type == NP_TLS_MSG_CERTIFICATE_REQUEST || type == NP_TLS_MSG_CERTIFICATE;
    case NP_TLS_EXPECT_CERT:
        return type == NP_TLS_MSG_CERTIFICATE;
    case NP_TLS_EXPECT_CV:
        return type == NP_TLS_MSG_CERTIFICATE_VERIFY;
    case NP_TLS_EXPECT_CH:
    case NP_TLS_EXPECT_CH2:
        return type == NP_TLS_MSG_CLIENT_HELLO;
    case NP_TLS_EXPECT_FIN:
        return type == NP_TLS_MSG_FINISHED;
    case NP_TLS_HS_DONE:
        return false;
    }
    return false;
}

/* Bytes of the message at `in` without its header. */
static uint32_t message_len(const struct np_tls_hs *hs)
{
    return (uint32_t)hs->in[1] << 16 | (uint32_t)hs->in[2] << 8 | hs->in[3];
}

/* Checks type and length before a byte of the body is kept. */
static void on_header(struct np_tls_hs *hs)
{
    uint32_t len = message_len(hs);

    if (!is_type_due(hs, hs->in[0])) {
        np_tls_hs_fail(hs, NP_TLS_UNEXPECTED);
    } else if (hs->in[0] == NP_TLS_MSG_CERTIFICATE) {
        if (len > NP_TLS_CERT_MESSAGE_MAX) {
            np_tls_hs_fail(hs, NP_TLS_MESSAGE_TOO_LONG);
        } else if (len < 4) {
            np_tls_hs_fail(hs, NP_TLS_DECODE);
        } else if (hs->config->trust == NULL) {
            np_tls_hs_fail(hs, NP_TLS_NO_AUTH);
        } else {
            np_tls_hs_append_in(hs);
            hs->state = NP_TLS_EXPECT_CERT;
            np_tls_hs_cert_begin(hs, len);
        }
    } else if (len > NP_TLS_MESSAGE_MAX - HEADER_LEN) {
        np_tls_hs_fail(hs, NP_TLS_MESSAGE_TOO_LONG);
    }
}

static void on_message(struct np_tls_hs *hs)
{
    switch ((enum np_tls_hs_state)hs->state) {
    case NP_TLS_EXPECT_SH:
        np_tls_hs_expect_sh(hs);
        return;
    case NP_TLS_EXPECT_EE:
        np_tls_hs_expect_ee(hs);
        return;
    case NP_TLS_EXPECT_CERT_CR:
        np_tls_hs_expect_cr(hs);
        return;
    case NP_TLS_EXPECT_CV:
        np_tls_hs_cert_verify_in(hs);
        return;
    case NP_TLS_EXPECT_CH:
    case NP_TLS_EXPECT_CH2:
        np_tls_hs_expect_ch(hs);
        return;
    case NP_TLS_EXPECT_FIN:
        if (hs->role == NP_TLS_CLIENT) {
            np_tls_hs_expect_server_fin(hs);
        } else {
            np_tls_hs_expect_client_fin(hs);
        }
        return;
    case NP_TLS_EXPECT_CERT: /* streamed */
    case NP_TLS_HS_DONE:
        break;
    }
    np_tls_hs_fail(hs, NP_TLS_UNEXPECTED);
}

/* Copies towards `want` assembled bytes. */
static uint32_t assemble(struct np_tls_hs *hs, const uint8_t *bytes, uint32_t len, uint32_t want)
{
    uint32_t used = want - hs->in_len;

    if (used > len) {
        used = len;
    }
    memcpy(hs->in + hs->in_len, bytes, used);
    hs->in_len += used;
    return used;
}

static bool is_streaming(const struct np_tls_hs *hs)
{
    return hs->in_len == HEADER_LEN && hs->in[0] == NP_TLS_MSG_CERTIFICATE;
}

static uint32_t feed_certificate(struct np_tls_hs *hs, const uint8_t *bytes, uint32_t len)
{
    if (len > hs->walk.left) {
        len = hs->walk.left;
    }
    np_tls_hs_cert_feed(hs, bytes, len);
    if (hs->walk.left == 0) {
        hs->in_len = 0;
    }
    return len;
}

uint32_t np_tls_hs_feed(struct np_tls_hs *hs, const uint8_t *bytes, uint32_t len)
{
    uint32_t used = 0;

    if (hs->in_len < HEADER_LEN) {
        used = assemble(hs, bytes, len, HEADER_LEN);
        if (hs->in_len == HEADER_LEN) {
            on_header(hs);
        }
    }
    if (hs->reason == NP_TLS_FINE && hs->in_len >= HEADER_LEN && used < len) {
        if (is_streaming(hs)) {
            used += feed_certificate(hs, bytes + used, len - used);
            return hs->reason == NP_TLS_FINE ? used : 0;
        }
        used += assemble(hs, bytes + used, len - used, HEADER_LEN + message_len(hs));
    }
    if (hs->reason == NP_TLS_FINE && hs->in_len >= HEADER_LEN && !is_streaming(hs) &&
        hs->in_len == HEADER_LEN + message_len(hs)) {
        on_message(hs);
        hs->in_len = 0;
    }
    return hs->reason == NP_TLS_FINE ? used : 0;
}

bool np_tls_hs_is_inside_message(const struct np_tls_hs *hs)
{
    return hs->in_len > 0;
}

/* ---- messages out ---------------------------------------------------------------------------- */

static void write_finished(struct np_tls_hs *hs)
{
    struct np_tls_writer writer = np_tls_hs_message(hs, NP_TLS_MSG_FINISHED);
    uint8_t digest[NP_TLS_HASH_MAX], verify[NP_TLS_HASH_MAX];
    bool is_client = hs->role == NP_TLS_CLIENT;

    np_tls_hs_hash(hs, digest);
    np_tls_finished((enum np_tls_hash)hs->suite->hash,
                    is_client ? hs->client_secret : hs->server_secret, digest, verify);
    np_tls_write(&writer, verify, np_tls_hash_len((enum np_tls_hash)hs->suite->hash));
    np_tls_hs_message_end(hs, &writer);
    if (!is_client) {
        np_tls_hs_derive_data(hs);
    }
    hs->out_step = NP_TLS_OUT_END;
}

static void write_empty_certificate(struct np_tls_hs *hs)
{
    struct np_tls_writer writer = np_tls_hs_message(hs, NP_TLS_MSG_CERTIFICATE);

    np_tls_write_uint(&writer, 0, 4); /* no context, no certificates */
    np_tls_hs_message_end(hs, &writer);
    hs->out_step = NP_TLS_OUT_FIN;
}

/* Makes the next message, or part of one, due in `out`. False if the signer has to be asked again,
 * or on failure. */
static bool next_output(struct np_tls_hs *hs)
{
    hs->out_len = 0;
    hs->out_used = 0;
    switch ((enum np_tls_out_step)hs->out_step) {
    case NP_TLS_OUT_EE:
        np_tls_hs_write_encrypted_extensions(hs);
        break;
    case NP_TLS_OUT_CERT:
        np_tls_hs_write_certificate(hs);
        break;
    case NP_TLS_OUT_ENTRY:
        np_tls_hs_write_entry(hs);
        break;
    case NP_TLS_OUT_ENTRY_END:
        np_tls_hs_write_entry_end(hs);
        break;
    case NP_TLS_OUT_CV:
        return np_tls_hs_write_certificate_verify(hs);
    case NP_TLS_OUT_EMPTY_CERT:
        write_empty_certificate(hs);
        break;
    case NP_TLS_OUT_FIN:
        write_finished(hs);
        break;
    case NP_TLS_OUT_NONE:
    case NP_TLS_OUT_DER:
    case NP_TLS_OUT_END:
        return false;
    }
    return hs->reason == NP_TLS_FINE;
}

/* Epoch whose keys protect what the next step makes. */
static uint8_t step_epoch(const struct np_tls_hs *hs)
{
    if (hs->out_step == NP_TLS_OUT_NONE) {
        return hs->tx;
    }
    return hs->out_step == NP_TLS_OUT_END ? NP_TLS_EPOCH_DATA : NP_TLS_EPOCH_HANDSHAKE;
}

/* Copies what `out` holds. */
static uint32_t copy_out(struct np_tls_hs *hs, uint8_t *dst, uint32_t cap)
{
    uint32_t len = (uint32_t)(hs->out_len - hs->out_used);

    if (len > cap) {
        len = cap;
    }
    memcpy(dst, hs->out + hs->out_used, len);
    hs->out_used = (uint16_t)(hs->out_used + len);
    return len;
}

uint32_t np_tls_hs_pull(struct np_tls_hs *hs, uint8_t *dst, uint32_t cap)
{
    uint32_t len = 0;

    while (len < cap && hs->reason == NP_TLS_FINE) {
        if (hs->out_used < hs->out_len) {
            len += copy_out(hs, dst + len, cap - len);
        } else if (step_epoch(hs) != hs->tx) {
            if (len == 0) {
                hs->tx = step_epoch(hs);
            }
            break;
        } else if (hs->out_step == NP_TLS_OUT_DER) {
            len += np_tls_hs_copy_der(hs, dst + len, cap - len);
        } else if (!next_output(hs)) {
            break;
        }
    }
    if (hs->out_step == NP_TLS_OUT_END && hs->tx == NP_TLS_EPOCH_DATA) {
        hs->out_step = NP_TLS_OUT_NONE;
    }
    return hs->reason == NP_TLS_FINE ? len : 0;
}

bool np_tls_hs_has_output(const struct np_tls_hs *hs)
{
    return hs->reason == NP_TLS_FINE &&
           (hs->out_used < hs->out_len || hs->out_step != NP_TLS_OUT_NONE);
}

const uint8_t *np_tls_hs_rx_secret(const struct np_tls_hs *hs)
{
    if (hs->rx == NP_TLS_EPOCH_DATA) {
        return hs->role == NP_TLS_CLIENT ? hs->server_next : hs->client_next;
    }
    return hs->role == NP_TLS_CLIENT ? hs->server_secret : hs->client_secret;
}

const uint8_t *np_tls_hs_tx_secret(const struct np_tls_hs *hs)
{
    if (hs->tx == NP_TLS_EPOCH_DATA) {
        return hs->role == NP_TLS_CLIENT ? hs->client_next : hs->server_next;
    }
    return hs->role == NP_TLS_CLIENT ? hs->client_secret : hs->server_secret;
}

void np_tls_hs_deinit(struct np_tls_hs *hs)
{
    if (hs->cred != NULL) {
        hs->cred->users--;
    }
    /* A server never wrote to the verifier's room: its pages stay untouched. */
    np_ct_wipe(hs, hs->role == NP_TLS_CLIENT ? sizeof(*hs) : offsetof(struct np_tls_hs, verify));
}

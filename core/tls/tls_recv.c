/* SPDX-License-Identifier: BSD-3-Clause */
/* Received records of the stream facade. */
#include <stddef.h>

#include "core/tls/tls_inner.h"

#define LEN_OF_HEADER(rec) ((uint32_t)(rec)[3] << 8 | (rec)[4])

static bool count_idle(struct np_tls *tls)
{
    if (++tls->idle_records > NP_TLS_IDLE_RECORDS) {
        np_tls_fail(tls, NP_TLS_NO_PROGRESS);
        return false;
    }
    return true;
}

static void on_handshake_bytes(struct np_tls *tls, const uint8_t *bytes, uint32_t len)
{
    struct np_tls_hs *hs = tls->hs;

    while (len > 0) {
        uint32_t used = np_tls_hs_feed(hs, bytes, len);

        if (used == 0) {
            np_tls_fail(tls, (enum np_tls_reason)hs->reason);
            return;
        }
        bytes += used;
        len -= used;
        if (hs->rx != tls->rx_epoch && len > 0) {
            np_tls_fail(tls, NP_TLS_KEY_CHANGE);
            return;
        }
        if (len > 0 && np_tls_hs_has_output(hs)) { /* of somebody who has not seen our answer */
            np_tls_fail(tls, NP_TLS_UNEXPECTED);
            return;
        }
    }
    np_tls_install_rx(tls);
    np_tls_open_if_done(tls);
}

/* KeyUpdate (RFC 8446 section 4.6.3). */
static void on_key_update(struct np_tls *tls, uint8_t request, uint32_t left)
{
    if (request > 1) {
        np_tls_fail(tls, NP_TLS_ILLEGAL);
    } else if (left > 0) {
        np_tls_fail(tls, NP_TLS_KEY_CHANGE);
    } else {
        np_tls_keys_update(&tls->rx);
        if (tls->asked > 0) { /* the answer is no idleness of the peer's */
            tls->asked--;
            tls->idle_records--;
        }
        if (request == 1 &&
            !np_tls_has_flag(tls, NP_TLS_FLAG_WRITE_CLOSED | NP_TLS_FLAG_CLOSE_DUE)) {
            np_tls_set_flag(tls, NP_TLS_FLAG_UPDATE_DUE);
        }
    }
}

/* The header of a message after the handshake is complete. */
static void on_post_header(struct np_tls *tls)
{
    uint32_t len = (uint32_t)tls->post[1] << 16 | (uint32_t)tls->post[2] << 8 | tls->post[3];

    if (tls->post[0] == NP_TLS_POST_TICKET && tls->role == NP_TLS_CLIENT) {
        if (len > NP_TLS_TICKET_MAX) {
            np_tls_fail(tls, NP_TLS_MESSAGE_TOO_LONG);
        }
        tls->skip_left = (uint16_t)len; /* we never resume */
        tls->post_len = 0;
    } else if (tls->post[0] != NP_TLS_POST_KEY_UPDATE) {
        np_tls_fail(tls, NP_TLS_UNEXPECTED);
    } else if (len != 1) {
        np_tls_fail(tls, NP_TLS_DECODE);
    }
}

static void on_post_bytes(struct np_tls *tls, const uint8_t *bytes, uint32_t len)
{
    while (len > 0 && tls->state != NP_TLS_FAILED) {
        if (tls->skip_left > 0) {
            uint32_t skip = len < tls->skip_left ? len : tls->skip_left;
            tls->skip_left = (uint16_t)(tls->skip_left - skip);
            bytes += skip;
            len -= skip;
            continue;
        }
        tls->post[tls->post_len++] = *bytes++;
        len--;
        if (tls->post_len == 4) {
            on_post_header(tls);
        } else if (tls->post_len == 5) {
            tls->post_len = 0;
            on_key_update(tls, tls->post[4], len);
        }
    }
}

static bool is_inside_message(const struct np_tls *tls)
{
    return tls->post_len > 0 || tls->skip_left > 0 ||
           (tls->state == NP_TLS_EXPECT_HANDSHAKE && np_tls_hs_is_inside_message(tls->hs));
}

static void on_alert(struct np_tls *tls, const uint8_t *data, uint32_t len)
{
    if (len != 2) {
        np_tls_fail(tls, NP_TLS_DECODE);
    } else if (data[1] == NP_TLS_ALERT_USER_CANCELED) { /* a close_notify follows (section 6.1) */
        if (is_inside_message(tls)) {
            np_tls_fail(tls, NP_TLS_UNEXPECTED);
        }
        count_idle(tls);
    } else if (data[1] == NP_TLS_ALERT_CLOSE_NOTIFY && tls->rx_epoch == NP_TLS_EPOCH_DATA) {
        np_tls_set_flag(tls, NP_TLS_FLAG_READ_CLOSED);
    } else {
        tls->peer_alert = data[1];
        np_tls_fail(tls, NP_TLS_PEER_ALERT);
    }
}

/* The inside of a record by its type; DATA is left to the caller. */
static void on_content(struct np_tls *tls, uint8_t type, const uint8_t *data, uint32_t len)
{
    if (type == NP_TLS_ALERT) {
        if (is_inside_message(tls) && tls->state == NP_TLS_OPEN) {
            np_tls_fail(tls, NP_TLS_UNEXPECTED);
            return;
        }
        on_alert(tls, data, len);
    } else if (type != NP_TLS_HANDSHAKE || len == 0) {
        np_tls_fail(tls, NP_TLS_UNEXPECTED);
    } else if (tls->state == NP_TLS_EXPECT_HANDSHAKE && tls->hs->state != NP_TLS_HS_DONE) {
        on_handshake_bytes(tls, data, len);
    } else if (count_idle(tls)) {
        on_post_bytes(tls, data, len);
    }
}

/* change_cipher_spec of middlebox compatibility (section 5): one byte, between the first
 * ClientHello and the peer's Finished; nothing else changes. */
static void on_ccs(struct np_tls *tls, const uint8_t *body, uint32_t len)
{
    if (tls->state != NP_TLS_EXPECT_HANDSHAKE || tls->rx_epoch == NP_TLS_EPOCH_DATA ||
        tls->hs->state == NP_TLS_EXPECT_CH || is_inside_message(tls) || len != 1 || body[0] != 1) {
        np_tls_fail(tls, NP_TLS_UNEXPECTED);
        return;
    }
    count_idle(tls);
}

/* 0-RTT data that we did not agree to is skipped, as far as its bound (section 4.2.10). */
static bool can_skip_early(struct np_tls *tls, uint32_t len)
{
    len = len < NP_TLS_EARLY_LEAST ? NP_TLS_EARLY_LEAST : len;
    if (tls->role != NP_TLS_SERVER || tls->state != NP_TLS_EXPECT_HANDSHAKE ||
        !tls->hs->has_early_data || np_tls_has_flag(tls, NP_TLS_FLAG_RX_PROTECTED) ||
        len > tls->early_left) {
        return false;
    }
    tls->early_left = (uint16_t)(tls->early_left - len);
    return true;
}

static void on_plain_record(struct np_tls *tls, const uint8_t *rec, uint32_t len)
{
    if (rec[0] == NP_TLS_CCS) {
        on_ccs(tls, rec + NP_TLS_HEADER_LEN, len);
    } else if (rec[0] == NP_TLS_DATA) {
        if (!can_skip_early(tls, len)) {
            np_tls_fail(tls, NP_TLS_UNEXPECTED);
        }
    } else {
        on_content(tls, rec[0], rec + NP_TLS_HEADER_LEN, len);
    }
}

static void on_protected_record(struct np_tls *tls, uint8_t *rec, uint32_t len,
                                struct np_tls_input *input)
{
    struct np_tls_opened opened =
        np_tls_record_open(tls->config->engines, &tls->rx, rec, NP_TLS_HEADER_LEN + len);

    if (opened.reason != NP_TLS_FINE) {
        if (opened.reason != NP_TLS_BAD_MAC || !can_skip_early(tls, len)) {
            np_tls_fail(tls, opened.reason);
        }
        return;
    }
    np_tls_set_flag(tls, NP_TLS_FLAG_RX_PROTECTED);
    if (opened.type != NP_TLS_DATA) {
        on_content(tls, opened.type, opened.data, opened.len);
        return;
    }
    if (tls->rx_epoch != NP_TLS_EPOCH_DATA || is_inside_message(tls)) {
        np_tls_fail(tls, NP_TLS_UNEXPECTED);
        return;
    }
    tls->idle_records = 0;
    input->event = NP_TLS_RECEIVED;
    input->data = opened.data;
    input->len = opened.len;
}

/* Judges the header alone, so that nobody waits for the rest of nonsense. */
static enum np_tls_reason check_header(const struct np_tls *tls, const uint8_t *rec)
{
    uint32_t len = LEN_OF_HEADER(rec);
    bool is_plain = tls->rx_epoch == NP_TLS_PLAIN || rec[0] != NP_TLS_DATA;

    if (rec[0] < NP_TLS_CCS || rec[0] > NP_TLS_DATA || rec[1] != 3) {
        return tls->rx_epoch == NP_TLS_PLAIN && !is_inside_message(tls) ? NP_TLS_NOT_TLS
                                                                        : NP_TLS_UNEXPECTED;
    }
    if (len > (rec[0] == NP_TLS_DATA ? tls->recv_max : NP_TLS_PLAIN_MAX)) {
        return NP_TLS_RECORD_TOO_LONG;
    }
    if (rec[0] == NP_TLS_CCS && len != 1) {
        return NP_TLS_UNEXPECTED;
    }
    if (!is_plain || rec[0] == NP_TLS_CCS) {
        return NP_TLS_FINE;
    }
    if (tls->rx_epoch == NP_TLS_PLAIN) {
        return NP_TLS_FINE;
    }
    /* A client that could not use our ServerHello has no keys for its alert. */
    return rec[0] == NP_TLS_ALERT && tls->role == NP_TLS_SERVER && len == 2 &&
                   tls->rx_epoch == NP_TLS_EPOCH_HANDSHAKE &&
                   !np_tls_has_flag(tls, NP_TLS_FLAG_RX_PROTECTED)
               ? NP_TLS_FINE
               : NP_TLS_UNEXPECTED;
}

static struct np_tls_input settle(struct np_tls *tls, struct np_tls_input input)
{
    if (tls->state == NP_TLS_FAILED) {
        input.event = NP_TLS_ERROR;
    } else if (np_tls_has_flag(tls, NP_TLS_FLAG_READ_CLOSED)) {
        input.event = NP_TLS_EOF;
    }
    return input;
}

struct np_tls_input np_tls_recv(struct np_tls *tls, uint8_t *buf, uint32_t len)
{
    struct np_tls_input input = {.event = NP_TLS_NEED, .need = NP_TLS_HEADER_LEN};
    uint32_t body_len;
    enum np_tls_reason reason;

    if (tls->state == NP_TLS_FAILED || np_tls_has_flag(tls, NP_TLS_FLAG_READ_CLOSED)) {
        return settle(tls, input);
    }
    if (tls->state == NP_TLS_EXPECT_HANDSHAKE && np_tls_hs_has_output(tls->hs)) {
        input.event = NP_TLS_FLUSH;
        return input;
    }
    if (len < NP_TLS_HEADER_LEN) {
        return input;
    }
    reason = check_header(tls, buf);
    if (reason != NP_TLS_FINE) {
        np_tls_fail(tls, reason);
        return settle(tls, input);
    }
    body_len = LEN_OF_HEADER(buf);
    input.need = NP_TLS_HEADER_LEN + body_len;
    if (len < input.need) {
        return input;
    }
    input.event = NP_TLS_MORE;
    input.used = input.need;
    if (tls->rx_epoch == NP_TLS_PLAIN || buf[0] != NP_TLS_DATA) {
        on_plain_record(tls, buf, body_len);
    } else {
        on_protected_record(tls, buf, body_len, &input);
    }
    return settle(tls, input);
}

uint32_t np_tls_need_max(const struct np_tls *tls)
{
    return NP_TLS_HEADER_LEN + tls->recv_max;
}

enum np_tls_event np_tls_recv_end(struct np_tls *tls, uint32_t left)
{
    if (tls->state != NP_TLS_FAILED && !np_tls_has_flag(tls, NP_TLS_FLAG_READ_CLOSED)) {
        if (tls->state != NP_TLS_OPEN || left > 0 || is_inside_message(tls)) {
            np_tls_fail(tls, NP_TLS_TRUNCATED);
        } else {
            np_tls_set_flag(tls, NP_TLS_FLAG_READ_CLOSED | NP_TLS_FLAG_TRUNCATED);
        }
    }
    return tls->state == NP_TLS_FAILED ? NP_TLS_ERROR : NP_TLS_EOF;
}

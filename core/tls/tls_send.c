/* SPDX-License-Identifier: BSD-3-Clause */
/* Records to send of the stream facade. */
#include <stddef.h>
#include <string.h>

#include "core/tls/tls_inner.h"

struct output {
    uint8_t *dst;
    uint32_t len, cap;
};

static uint32_t room(const struct output *output)
{
    return output->cap - output->len;
}

static void put_record(struct np_tls *tls, struct output *output, uint8_t type,
                       const uint8_t *bytes, uint32_t len)
{
    uint8_t *rec = output->dst + output->len;

    memcpy(rec + NP_TLS_HEADER_LEN, bytes, len);
    output->len += np_tls_record_seal(tls->config->engines, &tls->tx, rec, len, type, 0);
}

/* CCS is never protected. The server's goes after its first message, the client's before its
 * second flight. */
static void put_ccs(struct np_tls *tls, struct output *output)
{
    static const uint8_t record[] = {NP_TLS_CCS, 3, 3, 0, 1, 1};
    struct np_tls_hs *hs = tls->hs;

    if (hs->is_ccs_due && room(output) >= sizeof(record) &&
        (tls->role == NP_TLS_CLIENT || hs->out_used == hs->out_len)) {
        memcpy(output->dst + output->len, record, sizeof(record));
        output->len += sizeof(record);
        hs->is_ccs_due = false;
    }
}

/* One record of handshake bytes. False when nothing more fits or is due. */
static bool put_handshake(struct np_tls *tls, struct output *output)
{
    struct np_tls_hs *hs = tls->hs;
    uint8_t epoch = hs->tx, *rec;
    uint32_t cap, len;

    put_ccs(tls, output);
    if (room(output) < NP_TLS_OVERHEAD + 8) {
        return false;
    }
    rec = output->dst + output->len;
    cap = room(output) - NP_TLS_OVERHEAD;
    cap = cap < tls->send_max ? cap : tls->send_max;
    len = np_tls_hs_pull(hs, rec + NP_TLS_HEADER_LEN, cap);
    if (hs->reason != NP_TLS_FINE) {
        np_tls_fail(tls, (enum np_tls_reason)hs->reason);
        return false;
    }
    if (len > 0) {
        output->len +=
            np_tls_record_seal(tls->config->engines, &tls->tx, rec, len, NP_TLS_HANDSHAKE, 0);
        if (tls->tx_epoch == NP_TLS_PLAIN && tls->role == NP_TLS_CLIENT && !hs->has_hrr &&
            rec[NP_TLS_HEADER_LEN] == 1) {
            rec[2] = 1; /* the first hello may carry the version of old (section 5.1) */
        }
    }
    np_tls_install_tx(tls);
    return len > 0 || hs->tx != epoch;
}

static void put_handshakes(struct np_tls *tls, struct output *output)
{
    while (tls->state == NP_TLS_EXPECT_HANDSHAKE &&
           (np_tls_hs_has_output(tls->hs) || tls->hs->is_ccs_due)) {
        if (!put_handshake(tls, output)) {
            break;
        }
    }
    np_tls_open_if_done(tls);
}

/* A client that refuses the server's flight has keys for its alert, but did not use them yet. */
static void prepare_alert(struct np_tls *tls, struct output *output)
{
    struct np_tls_hs *hs = tls->hs;

    if (hs != NULL && tls->role == NP_TLS_CLIENT && tls->tx_epoch == NP_TLS_PLAIN &&
        tls->rx_epoch != NP_TLS_PLAIN) {
        put_ccs(tls, output);
        hs->tx = NP_TLS_EPOCH_HANDSHAKE;
        np_tls_install_tx(tls);
    }
}

static void put_alert(struct np_tls *tls, struct output *output, uint8_t level, uint8_t alert)
{
    const uint8_t bytes[2] = {level, alert};

    put_record(tls, output, NP_TLS_ALERT, bytes, sizeof(bytes));
    np_tls_set_flag(tls, NP_TLS_FLAG_WRITE_CLOSED);
}

static void put_key_update(struct np_tls *tls, struct output *output)
{
    const uint8_t message[5] = {NP_TLS_POST_KEY_UPDATE, 0, 0, 1,
                                np_tls_has_flag(tls, NP_TLS_FLAG_UPDATE_ASK)};

    put_record(tls, output, NP_TLS_HANDSHAKE, message, sizeof(message));
    if (np_tls_has_flag(tls, NP_TLS_FLAG_UPDATE_ASK) && tls->asked < UINT16_MAX) {
        tls->asked++;
    }
    np_tls_keys_update(&tls->tx);
    np_tls_clear_flag(tls, NP_TLS_FLAG_UPDATE_DUE | NP_TLS_FLAG_UPDATE_ASK);
}

uint32_t np_tls_pending(struct np_tls *tls, uint8_t *dst, uint32_t cap)
{
    struct output output = {dst, 0, cap};

    if (cap < NP_TLS_PENDING_MIN) {
        return 0;
    }
    put_handshakes(tls, &output);
    if (room(&output) < NP_TLS_PENDING_MIN / 2) {
        return output.len;
    }
    if (np_tls_has_flag(tls, NP_TLS_FLAG_ALERT_DUE)) {
        np_tls_clear_flag(tls, NP_TLS_FLAG_ALERT_DUE);
        prepare_alert(tls, &output);
        put_alert(tls, &output, NP_TLS_LEVEL_FATAL,
                  np_tls_reason_alert((enum np_tls_reason)tls->reason));
    }
    if (tls->state != NP_TLS_OPEN) {
        return output.len;
    }
    if (np_tls_has_flag(tls, NP_TLS_FLAG_UPDATE_DUE)) {
        put_key_update(tls, &output);
    }
    if (np_tls_has_flag(tls, NP_TLS_FLAG_CLOSE_DUE) && room(&output) >= NP_TLS_OVERHEAD + 2) {
        np_tls_clear_flag(tls, NP_TLS_FLAG_CLOSE_DUE);
        put_alert(tls, &output, NP_TLS_LEVEL_WARNING, NP_TLS_ALERT_CLOSE_NOTIFY);
    }
    return output.len;
}

bool np_tls_has_pending(const struct np_tls *tls)
{
    if (tls->state == NP_TLS_EXPECT_HANDSHAKE) {
        return np_tls_hs_has_output(tls->hs) || tls->hs->is_ccs_due;
    }
    return np_tls_has_flag(tls, NP_TLS_FLAG_ALERT_DUE) ||
           (tls->state == NP_TLS_OPEN &&
            np_tls_has_flag(tls, NP_TLS_FLAG_UPDATE_DUE | NP_TLS_FLAG_CLOSE_DUE));
}

int32_t np_tls_seal(struct np_tls *tls, uint8_t *rec, uint32_t len, uint32_t pad)
{
    int32_t sealed;

    if (tls->state != NP_TLS_OPEN ||
        np_tls_has_flag(tls, NP_TLS_FLAG_WRITE_CLOSED | NP_TLS_FLAG_CLOSE_DUE)) {
        return NP_ERR_STATE;
    }
    if (len > tls->send_max || pad > tls->send_max - len) {
        return NP_ERR_TOO_LONG;
    }
    if (np_tls_has_flag(tls, NP_TLS_FLAG_UPDATE_DUE)) {
        return NP_ERR_AGAIN;
    }
    tls->idle_records = 0;
    sealed =
        (int32_t)np_tls_record_seal(tls->config->engines, &tls->tx, rec, len, NP_TLS_DATA, pad);
    if (tls->tx.sequence >= NP_TLS_KEY_RECORDS) { /* now, so that the next call finds it due */
        np_tls_set_flag(tls, NP_TLS_FLAG_UPDATE_DUE);
    }
    return sealed;
}

uint32_t np_tls_seal_max(const struct np_tls *tls)
{
    return tls->send_max;
}

void np_tls_close_write(struct np_tls *tls)
{
    if (tls->state == NP_TLS_EXPECT_HANDSHAKE) {
        np_tls_fail(tls, NP_TLS_CLOSED);
    } else if (tls->state == NP_TLS_OPEN && !np_tls_has_flag(tls, NP_TLS_FLAG_WRITE_CLOSED)) {
        np_tls_set_flag(tls, NP_TLS_FLAG_CLOSE_DUE);
    }
}

void np_tls_key_update(struct np_tls *tls, bool ask)
{
    if (tls->state == NP_TLS_OPEN &&
        !np_tls_has_flag(tls, NP_TLS_FLAG_WRITE_CLOSED | NP_TLS_FLAG_CLOSE_DUE)) {
        np_tls_set_flag(tls, NP_TLS_FLAG_UPDATE_DUE | (ask ? NP_TLS_FLAG_UPDATE_ASK : 0));
    }
}

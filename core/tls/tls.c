/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/tls.h"

#include <stddef.h>
#include <string.h>

#include "core/base/ct.h"
#include "core/base/fmt.h"
#include "core/tls/tls_inner.h"

enum np_err np_tls_start(struct np_tls *tls, enum np_tls_role role,
                         const struct np_tls_config *config, struct np_tls_hs *hs)
{
    enum np_err err;

    memset(tls, 0, sizeof(*tls));
    tls->config = config;
    tls->hs = hs;
    tls->role = (uint8_t)role;
    tls->send_max = NP_TLS_PLAIN_MAX;
    tls->recv_max = NP_TLS_CIPHER_MAX;
    tls->early_left = NP_TLS_EARLY_BYTES;
    err = np_tls_hs_start(hs, role, config);
    if (err != NP_OK) {
        tls->state = NP_TLS_FAILED;
        tls->reason = NP_TLS_INTERNAL;
    }
    return err;
}

void np_tls_fail(struct np_tls *tls, enum np_tls_reason reason)
{
    if (tls->state == NP_TLS_FAILED) {
        return;
    }
    tls->state = NP_TLS_FAILED;
    tls->reason = (uint8_t)reason;
    if (reason != NP_TLS_PEER_ALERT && !np_tls_has_flag(tls, NP_TLS_FLAG_WRITE_CLOSED)) {
        np_tls_set_flag(tls, NP_TLS_FLAG_ALERT_DUE);
    }
    np_ct_wipe(&tls->rx, sizeof(tls->rx)); /* nothing is read any more */
}

void np_tls_install_rx(struct np_tls *tls)
{
    struct np_tls_hs *hs = tls->hs;

    if (hs->rx != tls->rx_epoch) {
        tls->rx_epoch = hs->rx;
        np_tls_keys_install(&tls->rx, hs->suite->id, np_tls_hs_rx_secret(hs));
        np_tls_clear_flag(tls, NP_TLS_FLAG_RX_PROTECTED);
        if (hs->has_peer_limit && tls->config->record_limit != 0) {
            tls->recv_max = (uint16_t)(tls->config->record_limit + NP_TLS_TAG_LEN);
        }
        if (hs->peer_limit != 0 && hs->peer_limit <= NP_TLS_PLAIN_MAX) {
            tls->send_max = (uint16_t)(hs->peer_limit - 1); /* it counts the type as well */
        }
    }
}

void np_tls_install_tx(struct np_tls *tls)
{
    struct np_tls_hs *hs = tls->hs;

    if (hs->tx != tls->tx_epoch) {
        tls->tx_epoch = hs->tx;
        np_tls_keys_install(&tls->tx, hs->suite->id, np_tls_hs_tx_secret(hs));
    }
}

void np_tls_open_if_done(struct np_tls *tls)
{
    if (tls->state == NP_TLS_EXPECT_HANDSHAKE && tls->hs->state == NP_TLS_HS_DONE &&
        tls->rx_epoch == NP_TLS_EPOCH_DATA && tls->tx_epoch == NP_TLS_EPOCH_DATA &&
        !np_tls_hs_has_output(tls->hs)) {
        tls->state = NP_TLS_OPEN;
        tls->idle_records = 0;
    }
}

struct np_tls_hs *np_tls_detach(struct np_tls *tls)
{
    struct np_tls_hs *hs = tls->hs;

    if (hs == NULL || tls->state != NP_TLS_OPEN) {
        return NULL;
    }
    np_tls_hs_deinit(hs);
    tls->hs = NULL;
    return hs;
}

struct np_tls_hs *np_tls_deinit(struct np_tls *tls)
{
    struct np_tls_hs *hs = tls->hs;

    if (hs != NULL) {
        np_tls_hs_deinit(hs);
    }
    np_ct_wipe(tls, sizeof(*tls));
    tls->state = NP_TLS_FAILED;
    return hs;
}

bool np_tls_is_open(const struct np_tls *tls)
{
    return tls->state == NP_TLS_OPEN;
}

bool np_tls_is_read_closed(const struct np_tls *tls)
{
    return np_tls_has_flag(tls, NP_TLS_FLAG_READ_CLOSED);
}

bool np_tls_is_write_closed(const struct np_tls *tls)
{
    return np_tls_has_flag(tls, NP_TLS_FLAG_WRITE_CLOSED);
}

bool np_tls_is_truncated(const struct np_tls *tls)
{
    return np_tls_has_flag(tls, NP_TLS_FLAG_TRUNCATED);
}

bool np_tls_fingerprint(const struct np_tls *tls, uint8_t out[NP_TLS_FINGERPRINT_LEN])
{
    if (tls->hs == NULL || !tls->hs->has_fingerprint) {
        return false;
    }
    memcpy(out, tls->hs->fingerprint, NP_TLS_FINGERPRINT_LEN);
    return true;
}

const char *np_tls_suite_name(const struct np_tls *tls)
{
    const struct np_tls_suite *suite = np_tls_suite_find(tls->tx.suite);

    return suite != NULL ? suite->name : "";
}

enum np_tls_reason np_tls_reason(const struct np_tls *tls)
{
    return (enum np_tls_reason)tls->reason;
}

int np_tls_peer_alert(const struct np_tls *tls)
{
    return tls->reason == NP_TLS_PEER_ALERT ? tls->peer_alert : -1;
}

uint32_t np_tls_describe(const struct np_tls *tls, char *out, uint32_t cap)
{
    if (tls->reason == NP_TLS_PEER_ALERT) {
        return np_fmt(out, cap, "the peer sent alert %s (%u)", np_tls_alert_text(tls->peer_alert),
                      tls->peer_alert);
    }
    return np_fmt(out, cap, "%s", np_tls_reason_text((enum np_tls_reason)tls->reason));
}

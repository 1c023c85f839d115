/* SPDX-License-Identifier: BSD-3-Clause */
/* session_proof: whose are the first bytes of a pool connection that was launched at once?
 *
 * A client that was restarted without the server's knowledge opens a new control connection. The
 * server takes it for a pool connection and may give it to a waiting visitor before the hello is
 * there (protocol.md 6). So bytes that could be a hello (zeros of the key's length and a newline,
 * or the beginning of that) stay unread until the old client has answered a ping sent after they
 * came: they are its target's then. What it sent before proves nothing, since its system may
 * deliver that late. Without an answer its tunnel ends, and these sessions with it.
 */
#include "core/np_app_state.h"

/* True if `span` is a hello or may become one. */
static bool may_be_hello(const struct np_settings *settings, const uint8_t *span, uint32_t len)
{
    uint32_t key_len = settings->key_len;

    if (len > key_len + 1) {
        return false;
    }
    for (uint32_t i = 0; i < len; i++) {
        if (span[i] != (i < key_len ? 0 : '\n')) {
            return false;
        }
    }
    return true;
}

static void doubt(struct np_session *session)
{
    struct np_instance *instance = session->instance;

    if (!np_control_is_open(instance) || instance->control.era != session->era) {
        np_session_abort(session, NP_ERR_RESET);
        return;
    }
    np_plat_interest(instance->app->plat, session->legs[1], 0);
    if (!np_list_has(&session->doubt)) {
        np_list_insert_last(&instance->doubts, &session->doubt);
        session->proof_pongs = np_control_ping(instance);
    }
}

bool np_session_has_proof(struct np_session *session)
{
    struct np_plat *plat = session->instance->app->plat;
    const uint8_t *span;

    int32_t got = np_plat_tcp_peek(plat, session->legs[1], &span);
    if (got == NP_ERR_AGAIN) {
        return true;
    }
    if (got > 0) {
        bool is_doubtful = may_be_hello(session->instance->settings, span, (uint32_t)got);
        np_plat_tcp_consume(plat, session->legs[1], 0);
        if (is_doubtful) {
            doubt(session);
            return false;
        }
    }
    session->is_unproven = false; /* also when what came later told them from a hello */
    np_list_remove(&session->instance->doubts, &session->doubt);
    return true;
}

void np_session_resume(struct np_instance *instance)
{
    struct np_node *node = np_list_first(&instance->doubts);

    while (node != NULL && instance->control.pong_count >=
                               NP_CONTAINER(node, struct np_session, doubt)->proof_pongs) {
        struct np_session *session = NP_CONTAINER(node, struct np_session, doubt);
        np_list_remove(&instance->doubts, node);
        session->is_unproven = false;
        /* The rest follows with the events; UDP asks for what it wants when it has written. */
        np_plat_interest(instance->app->plat, session->legs[1], NP_EV_READ | NP_EV_WRITE);
        np_session_on_event(session, 1, session->legs[1], NP_EV_READ | NP_EV_WRITE);
        node = np_list_first(&instance->doubts);
    }
}

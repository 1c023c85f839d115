/* SPDX-License-Identifier: BSD-3-Clause */
/* conn_accept: pool connections at the server: the id it gives them, and the client's word that
 * they are its own (protocol.md 6, 9.1). */
#include "core/np_app_state.h"

#define MAX_ID_TRIES 16u /* for one that can be sent with this key; a bad key has none */

/* Whether launches with this id can be written with the key (protocol.md 2), for visitors that
 * stand for short and long addresses. */
static bool is_sendable(const struct np_instance *instance, uint32_t id)
{
    static const uint16_t ports[] = {7, 50000};
    struct np_key key = {instance->settings->key, instance->settings->key_len};
    struct np_signal launch = {0};
    uint8_t line[NP_DIALECT_LINE_CAP + 1];

    launch.kind = NP_SIGNAL_TCP;
    launch.id = id;
    launch.peer = instance->control.peer;
    for (uint32_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        launch.peer.port = ports[i];
        if (np_signal_encode(line, key, &launch) == 0) {
            return false;
        }
    }
    return true;
}

static uint32_t new_id(struct np_instance *instance)
{
    uint32_t tries = 0;
    uint32_t id;
    do {
        id = np_rng_next(&instance->app->rng);
    } while (np_connpool_find(instance, id) != NULL ||
             (++tries < MAX_ID_TRIES && !is_sendable(instance, id)));
    return id;
}

/* Whether the client tells which connections are its own (dialect.h, letter y). */
static bool has_proofs(const struct np_instance *instance)
{
    return (instance->control.extensions & NP_DIALECT_EXT_IDS) != 0;
}

static void prove(struct np_conn *conn)
{
    struct np_instance *instance = conn->instance;

    if (!conn->has_data) {
        np_timer_stop(&instance->app->timers, &conn->timer);
    }
    np_list_remove(&instance->pool.unproven, &conn->node);
    np_conn_become_idle(conn);
}

void np_connpool_prove(struct np_instance *instance, uint32_t id)
{
    struct np_conn *conn = np_connpool_find(instance, id);

    if (conn != NULL && conn->state == NP_CONN_EXPECT_PROOF) {
        prove(conn);
    }
}

void np_connpool_settle(struct np_instance *instance)
{
    struct np_node *node;

    while (!has_proofs(instance) && (node = np_list_first(&instance->pool.unproven)) != NULL) {
        prove(NP_CONTAINER(node, struct np_conn, node));
    }
    np_launch_serve_waiting(instance);
}

void np_conn_send_id(struct np_conn *conn)
{
    struct np_instance *instance = conn->instance;
    struct np_app *app = instance->app;
    char id_text[NP_DIALECT_ID_LEN];

    conn->id = new_id(instance);
    np_id_format(id_text, conn->id);
    np_plat_interest(app->plat, conn->handle, NP_EV_READ);
    if (np_conn_send(conn, (const uint8_t *)id_text, sizeof id_text) != NP_OK) {
        np_conn_close(conn);
        return;
    }
    np_list_remove(&instance->pool.opening, &conn->node);
    np_conn_insert_id(conn);
    conn->state = NP_CONN_EXPECT_PROOF;
    np_list_insert_last(&instance->pool.unproven, &conn->node);
    if (!np_conn_move_bytes(conn)) {
        return;
    }
    if (has_proofs(instance) || instance->control.is_ext_open) {
        np_timer_start(&app->timers, &conn->timer, app->now_ms + app->tuning->handshake_timeout_ms);
    } else {
        prove(conn);
    }
}

void np_connpool_insert_accepted(struct np_instance *instance, uint32_t handle)
{
    struct np_app *app = instance->app;
    struct np_connpool *pool = &instance->pool;

    /* New connections may overtake the launches that take the old ones: a client that replaces what
     * it has just used is beyond max for a moment. */
    uint32_t room = pool->max + NP_MAX_DIALS - pool->idle.count;
    if (has_proofs(instance) && pool->unproven.count > 0 && pool->unproven.count >= room) {
        np_conn_close(NP_CONTAINER(np_list_first(&pool->unproven), struct np_conn, node));
    }
    struct np_conn *conn = pool->unproven.count < room ? np_conn_acquire(instance) : NULL;
    if (conn == NULL) {
        np_plat_tcp_close(app->plat, handle);
        return;
    }
    conn->handle = handle;
    np_plat_retag(app->plat, handle, np_tag(NP_TAG_CONN, 0, conn->self & NP_POOL_INDEX_MASK));
    np_list_insert_last(&pool->opening, &conn->node);
    if (NP_HAS_TLS != 0 && instance->tls != 0) {
        np_conn_expect_hello(conn);
    } else {
        np_conn_send_id(conn);
    }
}

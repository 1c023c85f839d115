/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tunnel/channel.h"

#include <string.h>

#include "core/np_app_state.h"
#include "core/tls/handshake.h"

/* ---- life ------------------------------------------------------------------------------------ */

struct np_channel *np_channel_get(const struct np_app *app, uint32_t channel)
{
    return np_pool_get(&app->channels, channel);
}

enum np_err np_channel_open(struct np_instance *instance, enum np_tls_role role, uint32_t handle,
                            uint32_t *channel)
{
    struct np_app *app = instance->app;
    uint32_t self, scratch;
    struct np_channel *c = np_pool_acquire(&app->channels, &self);

    if (c == NULL) {
        return NP_ERR_NO_MEMORY;
    }
    struct np_tls_hs *hs = np_pool_acquire_unset(&app->handshakes, &scratch);
    if (hs == NULL) {
        np_pool_release(&app->channels, self);
        return NP_ERR_NO_MEMORY;
    }
    c->instance = instance;
    c->self = self;
    c->handle = handle;
    c->scratch = scratch;
    enum np_err err = np_tls_start(&c->tls, role, &instance->secure->config, hs);
    if (err != NP_OK) {
        np_channel_release(app, self);
        return err;
    }
    *channel = self;
    return NP_OK;
}

static void uncount_buffer(struct np_channel *c, enum np_channel_way way)
{
    c->instance->app->records_held[c->shares[way]]--;
    c->instance->records_held[c->shares[way]]--;
}

static void drop_buffer(struct np_channel *c, enum np_channel_way way)
{
    struct np_app *app = c->instance->app;

    if (c->buffers[way] == 0) {
        return;
    }
    np_pool_release(&app->records, c->buffers[way]);
    c->buffers[way] = 0;
    uncount_buffer(c, way);
    if (c->buffers[NP_CHANNEL_IN] == 0 && c->buffers[NP_CHANNEL_OUT] == 0) {
        np_list_remove(&app->holders, &c->holder);
    }
}

void np_channel_release(struct np_app *app, uint32_t channel)
{
    struct np_channel *c = np_channel_is_set(channel) ? np_channel_get(app, channel) : NULL;

    if (c == NULL) {
        return;
    }
    np_list_remove(&app->deferred, &c->deferred);
    if (app->deferred.count == 0) {
        np_timer_stop(&app->timers, &app->starve_timer);
    }
    drop_buffer(c, NP_CHANNEL_IN);
    drop_buffer(c, NP_CHANNEL_OUT);
    np_tls_deinit(&c->tls);
    np_pool_release(&app->handshakes, c->scratch);
    np_pool_release(&app->channels, channel);
}

/* The handshake's memory goes back as soon as it is over. */
static void settle_scratch(struct np_channel *c)
{
    if (c->scratch != 0 && np_tls_is_open(&c->tls) && np_tls_detach(&c->tls) != NULL) {
        np_pool_release(&c->instance->app->handshakes, c->scratch);
        c->scratch = 0;
    }
}

void np_channel_describe(const struct np_channel *channel, char *out, uint32_t cap)
{
    np_tls_describe(&channel->tls, out, cap);
}

/* ---- buffers --------------------------------------------------------------------------------- */

uint32_t np_channel_share_cap(uint32_t count, enum np_channel_share share)
{
    uint32_t handshakes = count < 8 ? 2 : count / 4;
    uint32_t sessions = count - (count < 4 ? 0 : handshakes) - count / 8;

    if (share >= NP_SHARE_HANDSHAKE) {
        return share == NP_SHARE_HANDSHAKE ? handshakes : count < 16 ? 2 : count / 8;
    }
    return share == NP_SHARE_OUT || sessions < 2 ? sessions - sessions / 2 : sessions / 2;
}

static enum np_channel_share share_of(const struct np_channel *c, enum np_channel_way way)
{
    const struct np_conn *conn;

    switch (np_tag_kind(c->owner_tag)) {
    case NP_TAG_SESSION:
        return way == NP_CHANNEL_IN ? NP_SHARE_IN : NP_SHARE_OUT;
    case NP_TAG_CONN:
        conn = np_pool_at(&c->instance->app->conns, np_tag_index(c->owner_tag));
        return conn->state >= NP_CONN_EXPECT_PROOF ? NP_SHARE_IDLE : NP_SHARE_HANDSHAKE;
    default:
        return NP_SHARE_IDLE;
    }
}

/* Whoever has received something that it may have to answer leaves one more buffer for that, else
 * several could each hold one and wait for ever. */
static bool may_take(const struct np_channel *c, enum np_channel_way way)
{
    const struct np_app *app = c->instance->app;
    uint32_t count = app->records.count;
    enum np_channel_share share = share_of(c, way);
    uint32_t needs = share >= NP_SHARE_HANDSHAKE && way == NP_CHANNEL_IN && count > 1 ? 2 : 1;

    return count - app->records.used >= needs &&
           app->records_held[share] + needs <= np_channel_share_cap(count, share);
}

static void count_buffer(struct np_channel *c, enum np_channel_way way)
{
    c->shares[way] = (uint8_t)share_of(c, way);
    c->instance->app->records_held[c->shares[way]]++;
    c->instance->records_held[c->shares[way]]++;
}

bool np_channel_move(struct np_channel *c)
{
    const struct np_app *app = c->instance->app;
    enum np_channel_share share = share_of(c, NP_CHANNEL_IN);

    if (c->buffers[NP_CHANNEL_IN] == 0 || share == c->shares[NP_CHANNEL_IN]) {
        return true;
    }
    if (app->records_held[share] >= np_channel_share_cap(app->records.count, share)) {
        return false;
    }
    uncount_buffer(c, NP_CHANNEL_IN);
    count_buffer(c, NP_CHANNEL_IN);
    return true;
}

/* Bytes moved: the last to be taken for stalled. */
static void touch(struct np_channel *c)
{
    struct np_app *app = c->instance->app;

    c->moved_ms = app->now_ms;
    np_list_remove(&app->holders, &c->holder);
    if (c->buffers[NP_CHANNEL_IN] != 0 || c->buffers[NP_CHANNEL_OUT] != 0) {
        np_list_insert_last(&app->holders, &c->holder);
    }
}

bool np_channel_is_starved(const struct np_channel *c)
{
    return c->waits_for != 0 && np_list_has(&c->deferred);
}

static bool holds(const struct np_channel *c, enum np_channel_share share)
{
    return (c->buffers[NP_CHANNEL_IN] != 0 && c->shares[NP_CHANNEL_IN] == share) ||
           (c->buffers[NP_CHANNEL_OUT] != 0 && c->shares[NP_CHANNEL_OUT] == share);
}

/* Of the instance that holds most of a share, the channel with a buffer of it that has stood still
 * for longest; NULL if none is stalled. The API's connections have deadlines of their own. */
static struct np_channel *find_stalled(const struct np_app *app, enum np_channel_share share)
{
    struct np_channel *found = NULL;

    for (struct np_node *node = np_list_first(&app->holders); node != NULL;
         node = np_list_next(&app->holders, node)) {
        struct np_channel *c = NP_CONTAINER(node, struct np_channel, holder);
        bool is_session = np_tag_kind(c->owner_tag) == NP_TAG_SESSION;
        if (app->now_ms - c->moved_ms >= (is_session ? NP_STALL_MS : NP_STALL_SHORT_MS) &&
            holds(c, share) && np_tag_kind(c->owner_tag) != NP_TAG_HTTP &&
            (found == NULL ||
             c->instance->records_held[share] > found->instance->records_held[share])) {
            found = c;
        }
    }
    return found;
}

/* Closes who has stalled with a buffer of a share. False if nobody has. */
static bool reclaim(struct np_app *app, enum np_channel_share share)
{
    struct np_channel *c = find_stalled(app, share);

    if (c == NULL) {
        return false;
    }
    bool is_session = np_tag_kind(c->owner_tag) == NP_TAG_SESSION;
    uint32_t owner = np_tag_index(c->owner_tag);
    np_log_limited(&c->instance->log, NP_SITE_STALLED, app->now_ms, NP_LOG_WARN,
                   "All %u TLS buffers for %s are in use: the one that stands still for longest is "
                   "closed",
                   np_channel_share_cap(app->records.count, share),
                   is_session ? "sessions" : "pool connections");
    if (is_session) {
        np_session_abort(np_pool_at(&app->sessions, owner), NP_ERR_LIMIT);
    } else {
        np_conn_on_stall(np_pool_at(&app->conns, owner));
    }
    return true;
}

static void defer(struct np_channel *c)
{
    struct np_app *app = c->instance->app;

    if (!np_list_has(&c->deferred)) {
        np_list_insert_last(&app->deferred, &c->deferred);
    }
}

/* Until a buffer for this way is free. */
static void starve(struct np_channel *c, enum np_channel_way way)
{
    struct np_app *app = c->instance->app;

    c->waits_for = (uint8_t)(c->waits_for | 1u << way);
    if (!np_timer_is_running(&app->starve_timer)) {
        app->starve_timer.fire = np_channel_on_starved;
        np_timer_start(&app->timers, &app->starve_timer, app->now_ms + NP_STALL_LOOK_MS);
    }
    defer(c);
}

void np_channel_defer(struct np_channel *channel)
{
    channel->waits_for = 0;
    defer(channel);
}

static bool waits_for(const struct np_channel *c, enum np_channel_way way)
{
    return (c->waits_for & 1u << way) != 0;
}

static bool can_go_on(const struct np_channel *c)
{
    return c->waits_for == 0 || (waits_for(c, NP_CHANNEL_IN) && may_take(c, NP_CHANNEL_IN)) ||
           (waits_for(c, NP_CHANNEL_OUT) && may_take(c, NP_CHANNEL_OUT));
}

/* How many wait for a share and can't go on. Others that are deferred only have more to do than
 * fits a turn. */
static uint32_t count_waiting(const struct np_app *app, enum np_channel_share share)
{
    uint32_t waiting = 0;

    for (struct np_node *node = np_list_first(&app->deferred); node != NULL;
         node = np_list_next(&app->deferred, node)) {
        const struct np_channel *c = NP_CONTAINER(node, struct np_channel, deferred);
        for (enum np_channel_way way = NP_CHANNEL_IN; way <= NP_CHANNEL_OUT; way++) {
            waiting += waits_for(c, way) && share_of(c, way) == share && !can_go_on(c);
        }
    }
    return waiting;
}

void np_channel_on_starved(struct np_timer *timer, uint64_t now_ms)
{
    struct np_app *app = NP_CONTAINER(timer, struct np_app, starve_timer);

    for (enum np_channel_share share = NP_SHARE_IN; share < NP_SHARES; share++) {
        uint32_t waiting = count_waiting(app, share);
        for (uint32_t left = (waiting + 3) / 4; left > 0 && reclaim(app, share); left--) {
        }
    }
    if (app->deferred.count > 0) {
        np_timer_start(&app->timers, timer, now_ms + NP_STALL_LOOK_MS);
    }
}

bool np_channel_has_deferred(const struct np_app *app)
{
    for (struct np_node *node = np_list_first(&app->deferred); node != NULL;
         node = np_list_next(&app->deferred, node)) {
        if (can_go_on(NP_CONTAINER(node, struct np_channel, deferred))) {
            return true;
        }
    }
    return false;
}

struct np_channel *np_channel_next_deferred(struct np_app *app)
{
    for (struct np_node *node = np_list_first(&app->deferred); node != NULL;
         node = np_list_next(&app->deferred, node)) {
        struct np_channel *c = NP_CONTAINER(node, struct np_channel, deferred);
        if (can_go_on(c)) {
            np_list_remove(&app->deferred, node);
            c->waits_for = 0;
            return c;
        }
    }
    return NULL;
}

/* The buffer of one way, taken if there is none yet; NULL when all are in use. */
static uint8_t *buffer_of(struct np_channel *c, enum np_channel_way way)
{
    struct np_app *app = c->instance->app;
    uint32_t *handle = &c->buffers[way];

    if (*handle != 0) {
        return np_pool_get(&app->records, *handle);
    }
    uint8_t *buffer = may_take(c, way) ? np_pool_acquire_unset(&app->records, handle) : NULL;
    if (buffer == NULL) {
        *handle = 0;
        starve(c, way);
        return NULL;
    }
    count_buffer(c, way);
    if (!np_list_has(&c->holder)) {
        touch(c);
    }
    return buffer;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Adds what the engine has to say to `out`. False if no buffer is free. */
static bool collect_pending(struct np_channel *c)
{
    uint32_t cap = c->instance->app->plan.record_bytes;

    while (np_tls_has_pending(&c->tls)) {
        uint8_t *buffer = buffer_of(c, NP_CHANNEL_OUT);
        if (buffer == NULL) {
            return false;
        }
        if (cap - c->out_len < NP_TLS_PENDING_MIN) {
            return true;
        }
        uint32_t made = np_tls_pending(&c->tls, buffer + c->out_len, cap - c->out_len);
        if (made == 0) {
            return true;
        }
        c->out_len += made;
    }
    return true;
}

enum np_err np_channel_flush(struct np_channel *c)
{
    struct np_plat *plat = c->instance->app->plat;

    for (;;) {
        bool has_buffer = collect_pending(c);
        if (c->out_sent == c->out_len) {
            drop_buffer(c, NP_CHANNEL_OUT);
            c->out_sent = c->out_len = 0;
            settle_scratch(c);
            return has_buffer ? NP_OK : NP_ERR_AGAIN;
        }
        const uint8_t *buffer = buffer_of(c, NP_CHANNEL_OUT);
        int32_t sent =
            np_plat_tcp_send(plat, c->handle, buffer + c->out_sent, c->out_len - c->out_sent);
        if (sent < 0 && sent != NP_ERR_AGAIN) {
            drop_buffer(c, NP_CHANNEL_OUT); /* nobody will take it */
            c->out_sent = c->out_len = 0;
        }
        if (sent < 0) {
            return (enum np_err)sent;
        }
        touch(c);
        c->out_sent += (uint32_t)sent;
        if (c->out_sent == c->out_len) {
            c->out_sent = c->out_len = 0;
        }
    }
}

uint32_t np_channel_interest(const struct np_channel *c, uint32_t wants)
{
    uint32_t reading =
        np_channel_is_starved(c) && waits_for(c, NP_CHANNEL_IN) ? 0 : wants & NP_EV_READ;

    return reading | (c->out_len > c->out_sent ? NP_EV_WRITE : 0);
}

int32_t np_channel_room(struct np_channel *c, uint8_t **payload)
{
    uint32_t cap = c->instance->app->plan.record_bytes;
    uint8_t *buffer = collect_pending(c) ? buffer_of(c, NP_CHANNEL_OUT) : NULL;

    if (buffer == NULL) {
        return NP_ERR_AGAIN;
    }
    if (cap - c->out_len <= NP_TLS_OVERHEAD) {
        return 0;
    }
    uint32_t room = cap - c->out_len - NP_TLS_OVERHEAD;
    uint32_t most = np_tls_seal_max(&c->tls);
    *payload = buffer + c->out_len + NP_TLS_HEADER_LEN;
    return (int32_t)(room < most ? room : most);
}

enum np_err np_channel_seal(struct np_channel *c, uint32_t len)
{
    uint8_t *buffer = buffer_of(c, NP_CHANNEL_OUT);
    int32_t made = np_tls_seal(&c->tls, buffer + c->out_len, len, 0);

    if (made < 0) {
        return (enum np_err)made;
    }
    c->out_len += (uint32_t)made;
    return NP_OK;
}

enum np_err np_channel_send(struct np_channel *c, const uint8_t *base, uint32_t len)
{
    uint8_t *payload;
    int32_t room = np_channel_room(c, &payload);

    if (room < 0) {
        return (enum np_err)room;
    }
    if (room == 0 || (uint32_t)room < len) { /* an empty one takes room as well */
        return len > np_tls_seal_max(&c->tls) ? NP_ERR_TOO_LONG : NP_ERR_AGAIN;
    }
    if (len > 0) {
        memcpy(payload, base, len);
    }
    return np_channel_seal(c, len);
}

enum np_err np_channel_close_tx(struct np_channel *c)
{
    if (!np_tls_is_write_closed(&c->tls)) {
        np_tls_close_write(&c->tls);
    }
    return np_channel_flush(c);
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* More bytes from the platform behind what is there. */
static enum np_err read_more(struct np_channel *c, uint8_t *buffer)
{
    struct np_app *app = c->instance->app;
    uint32_t left = c->in_len - c->in_at;

    if (c->in_at > 0) {
        memmove(buffer, buffer + c->in_at, left);
        c->in_at = 0;
        c->in_len = left;
    }
    int32_t got =
        np_plat_tcp_recv(app->plat, c->handle, buffer + left, app->plan.record_bytes - left);
    if (got == NP_ERR_EOF) {
        if (np_tls_recv_end(&c->tls, left) != NP_TLS_EOF) {
            return NP_ERR_PROTOCOL;
        }
        /* Without close_notify somebody may have cut the stream: that is no orderly end. */
        return np_tls_is_truncated(&c->tls) ? NP_ERR_RESET : NP_ERR_EOF;
    }
    if (got < 0) {
        return (enum np_err)got;
    }
    c->in_len += (uint32_t)got;
    return NP_OK;
}

/* Gives the buffer back when nothing is in it. */
static void settle_in(struct np_channel *c)
{
    if (c->in_at == c->in_len && !c->has_record) {
        drop_buffer(c, NP_CHANNEL_IN);
        c->in_at = c->in_len = 0;
    }
}

/* One step: a record opened, or bytes received. NP_OK, AGAIN, EOF, or why it failed. */
static enum np_err pull(struct np_channel *c)
{
    uint8_t *buffer = buffer_of(c, NP_CHANNEL_IN);

    if (buffer == NULL) {
        return NP_ERR_AGAIN;
    }
    struct np_tls_input input = np_tls_recv(&c->tls, buffer + c->in_at, c->in_len - c->in_at);
    c->in_at += input.used;
    switch (input.event) {
    case NP_TLS_NEED:
        return read_more(c, buffer);
    case NP_TLS_RECEIVED:
        c->has_record = true;
        c->data_at = (uint32_t)(input.data - buffer);
        c->data_len = input.len;
        return NP_OK;
    case NP_TLS_MORE:
        return NP_OK;
    case NP_TLS_FLUSH:
        return np_channel_flush(c);
    case NP_TLS_EOF:
        return NP_ERR_EOF;
    default:
        return NP_ERR_PROTOCOL;
    }
}

/* A step, then what it made us say (an answer, an alert). */
static enum np_err pull_and_answer(struct np_channel *c)
{
    enum np_err err = pull(c);

    if (np_tls_has_pending(&c->tls)) {
        enum np_err sent = np_channel_flush(c);
        if (err == NP_OK && sent != NP_ERR_AGAIN) {
            err = sent;
        }
    }
    if (err != NP_OK) {
        settle_in(c);
    }
    return err;
}

enum np_err np_channel_step(struct np_channel *c)
{
    enum np_err err = np_channel_flush(c);

    while (!np_tls_is_open(&c->tls)) {
        if (err != NP_OK && err != NP_ERR_AGAIN) {
            return err;
        }
        err = pull_and_answer(c);
        if (err != NP_OK) {
            return err;
        }
    }
    settle_scratch(c);
    settle_in(c);
    return NP_OK;
}

int32_t np_channel_peek(struct np_channel *c, uint8_t **data)
{
    while (!c->has_record) {
        enum np_err err = pull_and_answer(c);
        if (err != NP_OK) {
            return err;
        }
    }
    *data =
        (uint8_t *)np_pool_get(&c->instance->app->records, c->buffers[NP_CHANNEL_IN]) + c->data_at;
    return (int32_t)c->data_len;
}

int32_t np_channel_gather(struct np_channel *c)
{
    uint8_t *buffer = np_pool_get(&c->instance->app->records, c->buffers[NP_CHANNEL_IN]);

    while (c->in_at < c->in_len) {
        struct np_tls_input input = np_tls_recv(&c->tls, buffer + c->in_at, c->in_len - c->in_at);
        c->in_at += input.used;
        if (input.event == NP_TLS_RECEIVED) {
            memmove(buffer + c->data_at + c->data_len, input.data, input.len);
            c->data_len += input.len;
        } else if (input.event != NP_TLS_MORE) {
            break; /* the next peek meets it again, behind the data */
        }
    }
    return (int32_t)c->data_len;
}

void np_channel_consume(struct np_channel *c, uint32_t len)
{
    touch(c);
    c->data_at += len;
    c->data_len -= len;
    c->has_record = c->data_len > 0;
    settle_in(c);
}

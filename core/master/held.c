/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/master/held.h"

#include "core/base/fmt.h"
#include "core/master/reply.h"

static void answer(struct np_call *call, uint8_t kind, uint16_t status)
{
    if (kind == NP_HELD_EMPTY) {
        np_http_reply_empty(call->conn, status);
    } else if (kind == NP_HELD_INFO) {
        np_reply_info(call);
    } else {
        np_reply_record(call, status);
    }
}

void np_held_reply(struct np_call *call, enum np_held_kind kind, uint16_t status)
{
    struct np_held_list *list = &call->master->held;

    if (np_store_touch(call->master) || list->count == NP_MAX_HTTP_CONNS) {
        answer(call, (uint8_t)kind, status);
        return;
    }
    struct np_held *held = &list->items[list->count++];
    held->conn = np_http_conn_handle(call->conn);
    held->status = status;
    held->kind = (uint8_t)kind;
    np_fmt(held->id, sizeof held->id, "%s", call->record == NULL ? "" : call->record->id);
}

void np_held_flush(struct np_master *master)
{
    struct np_held_list list = master->held; /* an answer may bring the next change */

    master->held.count = 0;
    for (uint32_t i = 0; i < list.count; i++) {
        const struct np_held *held = &list.items[i];
        struct np_call call = {master, np_http_conn_get(&master->server, held->conn), NULL, NULL};

        if (call.conn == NULL) {
            continue; /* gone meanwhile */
        }
        call.request = np_http_conn_request(call.conn);
        if (held->id[0] != '\0') {
            call.record = np_record_find(master, held->id, NP_RECORD_ID_CAP - 1);
        }
        if (held->id[0] != '\0' && call.record == NULL) {
            np_http_reply_error(call.conn, 404, "Instance not found"); /* deleted by another */
        } else {
            answer(&call, held->kind, held->status);
        }
    }
}

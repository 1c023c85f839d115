/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/master/patch.h"

#include <string.h>

static bool refuse_body(struct np_call *call)
{
    np_http_reply_error(call->conn, 400, "Invalid request body");
    return false;
}

/* A text of at most NP_RECORD_VALUE_MAX bytes; `what` names it in the error. */
static bool read_value(struct np_call *call, const struct np_json_value *object, const char *name,
                       const char *what, char *out, bool *is_there)
{
    enum np_err err = np_reply_read_text(object, name, out, NP_RECORD_VALUE_MAX + 1);

    if (is_there != NULL) {
        *is_there = err == NP_OK;
    }
    if (err == NP_ERR_TOO_LONG) {
        np_http_reply_error(call->conn, 400, "%s exceeds maximum length %u", what,
                            NP_RECORD_VALUE_MAX);
        return false;
    }
    return err == NP_OK || err == NP_ERR_NOT_FOUND ? true : refuse_body(call);
}

/* ---- tags ------------------------------------------------------------------------------------ */

/* Takes the tag of that name out, if it is there: of several the last one counts. */
static void remove_tag(struct np_patch *patch, const char *name)
{
    for (uint32_t at = 0; at < patch->tags_len;) {
        uint32_t name_len = (uint32_t)strlen(patch->tags + at) + 1;
        uint32_t len = name_len + (uint32_t)strlen(patch->tags + at + name_len) + 1;

        if (np_slice_is(np_slice_of(name), patch->tags + at)) {
            memmove(patch->tags + at, patch->tags + at + len, patch->tags_len - at - len);
            patch->tags_len = (uint16_t)(patch->tags_len - len);
            return;
        }
        at += len;
    }
}

static bool insert_tag(struct np_call *call, struct np_patch *patch,
                       const struct np_json_value *name, const struct np_json_value *value)
{
    char texts[2][NP_RECORD_VALUE_MAX + 1];
    uint32_t lens[2];

    for (uint32_t i = 0; i < 2; i++) {
        enum np_err err = np_json_text(i == 0 ? name : value, texts[i], sizeof texts[i], &lens[i]);
        if (err == NP_ERR_TOO_LONG) {
            np_http_reply_error(call->conn, 400, "Meta tag %s exceeds maximum length %u",
                                i == 0 ? "key" : "value", NP_RECORD_VALUE_MAX);
            return false;
        }
        if (err != NP_OK) {
            return refuse_body(call);
        }
    }
    remove_tag(patch, texts[0]);
    if (lens[0] + lens[1] + 2 > NP_RECORD_TAGS_CAP - patch->tags_len) {
        np_http_reply_error(call->conn, 400, "Meta tags exceed maximum length %u",
                            NP_RECORD_TAGS_CAP);
        return false;
    }
    for (uint32_t i = 0; i < 2; i++) {
        memcpy(patch->tags + patch->tags_len, texts[i], lens[i] + 1);
        patch->tags_len = (uint16_t)(patch->tags_len + lens[i] + 1);
    }
    return true;
}

static bool read_tags(struct np_call *call, const struct np_json_value *tags,
                      struct np_patch *patch)
{
    struct np_json_iter it;

    if (tags->kind != NP_JSON_OBJECT) {
        return refuse_body(call);
    }
    patch->has_tags = true;
    for (bool more = np_json_first(&it, tags); more; more = np_json_next(&it)) {
        if (!insert_tag(call, patch, &it.key, &it.value)) {
            return false;
        }
    }
    return true;
}

/* ---- the rest -------------------------------------------------------------------------------- */

static bool read_meta(struct np_call *call, const struct np_json_value *root,
                      struct np_patch *patch)
{
    struct np_json_value meta, peer, tags;

    if (!np_json_find_set(root, "meta", &meta)) {
        return true;
    }
    if (meta.kind != NP_JSON_OBJECT) {
        return refuse_body(call);
    }
    patch->has_peer = np_json_find_set(&meta, "peer", &peer);
    if (patch->has_peer) {
        if (peer.kind != NP_JSON_OBJECT) {
            return refuse_body(call);
        }
        if (!read_value(call, &peer, "sid", "Meta peer.sid", patch->peer.sid, NULL) ||
            !read_value(call, &peer, "type", "Meta peer.type", patch->peer.type, NULL) ||
            !read_value(call, &peer, "alias", "Meta peer.alias", patch->peer.alias, NULL)) {
            return false;
        }
    }
    return !np_json_find_set(&meta, "tags", &tags) || read_tags(call, &tags, patch);
}

static bool read_action(struct np_call *call, const struct np_json_value *root,
                        struct np_patch *patch)
{
    static const char *const names[] = {"", "start", "stop", "restart", "reset"};
    char action[64];
    enum np_err err = np_reply_read_text(root, "action", action, sizeof action);

    if (err == NP_ERR_INVALID) {
        return refuse_body(call);
    }
    for (uint8_t i = NP_PATCH_NONE; err != NP_ERR_TOO_LONG && i <= NP_PATCH_RESET; i++) {
        if (np_slice_is(np_slice_of(action), names[i])) {
            patch->action = i;
            return true;
        }
    }
    np_http_reply_error(call->conn, 400, "Invalid action: %s",
                        err == NP_ERR_TOO_LONG ? "(too long)" : action);
    return false;
}

bool np_patch_parse(struct np_call *call, struct np_patch *patch)
{
    struct np_json_value root, restart;

    memset(patch, 0, sizeof *patch);
    if (!np_reply_read_body(call, &root) || !read_action(call, &root, patch) ||
        !read_value(call, &root, "alias", "Instance alias", patch->alias, &patch->has_alias) ||
        !read_meta(call, &root, patch)) {
        return false;
    }
    patch->has_restart = np_json_find_set(&root, "restart", &restart);
    if (patch->has_restart && np_json_bool(&restart, &patch->restart) != NP_OK) {
        return refuse_body(call);
    }
    return true;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* reply: what single routes answer; api.c chooses the route and has checked key, id and method. */
#ifndef NP_CORE_MASTER_REPLY_H
#define NP_CORE_MASTER_REPLY_H

#include "core/master/master.h"

/* One call of a route. */
struct np_call {
    struct np_master *master;
    struct np_http_conn *conn;
    const struct np_http_request *request;
    struct np_record *record; /* of /instances/{id}; NULL for the key's record or other routes */
};

/* instances.c */
void np_reply_record(struct np_call *call, uint16_t status);
void np_reply_list(struct np_call *call);
void np_reply_create(struct np_call *call);
void np_reply_instance(struct np_call *call);
void np_reply_patch(struct np_call *call);
void np_reply_put(struct np_call *call);
void np_reply_delete(struct np_call *call);
/* info.c */
void np_reply_info(struct np_call *call);
void np_reply_alias(struct np_call *call);
void np_info_sample(struct np_master *master);
/* metrics.c, openapi.c */
void np_reply_metrics(struct np_call *call);
void np_reply_openapi(struct np_call *call);

/* 507: the last save failed. */
void np_reply_unsaved(struct np_call *call);
/* 507 and false if state can't be saved now. */
bool np_reply_is_savable(struct np_call *call);
/* The body as a JSON object; false after 400 "Invalid request body". */
bool np_reply_read_body(struct np_call *call, struct np_json_value *root);

/* A text member of a body: NP_OK, NP_ERR_NOT_FOUND (missing or null), NP_ERR_INVALID (another
 * type), NP_ERR_TOO_LONG. */
enum np_err np_reply_read_text(const struct np_json_value *object, const char *name, char *out,
                               uint32_t cap);

#endif

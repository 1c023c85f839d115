/* SPDX-License-Identifier: BSD-3-Clause */
/* held: answers to changes that wait until the change is saved. */
#ifndef NP_CORE_MASTER_HELD_H
#define NP_CORE_MASTER_HELD_H

#include <stdint.h>

#include "config/np_config.h"
#include "core/master/record.h"

struct np_call;
struct np_master;

enum np_held_kind {
    NP_HELD_RECORD, /* the instance of the call, or the key's record */
    NP_HELD_EMPTY,
    NP_HELD_INFO
};

struct np_held {
    uint32_t conn; /* np_http_conn_handle */
    uint16_t status;
    uint8_t kind;              /* enum np_held_kind */
    char id[NP_RECORD_ID_CAP]; /* "" = the key's record */
};

struct np_held_list {
    struct np_held items[NP_MAX_HTTP_CONNS];
    uint32_t count;
};

/* Something has changed: saves, now or soon, and answers after that. */
void np_held_reply(struct np_call *call, enum np_held_kind kind, uint16_t status);
/* A save is over: answers all that waited for it. */
void np_held_flush(struct np_master *master);

#endif

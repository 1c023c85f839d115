/* SPDX-License-Identifier: BSD-3-Clause */
/* patch: what a PATCH of an instance asks for, checked as a whole before any of it is done. */
#ifndef NP_CORE_MASTER_PATCH_H
#define NP_CORE_MASTER_PATCH_H

#include "core/master/reply.h"

enum np_patch_action {
    NP_PATCH_NONE,
    NP_PATCH_START,
    NP_PATCH_STOP,
    NP_PATCH_RESTART,
    NP_PATCH_RESET
};

struct np_patch {
    uint8_t action; /* enum np_patch_action */
    bool has_alias, has_restart, has_peer, has_tags;
    bool restart;
    uint16_t tags_len;
    char alias[NP_RECORD_VALUE_MAX + 1];
    struct np_record_peer peer;
    char tags[NP_RECORD_TAGS_CAP];
};

/* Reads the body of `call`. False after it answered 400. */
bool np_patch_parse(struct np_call *call, struct np_patch *patch);

#endif
